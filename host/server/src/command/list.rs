//! `casemate list`: what is installed.

use serde_json::json;

use super::{Context, print};
use crate::{
    exit::{Exit, Outcome},
    installed,
};

/// Show the installed plugins: version, release, digest and tools, as the lock file pins them.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Show them, and for each whether it would be loaded now.
pub fn run(_: &Args, context: &Context) -> Outcome {
    let mut rows = vec![["PLUGIN", "VERSION", "RELEASE", "COMPONENT", "TOOLS", "STATUS"].map(str::to_owned).to_vec()];
    let mut values = Vec::new();
    for installed in installed::all(context)? {
        let (id, locked, tools) = (&installed.id, &installed.locked, installed.tools());
        let (digest, status) = (locked.component.to_hex(), &installed.status);
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
