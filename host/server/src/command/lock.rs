//! `casemate lock`: does what is installed agree with casemate.lock?

use casemate_policy::text::visible;
use serde_json::json;

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::{pending, store},
};

/// Check casemate.lock against the installed packages, their signatures and what was agreed to. Nothing that is installed changes.
///
/// For pipelines: the exit code is 2 when anything that the lock file names would not be served exactly so.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Say so on purpose: nothing else is done.
    #[arg(long, required = true)]
    check: bool,
}

/// Check every line of it.
pub fn run(_: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let keys = store::keys(&context.folders.state(config.environment))?;
    let (lock, highwater) = pending::installed(&context.folders, config.environment, &keys)?;
    let trust = store::trust(&context.folders)?;
    let mut faults = Vec::new();
    for (id, locked) in lock.plugins() {
        let checked =
            store::installed_package(&store::installed(&context.folders, id, &locked.version)).and_then(|(package, _)| {
                let verified = package
                    .verify(&trust, config.environment, clock::now())
                    .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
                if verified.id() != id {
                    return Err(Failure::denied(format!("identity: the package is `{}`", verified.id())));
                }
                verified.approve(&lock, &highwater).map_err(|error| Failure::denied(format!("{}: {error}", error.code())))
            });
        if let Err(failure) = checked {
            faults.push((id.to_string(), failure.message));
        }
        let wanted = config.plugins.get(&id.name).and_then(|section| section.version.as_ref().map(|version| (section, version)));
        if let Some((section, version)) = wanted.filter(|(_, version)| !version.matches(&locked.version)) {
            faults.push((
                id.to_string(),
                format!("{}: version `{version}` is asked for, `{}` is locked", section.place, locked.version),
            ));
        }
    }
    for name in config.plugins.keys().filter(|name| !lock.plugins().keys().any(|id| id.name == **name)) {
        faults.push((name.to_string(), "the configuration has a section for it, and the lock file does not name it".to_owned()));
    }
    let count = lock.plugins().len();
    print::result(
        context.format,
        || match faults.len() {
            0 => format!("casemate.lock holds: {count} plugins, each verified, agreed to and as locked"),
            _ => faults
                .iter()
                .map(|(plugin, fault)| visible(&format!("{plugin}: {fault}")).into_owned())
                .collect::<Vec<_>>()
                .join("\n"),
        },
        || json!({ "plugins": count, "faults": faults.iter().map(|(plugin, fault)| json!({ "plugin": plugin, "fault": fault })).collect::<Vec<_>>() }),
    );
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Denied })
}
