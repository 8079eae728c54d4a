//! PostgreSQL as the host speaks it for the plugin: one request is one statement in one transaction that only reads.

use std::time::Duration;

use casemate_plugin::{
    Context, Failure, Response, clip, path,
    tolerant::{Few, Flag, Number, Object, Take, Text, Verbatim, take},
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::field::DatabaseName;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "postgres";
/// How long a statement may run, as the contracts have it.
const MILLISECONDS: u32 = 10_000;
/// For the connection and the statement.
const PATIENCE: Duration = Duration::from_secs(18);
/// Columns of an answer at most.
pub(crate) const COLUMNS: usize = 200;
/// Rows of an answer at most, of any tool.
pub(crate) const ROWS: usize = 1_000;
/// Characters of a refused statement that are shown.
const NEAR: usize = 40;

/// A statement and what is beside it.
#[derive(Debug, Serialize)]
pub(crate) struct Asked<'a> {
    pub(crate) statement: &'a str,
    pub(crate) parameters: Vec<&'a str>,
    pub(crate) tables: Vec<&'a str>,
    pub(crate) rows: usize,
    milliseconds: u32,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(statement: &'a str, parameters: Vec<&'a str>, tables: Vec<&'a str>, rows: usize) -> Self {
        Self { statement, parameters, tables, rows, milliseconds: MILLISECONDS }
    }
}

/// What a statement found.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    /// One more than are told says that there are too many.
    pub(crate) columns: Few<Object<Column>, { COLUMNS + 1 }>,
    pub(crate) rows: Few<Few<Cell, COLUMNS>, ROWS>,
    pub(crate) more: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Column {
    pub(crate) name: Text<80>,
    #[serde(rename = "type")]
    pub(crate) oid: Number,
}

/// A value in PostgreSQL's own text, or null.
#[derive(Debug, Default)]
pub(crate) struct Cell(pub(crate) Option<String>);

impl Take<'_> for Cell {
    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Declined {
    error: Object<Fault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    code: Verbatim<32>,
    position: Number,
}

/// Run a statement.
pub(crate) fn ask(cx: &Context, database: &DatabaseName, asked: &Asked<'_>) -> Result<Answer, Failure> {
    let request = cx.upstream(UPSTREAM).post(path!("/{}", database)).json(asked);
    let answer = request.timeout(PATIENCE).send()?;
    if answer.is_success() { answer.json() } else { Err(declined(&answer, database, asked.statement)) }
}

/// Why there is no answer, by its code. PostgreSQL's own words could be of a table, so they are not passed on; where in the statement it
/// stopped, the statement itself says.
fn declined(answer: &Response, database: &DatabaseName, statement: &str) -> Failure {
    let Declined { error: Object(Fault { code, position }) } = serde_json::from_slice(answer.bytes()).unwrap_or_default();
    let code = code.as_str();
    let near =
        position.count().and_then(|position| near(statement, position)).map(|near| format!(" at `{near}`")).unwrap_or_default();
    let failure = match code {
        "no-columns" => Failure::invalid_arguments("the statement has no columns, so it is none that reads"),
        "table-not-named" => Failure::invalid_arguments(
            "the statement reads a table, or a table below a view, that `tables` does not name; name every one that it reads, as far as you may read it",
        ),
        "invalid-request" => {
            Failure::internal("the host does not take the statement as it was sent; tell the plugin's publisher")
        }
        "3D000" => Failure::not_found(format!("there is no database `{database}`")),
        "42P01" => Failure::not_found(format!(
            "there is no such table{near}; a table is written with its schema, as in `public.orders`, in the statement and in `tables`"
        )),
        "42501" => Failure::unauthorized(
            "the role may not read this; the operator has to grant it USAGE of the schema and SELECT of the table or of these columns",
        ),
        "42703" => Failure::invalid_arguments(format!("there is no such column{near}; `describe_table` says which there are")),
        "42883" => Failure::invalid_arguments(format!("no function or operator takes these types{near}; cast with `::`")),
        "42702" => {
            Failure::invalid_arguments(format!("this column is in several tables{near}; write it with its table, as in `o.id`"))
        }
        "42803" => Failure::invalid_arguments(format!("this stands neither in GROUP BY nor in an aggregate{near}")),
        "42P18" | "42P08" => {
            Failure::invalid_arguments(format!("the type of a parameter is not known{near}; cast it, as in `$1::int`"))
        }
        "42804" | "42846" => Failure::invalid_arguments(format!("the types do not fit{near}; cast with `::`")),
        "42601" => Failure::invalid_arguments(format!("this is no statement of SQL{near}")),
        "57014" => {
            Failure::unavailable("the statement took longer than 10 seconds; ask for less: filter, count, or read fewer tables")
        }
        "55P03" => Failure::unavailable("a table is locked; try again later"),
        "53300" => Failure::unavailable("the server or the role has as many connections as it may have; try again later"),
        code if code.starts_with("28") => {
            Failure::unauthorized("the server refused the user or the password, or the role may not connect to this database")
        }
        code if code.starts_with("42") => {
            Failure::invalid_arguments(format!("the statement does not fit the tables, or is not SQL{near}"))
        }
        code if code.starts_with("22") => Failure::invalid_arguments(format!(
            "a value does not fit{near}: a parameter or a string is not of its type, or a result is out of range"
        )),
        "21000" => Failure::invalid_arguments("a query in parentheses has more rows than one"),
        "25006" => Failure::invalid_arguments("the statement would write, and it may only read"),
        code if code.starts_with("0A") => Failure::invalid_arguments(format!("the server does not know how to do this{near}")),
        code if code.starts_with("53") => {
            Failure::unavailable("the server has no room for this statement; ask for less, or later")
        }
        code if code.starts_with("57") => Failure::unavailable("the server is starting or stopping; try again later"),
        _ => return answer.failure().with_code(code),
    };
    failure.with_code(code)
}

/// What stands at a position of a statement, which is counted in characters, from 1.
fn near(statement: &str, position: u32) -> Option<String> {
    let before = usize::try_from(position).ok()?.checked_sub(1)?;
    let rest: String = statement.chars().skip(before).take(NEAR * 2).collect();
    let near = clip(rest.trim(), NEAR).replace('`', "'");
    (!near.is_empty()).then_some(near)
}
