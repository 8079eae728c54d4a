//! `casemate audit prune`: retention, by whole files.

use std::{path::Path, time::Duration};

use casemate_audit::PruneError;
use casemate_policy::{Timestamp, Window};
use serde_json::json;

use super::ago;
use crate::{
    clock,
    command::{Context, print},
    exit::{Exit, Failure, Outcome},
    house::each_chain,
};

/// How old a record must be.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Args {
    /// Remove files with nothing in them after this time.
    #[arg(long, value_name = "TIME")]
    before: Option<Timestamp>,
    /// Remove files with nothing in them younger than this: 90d, 52w.
    #[arg(long, value_name = "DURATION")]
    keep: Option<Window>,
}

/// Remove them, of every chain.
pub(super) fn run(state: &Path, args: &Args, at_least: Duration, context: &Context) -> Outcome {
    let now = clock::now();
    let older_than = match (args.before, args.keep) {
        (Some(before), _) => before,
        (None, keep) => ago(now, keep.map_or(0, Window::as_millis)),
    };
    let youngest = ago(now, u64::try_from(at_least.as_millis()).unwrap_or(u64::MAX));
    if older_than > youngest {
        return Err(Failure::denied(format!(
            "audit-keep: records after {youngest} are kept: the configuration says `keep` under [audit]\nhelp: remove what is older, or change the configuration"
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    each_chain(state, |chain, log| {
        match runtime.block_on(log.prune(older_than, "local", now)) {
            Ok(removal) => {
                lines.push(format!(
                    "{chain}: records {} to {} removed, in {}, with the details of {}; of the next file, {}",
                    removal.from,
                    removal.before.saturating_sub(1),
                    print::counted(removal.segments.len(), "file"),
                    print::counted(removal.details.len(), "call"),
                    removal.stays
                ));
                values.push(json!({ "chain": chain, "from": removal.from, "before": removal.before, "files": removal.segments.len(), "bytes": removal.bytes, "details": removal.details.len() }));
            }
            Err(PruneError::Nothing { stays, .. }) => {
                lines.push(format!("{chain}: nothing removed: of its oldest file, {stays}"))
            }
            Err(error) => return Err(Failure::denied(format!("{chain}: {error}"))),
        }
        Ok(())
    })?;
    print::result(context.format, || lines.join("\n"), || values.into());
    Ok(Exit::Done)
}
