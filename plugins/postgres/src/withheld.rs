//! Columns that the operator keeps back.

use crate::types;

/// In place of what is kept back.
pub(crate) const WITHHELD: &str = "(withheld)";

/// Columns whose values are not told, by their names without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Withheld(Vec<String>);

impl Withheld {
    /// Columns of these names.
    pub fn new<T: AsRef<str>>(columns: impl IntoIterator<Item = T>) -> Self {
        Self(columns.into_iter().map(|column| column.as_ref().to_lowercase()).collect())
    }

    /// Whether nothing is kept back.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a column of this name is kept back.
    pub fn covers(&self, column: &str) -> bool {
        self.0.contains(&column.to_lowercase())
    }

    /// Whether a column of an answer is kept back: by its name, or because a whole row may stand in one of its type.
    pub(crate) fn hides(&self, column: &str, oid: u32) -> bool {
        self.covers(column) || !self.is_empty() && types::may_hold_rows(oid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole_and_its_case_is_not_told() {
        let withheld = Withheld::new(["Password"]);
        assert!(withheld.covers("password") && withheld.covers("PASSWORD"));
        assert!(!withheld.covers("password_hint") && !withheld.covers("pass"));
        assert!(
            withheld.hides("password", 25)
                && withheld.hides("doc", 3802)
                && withheld.hides("x", 99_999)
                && !withheld.hides("id", 23)
        );
        assert!(!Withheld::default().hides("doc", 3802));
    }
}
