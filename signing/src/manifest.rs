//! The manifest: everything a reviewer can know about a plugin, and everything the host will ever let it do.
//!
//! These are the signed words and nothing else: a field that is not here is a load error, and no field here is
//! ever asked of the component again. What the fields must obey together is in [`check`].

pub mod address;
pub mod check;
mod contract;
mod effect;
pub mod image;
pub mod media;
mod name;
pub mod pattern;
pub mod pointer;
mod prompt;
pub mod schema;
pub mod text;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use contract::{
    Allow, Assume, Binding, DigestRequirement, Established, Forbid, ListedTargets, Method, NoScope, PatternRequirement, Place,
    RequestContract, Require, Requirement, ScopeBindings, ScopeRequirement, TargetsRequirement, Volatile,
};
pub use effect::Effect;
pub use image::Image;
pub use name::{
    ArgumentName, ContractName, DimensionName, InvalidName, Label, PluginId, PluginName, PromptName, PublisherName, SecretName,
    SourceName, ToolName, UpstreamName,
};
pub use prompt::{Attachment, Piece, Prompt, PromptArgument, PromptDocument, PromptPicture, StrayBrace, pieces};
pub use upstream::{
    BasicCredential, Body, Credential, Exchange, ExchangeCredential, HeaderCredential, Origin, PathCredential, Protocol,
    QueryCredential, SECRET_SEGMENT, SchemeCredential, SigV4, SigV4Credential, Supplied, Upstream,
};

/// The in-toto predicate type of a Casemate manifest.
pub const PREDICATE_TYPE: &str = "https://casemate.dev/manifest/v0.1";

/// The signed predicate: one plugin, one version, all its authority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Who it is.
    pub plugin: Identity,
    /// The WIT package it was built for, such as `casemate:plugin@0.1.0`.
    pub wit: String,
    /// The component the statement's subject names.
    pub component: ComponentFacts,
    /// Lower-case hex SHA-256 of the list of dependencies inside the component, decompressed; absent where it carries none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sbom: Option<String>,
    /// What made the component, as its publisher states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Every interface the component may import, as `package:name/interface@version`.
    pub imports: BTreeSet<String>,
    /// Ceilings asked for; the host's defaults apply where silent and the operator's maxima always.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// Secrets the operator must supply. Only their names and purpose are here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretName, SecretDeclaration>,
    /// JSON Schema of the operator's settings; absent means there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
    /// Byte sources the operator may bind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<SourceName, SourceDeclaration>,
    /// Dimensions that limit targets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope: BTreeMap<DimensionName, Dimension>,
    /// Remote services it talks to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub upstream: BTreeMap<UpstreamName, Upstream>,
    /// Its tools, by name.
    pub tool: BTreeMap<ToolName, Tool>,
    /// Prompts it ships, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prompt: BTreeMap<PromptName, Prompt>,
}

impl Manifest {
    /// `publisher/name`.
    pub fn id(&self) -> PluginId {
        PluginId { publisher: self.plugin.publisher.clone(), name: self.plugin.name.clone() }
    }

    /// What clients call a tool: `plugin_tool`. It splits in one way, since a plugin's name holds no `_`.
    pub fn served_name(&self, tool: &ToolName) -> String {
        format!("{}_{tool}", self.plugin.name)
    }

    /// What clients call a prompt: `plugin_prompt`.
    pub fn served_prompt(&self, prompt: &PromptName) -> String {
        prompt::served(&self.plugin.name, prompt)
    }

    /// Whether the operator may bind a source under this name.
    pub fn binds(&self, name: &SourceName) -> bool {
        let declared = self.sources.get(name).is_some_and(|source| !source.many);
        declared || self.sources.values().any(|source| source.many)
    }

    /// What clients show beside a tool: its own icon, or the plugin's.
    pub fn icon<'a>(&'a self, tool: &'a Tool) -> Option<&'a Image> {
        tool.icon.as_ref().or(self.plugin.icon.as_ref())
    }

    /// The dimensions that a grant can limit a tool by: those that its arguments name, and those that its requests touch, wherever
    /// they have the target from.
    pub fn dimensions(&self, tool: &Tool) -> BTreeSet<DimensionName> {
        let contracts = self.upstream.values().flat_map(|upstream| &upstream.request);
        let used = contracts.filter(|contract| tool.requests.contains(&contract.name));
        used.flat_map(RequestContract::dimensions).chain(tool.scope.keys()).cloned().collect()
    }
}

/// Name, publisher, version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Short name, `^[a-z][a-z0-9-]{1,38}$`; the prefix of its tools' names.
    pub name: PluginName,
    /// Must own `publisher/name` in the trust store.
    pub publisher: PublisherName,
    /// SemVer; for people and for version requirements.
    pub version: semver::Version,
    /// Monotonic: the number that must exceed the high-water mark.
    pub release: u64,
    /// One line.
    pub description: String,
    /// SPDX expression.
    pub license: String,
    /// Where its source can be read.
    pub source: String,
    /// What clients show beside its tools and prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<Image>,
}

/// The component's digest is the statement's subject; its size is stated so that a cap holds before hashing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentFacts {
    /// Lower-case hex SHA-256 of the component; equal to the statement's subject.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// What made a component. The publisher's word: it is shown, and nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// What packed it, and its version: `casemate 0.1.0`.
    pub packer: String,
    /// The compiler, as `rustc --version` says it; absent where the component was built by something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc: Option<String>,
}

/// What a plugin asks for beyond the host's defaults. Zero is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// MiB of linear memory over all memories of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Milliseconds for the whole call, host calls included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Million units of fuel in one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_millions: Option<u64>,
    /// KiB of output in one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_kib: Option<u64>,
    /// Outgoing requests in one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// KiB of one request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_kib: Option<u64>,
    /// KiB of one upstream response, after decompression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_kib: Option<u64>,
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a secret is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretDeclaration {
    /// One line for the operator who supplies it.
    pub description: String,
    /// Whether the plugin works without it. Only the session token of a signature may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// What a byte source is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceDeclaration {
    /// One line for the operator who binds it.
    pub description: String,
    /// Whether it stands for any number of sources, each bound under a name that the operator gives it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub many: bool,
}

/// A dimension that limits targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// How its values compare.
    pub kind: ScopeKind,
    /// One line for the operator who grants values.
    pub description: String,
}

/// How the values of a scope dimension are written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeKind {
    /// An exact name, `^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`, compared byte for byte.
    Name,
    /// A UUID, compared without case.
    Uuid,
    /// A host name or IP address, compared without case and without a trailing dot.
    Host,
    /// A DNS domain; a grant of `example.com` covers it and its subdomains.
    Domain,
    /// An IP address or network; a grant covers the networks inside it.
    Cidr,
    /// An absolute URL; a grant covers the same origin and paths at or below its path.
    Url,
    /// A length of time such as `30m`; a grant is the greatest allowed.
    Duration,
    /// An RFC 3339 interval `start/end`; a grant is the greatest allowed length.
    TimeRange,
    /// A list of names or globs; every element must be covered by a granted glob.
    GlobList,
    /// An integer; a grant is the greatest allowed.
    IntegerMax,
}

/// One tool, with every text a client will ever see of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// A few words for a menu.
    pub title: String,
    /// Plain text for the model and for people.
    pub description: String,
    /// What clients show beside it, in place of the plugin's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<Image>,
    /// The worst it may do.
    pub effect: Effect,
    /// The only request contracts it may use.
    pub requests: BTreeSet<ContractName>,
    /// Where each target is in the arguments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope: BTreeMap<DimensionName, ArgumentPlace>,
    /// Whether repeating a call changes nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// What its results carry, besides `untrusted`, which every result of a tool with requests carries.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// JSON Schema 2020-12, closed and bounded. Key order is the author's.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
}

/// A place in a tool's arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentPlace {
    /// JSON Pointer (RFC 6901).
    pub argument: String,
}

/// Labels of a tool's results.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// What its results carry.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub produces: BTreeSet<Label>,
    /// What a session must not have read, unless a person agrees to the call.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refuses: BTreeSet<Label>,
}

impl Labels {
    fn is_empty(&self) -> bool {
        self.produces.is_empty() && self.refuses.is_empty()
    }
}
