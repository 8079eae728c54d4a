//! `casemate update`: newer releases, with what changes shown and agreed to.

use casemate_signing::{diff::Changes, lock::Locked, manifest::PluginId};
use semver::Version;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    installing::{
        Candidate, Installing, Names, Reason,
        acquire::Source,
        consent::{Agreed, Consent},
        newer::{self, Compared, Standing},
        pinned,
    },
    sheet::{self, changes},
};

/// Update plugins from where they came from: shows what changes, and asks where a release wants more or says something else.
///
/// A release that asks for nothing more and whose tools say the same is taken without asking. From a registry the newest version
/// tag that the configuration's `version` allows is taken; from a file, the newest NAME-VERSION.wasm beside it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Short names, or publisher/name; all that are installed and not pinned where none is given.
    names: Vec<String>,
    /// Take the release from here instead, and from now on.
    #[arg(long, value_name = "SOURCE")]
    from: Option<Source>,
    /// Only show what would change; nothing is installed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
}

/// What became of one plugin.
struct Done {
    plugin: PluginId,
    from: Version,
    to: Version,
    status: &'static str,
    changes: Option<Changes>,
}

/// Update them, one after the other; each whole or not at all.
pub fn run(args: &Args, context: &Context) -> Outcome {
    if args.from.is_some() && args.names.len() != 1 {
        return Err(Failure::invalid("--from is one plugin's\nhelp: name that plugin"));
    }
    let mut installing = Installing::begin(context)?;
    let named: Vec<(PluginId, Locked)> = if args.names.is_empty() {
        installing.lock.plugins().iter().map(|(id, locked)| (id.clone(), locked.clone())).collect()
    } else {
        args.names.iter().map(|name| installing.named(name)).collect::<Result<_, _>>()?
    };
    let mut all = Vec::new();
    let mut failed = None;
    for (id, locked) in named {
        if locked.pinned {
            if !args.names.is_empty() {
                failed = Some(pinned(&id, &locked.version));
                break;
            }
            all.push(Done { to: locked.version.clone(), from: locked.version, plugin: id, status: "pinned", changes: None });
            continue;
        }
        match one(args, &mut installing, id, locked) {
            Ok(done) => all.push(done),
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    // What was done is said, whatever stopped the rest.
    print::result(context.format, || all.iter().map(text).collect::<Vec<_>>().join("\n"), || all.iter().map(json).collect());
    failed.map_or(Ok(Exit::Done), Err)
}

fn one(args: &Args, installing: &mut Installing<'_>, id: PluginId, locked: Locked) -> Result<Done, Failure> {
    let Compared { candidate, standing, changes } = newer::compare(args.from.as_ref(), (&id, &locked), installing)?;
    let next = candidate.package.manifest().clone();
    let done = |status, changes| Done {
        from: locked.version.clone(),
        to: next.plugin.version.clone(),
        plugin: id.clone(),
        status,
        changes,
    };
    match standing {
        Standing::Current => return Ok(done("current", None)),
        // It is what the lock file names, and would not be loaded here: what is missing is made good as if it were new.
        Standing::Incomplete if args.dry_run => return Ok(done("incomplete", None)),
        Standing::Newer if args.dry_run => return Ok(done("available", changes)),
        Standing::Incomplete | Standing::Newer => {}
    }
    installing.replaced(&next, &Names::default())?;
    // Where that is not known, everything is shown and asked as if nothing were installed.
    let agreed = match changes.as_ref().and_then(Changes::renewal) {
        Some(proof) => Agreed::without_asking(proof),
        None => args.consent.ask(&candidate.package, if changes.is_some() { "Update" } else { "Install" }, || {
            page(&candidate, changes.as_ref(), &locked.version)
        })?,
    };
    installing.put(candidate, agreed, &Reason::Update)?;
    Ok(done("updated", changes))
}

/// What a person is shown before an update: what changes, and the whole sheet only where there is nothing to compare with.
pub(super) fn page(candidate: &Candidate, changes: Option<&Changes>, from: &Version) -> String {
    let manifest = candidate.package.manifest();
    match changes {
        Some(changes) => format!(
            "{} {from} → {} (release {})\n\n{}\napproval sha256:{}",
            candidate.package.id(),
            manifest.plugin.version,
            manifest.plugin.release,
            changes::page(changes),
            candidate.package.approval().digest().to_hex()
        ),
        None => sheet::page(manifest, &super::verify::provenance(&candidate.package)),
    }
}

fn text(done: &Done) -> String {
    let Done { plugin, from, to, status, changes } = done;
    let line = match *status {
        "pinned" => format!("{plugin} {from}: pinned"),
        "current" => format!("{plugin} {from}: nothing newer"),
        "incomplete" => format!("{plugin} {from}: locked, and not in order here; casemate update makes it good"),
        "available" => format!("{plugin} {from} → {to}: available"),
        _ if from == to => format!("{plugin} {from}: in order again"),
        _ => format!("{plugin} {from} → {to}: updated"),
    };
    match changes {
        Some(changes) => format!("{line}\n{}", changes::page(changes)),
        None => line,
    }
}

fn json(done: &Done) -> Value {
    json!({
        "plugin": done.plugin.to_string(),
        "from": done.from,
        "to": done.to,
        "status": done.status,
        "changes": done.changes.as_ref().map(changes::json),
    })
}
