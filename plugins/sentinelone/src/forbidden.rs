//! What the operator does not want a query to hold.

use casemate_plugin::{Context, Failure};
use serde::Deserialize;

/// The operator's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    forbidden_patterns: Vec<String>,
}

/// Hold a query, in the one spelling, against the operator's patterns.
///
/// # Errors
/// With the pattern that it holds.
pub(crate) fn check(query: &str, cx: &Context) -> Result<(), Failure> {
    let Settings { forbidden_patterns } = cx.settings()?;
    match forbidden_patterns.iter().find(|pattern| holds(query, pattern)) {
        None => Ok(()),
        Some(pattern) => Err(Failure::invalid_arguments(format!(
            "the query was not sent: it holds what the operator forbids, `{pattern}`; who needs it asks the operator"
        ))),
    }
}

/// Whether the parts of the pattern, between its `*`, are in the text one behind the other, in any case. A pattern is ASCII.
fn holds(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_ascii_lowercase(), pattern.to_ascii_lowercase());
    let mut rest = Some(text.as_str());
    for part in pattern.split('*') {
        rest = rest.and_then(|rest| rest.find(part).and_then(|at| rest.get(at + part.len()..)));
    }
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn patterns_are_parts_in_any_case() {
        for (text, pattern, expected) in [
            ("src.process.user = 'ceo'", "PROCESS.USER", true),
            ("src.process.user = 'ceo'", "user*ceo", true),
            ("src.process.user = 'ceo'", "ceo*user", false),
            ("aba", "ab*ba", false),
            ("abba", "ab*ba", true),
            ("anything", "*", true),
            ("a.b", "a?b", false),
        ] {
            assert_eq!(holds(text, pattern), expected, "{text}: {pattern}");
        }
    }
}
