//! `casemate advisories`: what is known of the plugins that are installed.

use std::path::PathBuf;

use casemate_policy::text::visible;
use casemate_sandbox::examine;
use casemate_signing::{lock::Locked, manifest::PluginId};
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    advisories::{Advisories, Finding, Standing, severity_of},
    clock,
    config::{AdvisoryRules, Config},
    exit::{Exit, Failure, Outcome},
    house::{Shelf, store},
    installing::named,
};

/// Look installed plugins up in a folder of advisories, without the network.
///
/// The folder is a copy of https://github.com/rustsec/advisory-db. What the configuration's [advisories] say of severities and waivers
/// holds here too. Exit code 2 where a finding refuses a plugin, 1 where a plugin could not be looked up.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder; default: the configuration's.
    #[arg(long, value_name = "FOLDER")]
    db: Option<PathBuf>,
    /// Only these, by short name or publisher/name; default: all that are installed.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// What was found for one plugin, or why it could not be looked up.
type Looked<'a> = (&'a PluginId, Result<Vec<Finding>, Failure>);

/// Read the folder, look everything up, show it.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let rules = AdvisoryRules { db: args.db.clone().or(config.advisories.db.clone()), ..config.advisories };
    let advisories = Advisories::open(rules).map_err(Failure::invalid)?;
    let Some(database) = advisories.database() else {
        return Err(Failure::invalid(
            "there is no advisory database\nhelp: --db FOLDER, or db = \"FOLDER\" under [advisories], names a copy of https://github.com/rustsec/advisory-db",
        ));
    };
    let keys = store::keys(&context.folders.state(config.environment))?;
    let shelf = Shelf::open(&context.folders, config.environment, &keys)?;
    let chosen = match args.names.as_slice() {
        [] => shelf.lock.plugins().iter().collect(),
        names => names.iter().map(|name| named(&shelf.lock, name)).collect::<Result<Vec<_>, _>>()?,
    };
    let looked: Vec<Looked<'_>> = chosen.into_iter().map(|(id, locked)| (id, look(&shelf, id, locked, &advisories))).collect();
    print::result(context.format, || text(&looked, database.count(), database.newest()), || json(&looked));
    let denied = |finding: &Finding| matches!(finding.standing, Standing::Denied { .. });
    Ok(if looked.iter().any(|(_, found)| found.as_ref().is_ok_and(|found| found.iter().any(denied))) {
        Exit::Denied
    } else if looked.iter().any(|(_, found)| found.is_err()) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// A plugin that lists nothing has not been looked up, whether or not it has to list something.
fn look(shelf: &Shelf<'_>, id: &PluginId, locked: &Locked, advisories: &Advisories) -> Result<Vec<Finding>, Failure> {
    let examined = examine(shelf.loadable(id, locked)?).map_err(Failure::denied)?;
    match examined.dependencies() {
        Some(_) => Ok(advisories.review(id, examined.dependencies(), clock::now())),
        None => Err(Failure::failed("it does not list what it is made of")),
    }
}

fn text(looked: &[Looked<'_>], count: usize, newest: &str) -> String {
    let mut text = format!("{count} advisories, the newest of {newest}\n");
    for (id, found) in looked {
        match found {
            Err(failure) => {
                text.push_str(&format!("\n{id}: not looked up\n  {}\n", visible(&failure.message).replace('\n', "\n  ")))
            }
            Ok(found) if found.is_empty() => text.push_str(&format!("\n{id}: nothing is known\n")),
            Ok(found) => {
                text.push_str(&format!("\n{id}\n"));
                for finding in found {
                    text.push_str(&shown(finding));
                }
            }
        }
    }
    text
}

fn shown(finding: &Finding) -> String {
    let build = if finding.build { ", builds the plugin" } else { "" };
    let remark = finding.remark.as_ref().map_or(String::new(), |remark| format!(", {remark}"));
    let head = format!("  {}  {} {}{build}", finding.id, finding.package, finding.version);
    let lines = [
        finding.title.clone(),
        format!("severity {}{remark}; {}", severity_of(finding.severity), finding.remedy()),
        finding.verdict(),
    ];
    let lines: String = lines.iter().map(|line| format!("    {}\n", visible(line))).collect();
    format!("{}\n{lines}", visible(&head))
}

fn json(looked: &[Looked<'_>]) -> Value {
    looked
        .iter()
        .map(|(id, found)| match found {
            Ok(found) => json!({ "plugin": id.to_string(), "findings": found.iter().map(Finding::to_json).collect::<Vec<_>>() }),
            Err(failure) => json!({ "plugin": id.to_string(), "not_looked_up": failure.message }),
        })
        .collect()
}
