//! Posture: settings that are allowed and risky, with the line they are in and the safer value.
//!
//! Nothing is decided here. It says where one wrong step would be left unchecked by every layer but one.

use std::fmt;

use casemate_policy::{ApprovalMode, Grant, Mode, Policy, Timestamp, ToolRule, flow};
use casemate_signing::{Environment, manifest::Effect};
use ipnet::IpNet;
use serde_json::{Value, json};

use crate::{
    config::{Collector, Config},
    identity::oauth::OAuthSettings,
    token::{TokenFile, TokenRecord},
};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Severity {
    /// Worth tidying up.
    Low,
    /// One mistake elsewhere makes it matter.
    Medium,
    /// Nothing but the agent's good will stands before harm.
    High,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// A risky setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable word.
    pub code: &'static str,
    /// File and line.
    pub place: String,
    /// What is risky.
    pub what: String,
    /// What to write instead.
    pub safer: String,
}

impl Finding {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({ "severity": self.severity.to_string(), "code": self.code, "place": self.place, "what": self.what, "safer": self.safer })
    }
}

/// Every risky setting, the worst first.
pub fn findings(config: &Config, policy: &Policy, tokens: &TokenFile, now: Timestamp) -> Vec<Finding> {
    let mut look = Look { config, policy, findings: Vec::new() };
    config.grants.iter().for_each(|grant| look.grant(&grant.value, &grant.place.to_string()));
    policy.tools().for_each(|tool| look.tool(tool));
    look.plugins();
    look.guards();
    look.telemetry();
    look.forwards();
    look.tokens(tokens, now);
    config.grants.iter().for_each(|grant| look.holders(&grant.value, &grant.place.to_string(), tokens));
    look.findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| (a.code, &a.place).cmp(&(b.code, &b.place))));
    look.findings
}

struct Look<'a> {
    config: &'a Config,
    policy: &'a Policy,
    findings: Vec<Finding>,
}

impl Look<'_> {
    fn add(&mut self, severity: Severity, code: &'static str, place: &str, what: String, safer: impl Into<String>) {
        self.findings.push(Finding { severity, code, place: place.to_owned(), what, safer: safer.into() });
    }

    /// The whole file, for what has no line of its own.
    fn file(&self) -> String {
        self.config.path.display().to_string()
    }

    fn grant(&mut self, grant: &Grant, place: &str) {
        let name = &grant.name;
        let changes = grant.max_effect > Effect::Read;
        if grant.tools.iter().any(|pattern| pattern.as_str() == "*") {
            let severity = if changes { Severity::High } else { Severity::Low };
            self.add(
                severity,
                "grant-wildcard",
                place,
                format!("grant `{name}` covers every tool, also those that are installed later, up to `{}`", grant.max_effect),
                "tools = [\"PLUGIN_*\"] for each plugin that is meant",
            );
        }
        if grant.expires.is_none() && grant.session.is_none() && changes {
            self.add(
                Severity::Medium,
                "grant-without-end",
                place,
                format!("grant `{name}` allows `{}` for ever", grant.max_effect),
                "expires = 2027-01-01T00:00:00Z, or session = \"8h\"",
            );
        }
        if grant.budgets.is_empty() && changes {
            self.add(
                Severity::Medium,
                "grant-without-budget",
                place,
                format!(
                    "grant `{name}` allows `{}` without a budget: a loop is not stopped before the breaker",
                    grant.max_effect
                ),
                "budget = [{ effect = \"write\", calls = 10, per = \"1h\" }]",
            );
        }
        for (dimension, values) in &grant.scope {
            if let Some(value) = values.iter().find(|value| is_everything(value)) {
                self.add(
                    if changes { Severity::High } else { Severity::Medium },
                    "scope-wildcard",
                    place,
                    format!("grant `{name}`: `scope.{dimension}` has `{value}`, which is every target"),
                    format!("scope.{dimension} = the targets that are meant"),
                );
            }
        }
        let idle: Vec<String> = self
            .policy
            .tools()
            .filter(|tool| grant.tools.iter().any(|pattern| pattern.matches(&tool.served)))
            .filter(|tool| tool.enabled && tool.manifest_tool.effect > grant.max_effect)
            .map(|tool| tool.served.to_string())
            .collect();
        if !idle.is_empty() {
            self.add(
                Severity::Low,
                "grant-unused",
                place,
                format!("grant `{name}` covers tools that its `max_effect` never allows: {}", idle.join(", ")),
                "tools = only those that are meant",
            );
        }
    }

    fn tool(&mut self, rule: &ToolRule) {
        let effect = rule.manifest_tool.effect;
        if !rule.enabled || effect == Effect::Read || rule.mode() == Mode::DryRun {
            return;
        }
        let place = self.config.plugins.get(&rule.plugin.name).and_then(|plugin| plugin.tools.get(&rule.tool));
        let place = place.map_or_else(|| self.file(), |located| located.place.to_string());
        let tool = &rule.served;
        let harms = effect >= Effect::Execute;
        match rule.approval.mode {
            ApprovalMode::None => self.add(
                if harms { Severity::High } else { Severity::Low },
                "real-without-approval",
                &place,
                format!("`{tool}` is `{effect}` and runs for real without anybody being asked"),
                "approval = { mode = \"operator\" }, or dry_run = true",
            ),
            ApprovalMode::InBand if harms => self.add(
                Severity::High,
                "client-approves",
                &place,
                format!("`{tool}` is `{effect}`, and the client's word is enough: whoever controls the client approves"),
                "approval = { mode = \"operator\" }",
            ),
            ApprovalMode::InBand | ApprovalMode::Operator => {}
        }
        if effect == Effect::Destructive && rule.approval.mode == ApprovalMode::Operator && rule.approval.quorum < 2 {
            self.add(
                if self.config.environment == Environment::Prod { Severity::High } else { Severity::Low },
                "destructive-without-quorum",
                &place,
                format!("`{tool}` is destructive, and one person is enough to let it run"),
                "approval = { mode = \"operator\", quorum = 2 }",
            );
        }
        if rule.approval.mode == ApprovalMode::Operator {
            self.approvers(rule, &place);
        }
    }

    /// Whether those who call could ever get it approved.
    fn approvers(&mut self, rule: &ToolRule, place: &str) {
        let callers = self
            .policy
            .grants()
            .filter(|grant| self.policy.covers(&grant.name, &rule.served))
            .flat_map(|grant| &grant.principals);
        let approvers = &self.config.guards.approvers;
        let needed = usize::try_from(rule.approval.quorum.max(1)).unwrap_or(usize::MAX);
        let fewest = callers.map(|principal| approvers.able(&rule.approval, principal)).min();
        if let Some(able) = fewest.filter(|able| *able < needed) {
            self.add(
                Severity::Medium,
                "nobody-can-approve",
                place,
                format!("`{}` needs {needed} to agree, and {able} of the approvers may", rule.served),
                "casemate approver new NAME, and `[approvers.NAME]` here",
            );
        }
    }

    fn plugins(&mut self) {
        let prod = self.config.environment == Environment::Prod;
        let plugins = &self.config.plugins;
        for (name, plugin) in plugins {
            let place = plugin.place.to_string();
            for (upstream, binding) in &plugin.upstreams {
                let origin = binding.origin.as_deref().unwrap_or_default();
                if prod && looks_like_staging(origin) {
                    self.add(
                        Severity::High,
                        "staging-in-prod",
                        &place,
                        format!("plugin `{name}`, upstream `{upstream}`: `{origin}` does not look like production"),
                        "the production origin, or `environment = \"stage\"`",
                    );
                }
                if origin.starts_with("http://") && !is_loopback(origin) {
                    self.add(
                        if prod { Severity::High } else { Severity::Medium },
                        "cleartext-upstream",
                        &place,
                        format!("plugin `{name}` talks to upstream `{upstream}` without TLS, credential included"),
                        "origin = \"https://…\"",
                    );
                }
                for network in binding.allow_private.iter().filter(|network| is_wide(network)) {
                    self.add(
                        Severity::Medium,
                        "wide-private-network",
                        &place,
                        format!("plugin `{name}`, upstream `{upstream}`: `{network}` lets a changed name lead to a great many internal hosts"),
                        "allow_private = the address of the upstream alone",
                    );
                }
            }
            let granted = self.policy.grants().any(|grant| {
                self.policy.tools().any(|tool| tool.plugin.name == *name && self.policy.covers(&grant.name, &tool.served))
            });
            if !granted {
                self.add(
                    Severity::Low,
                    "plugin-unused",
                    &place,
                    format!("plugin `{name}` is configured, with its secrets, and no grant covers a tool of it"),
                    format!("grant a tool of it, or remove `[plugins.{name}]`"),
                );
            }
        }
    }

    fn guards(&mut self) {
        let (guards, file) = (&self.config.guards, self.file());
        for rule in flow::defaults().iter().filter(|rule| !guards.flows.contains(rule)) {
            self.add(
                Severity::High,
                "flow-off",
                &file,
                format!("the built-in flow rule `{}` is off", rule.name),
                format!("leave `{}` out of `without_flows`", rule.name),
            );
        }
        for (name, rate) in
            [("denials", guards.breaker.denials), ("variants", guards.breaker.variants), ("burst", guards.breaker.burst)]
        {
            if rate.is_none() {
                self.add(
                    Severity::Medium,
                    "breaker-off",
                    &file,
                    format!("`breaker.{name}` is off"),
                    format!("leave `breaker.{name}` out"),
                );
            }
        }
    }

    fn telemetry(&mut self) {
        let (file, settings) = (self.file(), &self.config.telemetry);
        if let Some(metrics) = settings.metrics.as_ref().filter(|metrics| !metrics.address.ip().to_canonical().is_loopback()) {
            self.add(
                Severity::Low,
                "metrics-reachable",
                &file,
                format!(
                    "whoever reaches `{}` reads which tools there are, and how often they are called and refused",
                    metrics.address
                ),
                "metrics = \"127.0.0.1:9464\", with Prometheus or an agent of its own on this machine",
            );
        }
        if settings.otlp.as_ref().is_some_and(|otlp| otlp.principals) {
            self.add(
                Severity::Low,
                "telemetry-names-principals",
                &file,
                "the collector is told who calls what, and whoever reads it there is not held to the audit log's rules"
                    .to_owned(),
                "principals = false; the audit log says who called",
            );
        }
    }

    /// Whoever has the host has its log, unless somebody else has it too.
    fn forwards(&mut self) {
        let forwards = &self.config.forwards;
        if forwards.is_empty() && self.config.environment == Environment::Prod {
            self.add(
                Severity::Low,
                "audit-stays-here",
                &self.file(),
                "the audit log is on this machine alone: whoever takes the machine takes the log with it".to_owned(),
                "[audit.forward.NAME] with to = \"syslog+tls://…\" or \"https://…/v1/logs\"",
            );
        }
        for forward in forwards {
            let Collector::Otlp(to) = &forward.value.to else { continue };
            if to.auth.is_none() && to.url.scheme() == "https" {
                self.add(
                    Severity::Low,
                    "collector-without-credential",
                    &forward.place.to_string(),
                    format!(
                        "`{}` is sent the audit log as anybody could send it something: what is there proves nothing",
                        forward.value.name
                    ),
                    "auth = { scheme = \"Bearer\", secret = { file = \"…\" } }, and a collector that asks for it",
                );
            }
        }
    }

    /// Principals of a grant that nobody can be: what would prove them is not configured.
    fn holders(&mut self, grant: &Grant, place: &str, tokens: &TokenFile) {
        let (oauth, tls) = (self.config.http.oauth.as_ref(), self.config.http.tls.as_ref());
        let certificates = tls.and_then(|tls| tls.clients.as_ref()).is_some_and(|clients| clients.principal);
        for principal in &grant.principals {
            let (kind, name) = principal.as_str().split_once(':').unwrap_or_default();
            let safer = match kind {
                "oidc" if oauth.is_none() => "[http.oauth], with the issuer whose tokens say so",
                "cert" if !certificates => "[http.tls] client_ca, and principal = true",
                "role" if !has(tokens, name) && !oauth.is_some_and(|oauth| confers(oauth, name)) => {
                    "`roles` of [http.oauth], or casemate token new NAME --role ROLE"
                }
                _ => continue,
            };
            let what = format!("grant `{}` is for `{principal}`, which nobody can prove to be", grant.name);
            self.add(Severity::Low, "principal-unreachable", place, what, safer);
        }
    }

    fn tokens(&mut self, tokens: &TokenFile, now: Timestamp) {
        let place = "casemate token list";
        for token in tokens.iter() {
            match token.expires() {
                None => self.add(
                    Severity::Medium,
                    "token-without-expiry",
                    place,
                    format!("token `{}` never ends", token.name()),
                    format!("casemate token revoke {0}; casemate token new {0} --expires TIME", token.name()),
                ),
                Some(end) if end <= now => self.add(
                    Severity::Low,
                    "token-expired",
                    place,
                    format!("token `{}` ended at {end}", token.name()),
                    format!("casemate token revoke {}", token.name()),
                ),
                Some(_) => {}
            }
        }
    }
}

/// Whether a token that was made here has this role.
fn has(tokens: &TokenFile, role: &str) -> bool {
    tokens.iter().flat_map(TokenRecord::roles).any(|has| has.as_str() == role)
}

/// Whether a token of the authorization server can have this role.
fn confers(oauth: &OAuthSettings, role: &str) -> bool {
    oauth.rules.roles.keys().any(|confers| confers.as_str() == role)
}

/// A scope value that covers every target of its kind.
fn is_everything(value: &str) -> bool {
    matches!(value, "*" | "0.0.0.0/0" | "::/0")
}

/// Words that people put into the names of what is not production.
fn looks_like_staging(origin: &str) -> bool {
    const WORDS: [&str; 12] =
        ["staging", "stage", "stg", "dev", "test", "lab", "sandbox", "demo", "qa", "uat", "localhost", "preprod"];
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    host.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word.to_ascii_lowercase().as_str()))
        || is_loopback(origin)
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    host.starts_with("127.") || host.starts_with("[::1]") || host == "localhost" || host.starts_with("localhost:")
}

fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 16,
        IpNet::V6(network) => network.prefix_len() < 48,
    }
}
