//! What the service answers with: tables of columns and rows, and perhaps an error beside them.

use casemate_plugin::{
    Failure,
    tolerant::{Few, Object, Text, Verbatim},
};
use casemate_siem::table::{Filling, REDACTED, Redaction, Table};
use serde::Deserialize;
use serde_json::Value;

use crate::cell::Cell;

/// Columns of a table that are read; the widest known has some 500.
const COLUMNS: usize = 600;
/// Rows that are read: the most that are asked for, and one.
const ROWS: usize = 1_001;

/// `{"tables": [{"name": "PrimaryResult", "columns": […], "rows": […]}], "error": …}`, also with status 200.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    tables: Option<Few<Object<Found>, 1>>,
    error: Option<Object<Problem>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    columns: Few<Object<Column>, COLUMNS>,
    rows: Few<Few<Cell, COLUMNS>, ROWS>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Column {
    name: Text<200>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: Verbatim<64>,
}

impl Answer {
    /// Whether the service says that something is missing.
    pub(crate) fn is_partial(&self) -> bool {
        self.error.is_some()
    }

    /// The code of an error with which no table came.
    pub(crate) fn fault(&self) -> Option<&str> {
        let nothing = self.tables.as_ref().is_none_or(|tables| tables.0.is_empty());
        self.error.as_ref().filter(|_| nothing).map(|Object(error)| error.code.as_str())
    }
}

/// The first table, which is the result: what fits of it, without columns that hold nothing.
pub(crate) fn table(answer: Answer, redaction: &Redaction, most: usize) -> Result<Table, Failure> {
    let found = answer.tables.and_then(|tables| tables.0.into_iter().next());
    let Some(Object(Found { columns, rows })) = found else {
        return Err(Failure::upstream("Sentinel's answer holds no table"));
    };
    let holds = |at: usize| rows.0.iter().any(|row| row.0.get(at).is_some_and(|cell| cell.0.is_some()));
    let mut filling = Filling::new(redaction, most);
    let names = columns.0.into_iter().map(|Object(column)| column.name.0.unwrap_or_default());
    let kept: Vec<(usize, usize)> =
        names.enumerate().filter(|(at, _)| holds(*at)).filter_map(|(at, name)| Some((at, filling.column(&name)?))).collect();
    for row in rows.0 {
        let value = |&(from, to): &(usize, usize)| Some((to, inside(row.0.get(from)?.0.as_deref()?, redaction)));
        filling.row(kept.iter().filter_map(value).collect::<Vec<_>>());
    }
    Ok(filling.finish())
}

/// A value without what is kept back inside of it: a dynamic value is a text that holds JSON.
fn inside(text: &str, redaction: &Redaction) -> String {
    if redaction.is_empty() || !text.trim_start().starts_with(['{', '[']) {
        return text.to_owned();
    }
    let mut value = serde_json::from_str(text).unwrap_or_default();
    if hide(&mut value, redaction) { value.to_string() } else { text.to_owned() }
}

/// Whether anything was hidden. The depth is that of the JSON, which is bounded where it is read.
fn hide(value: &mut Value, redaction: &Redaction) -> bool {
    let mut hidden = false;
    match value {
        Value::Array(values) => {
            for value in values {
                hidden |= hide(value, redaction);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                if redaction.covers(name) {
                    *value = REDACTED.into();
                    hidden = true;
                } else {
                    hidden |= hide(value, redaction);
                }
            }
        }
        _ => {}
    }
    hidden
}
