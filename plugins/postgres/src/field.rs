//! The words of PostgreSQL that a call has.

use casemate_plugin::word;

word! {
    /// A database, by its exact name.
    pub(crate) DatabaseName, "a database's exact name: 1 to 63 letters, digits, _ and -, beginning with a letter or digit", 1..=63,
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", is_name, str::to_owned
}

word! {
    /// A schema, by its exact name.
    pub(crate) SchemaName, "a schema's exact name: 1 to 63 letters, digits, _ and -, beginning with a letter or digit", 1..=63,
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$", is_name, str::to_owned
}

word! {
    /// A table or view with its schema, both as the catalog spells them.
    pub(crate) TableName, "a table with its schema, as the catalog spells them, such as public.orders", 3..=127,
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}[.][A-Za-z0-9_-]{1,63}$", is_table, str::to_owned
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
}

fn is_name(text: &str) -> bool {
    text.len() <= 63 && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(is_letter)
}

fn is_table(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(schema, table)| is_name(schema) && (1..=63).contains(&table.len()) && table.bytes().all(is_letter))
}

/// Whether a schema is PostgreSQL's own.
pub(crate) fn is_catalog(schema: &str) -> bool {
    schema == "information_schema" || schema.starts_with("pg_")
}

impl TableName {
    /// The schema that it is in.
    pub(crate) fn schema(&self) -> &str {
        self.as_str().split_once('.').map_or("", |(schema, _)| schema)
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn names() {
        let long = "a".repeat(64);
        let bad = ["", ".", "..", "a b", "a\"b", "a/b", "a.b", "_a", "-a", "é", "a\n", "a;b", &long];
        check::<DatabaseName>(&["app", "App-2", "0_x"], &bad, true);
        check::<SchemaName>(&["public", "sales"], &bad, true);
        let long = format!("a.{long}");
        let bad = [
            "",
            "orders",
            "public.",
            ".orders",
            "a.b.c",
            "public.or ders",
            "\"public\".\"orders\"",
            "a.*",
            "*",
            "a.b\n",
            "a.b,c.d",
            "аa.b",
            &long,
        ];
        check::<TableName>(&["public.orders", "Sales.Order-2", "public._prisma"], &bad, true);
    }

    #[test]
    fn the_catalog_is_known() {
        assert!(["pg_catalog", "pg_toast", "pg_temp_3", "information_schema"].into_iter().all(is_catalog));
        assert!(!["public", "pgx", "information"].into_iter().any(is_catalog));
        assert_eq!("public.orders".parse::<TableName>().map(|table| table.schema().to_owned()), Ok("public".to_owned()));
    }
}
