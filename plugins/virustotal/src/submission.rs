//! Submitting a file: the one tool that gives something away.

use casemate_plugin::{
    Context, Failure, Multipart, Readable,
    field::{Base64, FileName, Sha256},
    path,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256 as Hasher};

use crate::{
    analyses::AnalysisId,
    api::{self, Envelope},
    files,
};

/// Larger files go another way (`/files/upload_url`), and would not fit a call's memory.
const FILE_BYTES: usize = 4 * 1024 * 1024;

/// Arguments of `submit_file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The file's content in standard base64 with padding, at most 4 MiB decoded
    content: Base64<FILE_BYTES>,
    /// The file's name, which VirusTotal shows to everyone
    #[serde(default)]
    filename: Option<FileName>,
}

/// A submission.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// For the tool `analysis`
    analysis_id: AnalysisId,
    /// SHA-256 of what was submitted
    sha256: Sha256,
    /// Bytes of what was submitted
    size: u32,
    /// What happens to the file
    notice: &'static str,
    /// The report for people, once there is one
    link: String,
}

const NOTICE: &str = "VirusTotal keeps the file and shares it with its partners and customers";

/// An answer without attributes that matter.
#[derive(Debug, Default, Deserialize)]
struct Nothing {}

pub(crate) fn submit(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let content = args.content.into_bytes();
    if content.is_empty() {
        return Err(Failure::invalid_arguments("the file is empty"));
    }
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let sha256: Sha256 = hex(&Hasher::digest(&content)).parse()?;
    // Without a name of its own, the file goes by its hash: VirusTotal shows some name in any case.
    let filename = args.filename.as_ref().map_or(sha256.as_str(), FileName::as_str);
    let form = Multipart::new().file("file", filename, content);
    let answer = cx.upstream(api::UPSTREAM).post(path!("/api/v3/files")).multipart(form).send()?;
    let Envelope { data, .. } = api::read::<Nothing>(answer, "file")?;
    let analysis_id = data
        .id
        .0
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Failure::upstream("VirusTotal took the file and did not say which analysis it started"))?;
    Ok(Report { analysis_id, link: files::link(sha256.as_str()), sha256, size, notice: NOTICE })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { analysis_id, sha256, size, notice, link } = self;
        format!("submitted {size} bytes; {notice}\nanalysis: {analysis_id} (ask for it in a minute)\nsha256: {sha256}\n{link}")
    }
}
