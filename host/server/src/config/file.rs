//! The configuration as a person types it. Unknown keys are errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use casemate_signing::{Environment, manifest::Effect};
use serde::{
    Deserialize, Deserializer,
    de::{
        Error, MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};
use toml::Spanned;

use super::{
    console::ConsoleFile,
    http::{CallsFile, HttpFile},
    secret::SecretFile as Secret,
    telemetry::TelemetryFile,
};

/// `casemate.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// `dev`, `stage` or `prod`: trust, tokens, state and audit are separate for each.
    pub environment: Environment,
    /// The most any plugin may use.
    #[serde(default)]
    pub limits: Limits,
    /// How the audit log is written.
    #[serde(default)]
    pub audit: Audit,
    /// The protocol.
    #[serde(default)]
    pub mcp: Mcp,
    /// The HTTP transport.
    #[serde(default)]
    pub http: HttpFile,
    /// The console, and who may look at it.
    #[serde(default)]
    pub console: ConsoleFile,
    /// What is told of calls to the operator's own systems.
    #[serde(default)]
    pub telemetry: TelemetryFile,
    /// How many calls a principal may have going.
    #[serde(default)]
    pub calls: CallsFile,
    /// Registries that need more than their address, by host and port.
    #[serde(default)]
    pub registries: BTreeMap<Spanned<String>, Registry>,
    /// Known vulnerabilities.
    #[serde(default)]
    pub advisories: Advisories,
    /// Installed plugins, by short name.
    #[serde(default)]
    pub plugins: BTreeMap<Spanned<String>, Plugin>,
    /// Files that grants may name.
    #[serde(default)]
    pub sources: BTreeMap<Spanned<String>, LogSource>,
    /// Who may do what.
    #[serde(default)]
    pub grants: BTreeMap<Spanned<String>, Grant>,
    /// What is looked for in results.
    #[serde(default)]
    pub redact: BTreeMap<Spanned<String>, Redact>,
    /// What reading one thing forbids doing next.
    #[serde(default)]
    pub flow: Vec<Flow>,
    /// Built-in flow rules that do not hold.
    #[serde(default)]
    pub without_flows: Vec<Spanned<String>>,
    /// What pauses a principal.
    #[serde(default)]
    pub breaker: Breaker,
    /// What is remembered of what was read.
    #[serde(default)]
    pub session: Session,
    /// Who may agree to calls.
    #[serde(default)]
    pub approvers: BTreeMap<Spanned<String>, Approver>,
}

impl File {
    /// Parse the text.
    ///
    /// # Errors
    /// When it is not TOML, has unknown keys, or lacks required ones.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in `casemate_sandbox::Maxima`")]
pub struct Limits {
    pub memory_mib: Option<u64>,
    pub deadline_ms: Option<u64>,
    pub fuel_millions: Option<u64>,
    pub output_kib: Option<u64>,
    pub requests: Option<u64>,
    pub request_kib: Option<u64>,
    pub response_kib: Option<u64>,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// When records reach the disk.
    #[serde(default)]
    pub sync: AuditSync,
    /// What may go on once nothing can be recorded.
    #[serde(default)]
    pub on_failure: AuditFailure,
    /// How old a record must be before `casemate audit prune` may remove it.
    pub keep: Option<Spanned<String>>,
    /// Systems that are sent every record, by name.
    #[serde(default)]
    pub forward: BTreeMap<Spanned<String>, Forward>,
}

/// `[audit.forward.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// `syslog+tls://HOST:PORT`, or `https://HOST/v1/logs` for OTLP.
    pub to: Spanned<String>,
    /// Of syslog: how records are written; default: as they are.
    pub form: Option<crate::trail::export::Form>,
    /// Root certificates that it is trusted by besides the system's, in PEM.
    pub ca: Option<std::path::PathBuf>,
    /// Of OTLP: networks that are not public and that it may be in.
    pub allow_private: Option<Vec<Spanned<String>>>,
    /// Of OTLP: how this host proves itself to it.
    pub auth: Option<ForwardAuth>,
}

/// `auth = { header = "authorization", scheme = "Bearer", secret = { env = "…" } }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// The header that it is sent in; default: `authorization`.
    pub header: Option<Spanned<String>>,
    /// What stands before it: `Bearer`, `Basic`, `Api-Token`.
    pub scheme: Option<Spanned<String>>,
    /// Where it comes from.
    pub secret: Spanned<super::secret::SecretFile>,
}

/// What may go on once nothing can be recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditFailure {
    /// Nothing.
    #[default]
    Deny,
    /// Tools that only read; each answer says that nobody wrote it down.
    ReadOnly,
}

/// When audit records reach the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditSync {
    /// Records of `write` and above before their effect; reads within 50 ms.
    #[default]
    Group,
    /// Every record before the call goes on.
    Always,
}

/// `[mcp]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mcp {
    /// The oldest revision of the protocol that is served; default: every one there is.
    #[serde(default)]
    pub oldest: crate::mcp::Revision,
    /// Whether a caller hears what a plugin said while its call ran: as log messages, if its client asks for them. Default: no.
    #[serde(default)]
    pub log_lines: bool,
}

/// `[http.oauth]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// The authorization server, exactly as it names itself in `iss`.
    pub issuer: Spanned<String>,
    /// This server's canonical URI, which has to be in a token's `aud`: another for every environment.
    pub resource: Spanned<String>,
    /// Where the issuer's keys are; default: where its metadata says, on its own origin.
    pub jwks: Option<Spanned<String>>,
    /// What a token must confer to be let in; default: `casemate`.
    pub scopes: Option<Vec<Spanned<String>>>,
    /// Which algorithms tokens may be signed by; default: RS256, ES256 and EdDSA.
    pub algorithms: Option<Vec<Spanned<String>>>,
    /// How far clocks may differ; default: `60s`.
    pub clock_skew: Option<Spanned<String>>,
    /// Networks that the issuer may be in although they are not public.
    #[serde(default)]
    pub allow_private: Vec<Spanned<String>>,
    /// Root certificates that it is trusted by besides the system's, in PEM; relative to the configuration file.
    pub ca: Option<std::path::PathBuf>,
    /// The claim with the caller's groups or roles: its name, or a JSON Pointer.
    pub roles_claim: Option<Spanned<String>>,
    /// Roles, and the values of that claim which confer each.
    #[serde(default)]
    pub roles: BTreeMap<Spanned<String>, BTreeSet<String>>,
    /// Scopes that a token needs besides, for tools of an effect and above.
    #[serde(default)]
    pub step_up: BTreeMap<Effect, Spanned<String>>,
}

/// `[registries."HOST"]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Other hosts that its blobs may be on. They get no credential.
    #[serde(default)]
    pub redirects: Vec<Spanned<String>>,
    /// Other hosts that may hand out its tokens. They get its credential.
    #[serde(default)]
    pub realms: Vec<Spanned<String>>,
    /// Networks that it may be in although they are not public.
    #[serde(default)]
    pub allow_private: Vec<Spanned<String>>,
    /// Root certificates that it is trusted by besides the system's, in PEM; relative to the configuration file.
    pub ca: Option<std::path::PathBuf>,
}

/// `[advisories]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisories {
    /// The folder of a RustSec advisory database; relative to the configuration file.
    pub db: Option<std::path::PathBuf>,
    /// From which severity on a known vulnerability refuses a plugin; default: `low`.
    pub deny: Option<Spanned<Deny>>,
    /// Refuse plugins that do not list their dependencies; default: true where there is a database.
    pub require_sbom: Option<bool>,
    /// What is let pass, and until when.
    #[serde(default)]
    pub waiver: Vec<Waiver>,
}

/// A severity as CVSS grades it. What has none counts as critical.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deny {
    /// Nothing is refused; everything is reported.
    None,
    /// 0.1 and above.
    Low,
    /// 4.0 and above.
    Medium,
    /// 7.0 and above.
    High,
    /// 9.0 and above.
    Critical,
}

/// `[[advisories.waiver]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The advisory.
    pub id: Spanned<String>,
    /// The plugin's short name.
    pub plugin: Spanned<String>,
    /// The last day it holds, in UTC.
    pub until: Spanned<String>,
    /// Why.
    pub reason: Spanned<String>,
}

/// `[plugins.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// A SemVer requirement such as `0.1`.
    pub version: Option<Spanned<String>>,
    /// Where its upstreams are.
    #[serde(default)]
    pub upstream: BTreeMap<Spanned<String>, Upstream>,
    /// Where its secrets come from.
    #[serde(default)]
    pub secret: BTreeMap<Spanned<String>, Spanned<Secret>>,
    /// Its settings.
    pub settings: Option<toml::Table>,
    /// Its byte sources.
    #[serde(default)]
    pub source: BTreeMap<Spanned<String>, Source>,
    /// Per-tool switches.
    #[serde(default)]
    pub tools: BTreeMap<Spanned<String>, Tool>,
}

/// `upstream.NAME = { origin = "https://…", allow_private = ["10.0.0.0/8"] }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `scheme://host[:port]`
    pub origin: Option<String>,
    /// Networks that may be connected to although they are not public.
    #[serde(default)]
    pub allow_private: Vec<Spanned<String>>,
    /// Tell it under which trace it is asked, in a `traceparent` header; default: false.
    #[serde(default)]
    pub trace: bool,
    /// Secrets that this upstream has another value of.
    #[serde(default)]
    pub secret: BTreeMap<Spanned<String>, Spanned<Secret>>,
}

/// `source.NAME = { file = "/var/log/…" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file; relative to the configuration file.
    pub file: std::path::PathBuf,
}

/// `[sources.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSource {
    /// The file; relative to the configuration file. It need not exist yet: logs rotate.
    pub path: Spanned<std::path::PathBuf>,
    /// What it is, for callers.
    pub description: Spanned<String>,
    /// What its reads carry besides `untrusted`.
    #[serde(default)]
    pub labels: Vec<Spanned<String>>,
    /// The most bytes of one read; default: 64 KiB.
    pub max_bytes: Option<Spanned<u64>>,
    /// Its own address, in place of `casemate://logs/NAME`. Where `{names}` stand in it, they stand in the file's name too.
    pub uri: Option<Spanned<String>>,
    /// What it is: of a text, or of a picture or recording, which is given whole. Default: `text/plain`.
    pub media_type: Option<Spanned<String>>,
}

/// `[plugins.NAME.tools.TOOL]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Default: true for `read`, false above.
    pub enabled: Option<bool>,
    /// Default: true for `write` and above.
    pub dry_run: Option<bool>,
    /// Default: `operator` for `execute` and `destructive`.
    pub approval: Option<Approval>,
    /// The grant must confer one of these; default: any grant will do.
    #[serde(default)]
    pub roles: Vec<Spanned<String>>,
}

/// `approval = "operator"`, or `approval = { mode = "operator", quorum = 2 }`
#[derive(Debug, Clone)]
pub enum Approval {
    /// The mode alone.
    Mode(ApprovalMode),
    /// With more than the mode.
    Table(ApprovalTable),
}

/// `approval = { … }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalTable {
    /// Who must agree.
    pub mode: ApprovalMode,
    /// How many different people; default: 1.
    pub quorum: Option<Spanned<u32>>,
    /// Each of them must have one of these; default: any approver.
    #[serde(default)]
    pub roles: Vec<Spanned<String>>,
    /// How long a request waits and an approval is good; default: `1h`.
    pub lasts: Option<Spanned<String>>,
}

/// Whether a person must agree first.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalMode {
    /// Nobody is asked.
    None,
    /// The person at the client.
    InBand,
    /// Enrolled approvers.
    Operator,
}

/// `[redact.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redact {
    /// A regular expression, as crate `regex` reads it.
    pub pattern: Spanned<String>,
    /// Tools whose results are looked through; default: every one's.
    pub tools: Option<Spanned<OneOrMany>>,
    /// Tools whose results are not, such as those whose indicators look like what is looked for.
    pub except: Option<Spanned<OneOrMany>>,
    /// Replace what matches; default: only say that it is there.
    #[serde(default)]
    pub enforce: bool,
}

/// `[[flow]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// What it is called in verdicts; default: `flow-N`.
    pub name: Option<Spanned<String>>,
    /// Holds once the session has read a result with this label.
    pub after: Option<Spanned<String>>,
    /// Holds for calls with a value that was seen first in a result with this label.
    pub carries: Option<Spanned<String>>,
    /// What it forbids.
    pub forbid: Spanned<Forbid>,
    /// What lifts it; default: nothing.
    pub unless: Option<Unless>,
}

/// `forbid = { effect = "execute", tools = "caldera_*" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forbid {
    /// Tools of this effect and above.
    pub effect: Option<Effect>,
    /// Tools that match.
    pub tools: Option<Spanned<OneOrMany>>,
}

/// What lifts a flow rule.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unless {
    /// A person who agrees to the very call.
    Approval,
}

/// `[breaker]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Refused calls; default: 100 in 5m.
    pub denials: Option<Spanned<Rate>>,
    /// Calls of one tool above `read` with ever other arguments; default: 20 in 10m.
    pub variants: Option<Spanned<Rate>>,
    /// Calls of any kind; default: 1200 in 1m.
    pub burst: Option<Spanned<Rate>>,
}

/// `{ count = 20, per = "10m" }`, or `false`
#[derive(Debug)]
pub enum Rate {
    /// Not watched, where it is `false`.
    Switch(bool),
    /// So many in any window of that length.
    Table(RateTable),
}

/// `{ count = 20, per = "10m" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateTable {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Spanned<String>,
}

/// `[session]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// How long labels and values are held after they were last read, or `forever`; default: `1d`.
    pub keep: Option<Spanned<String>>,
}

/// `[approvers.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The public key that `casemate approver new` printed.
    pub key: Spanned<String>,
    /// Principals that are this person, or act for them: they do not approve their own calls.
    #[serde(default)]
    pub principals: Vec<Spanned<String>>,
    /// What else is known of them.
    #[serde(default)]
    pub roles: Vec<Spanned<String>>,
}

/// `[grants.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// `local` (stdio), `token:NAME`, `oidc:sub:SUBJECT`, `oidc:client:CLIENT`, or `role:NAME` for everyone who has the role.
    pub principals: Vec<Spanned<String>>,
    /// Served tool names; `*` stands for any run of characters.
    pub tools: Vec<Spanned<String>>,
    /// Log sources, by their names in `[sources]`; default: none.
    #[serde(default)]
    pub sources: Vec<Spanned<String>>,
    /// The worst a granted tool may do.
    pub max_effect: Effect,
    /// Values of each scope dimension; none means every target is refused.
    #[serde(default)]
    pub scope: BTreeMap<Spanned<String>, Vec<String>>,
    /// When it ends.
    pub expires: Option<Spanned<toml::value::Datetime>>,
    /// How long it lasts from a principal's first use of it on.
    pub session: Option<Spanned<String>>,
    /// What its holders are while they use it.
    #[serde(default)]
    pub roles: Vec<Spanned<String>>,
    /// KiB of one result.
    pub max_result_kib: Option<u64>,
    /// How much it may spend.
    #[serde(default)]
    pub budget: Vec<Budget>,
}

/// One budget of a grant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Which tools it counts; default: all of the grant's.
    pub tools: Option<Spanned<OneOrMany>>,
    /// Which effect and above it counts; default: every.
    pub effect: Option<Effect>,
    /// Calls in any window of that length.
    pub calls: Option<u32>,
    /// Bytes that upstreams answer in any window of that length.
    pub bytes: Option<u64>,
    /// The dimension whose different targets are counted, of which there may be `max`.
    pub distinct: Option<Spanned<String>>,
    /// How many different targets.
    pub max: Option<u32>,
    /// The length: `30s`, `1m`, `1h`, `1d`.
    pub per: Spanned<String>,
}

/// A pattern, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// `"virustotal_*"`
    One(String),
    /// `["virustotal_*", "caldera_list_*"]`
    Many(Vec<String>),
}

impl OneOrMany {
    /// Whether it is `[]`.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Many(patterns) if patterns.is_empty())
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(pattern) => vec![pattern],
            Self::Many(patterns) => patterns,
        }
    }
}

// By hand: an enum that serde tells apart by trying keeps no places, and a `Spanned` in it is never there.

impl<'de> Deserialize<'de> for Approval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Approval;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`\"none\"`, `\"in-band\"`, `\"operator\"` or a table")
            }

            fn visit_str<E: Error>(self, mode: &str) -> Result<Approval, E> {
                ApprovalMode::deserialize(StrDeserializer::new(mode)).map(Approval::Mode)
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Approval, A::Error> {
                ApprovalTable::deserialize(MapAccessDeserializer::new(table)).map(Approval::Table)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{ count = 20, per = \"10m\" }` or `false`")
            }

            fn visit_bool<E: Error>(self, watched: bool) -> Result<Rate, E> {
                Ok(Rate::Switch(watched))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Rate, A::Error> {
                RateTable::deserialize(MapAccessDeserializer::new(table)).map(Rate::Table)
            }
        }
        deserializer.deserialize_any(Either)
    }
}
