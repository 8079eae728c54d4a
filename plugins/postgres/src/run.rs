//! A statement: read, written anew, run, and told.

use casemate_plugin::{
    Context, Failure,
    field::{List, Passage, Whole},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    api::{self, Asked},
    field::{DatabaseName, TableName, is_catalog},
    found::Found,
    parameter::Parameter,
    settings,
    sql::Statement,
};

/// Rows where the call does not say.
const DEFAULT: i64 = 100;

/// Arguments of `query`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The database, by its exact name
    database: DatabaseName,
    /// One statement: SELECT, WITH, VALUES or TABLE. Tables are written with their schema; values from outside are parameters, `$1`
    sql: Passage<4096>,
    /// The values of `$1`, `$2` and so on, as PostgreSQL writes them in text; NULL is written in the statement
    #[serde(default)]
    parameters: List<Parameter, 32>,
    /// Every table and view that the statement reads, with its schema, as the catalog spells them, such as public.orders; 1 to 20
    tables: List<TableName, 20>,
    /// How many rows at most; 100 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 1000>>,
}

pub(crate) fn query(args: Arguments, cx: &Context) -> Result<Found, Failure> {
    let Arguments { database, sql, parameters, tables, limit } = args;
    let withheld = settings::withheld(cx)?;
    let tables = named(&tables)?;
    let statement = Statement::read(sql.as_str(), &withheld)?;
    let (wanted, given) = (statement.parameters(), parameters.as_slice().len());
    if wanted != given {
        return Err(Failure::invalid_arguments(format!(
            "the statement has {wanted} parameters, and `parameters` has {given} values; give one for each, in their order"
        )));
    }
    let limit = usize::try_from(limit.map_or(DEFAULT, Whole::number)).unwrap_or(1);
    let parameters = parameters.as_slice().iter().map(Parameter::text).collect();
    let answer = api::ask(cx, &database, &Asked::new(statement.text(), parameters, tables, limit))?;
    Found::new(answer, limit, &withheld)
}

/// Each table once, and none of the catalog: where one is named, the host lets all of it be read.
fn named(tables: &List<TableName, 20>) -> Result<Vec<&str>, Failure> {
    let mut named = Vec::new();
    for table in tables.as_slice() {
        if is_catalog(table.schema()) {
            return Err(Failure::invalid_arguments(
                "the catalog is not read by a statement; `list_tables` and `describe_table` say what there is",
            ));
        }
        if !named.contains(&table.as_str()) {
            named.push(table.as_str());
        }
    }
    if named.is_empty() {
        return Err(Failure::invalid_arguments("a statement reads one table at least; name each in `tables`"));
    }
    Ok(named)
}
