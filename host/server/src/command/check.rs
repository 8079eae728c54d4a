//! `casemate check`: is the configuration sound, and what does it allow?

use std::path::Path;

use casemate_policy::{Mode, text::visible};
use casemate_signing::manifest::PluginName;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    authority::{self, covered, verdict},
    clock,
    config::{Config, ForwardConfig, Located, PluginConfig, SourceConfig},
    exit::{Exit, Failure, Outcome},
    forward::{self, Behind},
    house::{House, Opening, Serving, store},
    posture::{self, Finding, Severity},
};

/// Check the configuration against what is installed, show what each grant really allows, and list risky settings.
///
/// Opens everything as `serve` would, secrets included, and serves nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fail where a setting is this risky, or more; for CI.
    #[arg(long, value_name = "SEVERITY")]
    deny: Option<Severity>,
}

/// Open, show, close. A plugin that is refused makes the check fail.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    executor.block_on(async {
        let house = House::open(Opening { context, via: "cli" }).await?;
        let serving = house.serving();
        let tokens = store::tokens(&context.folders.state(house.environment()))?;
        let posture = posture::findings(serving.config(), serving.policy(), &tokens, clock::now());
        let forwarded = each_forward(&context.folders.state(house.environment()), &serving);
        print::result(
            context.format,
            || text(&house, &serving, &forwarded, &posture),
            || json(&house, &serving, &forwarded, &posture),
        );
        house.close().await?;
        let risky = args.deny.is_some_and(|least| posture.iter().any(|finding| finding.severity >= least));
        Ok(if serving.refused().is_empty() && !risky { Exit::Done } else { Exit::Failed })
    })
}

/// One forwarding, and how far behind it is or why nobody knows.
type Forwarded<'a> = (&'a ForwardConfig, Result<Behind, String>);

fn text(house: &House, serving: &Serving, forwarded: &[Forwarded<'_>], posture: &[Finding]) -> String {
    let mut text = format!("environment {}\n", house.environment());
    for refused in serving.refused() {
        text.push_str(&format!("\nNOT SERVED {}\n  {}\n", refused.plugin, visible(&refused.reason).replace('\n', "\n  ")));
    }
    text.push_str(&advisories(serving));
    for grant in serving.policy().grants() {
        let principals: Vec<&str> = grant.principals.iter().map(|principal| principal.as_str()).collect();
        text.push_str(&format!(
            "\ngrant {} for {}\n",
            grant.name,
            if principals.is_empty() { "nobody".to_owned() } else { principals.join(", ") }
        ));
        text.push_str(&format!("  expires  {}\n", grant.expires.map_or_else(|| "never".to_owned(), |at| at.to_string())));
        if let Some(session) = grant.session {
            text.push_str(&format!("  session  {session} from the first call on\n"));
        }
        if !grant.roles.is_empty() {
            let roles: Vec<&str> = grant.roles.iter().map(|role| role.as_str()).collect();
            text.push_str(&format!("  roles    {}\n", roles.join(", ")));
        }
        if let Some(kib) = grant.max_result_kib {
            text.push_str(&format!("  results  at most {kib} KiB each\n"));
        }
        for (dimension, values) in &grant.scope {
            text.push_str(&format!(
                "  targets  {dimension}: {}\n",
                if values.is_empty() { "none".to_owned() } else { values.join(", ") }
            ));
        }
        for budget in &grant.budgets {
            text.push_str(&format!("  budget   {}\n", authority::budget(budget)));
        }
        let rows: Vec<Vec<String>> = covered(serving.policy(), grant)
            .map(|tool| {
                vec![
                    format!("  {}", tool.served),
                    tool.manifest_tool.effect.to_string(),
                    verdict(house.environment(), grant, tool),
                ]
            })
            .collect();
        text.push_str(&if rows.is_empty() { "  no tool\n".to_owned() } else { print::table(&rows) });
    }
    text.push_str(&sources(serving));
    text.push_str(&telemetry(serving.config()));
    text.push_str(&forwards(forwarded));
    if serving.policy().grants().next().is_none() {
        text.push_str("\nNobody may call anything: there is no grant.\n");
    }
    for finding in posture {
        text.push_str(&format!(
            "\n{} {}: {}\n  at     {}\n  safer  {}\n",
            finding.severity.to_string().to_uppercase(),
            finding.code,
            visible(&finding.what),
            finding.place,
            finding.safer
        ));
    }
    text
}

/// The log sources: where a client finds each, and whose it is.
fn sources(serving: &Serving) -> String {
    let rows: Vec<Vec<String>> = serving
        .config()
        .sources
        .iter()
        .map(|(name, source)| {
            let SourceConfig { media_type, max_bytes, .. } = &source.value;
            vec![
                format!("  {name}"),
                source.value.uri(name),
                format!("{media_type}, up to {max_bytes} bytes"),
                if readers(&source.value).is_empty() { "no grant".to_owned() } else { readers(&source.value).join(", ") },
            ]
        })
        .collect();
    if rows.is_empty() { String::new() } else { format!("\nsources\n{}", print::table(&rows)) }
}

/// Who is told of calls, where anybody is.
fn telemetry(config: &Config) -> String {
    let mut rows = Vec::new();
    if let Some(metrics) = &config.telemetry.metrics {
        rows.push(vec!["  metrics".to_owned(), format!("{}/metrics", metrics.address)]);
    }
    if let Some(otlp) = &config.telemetry.otlp {
        let named = if otlp.principals { ", with the names of principals" } else { "" };
        rows.push(vec![format!("  {}", otlp.signals()), format!("{}{named}", otlp.endpoint)]);
    }
    rows.extend(traced(config).map(|upstream| vec!["  traceparent".to_owned(), format!("upstream {upstream}")]));
    if rows.is_empty() { String::new() } else { format!("\ntelemetry\n{}", print::table(&rows)) }
}

/// Upstreams that are told under which trace they are asked.
fn traced(config: &Config) -> impl Iterator<Item = String> {
    let of = |(name, plugin): (&PluginName, &PluginConfig)| {
        plugin.traced.iter().map(|upstream| format!("{upstream} of {name}")).collect::<Vec<_>>()
    };
    config.plugins.iter().flat_map(of)
}

/// Where the audit log goes, and how much of it has not gone yet. Nobody is asked: `casemate doctor` does.
fn forwards(forwarded: &[Forwarded<'_>]) -> String {
    let said = |behind: &Result<Behind, String>| behind.as_ref().map_or_else(Clone::clone, ToString::to_string);
    let row = |(config, behind): &Forwarded<'_>| vec![format!("  {}", config.name), config.to.shown(), said(behind)];
    let rows: Vec<Vec<String>> = forwarded.iter().map(row).collect();
    if rows.is_empty() { String::new() } else { format!("\nforwarded\n{}", print::table(&rows)) }
}

fn each_forward<'a>(state: &Path, serving: &'a Serving) -> Vec<Forwarded<'a>> {
    let of = |forward: &'a Located<ForwardConfig>| {
        let config = &forward.value;
        let fault = |failure: Failure| visible(failure.message.lines().next().unwrap_or_default()).into_owned();
        (config, forward::behind(state, config).map_err(fault))
    };
    serving.config().forwards.iter().map(of).collect()
}

fn readers(source: &SourceConfig) -> Vec<String> {
    source.rule.grants().iter().map(ToString::to_string).collect()
}

/// What is known of the plugins and does not refuse them, and waivers that do nothing.
fn advisories(serving: &Serving) -> String {
    let mut text = String::new();
    if let Some(database) = serving.advisories().database() {
        text.push_str(&format!("\nadvisories {} known, the newest of {}\n", database.count(), database.newest()));
        let rows: Vec<Vec<String>> = serving
            .findings()
            .iter()
            .map(|(plugin, finding)| {
                let made_of = format!("{} {}", finding.package, finding.version);
                [format!("  {plugin}"), made_of, finding.id.clone(), finding.weight().to_owned(), finding.verdict()]
                    .iter()
                    .map(|cell| visible(cell).into_owned())
                    .collect()
            })
            .collect();
        text.push_str(&print::table(&rows));
    }
    for (waiver, ended) in serving.advisories().idle(&serving.findings(), clock::now()) {
        let why = if ended { "it has ended" } else { "it lets nothing pass" };
        text.push_str(&format!(
            "  waiver for {} in {} until {}: {why} ({})\n",
            waiver.value.id, waiver.value.plugin, waiver.value.until, waiver.place
        ));
    }
    text
}

fn json(house: &House, serving: &Serving, forwarded: &[Forwarded<'_>], posture: &[Finding]) -> Value {
    let grants: Vec<Value> = serving
        .policy()
        .grants()
        .map(|grant| {
            let tools: Vec<Value> = covered(serving.policy(), grant)
                .map(|tool| json!({ "tool": tool.served.as_str(), "effect": tool.manifest_tool.effect.as_str(), "enabled": tool.enabled, "dry_run": tool.mode() == Mode::DryRun, "verdict": verdict(house.environment(), grant, tool) }))
                .collect();
            json!({
                "grant": grant.name.as_str(),
                "principals": grant.principals.iter().map(|principal| principal.as_str()).collect::<Vec<_>>(),
                "max_effect": grant.max_effect.as_str(),
                "expires": grant.expires.map(|at| at.to_string()),
                "session": grant.session.map(|length| length.to_string()),
                "roles": grant.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
                "max_result_kib": grant.max_result_kib,
                "scope": grant.scope.iter().map(|(dimension, values)| (dimension.to_string(), json!(values))).collect::<serde_json::Map<_, _>>(),
                "tools": tools,
            })
        })
        .collect();
    let refused: Vec<Value> = serving
        .refused()
        .iter()
        .map(|refused| json!({ "plugin": refused.plugin.to_string(), "reason": refused.reason }))
        .collect();
    let sources = serving.config().sources.iter().map(|(name, source)| {
        let SourceConfig { media_type, max_bytes, .. } = &source.value;
        json!({ "source": name.as_str(), "uri": source.value.uri(name), "media_type": media_type, "max_bytes": max_bytes, "grants": readers(&source.value) })
    });
    let sources: Vec<Value> = sources.collect();
    let forwards: Vec<Value> = forwarded
        .iter()
        .map(|(config, behind)| {
            json!({ "forward": config.name, "to": config.to.shown(), "behind": behind.as_ref().ok().map(|behind| behind.0), "fault": behind.as_ref().err() })
        })
        .collect();
    let known = serving.findings();
    let findings: Vec<Value> =
        known.iter().map(|(plugin, finding)| json!({ "plugin": plugin.to_string(), "finding": finding.to_json() })).collect();
    let idle: Vec<Value> = serving
        .advisories()
        .idle(&known, clock::now())
        .map(|(waiver, ended)| json!({ "id": waiver.value.id, "plugin": waiver.value.plugin.as_str(), "until": waiver.value.until, "ended": ended }))
        .collect();
    let config = serving.config();
    let telemetry = json!({
        "metrics": config.telemetry.metrics.as_ref().map(|metrics| metrics.address.to_string()),
        "otlp": config.telemetry.otlp.as_ref().map(|otlp| json!({ "endpoint": otlp.endpoint.as_str(), "signals": otlp.signals(), "principals": otlp.principals })),
        "traced": traced(config).collect::<Vec<_>>(),
    });
    json!({ "environment": house.environment().as_str(), "grants": grants, "sources": sources, "forwarded": forwards, "telemetry": telemetry, "not_served": refused, "advisories": findings, "idle_waivers": idle, "posture": posture.iter().map(Finding::to_json).collect::<Vec<_>>() })
}
