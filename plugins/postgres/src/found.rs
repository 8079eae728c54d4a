//! What a statement found, as it is told.

use std::fmt::Write as _;

use casemate_plugin::{Failure, Readable, clip, clip_lines, tolerant::Object};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::{Answer, COLUMNS, Cell, Column as Told},
    types,
    withheld::{WITHHELD, Withheld},
};

/// Characters of one value at most.
const VALUE: usize = 2_000;
/// Bytes of all values at most: what fits into what a call may return, twice, as structure and as text.
const BYTES: usize = 160 << 10;
/// Rows that are in the text; all are in the structure.
const SHOWN: usize = 50;

/// A column of an answer.
#[derive(Debug, Serialize, JsonSchema)]
struct Column {
    name: String,
    /// PostgreSQL's short name of the type; of a type of one's own its number, as in `oid 16400`
    #[serde(rename = "type")]
    kind: String,
    /// Whether the operator keeps its values back
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    withheld: bool,
}

/// Rows of a statement.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    columns: Vec<Column>,
    /// One value for each column, in their order, in PostgreSQL's own text; null where there is none. A value is cut at 2,000 characters
    rows: Vec<Vec<Option<String>>>,
    /// Whether there are more rows than these
    more: bool,
}

impl Found {
    pub(crate) fn new(answer: Answer, limit: usize, withheld: &Withheld) -> Result<Self, Failure> {
        let Answer { columns, rows, more } = answer;
        if columns.0.len() > COLUMNS {
            return Err(Failure::invalid_arguments(format!(
                "an answer has at most {COLUMNS} columns; name those that are needed"
            )));
        }
        let columns: Vec<Column> = columns.0.into_iter().map(|Object(column)| Column::new(column, withheld)).collect();
        let mut found = Self { columns, rows: Vec::new(), more: more.0.unwrap_or_default() || rows.0.len() > limit };
        let mut bytes = 0;
        for row in rows.0.into_iter().take(limit) {
            if row.0.len() != found.columns.len() {
                return Err(Failure::upstream("a row of the answer has other columns than the answer says"));
            }
            let row: Vec<Option<String>> =
                row.0.into_iter().zip(&found.columns).map(|(cell, column)| column.value(cell)).collect();
            bytes += row.iter().map(|value| 5 + value.as_ref().map_or(0, String::len)).sum::<usize>();
            if bytes > BYTES {
                found.more = true;
                break;
            }
            found.rows.push(row);
        }
        Ok(found)
    }
}

impl Column {
    fn new(told: Told, withheld: &Withheld) -> Self {
        let name = told.name.0.unwrap_or_default();
        let oid = told.oid.count().unwrap_or_default();
        Self { kind: types::name(oid), withheld: withheld.hides(&name, oid), name }
    }

    fn value(&self, Cell(value): Cell) -> Option<String> {
        if self.withheld { Some(WITHHELD.to_owned()) } else { value.map(|value| clip_lines(&value, VALUE)) }
    }
}

impl Readable for Found {
    fn text(&self) -> String {
        let Self { columns, rows, more } = self;
        let mut text = format!("{} rows", rows.len());
        if *more {
            text.push_str("; there are more: count them, filter, or order and page by a key");
        }
        for row in rows.iter().take(SHOWN) {
            let values = columns.iter().zip(row);
            let shown = values.map(|(column, value)| {
                format!("{}={}", column.name, value.as_deref().map_or_else(|| "null".to_owned(), |value| clip(value, 200)))
            });
            let _ = write!(text, "\n{}", shown.collect::<Vec<_>>().join(" "));
        }
        if rows.len() > SHOWN {
            let _ = write!(text, "\n… and {} rows more, in the structure", rows.len() - SHOWN);
        }
        text
    }
}
