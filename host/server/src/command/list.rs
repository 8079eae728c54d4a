//! `casemate list`: what is installed.

use serde_json::json;

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Outcome},
    house::{pending, store},
};

/// Show the installed plugins: version, release, digest and tools, as the lock file pins them.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Show them, and for each whether it would be loaded now.
pub fn run(_: &Args, context: &Context) -> Outcome {
    let environment = Config::read(&context.folders.config)?.environment;
    let keys = store::keys(&context.folders.state(environment))?;
    let (lock, highwater) = pending::installed(&context.folders, environment, &keys)?;
    let trust = store::trust(&context.folders)?;
    let mut rows = vec![["PLUGIN", "VERSION", "RELEASE", "COMPONENT", "TOOLS", "STATUS"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for (id, locked) in lock.plugins() {
        let status = store::installed_package(&store::installed(&context.folders, id, &locked.version))
            .and_then(|(package, _)| {
                package.verify(&trust, environment, clock::now()).map_err(|error| crate::exit::Failure::denied(error.code()))
            })
            .and_then(|verified| verified.approve(&lock, &highwater).map_err(|error| crate::exit::Failure::denied(error.code())))
            .map_or_else(
                |failure| format!("refused: {}", failure.message.lines().next().unwrap_or_default()),
                |_| "verified".to_owned(),
            );
        let tools: Vec<String> = locked.tools.keys().map(|tool| format!("{}_{tool}", id.name)).collect();
        let digest = locked.component.to_hex();
        rows.push(vec![
            id.to_string(),
            locked.version.to_string(),
            locked.release.to_string(),
            digest.chars().take(12).collect(),
            tools.len().to_string(),
            status.clone(),
        ]);
        values.push(json!({ "plugin": id.to_string(), "version": locked.version, "release": locked.release, "component": digest, "signers": locked.signers.iter().map(ToString::to_string).collect::<Vec<_>>(), "tools": tools, "status": status }));
    }
    let nothing = rows.len() == 1;
    print::result(
        context.format,
        || if nothing { "nothing is installed\nhelp: casemate install FILE.wasm".to_owned() } else { print::table(&rows) },
        || values.into(),
    );
    Ok(Exit::Done)
}
