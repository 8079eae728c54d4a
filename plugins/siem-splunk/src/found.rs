//! What a search found, as it is told.

use std::fmt::Write as _;

use casemate_plugin::{
    Readable, Timestamp,
    tolerant::{Few, Object, Take, Text, Verbatim, take},
};
use casemate_siem::table::{COLUMNS, Filling, Table};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, SeqAccess},
};

use crate::search::Search;

/// Rows of an answer that are read at most: one more than are told.
const ROWS: usize = 501;
/// Bytes of a field's name at most. The longest that an operator can keep back has 128 characters, in whatever case it comes.
const NAME: usize = 512;
/// Notes of Splunk's that are told.
const NOTES: usize = 5;
/// Rows that are in the text; all are in the structure.
const SHOWN: usize = 50;

/// `{"fields": [{"name": …}], "results": [{…}], "messages": […]}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    fields: Few<Object<Field>, COLUMNS>,
    results: Few<Row, ROWS>,
    messages: Few<Object<Message>, NOTES>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Field {
    name: Verbatim<NAME>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(rename = "type")]
    kind: Text<10>,
    text: Text<200>,
}

/// A value: a text, or several of them.
#[derive(Debug, Default)]
struct Cell(Option<String>);

impl<'de> Take<'de> for Cell {
    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }

    fn number(number: i64) -> Self {
        Self(Some(number.to_string()))
    }

    fn flag(flag: bool) -> Self {
        Self(Some(flag.to_string()))
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut texts = Vec::new();
        while let Some(Self(text)) = list.next_element()? {
            texts.extend(text);
        }
        Ok(Self(Some(texts.join("\n"))))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

/// Fields by their names as they came: whoever compares a name that was cut with those that are kept back finds none.
#[derive(Debug, Default)]
struct Row(Vec<(Verbatim<NAME>, Cell)>);

impl<'de> Take<'de> for Row {
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut row = Vec::new();
        while row.len() < COLUMNS {
            match map.next_entry()? {
                Some(field) => row.push(field),
                None => return Ok(Self(row)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self(row))
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

/// What a search found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    /// The search as it was sent, with its indexes
    search: String,
    from: Timestamp,
    to: Timestamp,
    #[serde(flatten)]
    table: Table,
    /// How many events were searched through to the rows, as far as Splunk says
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u32>,
    /// Whether Splunk broke the search off because it took too long: there may be more
    partial: bool,
    /// What Splunk says about it
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Found {
    pub(crate) fn new(page: Page, search: Search, events: Option<u32>, partial: bool) -> Self {
        let Page { fields, results, messages } = page;
        let rows = usize::try_from(search.rows).unwrap_or_default();
        let mut filling = Filling::new(&search.redaction, rows);
        for Object(Field { name }) in fields.0 {
            if is_told(name.as_str()) {
                filling.column(name.as_str());
            }
        }
        for Row(fields) in results.0 {
            let told = fields.into_iter().filter(|(name, _)| is_told(name.as_str()));
            let held = told.filter_map(|(name, Cell(value))| Some((name, value?)));
            let row: Vec<_> = held.filter_map(|(name, value)| Some((filling.column(name.as_str())?, value))).collect();
            filling.row(row);
        }
        // A note could quote an event.
        let is_warning = |message: &Message| matches!(message.kind.0.as_deref(), Some("WARN" | "ERROR" | "FATAL"));
        let notes = messages.0.into_iter().filter(|Object(message)| is_warning(message) && search.redaction.is_empty());
        let notes = notes.filter_map(|Object(message)| message.text.0).collect();
        Self { search: search.text, from: search.from, to: search.to, table: filling.finish(), events, partial, notes }
    }
}

/// Where an event is kept and when it was indexed is of no use to a reader; nor is a field whose name is longer than any.
fn is_told(field: &str) -> bool {
    !field.is_empty() && !field.starts_with('_') || matches!(field, "_time" | "_raw")
}

impl Readable for Found {
    fn text(&self) -> String {
        let Self { search, from, to, table, partial, notes, .. } = self;
        let mut text = format!("{} rows, {from} to {to}: {search}", table.rows.len());
        if table.cut {
            text.push_str("\nthere is more: count it with stats, or narrow the search");
        }
        if *partial {
            text.push_str("\nit took too long, so this is a part of it: narrow the window or the search");
        }
        for note in notes {
            let _ = write!(text, "\nSplunk says: {note}");
        }
        let lines = table.lines(SHOWN);
        if !lines.is_empty() {
            let _ = write!(text, "\n{lines}");
        }
        if table.rows.len() > SHOWN {
            let _ = write!(text, "\n… and {} rows more, in the structure", table.rows.len() - SHOWN);
        }
        text
    }
}
