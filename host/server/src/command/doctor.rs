//! `casemate doctor`: does this setup work, from the files to a client's first question?

mod endpoint;
mod handshake;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use casemate_policy::text::visible;
use serde_json::{Value, json};

use super::{Context, connect, print, secret};
use crate::{
    clock,
    config::{Config, ForwardConfig},
    connect::Client,
    exit::{Exit, Failure, Outcome},
    forward,
    house::{House, Opening, Serving, store},
    posture::{self, Severity},
};

/// Check a setup end to end: files, trust, plugins, secrets, audit log, grants; then ask the server what a client would, and look at what
/// the clients on this machine know of it.
///
/// Nothing is changed and no tool is called. `casemate check` shows what each grant allows.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also ask a server that runs, such as https://casemate.example/mcp.
    #[arg(long, value_name = "URL")]
    http: Option<url::Url>,
    /// The environment variable that holds a bearer token for it.
    #[arg(long, value_name = "NAME", default_value = "CASEMATE_TOKEN", requires = "http", value_parser = connect::variable)]
    token_env: String,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Well,
    Doubtful,
    Broken,
}

/// What was found, in the order it was looked at.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    about: &'static str,
    standing: Standing,
    said: String,
}

impl Findings {
    fn add(&mut self, about: &'static str, standing: Standing, said: impl std::fmt::Display) {
        self.0.push(Finding { about, standing, said: said.to_string() });
    }

    pub(super) fn well(&mut self, about: &'static str, said: impl std::fmt::Display) {
        self.add(about, Standing::Well, said);
    }

    pub(super) fn doubtful(&mut self, about: &'static str, said: impl std::fmt::Display) {
        self.add(about, Standing::Doubtful, said);
    }

    pub(super) fn broken(&mut self, about: &'static str, said: impl std::fmt::Display) {
        self.add(about, Standing::Broken, said);
    }

    fn count(&self, standing: Standing) -> usize {
        self.0.iter().filter(|finding| finding.standing == standing).count()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.0 {
            let mark = match finding.standing {
                Standing::Well => "ok  ",
                Standing::Doubtful => "?   ",
                Standing::Broken => "FAIL",
            };
            let said = visible(&finding.said).replace('\n', "\n                     ");
            text.push_str(&format!("{mark}  {:<14} {said}\n", finding.about));
        }
        let (doubtful, broken) = (self.count(Standing::Doubtful), self.count(Standing::Broken));
        text.push_str(&match (broken, doubtful) {
            (0, 0) => "\nEverything works.".to_owned(),
            (0, doubtful) => format!("\nIt works; look at the {doubtful} marked with `?`."),
            (broken, _) => format!("\n{broken} must be put right before it works."),
        });
        text
    }

    fn json(&self) -> Value {
        let rows = self.0.iter().map(|finding| {
            let standing = match finding.standing {
                Standing::Well => "ok",
                Standing::Doubtful => "doubtful",
                Standing::Broken => "broken",
            };
            json!({ "about": finding.about, "standing": standing, "said": finding.said })
        });
        json!({ "works": self.count(Standing::Broken) == 0, "findings": rows.collect::<Vec<_>>() })
    }
}

/// Look, and show. Something broken makes it fail.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut findings = Findings::default();
    executor.block_on(look(args, context, &mut findings));
    executor.shutdown_background();
    print::result(context.format, || findings.text(), || findings.json());
    Ok(if findings.count(Standing::Broken) == 0 { Exit::Done } else { Exit::Failed })
}

async fn look(args: &Args, context: &Context, findings: &mut Findings) {
    findings.well("program", format!("casemate {} at {}", env!("CARGO_PKG_VERSION"), context.program.display()));
    match Config::read(&context.folders.config) {
        Ok(config) => {
            findings.well("configuration", format!("{}, environment {}", config.path.display(), config.environment));
            files(&config, context, findings);
            secrets(&config, findings);
            telemetry(&config, findings).await;
            if inside(context, findings).await {
                handshake::ask(context, findings).await;
            }
        }
        Err(error) => findings.broken("configuration", Failure::from(error).message),
    }
    clients(context, findings);
    if let Some(url) = &args.http {
        endpoint::ask(url, &args.token_env, findings).await;
    }
}

/// Whoever else can write these can decide what is allowed.
fn files(config: &Config, context: &Context, findings: &mut Findings) {
    let folders = &context.folders;
    let state = folders.state(config.environment);
    let policies = folders.config.with_file_name("policies");
    let mut open = false;
    for path in [&folders.config, &folders.policy, &folders.lock(), &folders.trust(), &folders.plugins, &state, &policies] {
        let Ok(metadata) = fs::metadata(path) else { continue };
        let others = metadata.permissions().mode() & 0o022;
        if others != 0 {
            open = true;
            let help = format!("help: chmod go-w {}", path.display());
            findings.broken("files", format!("others can write {}, and so decide what is allowed\n{help}", path.display()));
        }
    }
    if !open {
        findings.well("files", "only you can write configuration, trust, plugins and state");
    }
}

/// Each can be read; nothing of it is shown.
fn secrets(config: &Config, findings: &mut Findings) {
    for row in secret::rows(config, None, true) {
        match row.fault {
            Some(_) => findings.broken("secrets", row.said()),
            None => findings.well("secrets", row.said()),
        }
    }
}

/// Where metrics would be read, and whether the collector takes what it would be sent. It is sent nothing.
async fn telemetry(config: &Config, findings: &mut Findings) {
    if let Some(metrics) = &config.telemetry.metrics {
        findings.well("telemetry", format!("metrics are read at {}/metrics while it serves", metrics.address));
    }
    if let Some(otlp) = &config.telemetry.otlp {
        match crate::telemetry::reaches(otlp).await {
            Ok(()) => findings.well("telemetry", format!("{} takes {}", otlp.endpoint, otlp.signals())),
            // Calls go on without it.
            Err(why) => findings.doubtful("telemetry", format!("{} does not take what it is sent: {why}", otlp.endpoint)),
        }
    }
}

/// Everything that `serve` opens; gives whether it would serve.
async fn inside(context: &Context, findings: &mut Findings) -> bool {
    let house = match House::open(Opening { context, via: "cli" }).await {
        Ok(house) => house,
        Err(failure) => {
            findings.broken("opening", failure.message);
            return false;
        }
    };
    let serving = house.serving();
    served(&serving, findings);
    allowed(&serving, findings);
    match store::tokens(&context.folders.state(house.environment())) {
        Ok(tokens) => {
            let risky = posture::findings(serving.config(), serving.policy(), &tokens, clock::now());
            let worst = risky.iter().filter(|finding| finding.severity >= Severity::High).count();
            match (risky.len(), worst) {
                (0, _) => findings.well("posture", "no risky setting"),
                (all, worst) => findings.doubtful(
                    "posture",
                    format!("{all} risky settings, {worst} of them high\nhelp: `casemate check` explains each"),
                ),
            }
        }
        Err(failure) => findings.broken("tokens", failure.message),
    }
    let state = context.folders.state(house.environment());
    for forward in &serving.config().forwards {
        forwarded(&state, &forward.value, findings).await;
    }
    match house.close().await {
        Ok(()) => findings.well("audit", "records and checkpoints can be written; `casemate audit verify` reads them all"),
        Err(error) => findings.broken("audit", error),
    }
    true
}

/// Whether a collector takes the audit log, and how much of it it has.
async fn forwarded(state: &Path, config: &ForwardConfig, findings: &mut Findings) {
    let what = format!("{}: {}", config.name, config.to.shown());
    match (forward::behind(state, config), forward::reached(&config.to).await) {
        (Err(failure), _) => findings.broken("forward", failure.message),
        (Ok(behind), Ok(())) => findings.well("forward", format!("{what}; {behind}")),
        (Ok(behind), Err(fault)) => {
            let (fault, help) =
                fault.split_once('\n').unwrap_or((&fault, "help: nothing is lost; it is sent once the collector is back"));
            findings.doubtful("forward", format!("{what} takes nothing: {}; {behind}\n{}", visible(fault), visible(help)));
        }
    }
}

fn served(serving: &Serving, findings: &mut Findings) {
    for refused in serving.refused() {
        findings.broken("plugins", format!("{} is not served: {}", refused.plugin, refused.reason));
    }
    let tools = serving.policy().tools().count();
    match (tools, serving.refused().is_empty()) {
        (0, true) => findings.doubtful("plugins", "none is installed\nhelp: casemate install FILE.wasm"),
        (0, false) => {}
        (tools, _) => findings.well("plugins", format!("{tools} tools, every signature verified, every secret found")),
    }
}

fn allowed(serving: &Serving, findings: &mut Findings) {
    let policy = serving.policy();
    let callable = policy
        .tools()
        .filter(|tool| tool.enabled)
        .any(|tool| policy.grants().any(|grant| !grant.principals.is_empty() && policy.covers(&grant.name, &tool.served)));
    if callable {
        findings.well("grants", format!("{} of them; `casemate check` shows what each allows", policy.grants().count()));
    } else {
        findings.doubtful(
            "grants",
            "nobody may call any tool: every client sees an empty list\nhelp: enable a tool and name it and a principal in a grant",
        );
    }
}

/// What the clients on this machine are told of a server that looks like this one.
fn clients(context: &Context, findings: &mut Findings) {
    let mut known = false;
    for client in Client::ALL {
        let Ok(file) = client.file(&context.homes, None) else { continue };
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let parsed: Option<Value> = match client {
            Client::Codex => toml::from_str(&text).ok(),
            _ => serde_json::from_str(&text).ok(),
        };
        let Some(parsed) = parsed else {
            findings
                .doubtful("clients", format!("{}: {} cannot be read here; it may have comments", client.title(), file.display()));
            continue;
        };
        for (name, entry) in parsed.get(client.servers()).and_then(Value::as_object).into_iter().flatten() {
            let program = entry.get("command").and_then(Value::as_str).map(Path::new);
            let Some(program) = program.filter(|program| program.file_name().is_some_and(|file| file == "casemate")) else {
                continue;
            };
            known = true;
            let what = format!("{} starts {} as `{name}`", client.title(), program.display());
            // One that is found by the client's own PATH is not looked for.
            if program.is_absolute() && !program.exists() {
                let help = format!("help: casemate connect {client} --name {name} --write --replace");
                findings.broken("clients", format!("{what}, which is not there\n{help}"));
            } else {
                findings.well("clients", what);
            }
        }
    }
    if !known {
        findings.doubtful("clients", "none on this machine starts casemate\nhelp: casemate connect CLIENT");
    }
}
