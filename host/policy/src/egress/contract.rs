//! Request contracts, compiled once, and the question whether a request is one of them.

use std::collections::{BTreeMap, BTreeSet};

use casemate_signing::manifest::{
    ContractName, Credential, DimensionName, Effect, Method, Place, RequestContract, Requirement, UpstreamName,
};
use regex::Regex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    body::{self, Body, Kind},
    field::Fields,
    header,
    path::PathText,
};
use crate::{call::hex, json::Json, pattern::anchored};

/// A compiled contract.
#[derive(Debug)]
pub(super) struct Contract {
    pub(super) name: ContractName,
    pub(super) upstream: UpstreamName,
    pub(super) method: Method,
    pub(super) effect: Effect,
    segments: Vec<Segment>,
    trailing_slash: bool,
    pub(super) query: BTreeMap<String, Regex>,
    pub(super) headers: BTreeMap<String, Regex>,
    pub(super) credential_header: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) scope: Vec<(DimensionName, Place)>,
    pub(super) require_query: Vec<(String, Requires)>,
    /// By JSON Pointer; a form's fields are the members of an object.
    pub(super) require_body: Vec<(String, Requires)>,
    pub(super) forbid_body: Vec<String>,
    /// The places a closed body may fill; none where the body is open.
    pub(super) closed: Option<BTreeSet<String>>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String, Regex),
}

/// What must be at a place.
#[derive(Debug)]
pub(super) enum Requires {
    Digest(String),
    Scope(DimensionName),
    Pattern(Regex),
    Exactly(Json),
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
}

impl Contract {
    /// Compile, refusing whatever could not be enforced.
    pub(super) fn compile(
        contract: &RequestContract,
        upstream: &UpstreamName,
        credential: Option<&Credential>,
        dimensions: &BTreeSet<&DimensionName>,
    ) -> Result<Self, ContractFault> {
        let (segments, trailing_slash) = compile_path(&contract.path, &contract.parameters)?;
        let mut query = BTreeMap::new();
        for (name, pattern) in &contract.query {
            query.insert(name.clone(), compile_pattern(pattern)?);
        }
        if let Some(Credential::Query(place)) = credential
            && (query.contains_key(&place.query) || contract.require.query.contains_key(&place.query))
        {
            return Err(ContractFault::CredentialParameter(place.query.clone()));
        }
        let credential_header = credential_header(credential);
        let mut headers = BTreeMap::new();
        for (name, pattern) in &contract.headers {
            let own = header::is_name(name) && *name == name.to_ascii_lowercase() && name != "content-type";
            if !own || header::is_reserved(name) || credential_header.as_ref() == Some(name) {
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
            .map(|(place, requirement)| Ok((inside(place), requires(place, requirement)?)))
            .collect::<Result<_, _>>()?;
        let require_query: Vec<(String, Requires)> = contract
            .require
            .query
            .iter()
            .map(|(place, requirement)| Ok((place.clone(), requires(place, requirement)?)))
            .collect::<Result<_, _>>()?;
        let forbid_body: Vec<String> = contract.forbid.body.iter().map(|place| inside(place)).collect();
        let looks_inside =
            contract.closed || !require_body.is_empty() || !forbid_body.is_empty() || !contract.allow.body.is_empty();
        if looks_inside && !kind.is_some_and(Kind::is_read) {
            return Err(ContractFault::UnreadBody);
        }
        let compiled = Self {
            name: contract.name.clone(),
            upstream: upstream.clone(),
            method: contract.method,
            effect: contract.effect().ok_or(ContractFault::NoEffect)?,
            segments,
            trailing_slash,
            query,
            headers,
            credential_header,
            media_type: contract.content_type.clone(),
            scope: contract.scope.bound().map(|(dimension, place)| (dimension.clone(), place.clone())).collect(),
            closed: contract.closed.then(|| named_places(contract, &require_body, &inside)),
            require_query,
            require_body,
            forbid_body,
        };
        compiled.check_places(kind, dimensions)?;
        Ok(compiled)
    }

    /// Every bound place is one the request has, and every dimension one the manifest declares.
    fn check_places(&self, kind: Option<Kind>, dimensions: &BTreeSet<&DimensionName>) -> Result<(), ContractFault> {
        for (dimension, place) in &self.scope {
            let exists = match place {
                Place::Path(name) => {
                    self.segments.iter().any(|segment| matches!(segment, Segment::Parameter(other, _) if other == name))
                }
                Place::Query(name) => self.query.contains_key(name) || self.require_query.iter().any(|(other, _)| other == name),
                Place::Header(name) => self.headers.contains_key(name),
                Place::Body(pointer) => kind == Some(Kind::Json) && pointer.starts_with('/'),
                Place::Form(_) => kind == Some(Kind::Form),
            };
            if !exists {
                return Err(ContractFault::Place(dimension.clone()));
            }
        }
        let required = self.require_query.iter().chain(&self.require_body).filter_map(|(_, requires)| match requires {
            Requires::Scope(dimension) => Some(dimension),
            _ => None,
        });
        match self.scope.iter().map(|(dimension, _)| dimension).chain(required).find(|dimension| !dimensions.contains(dimension))
        {
            Some(unknown) => Err(ContractFault::Dimension(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Whether a request is one of these. If not, how far it got and what it lacked, for the operator.
    pub(super) fn matches(&self, method: Method, path: &PathText, query: &Fields, body: Option<&Body>) -> Result<(), Miss> {
        if method != self.method {
            return Err(Miss(0, "the method differs".to_owned()));
        }
        if path.trailing_slash() != self.trailing_slash || path.segments().len() != self.segments.len() {
            return Err(Miss(1, "the path differs".to_owned()));
        }
        for (depth, (segment, text)) in self.segments.iter().zip(path.segments()).enumerate() {
            match segment {
                Segment::Literal(literal) if literal != text => return Err(Miss(2 + depth, "the path differs".to_owned())),
                Segment::Parameter(name, pattern) if !pattern.is_match(text) => {
                    return Err(Miss(2 + depth, format!("the path parameter `{name}` does not match its pattern")));
                }
                _ => {}
            }
        }
        let rank = 2 + self.segments.len();
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

    /// The path that is sent: literals as the contract writes them, parameters canonically encoded.
    pub(super) fn write_path(&self, path: &PathText) -> String {
        let mut out = String::new();
        for (segment, text) in self.segments.iter().zip(path.segments()) {
            out.push('/');
            match segment {
                Segment::Literal(literal) => out.push_str(literal),
                Segment::Parameter(..) => super::percent::encode(text, &mut out),
            }
        }
        if self.trailing_slash {
            out.push('/');
        }
        out
    }

    /// The value of a path parameter in a path that [`Self::matches`].
    pub(super) fn path_parameter<'p>(&self, name: &str, path: &'p PathText) -> Option<&'p str> {
        let is_it = |segment: &Segment| matches!(segment, Segment::Parameter(other, _) if other == name);
        self.segments.iter().position(is_it).and_then(|at| path.segments().get(at)).map(String::as_str)
    }
}

/// How far a request got with a contract it is not, and what it lacked.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Miss(pub(super) usize, pub(super) String);

impl Requires {
    /// Whether what is there is what is required. A scope is judged later, against a grant: here it only must be there.
    fn is_met_by(&self, found: Option<&Json>) -> bool {
        match (self, found) {
            (_, None) => false,
            (Self::Scope(_), Some(_)) => true,
            (Self::Exactly(wanted), Some(found)) => wanted == found,
            (Self::Digest(wanted), Some(Json::String(text))) => hex(&Sha256::digest(text.as_bytes())) == *wanted,
            (Self::Pattern(pattern), Some(Json::String(text))) => pattern.is_match(text),
            (Self::Digest(_) | Self::Pattern(_), Some(_)) => false,
        }
    }
}

fn requires(place: &str, requirement: &Requirement) -> Result<Requires, ContractFault> {
    let fault = || ContractFault::Requirement(place.to_owned());
    Ok(match requirement {
        Requirement::Digest(digest) => Requires::Digest(digest.sha256.clone()),
        Requirement::Scope(scope) => Requires::Scope(scope.scope.clone()),
        Requirement::Pattern(pattern) => Requires::Pattern(compile_pattern(&pattern.pattern)?),
        Requirement::Exactly(Value::String(text)) => Requires::Exactly(Json::String(text.clone())),
        Requirement::Exactly(Value::Bool(value)) => Requires::Exactly(Json::Bool(*value)),
        Requirement::Exactly(Value::Number(number)) if number.is_u64() || number.is_i64() => {
            Requires::Exactly(Json::Number(number.to_string()))
        }
        Requirement::Exactly(_) => return Err(fault()),
    })
}

fn compile_pattern(pattern: &str) -> Result<Regex, ContractFault> {
    anchored(pattern).map_err(|_| ContractFault::Pattern(pattern.to_owned()))
}

/// Literal segments, and parameters that fill a whole segment and have a pattern each.
fn compile_path(template: &str, patterns: &BTreeMap<String, String>) -> Result<(Vec<Segment>, bool), ContractFault> {
    let fault = || ContractFault::Path(template.to_owned());
    let rest = template.strip_prefix('/').ok_or_else(fault)?;
    if rest.is_empty() {
        return patterns.keys().next().map_or(Ok((Vec::new(), true)), |unused| Err(ContractFault::Parameter(unused.clone())));
    }
    let (rest, trailing_slash) = rest.strip_suffix('/').map_or((rest, false), |rest| (rest, true));
    let mut segments = Vec::new();
    let mut seen = BTreeSet::new();
    for text in rest.split('/') {
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let pattern =
                patterns.get(name).filter(|_| seen.insert(name)).ok_or_else(|| ContractFault::Parameter(name.to_owned()))?;
            segments.push(Segment::Parameter(name.to_owned(), compile_pattern(pattern)?));
        } else {
            // RFC 3986 `pchar`, without `%` and `;`: such a literal decodes to itself and has one reading.
            let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b));
            if !plain || text.is_empty() || text == "." || text == ".." {
                return Err(fault());
            }
            segments.push(Segment::Literal(text.to_owned()));
        }
    }
    match patterns.keys().find(|name| !seen.contains(name.as_str())) {
        Some(unused) => Err(ContractFault::Parameter(unused.clone())),
        None => Ok((segments, trailing_slash)),
    }
}

/// Every place that a closed body may fill: what is bound, required or allowed.
fn named_places(
    contract: &RequestContract,
    require_body: &[(String, Requires)],
    inside: &dyn Fn(&str) -> String,
) -> BTreeSet<String> {
    let bound = contract.scope.bound().filter_map(|(_, place)| match place {
        Place::Body(pointer) => Some(pointer.clone()),
        Place::Form(field) => Some(field_pointer(field)),
        Place::Path(_) | Place::Query(_) | Place::Header(_) => None,
    });
    bound
        .chain(require_body.iter().map(|(pointer, _)| pointer.clone()))
        .chain(contract.allow.body.iter().map(|place| inside(place)))
        .collect()
}

/// The header a credential is sent in, lower case.
fn credential_header(credential: Option<&Credential>) -> Option<String> {
    match credential? {
        Credential::Header(place) => Some(place.header.to_ascii_lowercase()),
        Credential::Scheme(_) | Credential::Basic(_) => Some("authorization".to_owned()),
        Credential::Query(_) => None,
    }
}

/// The JSON Pointer of a form's field.
pub(super) fn field_pointer(field: &str) -> String {
    format!("/{}", field.replace('~', "~0").replace('/', "~1"))
}
