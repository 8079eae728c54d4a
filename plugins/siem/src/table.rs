//! What a search found: rows of texts, some of them redacted, not too many bytes of them.

use casemate_plugin::{Failure, clip, clip_lines};
use schemars::JsonSchema;
use serde::Serialize;

/// Columns of an answer at most.
pub const COLUMNS: usize = 100;
/// Characters of one value at most.
pub const VALUE: usize = 2_000;
/// Bytes of all values of an answer at most: what fits into what a call may return, twice, as structure and as text.
pub const BYTES: usize = 160 << 10;
/// In place of what the operator keeps back.
pub const REDACTED: &str = "[redacted]";

/// Rows of an answer. Every row has one value for each column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Table {
    /// The names of the columns
    pub columns: Vec<String>,
    /// One value for each column, in their order; null where there is none. A value is cut at 2,000 characters
    pub rows: Vec<Vec<Option<String>>>,
    /// Whether rows or columns were left out, because there were too many or they were too long
    pub cut: bool,
}

/// Fields whose values the operator keeps back, by their names without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Redaction(Vec<String>);

impl Redaction {
    /// Of fields of these names.
    pub fn new<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> Self {
        Self(fields.into_iter().map(|field| field.as_ref().to_lowercase()).collect())
    }

    /// Whether nothing is kept back.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of this name is kept back.
    pub fn covers(&self, field: &str) -> bool {
        self.0.contains(&field.to_lowercase())
    }
}

/// A table while it is filled.
#[derive(Debug)]
pub struct Filling<'r> {
    table: Table,
    redacted: Vec<bool>,
    redaction: &'r Redaction,
    rows: usize,
    bytes: usize,
}

impl<'r> Filling<'r> {
    /// Of at most so many rows. With [`Filling::column`] columns come first.
    pub fn new(redaction: &'r Redaction, rows: usize) -> Self {
        Self { table: Table::default(), redacted: Vec::new(), redaction, rows, bytes: 0 }
    }

    /// The place of a column, which is added if it is new; none where there are too many. The name is compared with what is kept back
    /// as it came and as it is shown; of several that are shown as one, all are kept back.
    pub fn column(&mut self, name: &str) -> Option<usize> {
        let shown = clip(name, 200);
        let covered = self.redaction.covers(name) || self.redaction.covers(&shown);
        if let Some(known) = self.table.columns.iter().position(|column| *column == shown) {
            if let Some(redacted) = self.redacted.get_mut(known) {
                *redacted |= covered;
            }
            return Some(known);
        }
        if self.table.columns.len() >= COLUMNS {
            self.table.cut = true;
            return None;
        }
        self.bytes += shown.len();
        self.redacted.push(covered);
        self.table.columns.push(shown);
        Some(self.table.columns.len() - 1)
    }

    /// Add a row of values by their columns' places. Once a row has been left out, so is every later one.
    pub fn row<V: AsRef<str>>(&mut self, values: impl IntoIterator<Item = (usize, V)>) {
        if self.table.cut && self.bytes >= BYTES || self.table.rows.len() >= self.rows {
            self.table.cut = true;
            return;
        }
        let mut row = vec![None; self.table.columns.len()];
        let mut bytes = 5 * row.len();
        for (at, value) in values {
            let redacted = self.redacted.get(at).copied().unwrap_or(true);
            if let Some(cell) = row.get_mut(at) {
                let value = if redacted { REDACTED.to_owned() } else { clip_lines(value.as_ref(), VALUE) };
                bytes += value.len();
                *cell = Some(value);
            }
        }
        if self.bytes + bytes > BYTES {
            self.table.cut = true;
            self.bytes = BYTES;
            return;
        }
        self.bytes += bytes;
        self.table.rows.push(row);
    }

    /// The table. Rows from before a column was known have nothing in it.
    pub fn finish(mut self) -> Table {
        let width = self.table.columns.len();
        for row in &mut self.table.rows {
            row.resize(width, None);
        }
        self.table
    }
}

/// What a person reads: a line for each row, `column=value`. The structure has everything.
impl Table {
    /// At most so many rows, each on its own line.
    pub fn lines(&self, rows: usize) -> String {
        let line = |row: &Vec<Option<String>>| {
            let fields = self.columns.iter().zip(row);
            let shown = fields.filter_map(|(column, value)| Some(format!("{column}={}", clip(value.as_deref()?, 200))));
            shown.collect::<Vec<_>>().join(" ")
        };
        self.rows.iter().take(rows).map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The redacted field that a query names, if it does: a query that may compute with a field can show it under another name.
///
/// # Errors
/// When a field is named that is kept back.
pub fn unnamed<'f>(redaction: &Redaction, fields: impl IntoIterator<Item = &'f str>) -> Result<(), Failure> {
    match fields.into_iter().find(|field| redaction.covers(field)) {
        Some(field) => Err(Failure::invalid_arguments(format!(
            "the operator keeps `{}` back, so a query may not compute with it; leave it out",
            clip(field, 80)
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(redaction: &Redaction, rows: usize, values: &[&[(&str, &str)]]) -> Table {
        let mut filling = Filling::new(redaction, rows);
        for row in values {
            let row: Vec<_> = row.iter().filter_map(|(name, value)| Some((filling.column(name)?, *value))).collect();
            filling.row(row);
        }
        filling.finish()
    }

    #[test]
    fn rows_have_a_value_for_each_column() {
        let table = filled(&Redaction::default(), 9, &[&[("a", "1")], &[("b", "2"), ("a", "3")]]);
        assert_eq!(table.columns, ["a", "b"]);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(table.rows, [vec![some("1"), None], vec![some("3"), some("2")]]);
        assert!(!table.cut);
        assert_eq!(table.lines(9), "a=1\na=3 b=2");
    }

    #[test]
    fn what_is_kept_back_is_not_in_it() {
        let table = filled(&Redaction::new(["User"]), 9, &[&[("user", "alice"), ("src", "192.0.2.1"), ("USER", "bob")]]);
        assert_eq!(table.lines(9), "user=[redacted] src=192.0.2.1 USER=[redacted]");
        let long = "a".repeat(300);
        let longer = long.clone() + "b";
        let redaction = Redaction::new([long.as_str(), "two  blanks"]);
        let table = filled(&redaction, 9, &[&[(&long, "1"), ("two  blanks", "2"), ("two blanks", "3"), (&longer, "4")]]);
        assert_eq!(table.rows, [vec![Some(REDACTED.to_owned()); 2]], "{table:?}");
        let redaction = Redaction::new(["password"]);
        assert!(unnamed(&redaction, ["user"]).is_ok());
        assert!(unnamed(&redaction, ["user", "Password"]).is_err());
    }

    #[test]
    fn it_is_bounded() {
        let long = "x".repeat(VALUE * 2);
        let row: &[(&str, &str)] = &[("a", &long)];
        let table = filled(&Redaction::default(), 1_000, &[row; 1_000]);
        assert!(table.cut && table.rows.len() > 50 && table.rows.len() < 90, "{}", table.rows.len());
        let table = filled(&Redaction::default(), 2, &[&[("a", "1")][..]; 3]);
        assert!(table.cut && table.rows.len() == 2);
        let names: Vec<String> = (0..COLUMNS + 1).map(|number| number.to_string()).collect();
        let wide: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let table = filled(&Redaction::default(), 2, &[&wide]);
        assert!(table.cut && table.columns.len() == COLUMNS && table.rows.len() == 1);
    }
}
