//! Request contracts: one kind of HTTP request an upstream may receive.

mod assume;
mod binding;
mod volatile;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use assume::Assume;
pub use binding::{Binding, Established};
pub use volatile::Volatile;

use super::{ContractName, DimensionName, Effect};

/// An HTTP method a contract may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the methods are their own names (RFC 9110, RFC 5789)")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether RFC 9110 section 9.2.1 calls it safe; only these default to `read`.
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// One kind of request an upstream may receive. What it does not name is refused: query parameters, request headers
/// beyond the host's small allowlist, a body of another type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestContract {
    /// Unique in the plugin.
    pub name: ContractName,
    /// The one method.
    pub method: Method,
    /// A path of literal segments and whole-segment `{parameters}`: `/api/v3/files/{hash}`.
    pub path: String,
    /// An anchored pattern for each `{parameter}` of the path, matched against the decoded segment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Query parameters that may be sent, each at most once, with an anchored pattern for the decoded value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Request headers that may be sent beyond the host's allowlist, with an anchored pattern. Lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The worst it may do. GET and HEAD may leave it out in `plugin.toml`; packing writes it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Why a `read` is not a GET, or why a `write` has no scope. Shown by `casemate inspect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where each target is in the request; the word `"none"` for a write that has no target.
    #[serde(default, skip_serializing_if = "ScopeBindings::is_unset")]
    pub scope: ScopeBindings,
    /// The media type of the body, without parameters; absent means no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// What the request must contain.
    #[serde(default, skip_serializing_if = "Require::is_empty")]
    pub require: Require,
    /// What the request must not contain.
    #[serde(default, skip_serializing_if = "Forbid::is_empty")]
    pub forbid: Forbid,
    /// What a closed body may contain beyond what is bound or required.
    #[serde(default, skip_serializing_if = "Allow::is_empty")]
    pub allow: Allow,
    /// Whether a JSON or form body may hold only what the contract names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// The answer a dry run gives in place of sending; without one the dry run ends at this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume: Option<Assume>,
    /// Whether the host may send it by itself, to see whether a credential works. It reads, and is the same every time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
    /// Places that a plan neither shows nor binds.
    #[serde(default, skip_serializing_if = "Volatile::is_empty")]
    pub volatile: Volatile,
}

impl RequestContract {
    /// The effect, with the default that only safe methods have.
    pub fn effect(&self) -> Option<Effect> {
        self.effect.or(self.method.is_safe().then_some(Effect::Read))
    }

    /// The dimensions it binds or requires.
    pub fn dimensions(&self) -> impl Iterator<Item = &DimensionName> {
        self.scope.bound().map(|(dimension, _)| dimension).chain(self.required_dimensions())
    }

    /// The dimensions it names in its requirements.
    pub(crate) fn required_dimensions(&self) -> impl Iterator<Item = &DimensionName> {
        let requirements = self.require.body.values().chain(self.require.query.values());
        requirements.filter_map(|requirement| match requirement {
            Requirement::Scope(required) => Some(&required.scope),
            Requirement::Targets(required) => Some(&required.targets.scope),
            Requirement::Digest(_) | Requirement::Pattern(_) | Requirement::Established(_) | Requirement::Exactly(_) => None,
        })
    }

    /// Everything that a read has to establish: by a dimension that is bound to it, then by a requirement.
    pub fn established(&self) -> impl Iterator<Item = &Established> {
        let bound = self.scope.bound().filter_map(|(_, binding)| binding.established());
        let required = self.require.body.values().chain(self.require.query.values());
        bound.chain(required.filter_map(|requirement| match requirement {
            Requirement::Established(established) => Some(established),
            _ => None,
        }))
    }

    /// Every place that a target, or the key of something established, is at.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let bound = self.scope.bound().filter_map(|(_, binding)| binding.place());
        bound.chain(self.established().flat_map(|established| established.key.values()))
    }
}

/// Where the targets are in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScopeBindings {
    /// Nothing was said.
    #[default]
    #[serde(skip)]
    Unset,
    /// `"none"`: said on purpose, with a reason.
    None(NoScope),
    /// Where each dimension's target is.
    Bound(BTreeMap<DimensionName, Binding>),
}

impl ScopeBindings {
    fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }

    /// The bound dimensions; none where nothing is bound.
    pub fn bound(&self) -> impl Iterator<Item = (&DimensionName, &Binding)> {
        match self {
            Self::Bound(map) => Some(map),
            Self::Unset | Self::None(_) => None,
        }
        .into_iter()
        .flatten()
    }
}

/// The word `"none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoScope {
    /// Written `"none"`.
    None,
}

/// A place in an HTTP request where a target is found. Every value found there is checked; none found is a violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A `{parameter}` of the path.
    Path(String),
    /// A query parameter.
    Query(String),
    /// A request header, lower case.
    Header(String),
    /// A JSON Pointer (RFC 6901) into a JSON body.
    Body(String),
    /// A field of a form body.
    Form(String),
}

/// What a request must contain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// JSON Pointer, or name of a form's field → what must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub body: BTreeMap<String, Requirement>,
    /// Query parameter → what must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, Requirement>,
}

impl Require {
    fn is_empty(&self) -> bool {
        self.body.is_empty() && self.query.is_empty()
    }
}

/// What must be at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Requirement {
    /// `{ sha256 = "…" }`: a string with this digest.
    Digest(DigestRequirement),
    /// `{ scope = "target" }`: a value within the grant's values of a dimension.
    Scope(ScopeRequirement),
    /// `{ pattern = "^…$" }`: a string that matches.
    Pattern(PatternRequirement),
    /// `{ pattern = "^…(?<targets>…)…$", targets = { scope = "index", between = "," } }`: a string that matches, with targets in it.
    Targets(TargetsRequirement),
    /// `{ from = "get-ability", key = { … }, value = "/…" }`: one of the values that a read has established.
    Established(Established),
    /// Exactly this string, integer or boolean.
    Exactly(Value),
}

/// `{ sha256 = "…" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestRequirement {
    /// Lower-case hex.
    pub sha256: String,
}

/// `{ scope = "target" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRequirement {
    /// The dimension.
    pub scope: DimensionName,
}

/// `{ pattern = "^…$" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternRequirement {
    /// Anchored at both ends.
    pub pattern: String,
}

/// `{ pattern = "^…(?<targets>…)…$", targets = { scope = "index", between = "," } }`: for an upstream that takes its targets inside of a
/// text, such as a query in a language of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsRequirement {
    /// Anchored at both ends. What its group `targets` holds is the targets.
    pub pattern: String,
    /// What they are.
    pub targets: ListedTargets,
}

/// Targets that stand one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedTargets {
    /// The dimension that each of them is held against.
    pub scope: DimensionName,
    /// What stands between two of them. Without it, the group holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<String>,
}

/// What a request must not contain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forbid {
    /// JSON Pointers (or form fields) that must lead nowhere.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub body: BTreeSet<String>,
}

impl Forbid {
    fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// What a closed body may contain besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// JSON Pointers (or form fields) whose values are free.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub body: BTreeSet<String>,
}

impl Allow {
    fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}
