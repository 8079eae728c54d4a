//! `casemate test`: a plugin in the sandbox it will be served in, against recorded answers.

mod verdict;

use std::{
    collections::BTreeSet,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use casemate_policy::text::visible;
use casemate_signing::{
    digest::Digest,
    dsse::MAX_PAYLOAD,
    manifest::{Manifest, ToolName, check::MAX_COMPONENT},
    statement,
};
use serde_json::{Value, json};

use super::{
    Context,
    pack::{Packed, pack},
    print,
};
use crate::{
    case::{Case, read_all},
    config::nearest,
    exit::{Exit, Failure, Outcome},
    house::store,
    rehearsal::Rehearsal,
};
use verdict::Verdict;

/// Run a plugin against recorded cases, as it would be served: same sandbox, limits, gate, contracts and output rules.
///
/// Only the network is replaced: each case says what the upstreams answer, and nothing is sent. The plugin is packed first where a
/// folder is given, signed with a key made for the occasion, and installed in a house that is gone afterwards.
///
/// A case fails when the call does not end as expected, asks for something that is not recorded, or leaves something recorded
/// unused. Tools above read are run dry, and their plan compared, unless the case says `"execute": true`.
#[derive(Debug, clap::Args)]
#[command(after_help = CASES)]
pub struct Args {
    /// The plugin's folder, or a packed FILE.wasm with its statement beside it.
    #[arg(default_value = ".", value_name = "FOLDER|FILE.wasm")]
    plugin: PathBuf,
    /// A component that is built already, for the manifest in the folder; cargo is not run.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where the cases are; default: tests/recorded in the plugin's folder, or in this one for a FILE.wasm.
    #[arg(long, value_name = "FOLDER")]
    cases: Option<PathBuf>,
    /// Only the case of this name. May be repeated.
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// What is logged to standard error: error, warn, info or debug. From info on, what the plugin logs.
    #[arg(long, value_enum, default_value = "error", hide_possible_values = true, value_name = "LEVEL")]
    log: crate::log::Level,
}

const CASES: &str = r#"A case is a JSON file:
  { "tool": "lookup", "arguments": { "name": "a" },
    "exchanges": [ { "request":  { "upstream": "api", "method": "GET", "path": "/names/a" },
                     "response": { "status": 200, "body": { "json": { "id": 7 } } } } ],
    "expect": { "outcome": "returned", "structured": { "id": 7 } } }
casemate record writes one from a real call."#;

/// Play every case and say what came of each.
pub fn run(args: &Args, context: &Context) -> Outcome {
    crate::log::start(args.log, false);
    let ((manifest, component), cases) = if args.plugin.is_dir() {
        let Packed { manifest, component, .. } = pack(&args.plugin, args.component.as_deref(), context)?;
        ((manifest, component), args.cases.clone().unwrap_or_else(|| args.plugin.join("tests/recorded")))
    } else {
        (packed(&args.plugin)?, args.cases.clone().unwrap_or_else(|| PathBuf::from("tests/recorded")))
    };
    let all = read_all(&cases, &manifest)?;
    let untested = untested(&manifest, &all);
    let cases = chosen(all, &args.case)?;
    let rehearsal = Rehearsal::new(&manifest, &component, context)?;
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let verdicts = executor.block_on(async {
        let mut verdicts = Vec::new();
        for (at, case) in cases.iter().enumerate() {
            if std::io::stderr().is_terminal() {
                print::note(format_args!("{} of {}: {}", at + 1, cases.len(), visible(&case.name)));
            }
            let performance = rehearsal
                .play(case)
                .await
                .map_err(|failure| Failure { message: format!("case `{}`: {}", case.name, failure.message), ..failure })?;
            verdicts.push(Verdict::of(case, &performance));
        }
        Ok::<_, Failure>(verdicts)
    })?;
    print::result(context.format, || text(&verdicts, &untested), || value(&manifest, &verdicts, &untested));
    Ok(if verdicts.iter().all(Verdict::passed) { Exit::Done } else { Exit::Failed })
}

/// A component and the statement `casemate pack` wrote beside it.
fn packed(file: &Path) -> Result<(Manifest, Vec<u8>), Failure> {
    let component = store::file(file, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?;
    let manifest = statement::parse(&store::file(&store::statement_of(file), MAX_PAYLOAD)?).map_err(Failure::invalid)?;
    if Digest::of(&component).to_hex() != manifest.component.sha256 {
        return Err(Failure::denied(format!(
            "`{}` is not the component that the statement is about\nhelp: pack again",
            file.display()
        )));
    }
    Ok((manifest, component))
}

/// The cases that were asked for; all where none was.
fn chosen(all: Vec<Case>, names: &[String]) -> Result<Vec<Case>, Failure> {
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|case| case.name == **name)) {
        let meant = nearest(unknown, all.iter().map(|case| case.name.as_str()));
        let help = meant.map_or_else(String::new, |name| format!("\nhelp: did you mean `{name}`?"));
        return Err(Failure::invalid(format!("there is no case `{unknown}`{help}")));
    }
    Ok(all.into_iter().filter(|case| names.is_empty() || names.contains(&case.name)).collect())
}

fn untested(manifest: &Manifest, cases: &[Case]) -> Vec<ToolName> {
    let tested: BTreeSet<&ToolName> = cases.iter().map(|case| &case.file.tool).collect();
    manifest.tool.keys().filter(|tool| !tested.contains(tool)).cloned().collect()
}

fn text(verdicts: &[Verdict], untested: &[ToolName]) -> String {
    let head = ["CASE", "TOOL", "RESULT", "ENDED", "FUEL", "MEMORY", "REQUESTS", "TIME"].map(str::to_owned).to_vec();
    let row = |verdict: &Verdict| {
        vec![
            visible(&verdict.case).into_owned(),
            verdict.tool.clone(),
            if verdict.passed() { "ok" } else { "FAILED" }.to_owned(),
            verdict.ended.word().to_owned(),
            format!("{} M", decimal(verdict.fuel, 1_000_000)),
            format!("{} MiB", decimal(verdict.memory, 1 << 20)),
            verdict.requests.to_string(),
            format!("{} ms", decimal(verdict.micros, 1000)),
        ]
    };
    let mut text = print::table(&std::iter::once(head).chain(verdicts.iter().map(row)).collect::<Vec<_>>());
    for verdict in verdicts.iter().filter(|verdict| !verdict.passed()) {
        text.push_str(&format!("\n{}:\n", visible(&verdict.case)));
        for fault in &verdict.faults {
            text.push_str(&format!("  {}\n", fault.replace('\n', "\n  ")));
        }
    }
    if !untested.is_empty() {
        let names: Vec<&str> = untested.iter().map(|tool| tool.as_str()).collect();
        text.push_str(&format!("\nno case: {}\n", names.join(", ")));
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.passed()).count();
    text.push_str(&format!("\n{} passed, {failed} failed\n", verdicts.len() - failed));
    text
}

/// A number in units, with two digits after the point.
fn decimal(number: u64, unit: u64) -> String {
    let hundredths = u128::from(number) * 100 / u128::from(unit.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn value(manifest: &Manifest, verdicts: &[Verdict], untested: &[ToolName]) -> Value {
    let case = |verdict: &Verdict| {
        json!({
            "case": verdict.case,
            "tool": verdict.tool,
            "passed": verdict.passed(),
            "ended": verdict.ended.word(),
            "fuel": verdict.fuel,
            "memory_bytes": verdict.memory,
            "requests": verdict.requests,
            "duration_us": verdict.micros,
            "faults": verdict.faults,
        })
    };
    json!({
        "plugin": manifest.id().to_string(),
        "component": manifest.component.sha256,
        "passed": verdicts.iter().all(Verdict::passed),
        "cases": verdicts.iter().map(case).collect::<Vec<_>>(),
        "untested": untested.iter().map(|tool| tool.as_str()).collect::<Vec<_>>(),
    })
}
