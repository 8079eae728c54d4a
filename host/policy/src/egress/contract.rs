//! Request contracts, compiled once, and the question whether a request is one of them.

use std::collections::{BTreeMap, BTreeSet};

use casemate_signing::manifest::{
    Binding, ContractName, Credential, DimensionName, Effect, Method, Place, RequestContract, Requirement, UpstreamName,
};
use regex::Regex;

use super::{
    assumed::AssumedAnswer,
    body::{self, Body, Kind},
    established::Source,
    field::Fields,
    header,
    path::PathText,
    requires::{Requires, compile_pattern},
    template::Template,
    volatile::Volatile,
};
use crate::json::Json;

/// A compiled contract.
#[derive(Debug)]
pub(super) struct Contract {
    pub(super) name: ContractName,
    pub(super) upstream: UpstreamName,
    pub(super) method: Method,
    pub(super) effect: Effect,
    pub(super) path: Template,
    pub(super) query: BTreeMap<String, Regex>,
    pub(super) headers: BTreeMap<String, Regex>,
    pub(super) credential_headers: Vec<String>,
    pub(super) media_type: Option<String>,
    pub(super) scope: Vec<(DimensionName, Bound)>,
    pub(super) require_query: Vec<(String, Requires)>,
    /// By JSON Pointer; a form's fields are the members of an object.
    pub(super) require_body: Vec<(String, Requires)>,
    pub(super) forbid_body: Vec<String>,
    /// The places a closed body may fill; none where the body is open.
    pub(super) closed: Option<BTreeSet<String>>,
    /// What a dry run answers in place of sending it.
    pub(super) assume: Option<AssumedAnswer>,
    pub(super) volatile: Option<Volatile>,
    /// Whether the host may send it by itself, and its one query.
    pub(super) probe: Option<Vec<(String, String)>>,
}

/// What a dimension is bound to.
#[derive(Debug)]
pub(super) enum Bound {
    Place(Place),
    Established(Source),
}

/// Why a signed contract cannot be used. The culprit is the plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractFault {
    /// The path template.
    #[error("its path `{0}` is no plain path of literal segments and whole-segment parameters")]
    Path(String),
    /// A parameter without pattern, a pattern without parameter, or a parameter twice.
    #[error("its path parameter `{0}` does not have exactly one place and one pattern")]
    Parameter(String),
    /// A pattern that does not compile.
    #[error("its pattern `{0}` does not compile")]
    Pattern(String),
    /// A header that only the host sets, or not a lower-case header name.
    #[error("it names the header `{0}`, which is not a contract's to name")]
    Header(String),
    /// A query parameter that is the credential's place.
    #[error("it names the query parameter `{0}`, which is the credential's")]
    CredentialParameter(String),
    /// A media type that is none.
    #[error("its content type `{0}` is no lower-case media type without parameters")]
    MediaType(String),
    /// Looks into a body that the gate does not read.
    #[error("it binds, requires or closes a body that is neither JSON nor a form")]
    UnreadBody,
    /// Binds a target to a place that the request does not have.
    #[error("it binds `{0}` to a place that it does not name")]
    Place(DimensionName),
    /// A dimension the manifest does not declare.
    #[error("it binds `{0}`, which the manifest does not declare")]
    Dimension(DimensionName),
    /// No effect.
    #[error("it states no effect")]
    NoEffect,
    /// A requirement that is not a string, integer, boolean, pattern, digest or scope.
    #[error("its requirement at `{0}` is neither a text, an integer, a boolean, a pattern, a digest nor a scope")]
    Requirement(String),
    /// A read that cannot establish anything.
    #[error("what `{0}` establishes cannot be known: it is no read of this upstream about exactly what `key` says")]
    Established(ContractName),
    /// A key at a place that the request does not have.
    #[error("its key for `{0}` is at a place that it does not name")]
    KeyPlace(ContractName),
    /// A place that limits, or that the contract does not name.
    #[error("it calls `{0}` volatile, which it does not name or which something hangs on")]
    Volatile(String),
    /// An answer to what is always sent, or none that says it was done.
    #[error("it assumes an answer, and only reads, or the answer's status is not 200 to 299")]
    Assume,
}

impl Contract {
    /// Compile, refusing whatever could not be enforced.
    pub(super) fn compile(
        contract: &RequestContract,
        upstream: &UpstreamName,
        credential: Option<&Credential>,
        dimensions: &BTreeSet<&DimensionName>,
    ) -> Result<Self, ContractFault> {
        let path = Template::compile(&contract.path, &contract.parameters)?;
        let mut query = BTreeMap::new();
        for (name, pattern) in &contract.query {
            query.insert(name.clone(), compile_pattern(pattern)?);
        }
        if let Some(Credential::Query(place)) = credential
            && (query.contains_key(&place.query) || contract.require.query.contains_key(&place.query))
        {
            return Err(ContractFault::CredentialParameter(place.query.clone()));
        }
        let credential_headers = credential.map(Credential::headers).unwrap_or_default();
        let mut headers = BTreeMap::new();
        for (name, pattern) in &contract.headers {
            let own = header::is_name(name) && *name == name.to_ascii_lowercase() && name != "content-type";
            if !own || header::is_reserved(name) || credential_headers.contains(name) {
                return Err(ContractFault::Header(name.clone()));
            }
            headers.insert(name.clone(), compile_pattern(pattern)?);
        }
        let kind = match &contract.content_type {
            Some(text) if !body::is_media_type(text) => return Err(ContractFault::MediaType(text.clone())),
            Some(text) => Some(Kind::of(text)),
            None => None,
        };
        let inside =
            |text: &str| if kind == Some(Kind::Form) && !text.starts_with('/') { field_pointer(text) } else { text.to_owned() };
        let require_body: Vec<(String, Requires)> = contract
            .require
            .body
            .iter()
            .map(|(place, requirement)| Ok((inside(place), Requires::compile(place, requirement)?)))
            .collect::<Result<_, _>>()?;
        let require_query: Vec<(String, Requires)> = contract
            .require
            .query
            .iter()
            .map(|(place, requirement)| Ok((place.clone(), Requires::compile(place, requirement)?)))
            .collect::<Result<_, _>>()?;
        let forbid_body: Vec<String> = contract.forbid.body.iter().map(|place| inside(place)).collect();
        let looks_inside =
            contract.closed || !require_body.is_empty() || !forbid_body.is_empty() || !contract.allow.body.is_empty();
        if looks_inside && !kind.is_some_and(Kind::is_read) {
            return Err(ContractFault::UnreadBody);
        }
        let effect = contract.effect().ok_or(ContractFault::NoEffect)?;
        let scope = contract.scope.bound().map(|(dimension, binding)| Ok((dimension.clone(), bound(binding)?)));
        let compiled = Self {
            name: contract.name.clone(),
            upstream: upstream.clone(),
            method: contract.method,
            effect,
            path,
            query,
            headers,
            credential_headers,
            media_type: contract.content_type.clone(),
            scope: scope.collect::<Result<_, _>>()?,
            closed: contract.closed.then(|| named_places(contract, &require_body, &inside)),
            require_query,
            require_body,
            forbid_body,
            assume: contract.assume.as_ref().map(|assume| AssumedAnswer::compile(assume, effect)).transpose()?,
            volatile: Volatile::compile(contract, kind, &inside)?,
            probe: probe(contract),
        };
        compiled.check_places(kind, dimensions)?;
        Ok(compiled)
    }

    /// Every bound place and every key's is one the request has, and every dimension one the manifest declares.
    fn check_places(&self, kind: Option<Kind>, dimensions: &BTreeSet<&DimensionName>) -> Result<(), ContractFault> {
        for (dimension, bound) in &self.scope {
            if let Bound::Place(place) = bound
                && !self.has_place(place, kind)
            {
                return Err(ContractFault::Place(dimension.clone()));
            }
        }
        for source in self.sources() {
            if !source.key.values().all(|place| self.has_place(place, kind)) {
                return Err(ContractFault::KeyPlace(source.from.clone()));
            }
        }
        let required = self.requires().filter_map(|requires| match requires {
            Requires::Scope(dimension) => Some(dimension),
            Requires::Targets(targets) => Some(&targets.dimension),
            _ => None,
        });
        match self.scope.iter().map(|(dimension, _)| dimension).chain(required).find(|dimension| !dimensions.contains(dimension))
        {
            Some(unknown) => Err(ContractFault::Dimension(unknown.clone())),
            None => Ok(()),
        }
    }

    fn has_place(&self, place: &Place, kind: Option<Kind>) -> bool {
        match place {
            Place::Path(name) => self.path.names().any(|other| other == name),
            Place::Query(name) => self.query.contains_key(name) || self.require_query.iter().any(|(other, _)| other == name),
            Place::Header(name) => self.headers.contains_key(name),
            Place::Body(pointer) => kind == Some(Kind::Json) && pointer.starts_with('/'),
            Place::Form(_) => kind == Some(Kind::Form),
        }
    }

    /// Everything that must be somewhere.
    fn requires(&self) -> impl Iterator<Item = &Requires> {
        self.require_query.iter().chain(&self.require_body).map(|(_, requires)| requires)
    }

    /// Everything that a read has to establish.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        let bound = self.scope.iter().filter_map(|(_, bound)| match bound {
            Bound::Established(source) => Some(source),
            Bound::Place(_) => None,
        });
        bound.chain(self.requires().filter_map(|requires| match requires {
            Requires::Established(source) => Some(source),
            _ => None,
        }))
    }

    /// Whether it asks and does nothing else: GET, effect `read`, no body.
    pub(super) fn only_reads(&self) -> bool {
        self.method == Method::Get && self.effect == Effect::Read && self.media_type.is_none()
    }

    /// Whether a request is one of these. If not, how far it got and what it lacked, for the operator.
    pub(super) fn matches(&self, method: Method, path: &PathText, query: &Fields, body: Option<&Body>) -> Result<(), Miss> {
        if method != self.method {
            return Err(Miss(0, "the method differs".to_owned()));
        }
        self.path.matches(path)?;
        let rank = self.path.rank();
        if body.map(|body| &body.media_type) != self.media_type.as_ref() {
            let wanted = self.media_type.as_deref().unwrap_or("no body");
            return Err(Miss(rank, format!("the content type differs: the contract has {wanted}")));
        }
        for (name, requires) in &self.require_query {
            if !requires.is_met_by(query.value(name).map(|text| Json::String(text.to_owned())).as_ref()) {
                return Err(Miss(rank + 1, format!("the query parameter `{name}` is not what the contract requires")));
            }
        }
        for (pointer, requires) in &self.require_body {
            if !requires.is_met_by(body.and_then(|body| body.inside.as_ref()?.pointer(pointer))) {
                return Err(Miss(rank + 2, format!("the body at `{pointer}` is not what the contract requires")));
            }
        }
        Ok(())
    }
}

/// How far a request got with a contract it is not, and what it lacked.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Miss(pub(super) usize, pub(super) String);

fn bound(binding: &Binding) -> Result<Bound, ContractFault> {
    Ok(match binding {
        Binding::Place(place) => Bound::Place(place.clone()),
        Binding::Established(established) => Bound::Established(Source::compile(established)?),
    })
}

/// Every place that a closed body may fill: what is bound, a key, required or allowed.
fn named_places(
    contract: &RequestContract,
    require_body: &[(String, Requires)],
    inside: &dyn Fn(&str) -> String,
) -> BTreeSet<String> {
    let bound = contract.places().filter_map(|place| match place {
        Place::Body(pointer) => Some(pointer.clone()),
        Place::Form(field) => Some(field_pointer(field)),
        Place::Path(_) | Place::Query(_) | Place::Header(_) => None,
    });
    bound
        .chain(require_body.iter().map(|(pointer, _)| pointer.clone()))
        .chain(contract.allow.body.iter().map(|place| inside(place)))
        .collect()
}

/// The JSON Pointer of a form's field.
pub(super) fn field_pointer(field: &str) -> String {
    format!("/{}", field.replace('~', "~0").replace('/', "~1"))
}

/// What the host sends of a contract that it may send by itself: the query that is required, and nothing else.
fn probe(contract: &RequestContract) -> Option<Vec<(String, String)>> {
    let harmless = contract.probe
        && contract.method.is_safe()
        && contract.effect() == Some(Effect::Read)
        && contract.parameters.is_empty()
        && contract.content_type.is_none();
    let fixed = |(name, requirement): (&String, &Requirement)| match requirement {
        Requirement::Exactly(serde_json::Value::String(text)) => Some((name.clone(), text.clone())),
        _ => None,
    };
    harmless.then(|| contract.require.query.iter().map(fixed).collect()).flatten()
}
