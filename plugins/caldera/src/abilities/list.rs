//! The catalogue of abilities: nearly two thousand with the atomic plugin, filtered here because Caldera cannot.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{TechniqueId, Whole},
    path,
    tolerant::{Few, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{api, field::Word};

/// Abilities in one answer.
const SHOWN: usize = 100;
/// More than 4 MiB of abilities hold, each having an id and a name.
const READ: usize = 50_000;

/// Arguments of `list_abilities`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Only abilities of this ATT&CK technique, such as T1033 or T1059.001
    #[serde(default)]
    technique_id: Option<TechniqueId>,
    /// Only abilities of this tactic, such as discovery
    #[serde(default)]
    tactic: Option<Word>,
    /// Only abilities with a command for this platform: linux, windows or darwin
    #[serde(default)]
    platform: Option<Word>,
    /// How many of the matching abilities to pass over; 0 where it is left out
    #[serde(default)]
    offset: Option<Whole<0, 100_000>>,
}

/// Abilities that match, in Caldera's order, which is that of their names.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    abilities: Vec<Shown>,
    /// Abilities that match, listed or not
    matching: usize,
    /// Matching abilities after the last one listed: ask for them with a greater offset
    more: usize,
    /// What to give as offset for the next ones
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
}

/// One ability, for people.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    ability_id: String,
    name: String,
    technique_id: String,
    tactic: String,
}

/// One ability, as Caldera lists it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    ability_id: Text<64>,
    name: Text<120>,
    technique_id: Text<16>,
    tactic: Text<40>,
    executors: Few<Object<Executor>, 64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Executor {
    platform: Text<40>,
}

pub(crate) fn list(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    // The commands are the larger part of the catalogue, and only they say the platform.
    let exclude = if args.platform.is_none() { Some("executors") } else { None };
    let all: Few<Object<Entry>, READ> = api::get(cx, path!("/api/v2/abilities"), exclude, "list of abilities")?;
    let matching: Vec<Entry> = all.0.into_iter().map(|entry| entry.0).filter(|entry| args.wants(entry)).collect();
    let offset = args.offset.and_then(|offset| usize::try_from(offset.number()).ok()).unwrap_or_default();
    let count = matching.len();
    let abilities: Vec<Shown> = matching.into_iter().skip(offset).take(SHOWN).map(Shown::from).collect();
    let end = offset.saturating_add(abilities.len());
    let more = count.saturating_sub(end);
    Ok(Report { abilities, matching: count, more, next_offset: (more > 0).then_some(end) })
}

/// The ids of every ability there is.
pub(crate) fn ids(cx: &Context) -> Result<Vec<String>, Failure> {
    let answer = api::caldera(cx).get(path!("/api/v2/abilities")).query("include", "ability_id").send()?;
    let all: Few<Object<Entry>, READ> = api::read(answer, "list of abilities")?;
    Ok(all.0.into_iter().filter_map(|entry| entry.0.ability_id.0).collect())
}

impl Arguments {
    /// Text is trimmed when it is read, so that a technique with a space before it is found, too.
    fn wants(&self, entry: &Entry) -> bool {
        let is = |wanted: Option<&str>, found: &Option<String>| wanted.is_none() || wanted == found.as_deref();
        is(self.technique_id.as_ref().map(TechniqueId::as_str), &entry.technique_id.0)
            && is(self.tactic.as_ref().map(Word::as_str), &entry.tactic.0)
            && self.platform.as_ref().is_none_or(|platform| {
                entry.executors.0.iter().any(|executor| executor.0.platform.0.as_deref() == Some(platform.as_str()))
            })
    }
}

impl From<Entry> for Shown {
    fn from(entry: Entry) -> Self {
        Self {
            ability_id: entry.ability_id.0.unwrap_or_default(),
            name: entry.name.0.unwrap_or_default(),
            technique_id: entry.technique_id.0.unwrap_or_default(),
            tactic: entry.tactic.0.unwrap_or_default(),
        }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("{} abilities match", self.matching);
        for Shown { ability_id, name, technique_id, tactic } in &self.abilities {
            let _ = write!(text, "\n{ability_id}: {technique_id} {name} ({tactic})");
        }
        if let Some(next) = self.next_offset {
            let _ = write!(text, "\n{} more: ask with offset {next}", self.more);
        }
        text
    }
}
