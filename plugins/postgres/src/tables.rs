//! Which tables there are, and what is in one.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, clip};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Answer, Asked, Cell, ROWS},
    field::{DatabaseName, SchemaName, TableName, is_catalog},
    settings,
};

/// As it is in the contract `list-tables`.
pub const LIST: &str = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = $1 ORDER BY table_name";
/// As it is in the contract `describe-table`.
pub const DESCRIBE: &str = "SELECT column_name, data_type, udt_name, is_nullable FROM information_schema.columns \
                            WHERE table_schema = split_part($1, '.', 1) AND table_name = split_part($1, '.', 2) \
                            ORDER BY ordinal_position";
/// Characters of a name or a type.
const NAME: usize = 128;

/// Arguments of `list_tables`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {
    /// The database, by its exact name
    database: DatabaseName,
    /// The schema, by its exact name, such as public
    schema: SchemaName,
}

/// Arguments of `describe_table`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribeArguments {
    /// The database, by its exact name
    database: DatabaseName,
    /// The table or view with its schema, as the catalog spells them, such as public.orders
    table: TableName,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Table,
    View,
    ForeignTable,
    Other,
}

/// A table of a schema.
#[derive(Debug, Serialize, JsonSchema)]
struct Table {
    name: String,
    kind: Kind,
}

/// Tables of a schema that the role may use in some way.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tables {
    schema: SchemaName,
    tables: Vec<Table>,
    /// Whether there are more tables than these
    more: bool,
}

/// A column of a table.
#[derive(Debug, Serialize, JsonSchema)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    nullable: bool,
    /// Whether the operator keeps its values back
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    withheld: bool,
}

/// Columns of a table that the role may use in some way.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Description {
    table: TableName,
    columns: Vec<Column>,
}

pub(crate) fn list(args: ListArguments, cx: &Context) -> Result<Tables, Failure> {
    let ListArguments { database, schema } = args;
    no_catalog(schema.as_str())?;
    let asked = Asked::new(LIST, vec![schema.as_str()], vec!["information_schema.tables"], ROWS);
    let Answer { rows, more, .. } = api::ask(cx, &database, &asked)?;
    let table = |row: Vec<Cell>| {
        let [name, kind] = texts(row)?;
        let kind = match kind.as_str() {
            "BASE TABLE" => Kind::Table,
            "VIEW" => Kind::View,
            "FOREIGN" => Kind::ForeignTable,
            _ => Kind::Other,
        };
        Ok(Table { name, kind })
    };
    let tables = rows.0.into_iter().map(|row| table(row.0)).collect::<Result<_, Failure>>()?;
    Ok(Tables { schema, tables, more: more.0.unwrap_or_default() })
}

pub(crate) fn describe(args: DescribeArguments, cx: &Context) -> Result<Description, Failure> {
    let DescribeArguments { database, table } = args;
    no_catalog(table.schema())?;
    let withheld = settings::withheld(cx)?;
    let asked = Asked::new(DESCRIBE, vec![table.as_str()], vec!["information_schema.columns"], ROWS);
    let Answer { rows, .. } = api::ask(cx, &database, &asked)?;
    let column = |row: Vec<Cell>| {
        let [name, data, own, nullable] = texts(row)?;
        // Arrays are called by their elements with `_` before them, and types of a schema by their own name.
        let kind = match data.as_str() {
            "ARRAY" => format!("{}[]", own.strip_prefix('_').unwrap_or(&own)),
            "USER-DEFINED" => own,
            _ => data,
        };
        Ok(Column { withheld: withheld.covers(&name), name, kind, nullable: nullable == "YES" })
    };
    let columns: Vec<Column> = rows.0.into_iter().map(|row| column(row.0)).collect::<Result<_, Failure>>()?;
    if columns.is_empty() {
        return Err(Failure::not_found(format!(
            "there is no table `{table}` of which the role may read a column; names are spelled as in the catalog"
        )));
    }
    Ok(Description { table, columns })
}

fn no_catalog(schema: &str) -> Result<(), Failure> {
    if is_catalog(schema) {
        return Err(Failure::invalid_arguments(format!("`{schema}` is PostgreSQL's own schema, and is not looked into")));
    }
    Ok(())
}

/// The texts of a row that has as many.
fn texts<const N: usize>(row: Vec<Cell>) -> Result<[String; N], Failure> {
    let texts: Option<Vec<String>> = row.into_iter().map(|Cell(value)| value.map(|value| clip(&value, NAME))).collect();
    let texts = texts.and_then(|texts| texts.try_into().ok());
    texts.ok_or_else(|| Failure::upstream("a row of the answer is not what was asked for"))
}

impl Readable for Tables {
    fn text(&self) -> String {
        let Self { schema, tables, more } = self;
        let mut text = format!("{} tables in {schema}", tables.len());
        if *more {
            text.push_str(", and more");
        }
        for Table { name, kind } in tables {
            let kind = match kind {
                Kind::Table => "",
                Kind::View => ", a view",
                Kind::ForeignTable => ", a foreign table",
                Kind::Other => ", something else",
            };
            let _ = write!(text, "\n{name}{kind}");
        }
        text
    }
}

impl Readable for Description {
    fn text(&self) -> String {
        let Self { table, columns } = self;
        let mut text = format!("{table}: {} columns", columns.len());
        for Column { name, kind, nullable, withheld } in columns {
            let nullable = if *nullable { "" } else { ", not null" };
            let withheld = if *withheld { ", withheld" } else { "" };
            let _ = write!(text, "\n{name} {kind}{nullable}{withheld}");
        }
        text
    }
}
