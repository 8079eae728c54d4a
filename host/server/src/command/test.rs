//! `casemate test`: a plugin in the sandbox it will be served in, against recorded answers.

use std::{
    collections::BTreeSet,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use casemate_audit::Entry;
use casemate_policy::text::visible;
use casemate_sandbox::{Difference, Expected, ExpectedBody, Replay, Sent};
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
    case::{Case, differences, file::Expect, read_all},
    config::nearest,
    exit::{Exit, Failure, Outcome},
    house::store,
    mcp::{Content, Reply},
    rehearsal::{Performance, Rehearsal},
};

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

/// Characters of a body that are shown where it is another than the recorded one.
const MAX_BODY: usize = 400;

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

/// What came of one case.
struct Verdict {
    case: String,
    tool: String,
    ended: Ended,
    fuel: u64,
    memory: u64,
    requests: usize,
    micros: u64,
    /// What is wrong, each in lines of its own; nothing where it passed.
    faults: Vec<String>,
}

/// How a call ended, in the words of a case.
enum Ended {
    Returned,
    Failed {
        kind: String,
    },
    Planned,
    Refused {
        reason: String,
    },
    /// No case can expect this: the call ran into a limit or a trap, or its result was withheld.
    Otherwise {
        how: String,
    },
}

impl Ended {
    fn of(performance: &Performance) -> Self {
        let Some(entry) = &performance.outcome else {
            let reason = performance.reply.structured.as_ref().and_then(|value| value.get("reason")).and_then(Value::as_str);
            return Self::Refused { reason: reason.unwrap_or_default().to_owned() };
        };
        let field = |name| entry.field(name).and_then(Value::as_str).unwrap_or_default();
        let (code, _) = field("detail").split_once(": ").unwrap_or_default();
        match field("ending") {
            "returned" => Self::Returned,
            "failed" => Self::Failed { kind: code.to_owned() },
            "planned" => Self::Planned,
            "egress-refused" => Self::Refused { reason: code.to_owned() },
            other => Self::Otherwise { how: format!("{other}: {}", field("detail")) },
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Failed { .. } => "failed",
            Self::Planned => "planned",
            Self::Refused { .. } => "refused",
            Self::Otherwise { .. } => "stopped",
        }
    }
}

impl Verdict {
    fn of(case: &Case, performance: &Performance) -> Self {
        let ended = Ended::of(performance);
        let mut faults = requests(&performance.replay);
        faults.extend(outcome(case, &ended, performance));
        let number = |name| performance.outcome.as_ref().map_or(0, |entry| number(entry, name));
        let sent = performance.outcome.as_ref().and_then(|entry| entry.field("requests")).and_then(Value::as_array);
        Self {
            case: case.name.clone(),
            tool: case.file.tool.to_string(),
            ended,
            fuel: number("fuel"),
            memory: number("memory_bytes"),
            requests: sent.map_or(0, Vec::len),
            micros: number("duration_us"),
            faults,
        }
    }

    fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A number of the audit log.
fn number(entry: &Entry, name: &str) -> u64 {
    entry.field(name).and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())).unwrap_or_default()
}

/// Requests that are not recorded, each beside the recorded one that is nearest; and recorded ones that were not made.
fn requests(replay: &Replay) -> Vec<String> {
    let mut unused = replay.unused();
    let mut faults = Vec::new();
    for sent in replay.strays() {
        let nearest = unused.iter().enumerate().max_by_key(|(at, expected)| (nearness(expected, &sent), std::cmp::Reverse(*at)));
        match nearest.map(|(at, _)| at) {
            Some(at) => faults.push(format!("a request is not the recorded one\n{}", beside(&unused.remove(at), &sent))),
            None => faults.push(format!("a request is not recorded\n  sent      {}", shown(&sent))),
        }
    }
    faults.extend(unused.iter().map(|expected| format!("a recorded request was not made\n  recorded  {}", recorded(expected))));
    faults
}

fn nearness(expected: &Expected, sent: &Sent) -> u8 {
    match expected.difference(sent) {
        None => 4,
        Some(Difference::Body) => 3,
        Some(Difference::Headers) => 2,
        Some(Difference::Request) => u8::from(expected.method == sent.method && expected.upstream == sent.upstream),
    }
}

/// The two requests, and below them what differs.
fn beside(expected: &Expected, sent: &Sent) -> String {
    let mut text = format!("  recorded  {}\n  sent      {}", recorded(expected), shown(sent));
    match expected.difference(sent) {
        Some(Difference::Headers) => {
            for (name, value) in expected.headers.iter().filter(|header| !sent.headers.contains(header)) {
                text.push_str(&format!("\n  without   {}: {}", visible(name), visible(value)));
            }
        }
        Some(Difference::Body) => text.push_str(&bodies(&expected.body, &sent.body)),
        _ => {}
    }
    text
}

fn bodies(expected: &ExpectedBody, sent: &[u8]) -> String {
    match (expected, serde_json::from_slice::<Value>(sent)) {
        (ExpectedBody::Json(expected), Ok(sent)) => {
            differences(expected, &sent, true).iter().map(|line| format!("\n  body      {line}")).collect()
        }
        (ExpectedBody::Json(expected), Err(_)) => {
            format!("\n  recorded body  {}\n  sent body      {}", excerpt(expected.to_string().as_bytes()), excerpt(sent))
        }
        (ExpectedBody::Bytes(expected), _) => {
            format!("\n  recorded body  {}\n  sent body      {}", excerpt(expected), excerpt(sent))
        }
    }
}

/// The beginning of a body, in one line.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BODY).unwrap_or(bytes));
    let more = if bytes.len() > MAX_BODY { "…" } else { "" };
    format!("{} bytes: {}{more}", bytes.len(), visible(&text).replace('\n', "\\n"))
}

fn recorded(expected: &Expected) -> String {
    format!("{} {} {}", expected.method.as_str(), expected.upstream, visible(&expected.path))
}

fn shown(sent: &Sent) -> String {
    format!("{} {} {}", sent.method.as_str(), sent.upstream, visible(&sent.path))
}

/// What is wrong with how the call ended.
fn outcome(case: &Case, ended: &Ended, performance: &Performance) -> Vec<String> {
    let reply = &performance.reply;
    match (&case.file.expect, ended) {
        (Expect::Returned { structured, includes, text }, Ended::Returned) => {
            let found = reply.structured.as_ref().unwrap_or(&Value::Null);
            let mut faults = Vec::new();
            for (expected, whole) in [(structured, true), (includes, false)] {
                let lines = expected.as_ref().map(|expected| differences(expected, found, whole)).unwrap_or_default();
                if !lines.is_empty() {
                    faults.push(format!("the structured result is another\n  {}", lines.join("\n  ")));
                }
            }
            faults.extend(says(reply, text.as_deref()));
            faults
        }
        (Expect::Failed { kind, text }, Ended::Failed { kind: found }) if kind == found => {
            says(reply, text.as_deref()).into_iter().collect()
        }
        (Expect::Failed { kind, .. }, Ended::Failed { kind: found }) => {
            vec![format!("expected a failure `{kind}`, and it is `{found}`\n  {}", words(reply))]
        }
        (Expect::Planned { .. }, Ended::Planned) => plan(&case.plan, &performance.replay.planned()),
        (Expect::Refused { reason }, Ended::Refused { reason: found }) if reason == found => Vec::new(),
        (Expect::Refused { reason }, Ended::Refused { reason: found }) => {
            vec![format!("expected to be refused for `{reason}`, and it was for `{found}`\n  {}", words(reply))]
        }
        (expected, Ended::Otherwise { how }) => {
            let how = visible(how).replace('\n', "\n  ");
            vec![format!("expected `{}`, and the call was stopped\n  {how}", expected.word())]
        }
        (expected, ended) => vec![format!("expected `{}`, and it ended `{}`\n  {}", expected.word(), ended.word(), words(reply))],
    }
}

fn says(reply: &Reply, part: Option<&str>) -> Option<String> {
    let part = part.filter(|part| !whole(reply).contains(*part))?;
    Some(format!("the text does not hold `{}`\n  {}", visible(part), words(reply)))
}

/// Every text of a reply.
fn whole(reply: &Reply) -> String {
    let texts = reply.content.iter().filter_map(|content| match content {
        Content::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The same, cut and indented.
fn words(reply: &Reply) -> String {
    let text = whole(reply);
    let head = text.get(..text.floor_char_boundary(MAX_BODY)).unwrap_or_default();
    format!("{}{}", head.trim_end().replace('\n', "\n  "), if head.len() < text.len() { "…" } else { "" })
}

fn plan(expected: &[Expected], planned: &[Sent]) -> Vec<String> {
    if expected.len() != planned.len() {
        let planned: Vec<String> = planned.iter().map(|sent| format!("\n  planned   {}", shown(sent))).collect();
        return vec![format!("expected a plan of {} requests, got {}{}", expected.len(), planned.len(), planned.concat())];
    }
    let differing = expected.iter().zip(planned).filter(|(expected, sent)| expected.difference(sent).is_some());
    differing.map(|(expected, sent)| format!("a planned request is another\n{}", beside(expected, sent))).collect()
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
