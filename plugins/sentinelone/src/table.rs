//! What a query found: a bounded table.

use std::fmt::{self, Write as _};

use casemate_plugin::{
    Readable, clip,
    tolerant::{Few, Flag, Object, Text},
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

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

/// A value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// Nothing
    Nothing(()),
    /// True or false
    Flag(bool),
    /// A whole number
    Whole(i64),
    /// Text, cut at 500 characters; a list as its values with commas between them; a number that is not whole, with three decimals
    Text(String),
}

impl Default for Cell {
    fn default() -> Self {
        Self::Nothing(())
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reading { inside: false }.deserialize(deserializer)
    }
}

/// Reads a value. What is inside a list inside a list is passed over: nothing here goes deeper than the answer is wide.
struct Reading {
    inside: bool,
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::default())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Cell, E> {
        Ok(Cell::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
        Ok(i64::try_from(number).map_or_else(|_| Cell::Text(number.to_string()), Cell::Whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Cell, E> {
        Ok(decimal(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(clip(text, CELL)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        let mut text = String::new();
        if !self.inside {
            while text.len() < CELL {
                let Some(cell) = list.next_element_seed(Self { inside: true })? else { break };
                let _ = write!(text, "{}{}", if text.is_empty() { "" } else { ", " }, cell.text());
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Text(clip(&text, CELL)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::default())
    }
}

/// The data lake has 64-bit floats only: `5.0` is five. Beyond what a float counts exactly, there is no number to show.
fn decimal(number: f64) -> Cell {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.abs() >= EXACT || number.is_nan() {
        return Cell::Text("a number that is too large".to_owned());
    }
    #[expect(clippy::as_conversions, reason = "it is smaller than what fits")]
    let (whole, thousandths) = (number.trunc() as i64, (number.fract().abs() * 1000.0) as i64);
    match number.fract() == 0.0 {
        true => Cell::Whole(whole),
        false => Cell::Text(format!("{}{}.{thousandths:03}", if number < 0.0 { "-" } else { "" }, whole.abs())),
    }
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Nothing(()) => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
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
        let count = self.rows.len();
        let (rows, more) = (if count == 1 { "row" } else { "rows" }, if self.cut { ", and there may be more" } else { "" });
        let mut text = format!("{count} {rows}{more}");
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
    use serde_json::{Value, json};

    use super::*;

    fn cells(values: &Value) -> Vec<Cell> {
        serde_json::from_value(values.clone()).unwrap()
    }

    #[test]
    fn a_value_is_what_it_is_and_no_deeper() {
        let text = |text: &str| Cell::Text(text.into());
        for (value, cell) in [
            (json!(5), Cell::Whole(5)),
            (json!(5.0), Cell::Whole(5)),
            (json!(-2.0), Cell::Whole(-2)),
            (json!(5.5), text("5.500")),
            (json!(-0.25), text("-0.250")),
            (json!(1e300), text("a number that is too large")),
            (json!(u64::MAX), text("18446744073709551615")),
            (json!("x\u{202e}"), text("x\u{fffd}")),
            (json!(null), Cell::Nothing(())),
            (json!(true), Cell::Flag(true)),
            (json!(["a", 1.0, null, ["b"], { "c": 1 }]), text("a, 1, , ,")),
            (json!({ "a": [1] }), Cell::Nothing(())),
        ] {
            assert_eq!(cells(&json!([value])), [cell], "{value}");
        }
        let deep = format!("[{}{}]", "[".repeat(100), "]".repeat(100));
        assert!(serde_json::from_str::<Vec<Cell>>(&deep).is_ok());
        assert!(cells(&json!([(0..9_999).collect::<Vec<_>>()]))[0].text().chars().count() <= CELL);
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
