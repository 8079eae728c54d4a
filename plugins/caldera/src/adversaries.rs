//! Adversaries: ordered lists of abilities, which operations run.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, path,
    tolerant::{Few, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api;

/// Adversaries in one answer.
const SHOWN: usize = 100;
/// More than anybody has.
const READ: usize = 5_000;
/// Abilities of one adversary that are listed.
const STEPS_SHOWN: usize = 100;
/// Abilities of one adversary that are read, for the count and for comparing.
pub(crate) const STEPS: usize = 2_000;

/// Arguments of `list_adversaries`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

/// The adversaries.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    adversaries: Vec<Shown>,
    /// Adversaries that are not listed, because the list ends at 100
    more: usize,
}

/// One adversary, for people.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    adversary_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The ids of its abilities, in order; the first 100
    ability_ids: Vec<String>,
    /// How many abilities it has
    abilities: usize,
}

/// One adversary, as Caldera sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Adversary {
    pub(crate) adversary_id: Verbatim<64>,
    pub(crate) name: Text<120>,
    description: Text<300>,
    pub(crate) atomic_ordering: Few<Verbatim<64>, STEPS>,
}

pub(crate) fn list(Arguments {}: Arguments, cx: &Context) -> Result<Report, Failure> {
    let all: Few<Object<Adversary>, READ> = api::get(cx, path!("/api/v2/adversaries"), None, "list of adversaries")?;
    let more = all.0.len().saturating_sub(SHOWN);
    Ok(Report { adversaries: all.0.into_iter().take(SHOWN).map(|adversary| adversary.0.into()).collect(), more })
}

impl From<Adversary> for Shown {
    fn from(adversary: Adversary) -> Self {
        let steps = &adversary.atomic_ordering.0;
        Self {
            adversary_id: casemate_plugin::clip(adversary.adversary_id.as_str(), 64),
            ability_ids: steps.iter().take(STEPS_SHOWN).map(|id| casemate_plugin::clip(id.as_str(), 64)).collect(),
            abilities: steps.len(),
            name: adversary.name.0.unwrap_or_default(),
            description: adversary.description.0,
        }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("{} adversaries", self.adversaries.len() + self.more);
        for Shown { adversary_id, name, abilities, .. } in &self.adversaries {
            let _ = write!(text, "\n{adversary_id}: {name}, {abilities} abilities");
        }
        if self.more > 0 {
            let _ = write!(text, "\n{} more are not listed", self.more);
        }
        text
    }
}
