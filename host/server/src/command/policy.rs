//! `casemate policy`: what the rules say, before anybody calls.

mod foretold;
mod table;

use std::path::{Path, PathBuf};

use casemate_ledger::Ledger;
use casemate_policy::{
    ToolRule,
    cedar::{Known, Rules},
    text::visible,
};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::{Rulebook, store},
    hypothesis::Hypothesis,
};

/// What the rules say, before anybody calls. Nothing is run, sent or spent by asking.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the rules; or with a call, show every layer's verdict on it, as `explain` does.
    Check {
        /// A file with a call.
        #[arg(value_name = "CALL.json")]
        call: Option<PathBuf>,
        /// As if nothing had been called or read yet, instead of asking the ledger.
        #[arg(long, requires = "call")]
        fresh: bool,
    },
    /// Show every layer's verdict on a call that nobody makes. Exit code 2 where it would not be permitted.
    Explain {
        /// A file with a call, such as {"principal": "local", "tool": "virustotal_file_report", "arguments": {…}}; - reads standard input.
        #[arg(value_name = "CALL.json")]
        call: PathBuf,
        /// As if nothing had been called or read yet, instead of asking the ledger.
        #[arg(long)]
        fresh: bool,
    },
    /// Hold the rules to a table of calls and what is expected of each.
    Test {
        /// The table; default: `policies/tests.toml` beside the configuration.
        file: Option<PathBuf>,
    },
    /// Print what Cedar policies may speak of, as made of the installed tools.
    Schema,
}

/// Bytes of a call or of a table of them.
const MAX_FILE: usize = 8 << 20;

/// Ask.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let book = Rulebook::read(context)?;
    match command {
        Command::Check { call: None, .. } => {
            print::result(context.format, || text(&book), || json(&book));
            Ok(if book.refused.is_empty() { Exit::Done } else { Exit::Failed })
        }
        Command::Check { call: Some(call), fresh } | Command::Explain { call, fresh } => {
            let told = read(call)?.ask(&book.policy, ledger(&book, context, *fresh)?.as_ref(), clock::now())?;
            print::result(context.format, || foretold::text(&told), || foretold::json(&told));
            Ok(foretold::exit(&told))
        }
        Command::Test { file } => {
            let beside = || context.folders.config.with_file_name("policies").join("tests.toml");
            table::run(&file.clone().unwrap_or_else(beside), &book, context)
        }
        Command::Schema => {
            let schema = schema(&book);
            print::result(context.format, || schema.clone(), || json!({ "schema": schema }));
            Ok(Exit::Done)
        }
    }
}

fn ledger(book: &Rulebook, context: &Context, fresh: bool) -> Result<Option<Ledger>, Failure> {
    if fresh {
        return Ok(None);
    }
    Ok(Some(Ledger::open(&context.folders.state(book.config.environment).join("ledger.db"))?))
}

fn read(path: &Path) -> Result<Hypothesis, Failure> {
    let text = match path.to_str() {
        Some("-") => super::call::text("-")?,
        _ => text_of(path)?,
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::invalid(format!(
            "{}: {error}\nhelp: a call is {{\"principal\": \"local\", \"tool\": \"…\", \"arguments\": {{…}}}}; `at`, `labels`, `tainted`, `spent` and `paused` may be supposed",
            path.display()
        ))
    })
}

/// A file that a person names on the command line.
fn text_of(path: &Path) -> Result<String, Failure> {
    let text = store::linked(path, MAX_FILE)?
        .ok_or_else(|| Failure::invalid(format!("`{}` cannot be read: there is no such file", path.display())))?;
    String::from_utf8(text).map_err(|_| Failure::invalid(format!("`{}` is not UTF-8", path.display())))
}

fn schema(book: &Rulebook) -> String {
    let tools: Vec<&ToolRule> = book.policy.tools().chain(book.policy.sources()).collect();
    Rules::schema(&tools, &Known::of(book.policy.grants()))
}

fn text(book: &Rulebook) -> String {
    let (tools, grants) = (book.policy.tools().count(), book.policy.grants().count());
    let mut text =
        format!("The rules are sound: {} over {}.\n", print::counted(grants, "grant"), print::counted(tools, "installed tool"));
    let guards = book.policy.guards();
    if !guards.flows.is_empty() {
        text.push_str("\nflow rules\n");
        let rows: Vec<Vec<String>> =
            guards.flows.iter().map(|flow| vec![format!("  {}", flow.name), flow.when.to_string()]).collect();
        text.push_str(&print::table(&rows));
    }
    if let Some(rules) = &guards.policies {
        text.push_str("\npolicies\n");
        let rows: Vec<Vec<String>> = rules
            .rules()
            .map(|rule| vec![format!("  {}", rule.id()), rule.place().to_string(), rule.message().unwrap_or_default().to_owned()])
            .collect();
        text.push_str(&print::table(&rows));
    }
    for refused in &book.refused {
        text.push_str(&format!("\nNOT SERVED {}\n  {}\n", refused.plugin, visible(&refused.reason).replace('\n', "\n  ")));
    }
    text
}

fn json(book: &Rulebook) -> Value {
    let guards = book.policy.guards();
    let policies: Vec<Value> = guards
        .policies
        .iter()
        .flat_map(|rules| rules.rules())
        .map(|rule| json!({ "id": rule.id(), "place": rule.place().to_string(), "message": rule.message() }))
        .collect();
    let refused: Vec<Value> =
        book.refused.iter().map(|refused| json!({ "plugin": refused.plugin.to_string(), "reason": refused.reason })).collect();
    json!({
        "grants": book.policy.grants().map(|grant| grant.name.as_str()).collect::<Vec<_>>(),
        "tools": book.policy.tools().map(|tool| tool.served.as_str()).collect::<Vec<_>>(),
        "flows": guards.flows.iter().map(|flow| json!({ "name": flow.name.as_str(), "when": flow.when.to_string() })).collect::<Vec<_>>(),
        "policies": policies,
        "not_served": refused,
    })
}
