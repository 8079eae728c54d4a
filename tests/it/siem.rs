//! The plugins that search logs, from outside.

mod sentinel;
mod splunk;
mod victorialogs;

use std::fs;

use casemate_signing::manifest::pattern;

/// What the gate takes out of a text to hold it against the grant in this dimension, as the manifest is signed; nothing where it lets no
/// such text through. A place in the query begins with `?`, and another is in the body.
pub(crate) fn held(plugin: &str, upstream: &str, place: &str, dimension: &str, text: &str) -> Option<String> {
    let path = format!("{}/../plugins/{plugin}/plugin.toml", env!("CARGO_MANIFEST_DIR"));
    let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let (part, place) = place.strip_prefix('?').map_or(("body", place), |place| ("query", place));
    let mut requests = manifest["upstream"][upstream]["request"].as_array().unwrap().iter();
    let required = requests.find_map(|request| request.get("require")?.get(part)?.get(place)).unwrap();
    assert_eq!(required["targets"]["scope"].as_str(), Some(dimension));
    let pattern = pattern::compile(required["pattern"].as_str().unwrap()).unwrap();
    Some(pattern.captures(text)?.name("targets").unwrap().as_str().to_owned())
}
