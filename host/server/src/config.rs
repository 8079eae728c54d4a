//! The operator's configuration: what a person typed ([`file::File`]) becomes resolved values ([`Config`]), or an error with a place.
//!
//! Nothing downstream sees `File`. A field that is parsed is enforced; a field that is not known is an error.

mod address;
mod advisories;
mod audit;
mod console;
pub mod file;
mod forward;
mod guards;
mod http;
mod oauth;
mod place;
mod redact;
mod secret;
mod sources;
mod telemetry;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use casemate_policy::{
    ApprovalRule, Budget, Grant, GrantName, Guards, Measure, PrincipalId, Timestamp, ToolPattern, approval::RoleName,
    egress::UpstreamBinding, flow::FlowName, output::Pattern,
};
use casemate_registry::{Authority, HostRule};
use casemate_sandbox::{BoundSource, Maxima, Secrets};
use casemate_signing::{
    Environment,
    digest::Digest,
    manifest::{PluginName, SecretName, SourceName, ToolName, UpstreamName},
};
use secrecy::SecretString;
use semver::VersionReq;
use serde_json::Value;

use crate::mcp::Revision;

pub use advisories::{AdvisoryRules, Waiver};
pub use audit::AuditConfig;
pub use console::ConsoleSettings;
pub use forward::{Collector, CollectorAuth, ForwardConfig, OtlpCollector, SyslogCollector};
pub use http::{CallSettings, ClientAuth, ClientSettings, HttpSettings, TlsSettings};
pub(crate) use place::of_toml;
pub use place::{Located, Place, distance, nearest};
pub use secret::{Mark, Provider, SecretError, SecretFault, SecretSource};
pub use sources::SourceConfig;
pub use telemetry::{MetricsSettings, OtlpSettings, TelemetrySettings, TokenSettings};

/// Resolved configuration. Names are checked for their form here and for their existence when the plugins are known.
#[derive(Debug)]
pub struct Config {
    /// Where it was read.
    pub path: PathBuf,
    /// Lower-case hex SHA-256 of its text.
    pub sha256: String,
    /// Which environment this host is.
    pub environment: Environment,
    /// The most any plugin may use.
    pub maxima: Maxima,
    /// How the audit log is written and kept.
    pub audit: AuditConfig,
    /// Where the audit log is forwarded to.
    pub forwards: Vec<Located<ForwardConfig>>,
    /// The oldest revision of the protocol that is served.
    pub oldest: Revision,
    /// Whether callers hear what plugins say while their calls run.
    pub log_lines: bool,
    /// Who may connect over HTTP, and what a connection may do.
    pub http: HttpSettings,
    /// The console: who may look at it.
    pub console: ConsoleSettings,
    /// What is told of calls to the operator's own systems.
    pub telemetry: TelemetrySettings,
    /// How many calls one principal may have going.
    pub calls: CallSettings,
    /// What is known of registries, by host and port.
    pub registries: BTreeMap<Authority, RegistryConfig>,
    /// Known vulnerabilities, and which of them refuse a plugin.
    pub advisories: AdvisoryRules,
    /// Plugins by their short name.
    pub plugins: BTreeMap<PluginName, PluginConfig>,
    /// Log sources, by name.
    pub sources: BTreeMap<SourceName, Located<SourceConfig>>,
    /// Grants, in name order.
    pub grants: Vec<Located<Grant>>,
    /// What the operator looks for in results.
    pub patterns: Vec<Arc<Pattern>>,
    /// What holds for every grant.
    pub guards: Guards,
    /// Where the operator's flow rules are.
    pub flow_places: BTreeMap<FlowName, place::Place>,
    /// Where the rates of the breaker are that the operator set.
    pub breaker_places: BTreeMap<&'static str, place::Place>,
    /// The operator's own policies: each file of `policies/`, beside the configuration file, that ends in `.cedar`, and its text.
    pub policies: Vec<(String, String)>,
}

/// What one registry needs more than its address.
#[derive(Debug, Clone, Default)]
pub struct RegistryConfig {
    /// What is said about it.
    pub rule: HostRule,
    /// Root certificates that it is trusted by besides the system's, in PEM.
    pub ca: Option<PathBuf>,
}

/// One plugin's section.
#[derive(Debug)]
pub struct PluginConfig {
    /// Where the section is.
    pub place: place::Place,
    /// Which versions may be served.
    pub version: Option<VersionReq>,
    /// Where its upstreams are.
    pub upstreams: BTreeMap<UpstreamName, UpstreamBinding>,
    /// Where its secrets come from.
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// Secrets that an upstream has another value of.
    pub upstream_secrets: BTreeMap<UpstreamName, BTreeMap<SecretName, SecretSource>>,
    /// Upstreams that are told under which trace they are asked.
    pub traced: BTreeSet<UpstreamName>,
    /// Its settings, not yet checked against the manifest.
    pub settings: Value,
    /// Its byte sources.
    pub sources: BTreeMap<SourceName, BoundSource>,
    /// Per-tool switches.
    pub tools: BTreeMap<ToolName, Located<ToolConfig>>,
}

impl PluginConfig {
    /// Read every secret of this plugin. Waits for those that are elsewhere.
    ///
    /// # Errors
    /// The first secret that cannot be read, by name and never by value.
    pub fn resolve_secrets(&self, plugin: &PluginName) -> Result<Secrets, SecretError> {
        let mut values = self.read_secrets().into_iter();
        let mut of = |sources: &BTreeMap<SecretName, SecretSource>, upstream: Option<&UpstreamName>| {
            let one = |(name, value): (&SecretName, Result<SecretString, SecretFault>)| {
                Ok((name.clone(), value.map_err(|fault| SecretError::new(plugin, upstream, name, fault))?))
            };
            sources.keys().zip(values.by_ref()).map(one).collect::<Result<BTreeMap<_, _>, _>>()
        };
        let shared = of(&self.secrets, None)?;
        let own = self.upstream_secrets.iter().map(|(upstream, own)| Ok((upstream.clone(), of(own, Some(upstream))?)));
        Ok(Secrets::new(shared).with_own(own.collect::<Result<_, _>>()?))
    }

    /// The value of each source, in their order; those that have to be waited for are asked at once.
    fn read_secrets(&self) -> Vec<Result<SecretString, SecretFault>> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = self
                .secret_sources()
                .map(|(_, _, source)| (source, source.is_waited_for().then(|| scope.spawn(|| source.read()))))
                .collect();
            let read = asked.into_iter().map(|(source, asked)| match asked {
                // One that broke off is asked again, where it can say why.
                Some(asked) => asked.join().unwrap_or_else(|_| source.read()),
                None => source.read(),
            });
            read.collect()
        })
    }

    /// Every source of a secret, with the upstream that has it for its own.
    pub fn secret_sources(&self) -> impl Iterator<Item = (Option<&UpstreamName>, &SecretName, &SecretSource)> {
        let own = |(upstream, own)| std::iter::repeat(Some(upstream)).zip(own);
        let shared = std::iter::repeat(None).zip(&self.secrets);
        shared.chain(self.upstream_secrets.iter().flat_map(own)).map(|(upstream, (name, source))| (upstream, name, source))
    }
}

/// One tool's switches; what is absent has the default of the tool's effect.
#[derive(Debug, Clone, Default)]
pub struct ToolConfig {
    /// Whether it can be called at all.
    pub enabled: Option<bool>,
    /// Whether it only plans.
    pub dry_run: Option<bool>,
    /// Who must agree.
    pub approval: Option<ApprovalRule>,
    /// The grant must confer one of these.
    pub roles: BTreeSet<RoleName>,
}

/// A configuration that cannot be used. Every fault is reported, not only the first.
#[derive(Debug, thiserror::Error)]
#[error("{}", faults.join("\n\n"))]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    /// An error of several faults, each with its place and help.
    pub fn new(faults: Vec<String>) -> Self {
        Self { faults }
    }
}

impl Config {
    /// Read and resolve the configuration file.
    ///
    /// # Errors
    /// When it cannot be read, does not parse, or has values of the wrong form; each with file, line and help.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::new(vec![format!(
                "`{}` cannot be read: {error}\nhelp: `casemate init` writes a commented starter configuration",
                path.display()
            )])
        })?;
        let mut config = Self::parse(path, &text)?;
        config.policies = policies(path)?;
        if !config.policies.is_empty() {
            let all = config.policies.iter().fold(text, |all, (name, text)| format!("{all}\0{name}\0{text}"));
            config.sha256 = Digest::of(all.as_bytes()).to_hex();
        }
        Ok(config)
    }

    /// The same for what an author does, who need not have a host: where there is no file, one that allows nothing.
    ///
    /// # Errors
    /// As [`Config::read`], but for a file that is absent.
    pub fn read_or_none(path: &Path) -> Result<Self, ConfigError> {
        if path.exists() { Self::read(path) } else { Self::parse(path, "environment = \"dev\"") }
    }

    /// Resolve the text of a configuration file; `path` is for messages and for relative paths.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = file::File::parse(text).map_err(|error| ConfigError::new(vec![place::of_toml(path, text, &error)]))?;
        let mut resolver =
            Resolver { path, text, faults: Vec::new(), flow_places: BTreeMap::new(), breaker_places: BTreeMap::new() };
        let config = resolver.config(file);
        if resolver.faults.is_empty() { Ok(config) } else { Err(ConfigError::new(resolver.faults)) }
    }
}

/// Every `*.cedar` of the folder `policies` beside the configuration file, in the order of their names.
fn policies(config: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let folder = config.parent().unwrap_or(Path::new("")).join("policies");
    let unreadable = |path: &Path, error: std::io::Error| {
        ConfigError::new(vec![format!(
            "`{}` cannot be read: {error}\nhelp: policies forbid, so none is left out: make it readable, or move it away",
            path.display()
        )])
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&folder, error)),
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(&folder, error))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            Ok((path.display().to_string(), text))
        })
        .collect()
}

/// Turns typed text into values and collects every fault on the way.
struct Resolver<'a> {
    path: &'a Path,
    text: &'a str,
    faults: Vec<String>,
    flow_places: BTreeMap<FlowName, place::Place>,
    breaker_places: BTreeMap<&'static str, place::Place>,
}

impl Resolver<'_> {
    fn place(&self, span: std::ops::Range<usize>) -> place::Place {
        place::Place::new(self.path, self.text, span.start)
    }

    /// A value of its kind, or a fault at its place.
    fn form<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, text: &toml::Spanned<String>) -> Option<T> {
        match text.get_ref().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(format!("{}: {error}", self.place(text.span())));
                None
            }
        }
    }

    /// The same for kinds whose own errors do not say what was written, or how to write it.
    fn form_of<T: std::str::FromStr>(&mut self, text: &toml::Spanned<String>, kind: &str, help: &str) -> Option<T> {
        let value = text.get_ref().parse().ok();
        if value.is_none() {
            self.faults.push(format!("{}: `{}` is not {kind}\nhelp: {help}", self.place(text.span()), text.get_ref()));
        }
        value
    }

    fn config(&mut self, file: file::File) -> Config {
        let default = Maxima::default();
        let maxima = Maxima {
            memory_mib: file.limits.memory_mib.unwrap_or(default.memory_mib),
            deadline_ms: file.limits.deadline_ms.unwrap_or(default.deadline_ms),
            fuel_millions: file.limits.fuel_millions.unwrap_or(default.fuel_millions),
            output_kib: file.limits.output_kib.unwrap_or(default.output_kib),
            requests: file.limits.requests.unwrap_or(default.requests),
            request_kib: file.limits.request_kib.unwrap_or(default.request_kib),
            response_kib: file.limits.response_kib.unwrap_or(default.response_kib),
        };
        let plugins =
            file.plugins.into_iter().filter_map(|(name, plugin)| Some((self.form(&name)?, self.plugin(&name, plugin)))).collect();
        let readers = file
            .grants
            .iter()
            .filter_map(|(name, grant)| Some((name.get_ref().parse().ok()?, grant.sources.clone())))
            .collect::<sources::Readers>();
        let sources = self.sources(file.sources, &readers);
        let mut http = file.http;
        let (oauth, step_up) = http.oauth.take().map(|oauth| self.oauth(oauth)).unwrap_or_default();
        let guards = self.guards(file.flow, &file.without_flows, file.breaker, file.session, file.approvers);
        let guards = Guards { sources: sources.values().map(|source| source.value.rule.clone()).collect(), step_up, ..guards };
        let grants = file.grants.into_iter().filter_map(|(name, grant)| self.grant(&name, grant)).collect();
        Config {
            path: self.path.to_owned(),
            sha256: Digest::of(self.text.as_bytes()).to_hex(),
            environment: file.environment,
            maxima,
            audit: self.audit(&file.audit),
            forwards: file.audit.forward.into_iter().filter_map(|(name, forward)| self.forward(&name, forward)).collect(),
            oldest: file.mcp.oldest,
            log_lines: file.mcp.log_lines,
            http: HttpSettings { oauth, ..self.http(http) },
            console: self.console(file.console),
            telemetry: self.telemetry(file.telemetry),
            calls: self.calls(file.calls),
            registries: file.registries.into_iter().filter_map(|(host, registry)| self.registry(&host, registry)).collect(),
            advisories: self.advisories(file.advisories),
            plugins,
            sources,
            grants,
            patterns: self.redactions(file.redact),
            guards,
            flow_places: std::mem::take(&mut self.flow_places),
            breaker_places: std::mem::take(&mut self.breaker_places),
            policies: Vec::new(),
        }
    }

    fn registry(&mut self, host: &toml::Spanned<String>, file: file::Registry) -> Option<(Authority, RegistryConfig)> {
        let beside = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let host: Option<Authority> = self.form(host);
        let allow_private = self.networks(&file.allow_private);
        let redirects = file.redirects.iter().filter_map(|host| self.form(host)).collect();
        let realms = file.realms.iter().filter_map(|host| self.form(host)).collect();
        let rule = HostRule { allow_private, redirects, realms };
        Some((host?, RegistryConfig { rule, ca: file.ca.map(|ca| beside.join(ca)) }))
    }

    fn networks(&mut self, networks: &[toml::Spanned<String>]) -> Vec<ipnet::IpNet> {
        let network = |network| self.form_of(network, "a network", "write it as 10.0.0.0/8 or fd00::/8");
        networks.iter().filter_map(network).collect()
    }

    fn plugin(&mut self, name: &toml::Spanned<String>, mut file: file::Plugin) -> PluginConfig {
        let beside = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let (mut upstream_secrets, mut traced) = (BTreeMap::new(), BTreeSet::new());
        for (name, upstream) in &mut file.upstream {
            traced.extend(name.get_ref().parse::<UpstreamName>().ok().filter(|_| upstream.trace));
            let own = self.secrets(std::mem::take(&mut upstream.secret));
            upstream_secrets.extend(self.form(name).filter(|_| !own.is_empty()).map(|name| (name, own)));
        }
        PluginConfig {
            place: self.place(name.span()),
            version: file
                .version
                .and_then(|version| self.form_of(&version, "a version requirement", "write it as `0.1` or `>=0.1.2, <0.3`")),
            upstreams: file
                .upstream
                .into_iter()
                .filter_map(|(name, upstream)| Some((self.form(&name)?, self.upstream(upstream))))
                .collect(),
            secrets: self.secrets(file.secret),
            upstream_secrets,
            traced,
            settings: file.settings.map_or_else(|| Value::Object(serde_json::Map::new()), json),
            sources: file
                .source
                .into_iter()
                .filter_map(|(name, source)| Some((self.form(&name)?, BoundSource::file(beside.join(source.file)))))
                .collect(),
            tools: file
                .tools
                .into_iter()
                .filter_map(|(name, tool)| Some((self.form(&name)?, Located::new(self.place(name.span()), self.tool(tool)))))
                .collect(),
        }
    }

    fn upstream(&mut self, file: file::Upstream) -> UpstreamBinding {
        UpstreamBinding { allow_private: self.networks(&file.allow_private), origin: file.origin }
    }

    fn grant(&mut self, name: &toml::Spanned<String>, file: file::Grant) -> Option<Located<Grant>> {
        let place = self.place(name.span());
        let name: Option<GrantName> = self.form(name);
        let principals: BTreeSet<PrincipalId> = file.principals.iter().filter_map(|principal| self.holder(principal)).collect();
        let tools: Vec<ToolPattern> = file.tools.iter().filter_map(|pattern| self.form(pattern)).collect();
        let scope = file.scope.into_iter().filter_map(|(dimension, values)| Some((self.form(&dimension)?, values))).collect();
        let expires: Option<Timestamp> = file.expires.and_then(|at| {
            let at = toml::Spanned::new(at.span(), at.into_inner().to_string());
            self.form(&at)
        });
        let budgets = file.budget.into_iter().filter_map(|budget| self.budget(budget)).collect();
        let session = file.session.and_then(|session| self.form(&session));
        let roles = self.roles(&file.roles);
        let (max_effect, max_result_kib) = (file.max_effect, file.max_result_kib);
        let grant = Grant { name: name?, principals, tools, max_effect, scope, expires, session, roles, max_result_kib, budgets };
        Some(Located::new(place, grant))
    }

    fn roles(&mut self, roles: &[toml::Spanned<String>]) -> BTreeSet<RoleName> {
        roles.iter().filter_map(|role| self.form(role)).collect()
    }

    fn patterns(&mut self, tools: Option<toml::Spanned<file::OneOrMany>>) -> Vec<ToolPattern> {
        let tools = tools.map(|tools| (tools.span(), tools.into_inner().into_vec()));
        tools
            .into_iter()
            .flat_map(|(span, patterns)| patterns.into_iter().map(move |pattern| toml::Spanned::new(span.clone(), pattern)))
            .filter_map(|pattern| self.form(&pattern))
            .collect()
    }

    /// Exactly one of `calls`, `bytes` and `distinct`.
    fn measure(&mut self, file: &file::Budget) -> Option<Measure> {
        match (file.calls, file.bytes, &file.distinct, file.max) {
            (Some(calls), None, None, None) => Some(Measure::Calls(calls)),
            (None, Some(bytes), None, None) => Some(Measure::Bytes(bytes)),
            (None, None, Some(dimension), Some(max)) => Some(Measure::Distinct(self.form(dimension)?, max)),
            _ => {
                self.faults.push(format!(
                    "{}: a budget counts one thing\nhelp: write `calls = N`, `bytes = N`, or `distinct = \"DIMENSION\", max = N`",
                    self.place(file.per.span())
                ));
                None
            }
        }
    }

    fn budget(&mut self, file: file::Budget) -> Option<Budget> {
        let measure = self.measure(&file);
        let tools = self.patterns(file.tools);
        Some(Budget { tools, effect: file.effect, per: self.form(&file.per)?, measure: measure? })
    }
}

/// TOML as JSON; date-times become strings.
fn json(value: toml::Table) -> Value {
    fn convert(value: toml::Value) -> Value {
        match value {
            toml::Value::String(text) => Value::String(text),
            toml::Value::Integer(number) => Value::from(number),
            toml::Value::Float(number) => Value::from(number),
            toml::Value::Boolean(flag) => Value::Bool(flag),
            toml::Value::Datetime(at) => Value::String(at.to_string()),
            toml::Value::Array(items) => items.into_iter().map(convert).collect(),
            toml::Value::Table(table) => json(table),
        }
    }
    Value::Object(value.into_iter().map(|(key, value)| (key, convert(value))).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("casemate.toml"), text).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(text: &str, expected: &[&str]) {
        let error = parse(text).err().unwrap_or_default();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    }

    #[test]
    fn an_empty_file_has_no_environment_and_is_refused() {
        refused("", &["environment"]);
    }

    #[test]
    fn nothing_is_allowed_where_nothing_is_written() {
        let config = parse("environment = \"dev\"").unwrap();
        assert!(config.grants.is_empty() && config.plugins.is_empty());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_a_suggestion() {
        refused(
            "environment = \"dev\"\n[plugins.virustotal]\nversoin = \"1\"\n",
            &["casemate.toml:3", "versoin", "did you mean `version`"],
        );
        refused(
            "environment = \"dev\"\n[grants.a]\nprincipals = []\ntools = []\nmax_effects = \"read\"",
            &["casemate.toml:5", "max_effect"],
        );
    }

    #[test]
    fn every_fault_is_reported() {
        let text = "environment = \"dev\"\n[plugins.Bad]\n[grants.a]\nprincipals = [\"loc al\"]\ntools = [\"x y\"]\nmax_effect = \"read\"\n";
        refused(text, &["casemate.toml:2", "casemate.toml:4", "casemate.toml:5"]);
    }

    #[test]
    fn a_grant_is_resolved() {
        let text = "environment = \"dev\"\n[grants.soc]\nprincipals = [\"local\"]\ntools = [\"virustotal_*\"]\nmax_effect = \"read\"\nexpires = 2027-01-01T00:00:00Z\n\
                    scope.group = [\"lab\"]\nbudget = [{ tools = \"*\", calls = 4, per = \"1m\" }]";
        let config = parse(text).unwrap();
        let grant = &config.grants[0].value;
        assert_eq!(grant.budgets[0].measure, Measure::Calls(4));
        assert_eq!(grant.expires.unwrap().to_string(), "2027-01-01T00:00:00.000Z");
        assert_eq!(grant.scope.len(), 1);
    }

    /// What is written as one word or as a table keeps the places of what is in the table.
    #[test]
    fn a_word_or_a_table_is_read_with_the_places_in_it() {
        let tool = |approval: &str| format!("environment = \"dev\"\n[plugins.lab.tools.run]\napproval = {approval}\n");
        for approval in ["\"none\"", "\"in-band\"", "{ mode = \"operator\", quorum = 2, roles = [\"duty\"], lasts = \"30m\" }"] {
            assert!(parse(&tool(approval)).is_ok(), "{approval}");
        }
        refused(&tool("{ mode = \"operator\", quorum = 0 }"), &["casemate.toml:3", "a quorum of nobody"]);
        refused(&tool("{ mode = \"in-band\", quorum = 2 }"), &["casemate.toml:3", "there is one person"]);
        refused(&tool("{ mode = \"operator\", quorom = 2 }"), &["casemate.toml:3", "did you mean `quorum`"]);
        refused(&tool("{ quorum = 2 }"), &["casemate.toml:3", "mode"]);
        refused(&tool("\"operators\""), &["casemate.toml:3", "operators"]);
        refused(&tool("true"), &["casemate.toml:3"]);

        let breaker = |rate: &str| format!("environment = \"dev\"\n[breaker]\nvariants = {rate}\n");
        let variants = |rate: &str| parse(&breaker(rate)).unwrap().guards.breaker.variants;
        assert_eq!(variants("{ count = 47, per = \"10m\" }").unwrap().count, 47);
        assert_eq!(variants("false"), None);
        refused(&breaker("true"), &["casemate.toml:3", "`true` says nothing"]);
        refused(&breaker("{ count = 47, per = \"soon\" }"), &["casemate.toml:3", "not a length of time"]);
        refused(&breaker("{ cuont = 47, per = \"1m\" }"), &["casemate.toml:3", "did you mean `count`"]);
        refused(&breaker("{ count = 47 }"), &["casemate.toml:3", "per"]);
        refused(&breaker("20"), &["casemate.toml:3"]);
    }

    #[test]
    fn a_local_date_is_not_a_moment() {
        refused(
            "environment = \"dev\"\n[grants.a]\nprincipals=[]\ntools=[]\nmax_effect=\"read\"\nexpires = 2027-01-01",
            &["casemate.toml:6"],
        );
    }
}
