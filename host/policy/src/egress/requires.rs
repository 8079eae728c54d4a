//! Requirements, compiled: what must be at a place of a request.

use casemate_signing::manifest::{DimensionName, Requirement};
use regex::Regex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{contract::ContractFault, established::Source};
use crate::{call::hex, json::Json, pattern::anchored};

/// What must be at a place.
#[derive(Debug)]
pub(super) enum Requires {
    Digest(String),
    Scope(DimensionName),
    Pattern(Regex),
    Targets(Targets),
    Established(Source),
    Exactly(Json),
}

/// Targets inside of a text.
#[derive(Debug)]
pub(super) struct Targets {
    pattern: Regex,
    pub(super) dimension: DimensionName,
    between: Option<String>,
}

impl Targets {
    /// Those that are in a text; none where it is no text, or where the pattern leaves their group out.
    pub(super) fn of<'t>(&self, found: Option<&'t Json>) -> Vec<&'t str> {
        let Some(Json::String(text)) = found else { return Vec::new() };
        let Some(group) = self.pattern.captures(text).and_then(|captures| captures.name("targets")) else { return Vec::new() };
        match &self.between {
            Some(between) => group.as_str().split(between.as_str()).collect(),
            None => vec![group.as_str()],
        }
    }
}

impl Requires {
    /// Compile, refusing what is no requirement.
    pub(super) fn compile(place: &str, requirement: &Requirement) -> Result<Self, ContractFault> {
        let fault = || ContractFault::Requirement(place.to_owned());
        Ok(match requirement {
            Requirement::Digest(digest) => Self::Digest(digest.sha256.clone()),
            Requirement::Scope(scope) => Self::Scope(scope.scope.clone()),
            Requirement::Pattern(pattern) => Self::Pattern(compile_pattern(&pattern.pattern)?),
            Requirement::Targets(targets) => Self::Targets(Targets {
                pattern: compile_pattern(&targets.pattern)?,
                dimension: targets.targets.scope.clone(),
                between: targets.targets.between.clone(),
            }),
            Requirement::Established(established) => Self::Established(Source::compile(established)?),
            Requirement::Exactly(Value::String(text)) => Self::Exactly(Json::String(text.clone())),
            Requirement::Exactly(Value::Bool(value)) => Self::Exactly(Json::Bool(*value)),
            Requirement::Exactly(Value::Number(number)) if number.is_u64() || number.is_i64() => {
                Self::Exactly(Json::Number(number.to_string()))
            }
            Requirement::Exactly(_) => return Err(fault()),
        })
    }

    /// Whether what is there is what is required. A scope and an established value are judged later, against a grant and
    /// against answers: here something only must be there.
    pub(super) fn is_met_by(&self, found: Option<&Json>) -> bool {
        match (self, found) {
            (_, None) => false,
            (Self::Scope(_) | Self::Established(_), Some(_)) => true,
            (Self::Exactly(wanted), Some(found)) => wanted == found,
            (Self::Digest(wanted), Some(Json::String(text))) => hex(&Sha256::digest(text.as_bytes())) == *wanted,
            (Self::Pattern(pattern), Some(Json::String(text))) => pattern.is_match(text),
            (Self::Targets(targets), Some(Json::String(text))) => targets.pattern.is_match(text),
            (Self::Digest(_) | Self::Pattern(_) | Self::Targets(_), Some(_)) => false,
        }
    }
}

pub(super) fn compile_pattern(pattern: &str) -> Result<Regex, ContractFault> {
    anchored(pattern).map_err(|_| ContractFault::Pattern(pattern.to_owned()))
}
