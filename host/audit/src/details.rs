//! Detail files: what a call that executes or destroys has sent and got, in full, beside the log.
//!
//! One file a call, for its owner alone, named by the call's intent; the outcome names it by its digest. It is on disk before the
//! outcome is, so an outcome never promises what is not there.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cap_std::fs::Dir;
use serde_json::{Map, Value, json};

use crate::{EventId, Hash, disk::Disk, file};

/// The folder's name in the log's folder.
pub(crate) const FOLDER: &str = "details";

/// Bytes of bodies that are kept of one call; what is left out is counted in the file and in the outcome.
pub const MAX_DETAILS: usize = 1 << 20;

/// Bytes of a file: bodies that are no text take a third more, and what is between them is bounded by the number of requests.
const MAX_FILE: u64 = 16 << 20;

/// A request as it was sent, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeDetails {
    /// To which upstream.
    pub upstream: String,
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// The answer, where one came whole.
    pub answer: Option<AnswerDetails>,
}

/// An answer as it came, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerDetails {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The proof that details are on disk. Only [`crate::Log::keep`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDetails {
    pub(crate) sha256: Hash,
    pub(crate) bytes: u64,
    pub(crate) omitted: u64,
}

/// Where the details of an intent are.
pub(crate) fn path(intent: EventId) -> String {
    format!("{FOLDER}/{intent}.json")
}

/// Write the details of an intent, durably.
pub(crate) fn write(
    disk: &dyn Disk,
    dir: &Dir,
    intent: EventId,
    (exchanges, omitted): (&[ExchangeDetails], u64),
) -> io::Result<KeptDetails> {
    let (text, omitted) = text(intent, exchanges, omitted);
    if !dir.is_dir(FOLDER) {
        disk.folder(dir, FOLDER)?;
        disk.sync_dir(dir, ".")?;
    }
    disk.replace(dir, &path(intent), text.as_bytes())?;
    disk.sync_dir(dir, FOLDER)?;
    Ok(KeptDetails { sha256: Hash::of(&[text.as_bytes()]), bytes: text.len() as u64, omitted })
}

/// What a crash left: details that were written whole, and no outcome that names them.
pub(crate) fn left_behind(dir: &Dir, intent: EventId) -> io::Result<Option<KeptDetails>> {
    let Some(bytes) = bytes(dir, intent)? else { return Ok(None) };
    let omitted = serde_json::from_slice::<Value>(&bytes).ok();
    let omitted = omitted.as_ref().and_then(|value| value.get("omitted_bytes")?.as_str()?.parse().ok());
    Ok(Some(KeptDetails { sha256: Hash::of(&[&bytes]), bytes: bytes.len() as u64, omitted: omitted.unwrap_or(0) }))
}

/// Remove drafts that a crash left: nothing names them. What it left whole may be named, and is durable then.
pub(crate) fn clean(disk: &dyn Disk, dir: &Dir) -> io::Result<()> {
    let Ok(entries) = dir.read_dir(FOLDER) else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".new") {
            disk.remove(dir, &format!("{FOLDER}/{name}"))?;
        }
    }
    disk.sync_dir(dir, FOLDER)
}

/// The details of an intent; none where there are none. Compare their digest with the outcome's before they are believed.
pub(crate) fn bytes(dir: &Dir, intent: EventId) -> io::Result<Option<Vec<u8>>> {
    file::read(dir, &path(intent), MAX_FILE)
}

/// The file's text, and how many bytes of bodies it leaves out.
fn text(intent: EventId, exchanges: &[ExchangeDetails], mut omitted: u64) -> (String, u64) {
    let mut room = MAX_DETAILS;
    let mut body = |object: &mut Map<String, Value>, bytes: &[u8]| {
        let (kept, left) = bytes.split_at(bytes.len().min(room));
        room -= kept.len();
        omitted += left.len() as u64;
        object.insert("body_bytes".to_owned(), bytes.len().to_string().into());
        if !left.is_empty() {
            object.insert("body_omitted_bytes".to_owned(), left.len().to_string().into());
        }
        match std::str::from_utf8(kept) {
            Ok(text) => object.insert("body".to_owned(), text.into()),
            Err(_) => object.insert("body_base64".to_owned(), STANDARD.encode(kept).into()),
        };
    };
    let headers = |headers: &[(String, String)]| headers.iter().map(|(name, value)| json!([name, value])).collect::<Value>();
    let exchanges: Vec<Value> = exchanges
        .iter()
        .map(|exchange| {
            let mut request = Map::new();
            for (name, value) in [("upstream", &exchange.upstream), ("method", &exchange.method), ("path", &exchange.path)] {
                request.insert(name.to_owned(), value.as_str().into());
            }
            request.insert("headers".to_owned(), headers(&exchange.headers));
            body(&mut request, &exchange.body);
            let answer = exchange.answer.as_ref().map(|answer| {
                let mut object = Map::new();
                object.insert("status".to_owned(), answer.status.to_string().into());
                object.insert("headers".to_owned(), headers(&answer.headers));
                body(&mut object, &answer.body);
                object
            });
            json!({ "request": request, "answer": answer })
        })
        .collect();
    let file = json!({
        "intent": intent.to_string(),
        "exchanges": exchanges,
        "kept_up_to_bytes": MAX_DETAILS.to_string(),
        "omitted_bytes": omitted.to_string(),
    });
    (format!("{file}\n"), omitted)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::Value;

    use super::{AnswerDetails, ExchangeDetails, MAX_DETAILS, text};

    #[test]
    fn bodies_are_kept_up_to_the_bound_and_what_is_left_out_is_said() {
        let exchange = |body: Vec<u8>, answer: Vec<u8>| ExchangeDetails {
            upstream: "lab".to_owned(),
            method: "POST".to_owned(),
            path: "/run".to_owned(),
            headers: vec![("accept".to_owned(), "*/*".to_owned())],
            body,
            answer: Some(AnswerDetails { status: 200, headers: Vec::new(), body: answer }),
        };
        let id = "01234567-89ab-7000-8123-456789abcdef".parse().unwrap();
        let exchanges = [exchange(b"run".to_vec(), vec![0xff; 4]), exchange(vec![b'x'; MAX_DETAILS], b"late".to_vec())];
        let (text, omitted) = text(id, &exchanges, 100);
        assert_eq!(omitted, 100 + 3 + 4 + 4);
        let file: Value = serde_json::from_str(&text).unwrap();
        let at = |path: &str| file.pointer(path).unwrap().as_str().unwrap().to_owned();
        assert_eq!(at("/exchanges/0/request/body"), "run");
        assert_eq!(at("/exchanges/0/answer/body_base64"), "/////w==");
        assert_eq!(at("/exchanges/1/request/body_omitted_bytes"), "7");
        assert_eq!((at("/exchanges/1/answer/body"), at("/exchanges/1/answer/body_bytes")), (String::new(), "4".to_owned()));
        assert_eq!((at("/omitted_bytes"), at("/kept_up_to_bytes")), ("111".to_owned(), MAX_DETAILS.to_string()));
    }
}
