//! Looks up records in the DNS, over HTTPS.
//!
//! A tool is an ordinary function: its name, doc comment, arguments and answer are what clients see.

use casemate_plugin::{
    Context, Failure, Readable, clip, field::DomainName, path, plugin, public, tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "resolver";
/// Records of one answer; more would not be read.
const MAX_RECORDS: usize = 50;
/// Characters of one record. What an upstream says is cut before anyone reads it.
const MAX_VALUE: usize = 300;

/// Arguments of `resolve`. A field's type carries its pattern and length, in the schema and when it is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The name to look up, such as www.example.com
    name: DomainName,
    /// The kind of records
    kind: Kind,
}

/// A kind of record.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Txt,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Txt => "TXT",
        }
    }
}

/// What the DNS holds for a name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Records {
    name: DomainName,
    kind: Kind,
    /// The first 50 records
    records: Vec<Record>,
}

/// One record.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Record {
    /// Seconds for which it may be kept
    ttl: u32,
    /// An address, a name or a text
    value: String,
}

/// The text that people read beside the structured result.
impl Readable for Records {
    fn text(&self) -> String {
        let mut text = format!(
            "{} {}: {} records",
            self.name,
            self.kind.as_str(),
            self.records.len()
        );
        for Record { ttl, value } in &self.records {
            text.push_str(&format!("\n{value} (for {ttl} s)"));
        }
        text
    }
}

/// The upstream's answer, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    status: u32,
    #[serde(default)]
    answer: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    #[serde(rename = "TTL")]
    ttl: u32,
    data: String,
}

/// Response codes of the DNS (RFC 1035, section 4.1.1).
const NO_ERROR: u32 = 0;
const NO_SUCH_NAME: u32 = 3;

/// Look up what the DNS holds for a public name: addresses, aliases, mail servers, name servers or texts. The name is sent to a
/// public resolver, so internal names are refused.
#[tool(effect = read, idempotent, title = "DNS records")]
pub fn resolve(args: Question, cx: &Context) -> Result<Records, Failure> {
    let Question { name, kind } = args;
    public::domain(&name).map_err(|error| Failure::invalid_arguments(error.to_string()))?;
    let request = cx.upstream(UPSTREAM).get(path!("/resolve"));
    let reply: Reply = request
        .query("name", &name)
        .query("type", kind.as_str())
        .send()?
        .json()?;
    match reply.status {
        NO_ERROR => {}
        NO_SUCH_NAME => return Err(Failure::not_found(format!("there is no name {name}"))),
        code => {
            return Err(
                Failure::upstream("the resolver could not answer").with_code(&code.to_string())
            );
        }
    }
    let record = |item: Item| Record {
        ttl: item.ttl,
        value: clip(&item.data, MAX_VALUE),
    };
    Ok(Records {
        name,
        kind,
        records: reply
            .answer
            .into_iter()
            .take(MAX_RECORDS)
            .map(record)
            .collect(),
    })
}

plugin!(resolve);
