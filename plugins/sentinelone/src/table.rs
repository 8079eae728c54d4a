//! What a query found: a bounded table.

use std::fmt::Write as _;

use casemate_plugin::{
    Readable, clip,
    tolerant::{Few, Flag, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Columns of an answer.
const COLUMNS: usize = 60;
/// Rows of an answer at most.
pub(crate) const ROWS: usize = 1_000;
/// Characters of one cell.
const CELL: usize = 500;
/// Characters of all cells, so that an answer fits what a model can read.
const ALL: usize = 60_000;
/// Rows that are shown as text.
const SHOWN: usize = 30;

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Table {
    /// The query that was sent
    query: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// How many events the first filter found
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<i64>,
    /// Rows are missing: there is a limit of rows, of characters, or of time. Narrow the query, or group
    cut: bool,
    /// What SentinelOne warns of, up to 5
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// A value. What is neither text, number nor boolean is shown as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// Nothing
    Nothing(()),
    /// True or false
    Flag(bool),
    /// A whole number
    Whole(i64),
    /// Another number
    Number(f64),
    /// Text, cut at 500 characters
    Text(String),
}

impl Default for Cell {
    fn default() -> Self {
        Self::Nothing(())
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::default(),
            Value::Bool(flag) => Self::Flag(flag),
            Value::String(text) => Self::Text(clip(&text, CELL)),
            Value::Number(number) => whole(&number).map(Self::Whole).or(number.as_f64().map(Self::Number)).unwrap_or_default(),
            other => Self::Text(clip(&other.to_string(), CELL)),
        })
    }
}

/// The data lake has 64-bit floats only: `5.0` is five.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let exact = |float: f64| float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
    number.as_i64().or_else(|| number.as_f64().filter(|float| exact(*float)).and_then(|float| format!("{float:.0}").parse().ok()))
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Nothing(()) => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A table as SentinelOne sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Found {
    columns: Few<Object<Column>, COLUMNS>,
    values: Few<Few<Cell, COLUMNS>, ROWS>,
    match_count: Cell,
    partial_results_due_to_time_limit: Flag,
    warnings: Few<Text<300>, 5>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Column {
    name: Text<120>,
}

impl Found {
    /// What is shown of it: whole rows, as many as were asked for and fit.
    pub(crate) fn shown(self, query: String, asked: usize) -> Table {
        let columns: Vec<String> = self.columns.0.into_iter().map(|Object(column)| column.name.0.unwrap_or_default()).collect();
        let (mut rows, mut room) = (Vec::new(), ALL);
        let found = self.values.0.len();
        for Few(mut row) in self.values.0.into_iter().take(asked) {
            row.resize(columns.len(), Cell::default());
            let length: usize = row.iter().map(|cell| cell.text().chars().count() + 4).sum();
            let Some(left) = room.checked_sub(length) else { break };
            room = left;
            rows.push(row);
        }
        let late = self.partial_results_due_to_time_limit.0.unwrap_or_default();
        let matches = if let Cell::Whole(count) = self.match_count { Some(count) } else { None };
        Table {
            query,
            matches,
            cut: late || rows.len() < found || found >= asked,
            columns,
            rows,
            warnings: self.warnings.texts(),
        }
    }
}

impl Readable for Table {
    fn text(&self) -> String {
        let mut text = format!("{} rows{}", self.rows.len(), if self.cut { ", and there may be more" } else { "" });
        let _ = write!(text, "\n{}", self.columns.join(" | "));
        for row in self.rows.iter().take(SHOWN) {
            let cells: Vec<String> = row.iter().map(|cell| clip(&cell.text(), 120)).collect();
            let _ = write!(text, "\n{}", cells.join(" | "));
        }
        if self.rows.len() > SHOWN {
            let _ = write!(text, "\nthe other {} rows are in the structured answer", self.rows.len() - SHOWN);
        }
        for warning in &self.warnings {
            let _ = write!(text, "\nwarning: {warning}");
        }
        text
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn cells(values: &Value) -> Vec<Cell> {
        serde_json::from_value(values.clone()).unwrap()
    }

    #[test]
    fn numbers_are_whole_where_they_are() {
        let read = cells(&json!([5, 5.0, -2.0, 5.5, 1e300, "x\u{202e}", null, true, { "a": [1] }]));
        let expected = [
            Cell::Whole(5),
            Cell::Whole(5),
            Cell::Whole(-2),
            Cell::Number(5.5),
            Cell::Number(1e300),
            Cell::Text("x\u{fffd}".into()),
            Cell::Nothing(()),
            Cell::Flag(true),
            Cell::Text(r#"{"a":[1]}"#.into()),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_table_is_bounded_and_says_so() {
        let rows: Vec<Value> = (0..900).map(|_| json!(["y".repeat(5_000), 1, 2, 3])).collect();
        let found: Found =
            serde_json::from_value(json!({ "columns": [{ "name": "a" }, {}], "values": rows, "matchCount": 12.0 })).unwrap();
        let table = found.shown("q".into(), 1_000);
        assert!(table.cut && table.rows.len() < 130 && table.rows.len() > 100, "{}", table.rows.len());
        assert_eq!((table.rows[0].len(), table.matches), (2, Some(12)), "as many cells as columns");
        let found: Found = serde_json::from_value(json!({ "columns": [{ "name": "a" }], "values": [[1], [2], []] })).unwrap();
        let table = found.shown("q".into(), 3);
        assert!(table.cut && table.rows[2] == [Cell::Nothing(())], "{table:?}");
        let found: Found = serde_json::from_value(json!({ "columns": 7, "values": { "a": 1 }, "warnings": "x" })).unwrap();
        let table = found.shown("q".into(), 3);
        assert!(!table.cut && table.rows.is_empty());
    }
}
