//! Rules that the operator bound: files with many documents each, separated by lines of `---`.

use casemate_plugin::{Context, Failure, SourceError, yaml};

/// Bytes of one source. All of SigmaHQ's rules have six million.
const LARGEST: u64 = 8 << 20;

casemate_plugin::word!(
    /// The name of a collection of rules.
    pub Collection, "the name of a collection of rules: 1 to 39 letters, digits and `-`, a letter first", 1..=39,
    "^[a-z][a-z0-9-]{0,38}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_lowercase() || at > 0 && (byte.is_ascii_digit() || byte == b'-')),
    str::to_owned);

/// All of a collection's text.
pub(crate) fn text(cx: &Context, collection: &Collection) -> Result<String, Failure> {
    let source = cx.source(collection.as_str()).map_err(|error| match error {
        SourceError::NotFound => {
            let bound = cx.sources().join(", ");
            Failure::not_found(format!("there is no collection `{collection}`; the operator bound: {bound}"))
        }
        other => other.into(),
    })?;
    source.text(LARGEST)
}

/// Its documents, each with its number.
pub(crate) fn documents(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (0..).zip(yaml::documents(text))
}
