//! One record: one line of canonical JSON that names the hash of the line before it.
//!
//! `event_hash` sorts first, so a line is `{"event_hash":"…",` and the rest of the protected body. The hash is over the body
//! as it stands there, byte for byte: checking a line needs no second writing of it.

use std::borrow::Cow;

use casemate_policy::Timestamp;
use serde::Deserialize;

use crate::{EventId, Hash, OpenIntent, canonical::Object, canonical::write_text, facts};

const HASH_KEY: &[u8] = b"{\"event_hash\":\"";
const HASH_END: &[u8] = b"\",";

/// The key under which this host's fields are, inside `extensions`.
pub(crate) const OURS: &str = "casemate";

/// The core's `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It may happen, or has.
    Allowed,
    /// It may not.
    Denied,
    /// Not before a person agrees.
    Deferred,
    /// It was tried and failed.
    Error,
    /// Nobody can say: the host stopped before it could write down how it ended.
    Unknown,
}

impl Outcome {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Deferred => "deferred",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// A record, but for what depends on its place in the log: its id and the hash before it.
#[derive(Debug)]
pub(crate) struct Draft {
    /// From after the id to before the previous hash.
    middle: String,
    /// From after the previous hash.
    end: String,
    pub(crate) now: Timestamp,
}

impl Draft {
    pub(crate) fn new(
        event_type: &str,
        principal: &str,
        tool: &str,
        outcome: Outcome,
        now: Timestamp,
        extension: impl FnOnce(&mut Object<'_>),
    ) -> Self {
        let mut middle = String::with_capacity(1024);
        middle.push_str("\",\"event_type\":");
        write_text(&mut middle, event_type);
        middle.push_str(",\"extensions\":");
        Object::write(&mut middle, |extensions| extensions.object(OURS, extension));
        middle.push_str(",\"occurred_at\":");
        write_text(&mut middle, &now.to_string());
        middle.push_str(",\"outcome\":");
        write_text(&mut middle, outcome.as_str());
        middle.push_str(",\"previous_hash\":\"");
        let mut end = String::with_capacity(96);
        end.push_str("\",\"principal_id\":");
        write_text(&mut end, principal);
        end.push_str(",\"tool_name\":");
        write_text(&mut end, tool);
        end.push_str("}\n");
        Self { middle, end, now }
    }

    /// Write the whole line, its newline included, into `line`; gives its hash.
    pub(crate) fn seal(&self, id: EventId, previous: &Hash, line: &mut Vec<u8>) -> Hash {
        line.clear();
        line.extend_from_slice(HASH_KEY);
        line.extend_from_slice(&Hash::NONE.to_hex());
        line.extend_from_slice(HASH_END);
        let body = line.len();
        line.extend_from_slice(b"\"event_id\":\"");
        line.extend_from_slice(id.to_string().as_bytes());
        line.extend_from_slice(self.middle.as_bytes());
        line.extend_from_slice(&previous.to_hex());
        line.extend_from_slice(self.end.as_bytes());
        let (head, rest) = line.split_at_mut(body);
        let hash = body_hash(rest.strip_suffix(b"\n").unwrap_or(rest));
        if let Some(place) = head.get_mut(HASH_KEY.len()..HASH_KEY.len() + 64) {
            place.copy_from_slice(&hash.to_hex());
        }
        hash
    }
}

/// The hash of a body, given what of it follows `event_hash` in the line.
fn body_hash(rest: &[u8]) -> Hash {
    Hash::of(&[b"{", rest])
}

/// What is wrong with one line, looked at alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not open with its hash.
    #[error("it does not begin with its hash")]
    NoHash,
    /// Its hash is another's: the line is not what was written.
    #[error("it says its hash is `{stated}`, and its contents hash to `{actual}`")]
    Hash {
        /// What it says.
        stated: Hash,
        /// What it is.
        actual: Hash,
    },
    /// It has the right hash, and no record's shape.
    #[error("it is not a record: {0}")]
    Shape(String),
    /// It has the right hash, and is not written the one way a record is.
    #[error("it is not in canonical form")]
    NotCanonical,
    /// It has no end.
    #[error("its end is missing")]
    NoEnd,
    /// It is longer than any record.
    #[error("it is longer than any record")]
    TooLong,
}

/// The core of a line whose hash is right.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) hash: Hash,
    pub(crate) previous: Hash,
    pub(crate) id: EventId,
    /// For an intent: what it begins.
    pub(crate) begins: Option<OpenIntent>,
    /// For an outcome: the intent it ends.
    pub(crate) ends: Option<EventId>,
    /// For an outcome: what the file with its details hashes to.
    pub(crate) details: Option<Hash>,
    /// For a removal: how many records from the first on may be gone.
    pub(crate) removed: Option<u64>,
    /// For a handover: the key it names.
    pub(crate) new_key: Option<Hash>,
}

#[derive(Deserialize)]
struct Core<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    extensions: Extensions<'a>,
    #[serde(borrow)]
    previous_hash: Cow<'a, str>,
    #[serde(borrow)]
    principal_id: Cow<'a, str>,
    #[serde(borrow)]
    tool_name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Extensions<'a> {
    #[serde(borrow)]
    casemate: Ours<'a>,
}

#[derive(Deserialize)]
struct Ours<'a> {
    #[serde(borrow, default)]
    details: Option<Details<'a>>,
    #[serde(borrow, default)]
    intent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    new_key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    removed_before: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

/// Whether a line has `start` right after its hash.
pub(crate) fn begins_with(line: &[u8], start: &[u8]) -> bool {
    line.get(HASH_KEY.len() + 64 + HASH_END.len()..).is_some_and(|rest| rest.starts_with(start))
}

/// Check one line, given without its newline, against its own hash.
pub(crate) fn check(line: &[u8]) -> Result<Checked, Damage> {
    let rest = line.strip_prefix(HASH_KEY).ok_or(Damage::NoHash)?;
    let (stated, rest) = rest.split_at_checked(64).ok_or(Damage::NoHash)?;
    let stated = Hash::from_hex(stated).ok_or(Damage::NoHash)?;
    let rest = rest.strip_prefix(HASH_END).ok_or(Damage::NoHash)?;
    let actual = body_hash(rest);
    if stated != actual {
        return Err(Damage::Hash { stated, actual });
    }
    let core: Core<'_> = serde_json::from_slice(line).map_err(|error| Damage::Shape(error.to_string()))?;
    let id = core.event_id.parse().map_err(|_| Damage::Shape("its `event_id` is none".to_owned()))?;
    let previous =
        Hash::from_hex(core.previous_hash.as_bytes()).ok_or_else(|| Damage::Shape("its `previous_hash` is none".to_owned()))?;
    let ours = core.extensions.casemate;
    let ends = match ours.intent {
        Some(intent) => Some(intent.parse().map_err(|_| Damage::Shape("its `intent` is no event id".to_owned()))?),
        None => None,
    };
    let hash_of = |hex: &str| Hash::from_hex(hex.as_bytes()).ok_or_else(|| Damage::Shape("a hash in it is none".to_owned()));
    let details = ours.details.map(|details| hash_of(&details.sha256)).transpose()?;
    let new_key = ours.new_key.filter(|_| core.event_type == facts::HANDED_OVER).map(|key| hash_of(&key)).transpose()?;
    let removed = match ours.removed_before.filter(|_| core.event_type == facts::PRUNED) {
        Some(before) => Some(before.parse().map_err(|_| Damage::Shape("its `removed_before` is no number".to_owned()))?),
        None => None,
    };
    let begins = (core.event_type == facts::INTENT)
        .then(|| OpenIntent { principal_id: core.principal_id.into_owned(), tool_name: core.tool_name.into_owned() });
    Ok(Checked { hash: actual, previous, id, begins, ends, details, removed, new_key })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use casemate_policy::Timestamp;
    use serde_json::{Value, json};

    use super::{Damage, Draft, Outcome, check};
    use crate::{EventId, Hash, canonical::write_value};

    fn line() -> (EventId, Vec<u8>) {
        let id = "01234567-89ab-7000-8123-456789abcdef".parse().unwrap();
        let draft = Draft::new("outcome", "token:ci", "b_a", Outcome::Allowed, Timestamp::from_millis(0), |fields| {
            fields.value("arguments", &json!({"z": 1, "a": "\u{212b} \"x\"\n"}));
            fields.text("intent", "01234567-89ab-7000-8123-456789abcdee");
        });
        let mut line = Vec::new();
        draft.seal(id, &Hash::NONE, &mut line);
        (id, line)
    }

    #[test]
    fn a_record_has_the_shape_of_sep_3004() {
        let (id, line) = line();
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["event_id"], id.to_string());
        assert_eq!(value["occurred_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["principal_id"], "token:ci");
        assert_eq!(value["event_type"], "outcome");
        assert_eq!(value["tool_name"], "b_a");
        assert_eq!(value["outcome"], "allowed");
        assert_eq!(value["previous_hash"], "0".repeat(64));
        assert_eq!(value["extensions"]["casemate"]["arguments"], json!({"a": "\u{c5} \"x\"\n", "z": "1"}));
        assert_eq!(value.as_object().unwrap().len(), 9);
    }

    /// As an outsider would check it, with nothing of this crate but the definition.
    #[test]
    fn the_hash_is_over_the_canonical_body_without_itself() {
        let (_, line) = line();
        let mut value: Value = serde_json::from_slice(&line).unwrap();
        let stated = value.as_object_mut().unwrap().shift_remove("event_hash").unwrap();
        let body = serde_json_canonicalizer::to_string(&value).unwrap();
        assert_eq!(stated, Hash::of(&[body.as_bytes()]).to_string());
    }

    #[test]
    fn a_line_is_written_the_one_way() {
        let (_, line) = line();
        let mut again = String::new();
        write_value(&mut again, &serde_json::from_slice(&line).unwrap());
        assert_eq!(format!("{again}\n").as_bytes(), line);
    }

    #[test]
    fn every_changed_bit_shows() {
        let (id, mut line) = line();
        line.pop();
        let whole = check(&line).unwrap();
        assert_eq!((whole.id, whole.previous, whole.begins), (id, Hash::NONE, None));
        assert_eq!(whole.ends.unwrap().to_string(), "01234567-89ab-7000-8123-456789abcdee");
        for place in 0..line.len() {
            for bit in 0..8 {
                line[place] ^= 1 << bit;
                assert!(check(&line).is_err(), "bit {bit} of byte {place}");
                line[place] ^= 1 << bit;
            }
        }
        for end in 0..line.len() {
            assert!(check(&line[..end]).is_err(), "cut at {end}");
        }
        line.push(b' ');
        assert!(matches!(check(&line), Err(Damage::Hash { .. })));
    }
}
