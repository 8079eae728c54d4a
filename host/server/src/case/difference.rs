//! Where a value is another than the expected one, place by place.

use casemate_policy::text::visible;
use serde_json::Value;

/// Places that are named: whoever has more to mend begins with these.
const MAX_PLACES: usize = 12;
/// Characters of one value that are shown.
const MAX_SHOWN: usize = 160;

/// One line for each place at which `found` is not as expected. Where `whole` is false, objects may have keys that are not expected.
pub(crate) fn differences(expected: &Value, found: &Value, whole: bool) -> Vec<String> {
    let mut lines = Vec::new();
    walk(expected, found, whole, "", &mut lines);
    let more = lines.len().saturating_sub(MAX_PLACES);
    lines.truncate(MAX_PLACES);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

fn walk(expected: &Value, found: &Value, whole: bool, at: &str, lines: &mut Vec<String>) {
    let place = if at.is_empty() { "at the top" } else { at };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let at = format!("{at}/{}", visible(key));
                match found.get(key) {
                    Some(found) => walk(value, found, whole, &at, lines),
                    None => lines.push(format!("{at}: expected {}, and there is nothing", shown(value))),
                }
            }
            for (key, value) in found.iter().filter(|(key, _)| whole && !expected.contains_key(*key)) {
                lines.push(format!("{at}/{}: {} is not expected", visible(key), shown(value)));
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                walk(expected, found, whole, &format!("{at}/{index}"), lines);
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            lines.push(format!("{place}: expected {} elements, got {}", expected.len(), found.len()));
        }
        _ if expected == found => {}
        _ => lines.push(format!("{place}: expected {}, got {}", shown(expected), shown(found))),
    }
}

/// A value in one short line, with nothing hidden in it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let text = visible(&text);
    match text.char_indices().nth(MAX_SHOWN).and_then(|(end, _)| text.get(..end)) {
        Some(head) => format!("{head}…"),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::differences;

    #[track_caller]
    fn check(expected: &Value, found: &Value, whole: bool, lines: &[&str]) {
        assert_eq!(differences(expected, found, whole), lines);
    }

    #[test]
    fn each_place_is_named() {
        let expected = json!({ "a": 1, "b": [{ "c": "x" }, 2], "d": null });
        check(&expected, &expected, true, &[]);
        check(
            &expected,
            &json!({ "a": "1", "b": [{ "c": "y" }, 2], "e": 0 }),
            true,
            &[
                "/a: expected 1, got \"1\"",
                "/b/0/c: expected \"x\", got \"y\"",
                "/d: expected null, and there is nothing",
                "/e: 0 is not expected",
            ],
        );
        check(&expected, &json!([]), true, &[&format!("at the top: expected {expected}, got []")]);
        check(&json!({ "b": [] }), &json!({ "b": [1] }), false, &["/b: expected 0 elements, got 1"]);
    }

    #[test]
    fn a_part_may_stand_in_more_and_not_the_other_way_round() {
        let (part, more) = (json!({ "a": [{ "b": 1 }] }), json!({ "a": [{ "b": 1, "c": 2 }], "d": 3 }));
        check(&part, &more, false, &[]);
        check(&part, &more, true, &["/a/0/c: 2 is not expected", "/d: 3 is not expected"]);
        check(&more, &part, false, &["/a/0/c: expected 2, and there is nothing", "/d: expected 3, and there is nothing"]);
    }

    #[test]
    fn long_values_and_long_lists_are_cut_and_hidden_characters_shown() {
        let many: Value = (0..40).map(|at| (format!("k{at:02}"), json!("x".repeat(500)))).collect();
        let lines = differences(&many, &json!({}), true);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (13, Some("… and 28 more")));
        assert!(lines.iter().all(|line| line.len() < 250), "{lines:?}");
        assert!(!differences(&json!("\u{202e}"), &json!(1), true).concat().contains('\u{202e}'));
    }
}
