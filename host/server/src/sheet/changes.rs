//! What an update changes, as a person agrees to it: what is widened first, then the words, then what is given up.

use casemate_policy::text::visible;
use casemate_signing::diff::{Change, Changes, TextChange, Verdict};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

/// The page.
pub(crate) fn page(changes: &Changes) -> String {
    if changes.is_empty() {
        return "  asks for the same, and says the same\n".to_owned();
    }
    let mut page = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            page.push_str(&format!("{title}\n{}\n", lines.join("\n")));
        }
    };
    let with = |verdict| changes.authority.iter().filter(move |change| change.verdict == verdict).map(authority).collect();
    section("WIDER: it may do more, or what cannot be compared", with(Verdict::Widened));
    section("NEW TOOLS", changes.added_tools.iter().map(|tool| format!("  + {tool}")).collect());
    section("OTHER WORDS", changes.texts.iter().map(words).collect());
    section("GONE TOOLS", changes.removed_tools.iter().map(|tool| format!("  - {tool}")).collect());
    section("narrower", with(Verdict::Narrowed));
    page
}

/// The same for programs.
pub(crate) fn json(changes: &Changes) -> Value {
    json!({
        "needs_consent": changes.needs_consent(),
        "authority": changes.authority.iter().map(|change| json!({
            "place": change.place,
            "before": change.before,
            "after": change.after,
            "verdict": match change.verdict { Verdict::Widened => "widened", Verdict::Narrowed => "narrowed" },
        })).collect::<Vec<_>>(),
        "texts": changes.texts.iter().map(|text| json!({
            "tool": text.tool,
            "field": text.field,
            "before": text.before,
            "after": text.after,
        })).collect::<Vec<_>>(),
        "added_tools": changes.added_tools,
        "removed_tools": changes.removed_tools,
    })
}

fn authority(change: &Change) -> String {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), |text| visible(text).into_owned());
    format!("  {}: {} → {}", visible(&change.place), value(&change.before), value(&change.after))
}

/// The lines that differ of a text. A schema is one long line, so it is broken where a person would.
fn words(change: &TextChange) -> String {
    let tool = change.tool.as_ref().map_or("plugin", |tool| tool.as_str());
    // Only a schema was JSON before it was text here. Words are shown as they stand, whatever they look like.
    let is_schema = ["input_schema", "output_schema"].contains(&change.field);
    let lines = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        let value = is_schema.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
        value.map_or_else(|| text.to_owned(), |value| format!("{value:#}"))
    };
    let (before, after) = (lines(&change.before), lines(&change.after));
    let diff = TextDiff::from_lines(&before, &after);
    let changed = diff.iter_all_changes().filter_map(|line| {
        let sign = match line.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        Some(format!("\n    {sign} {}", visible(line.value().trim_end())))
    });
    format!("  {tool}, {}:{}", change.field, changed.collect::<String>())
}
