//! PostgreSQL: statements that read granted tables, and nothing else.
//!
//! A statement is read by [`sql`] and sent as it was understood, beside the tables that the call names. The host runs it in a transaction
//! that only reads, and hands over no row unless these tables are all that it touched.

mod api;
mod field;
mod found;
mod parameter;
mod run;
mod settings;
pub mod sql;
pub mod tables;
mod types;
pub mod withheld;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Read tables with one statement of SQL: SELECT, WITH, VALUES or TABLE. Every table is written with its schema, as in public.orders, and
/// named in tables. Values from outside are parameters: $1 in the statement, its value in parameters. Joins, subqueries, aggregates and
/// window functions are read; statements that write, lock or set something, comments, functions that are not listed, and the catalog are
/// refused.
#[tool(effect = read, idempotent, title = "Query PostgreSQL")]
pub fn query(args: run::Arguments, cx: &Context) -> Result<found::Found, Failure> {
    run::query(args, cx)
}

/// List the tables and views of a schema that is granted, as far as the role may use them.
#[tool(effect = read, idempotent, title = "Tables of a schema")]
pub fn list_tables(args: tables::ListArguments, cx: &Context) -> Result<tables::Tables, Failure> {
    tables::list(args, cx)
}

/// Describe a table or view that is granted: its columns, their types, and whether they may be null.
#[tool(effect = read, idempotent, title = "A table of PostgreSQL")]
pub fn describe_table(args: tables::DescribeArguments, cx: &Context) -> Result<tables::Description, Failure> {
    tables::describe(args, cx)
}

plugin!(describe_table, list_tables, query);
