//! Abilities: what an agent can be told to do, with a command for each platform.

pub(crate) mod list;

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, clip, path,
    tolerant::{Few, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{api, executor::Executor, field::AbilityId};

/// Executors of one ability.
const EXECUTORS: usize = 64;
/// Characters of a command that is shown, on one line.
const COMMAND: usize = 2_000;

/// Arguments of `get_ability`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that list_abilities gives
    ability_id: AbilityId,
}

/// What an ability does.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    ability_id: AbilityId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    tactic: String,
    technique_id: String,
    technique_name: String,
    /// `Elevated` where the agent has to be
    #[serde(skip_serializing_if = "Option::is_none")]
    privilege: Option<String>,
    /// Why execute_ability cannot run it anywhere
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
    executors: Vec<Shown>,
}

/// What it runs on one platform.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    name: String,
    platform: String,
    /// On one line, cut at 2,000 characters
    command: String,
    /// What takes it back
    cleanup: Vec<String>,
    /// Files it brings along
    payloads: Vec<String>,
    /// Why execute_ability cannot run it here
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
}

/// One ability, as Caldera sends it. What is sent back is kept exactly.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ability {
    ability_id: Verbatim<64>,
    pub(crate) name: Verbatim<500>,
    pub(crate) tactic: Verbatim<200>,
    pub(crate) technique_id: Verbatim<64>,
    pub(crate) technique_name: Verbatim<500>,
    description: Text<1000>,
    privilege: Text<20>,
    executors: Few<Object<Executor>, EXECUTORS>,
}

/// One ability.
pub(crate) fn get(cx: &Context, id: &AbilityId) -> Result<Ability, Failure> {
    let ability: Object<Ability> = api::get(cx, path!("/api/v2/abilities/{}", id), None, "ability")?;
    if ability.0.ability_id.as_str() != id.as_str() {
        return Err(Failure::upstream("Caldera answered with another ability than the one that was asked for"));
    }
    Ok(ability.0)
}

impl Ability {
    /// What it runs, in Caldera's order.
    pub(crate) fn executors(&self) -> impl Iterator<Item = &Executor> {
        self.executors.0.iter().map(|executor| &executor.0)
    }

    /// Why it cannot be run by itself, whatever the agent. Targets are compared exactly, so a technique has to be written as a grant
    /// would write it; and the operation's log has to call the ability by its name.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let technique = self.technique_id.as_str();
        if technique.parse::<casemate_plugin::field::TechniqueId>().is_err() {
            let shown = clip(technique, 20);
            return Some(if technique.trim() == shown && technique != shown && !shown.is_empty() {
                format!(
                    "its technique is written `{shown}` with a space around it, and no grant can name that; correct it in Caldera"
                )
            } else {
                format!("its technique `{shown}` is no ATT&CK technique, and no grant can name it")
            });
        }
        let unnamed = [("name", &self.name.0), ("tactic", &self.tactic.0), ("technique's name", &self.technique_name.0)];
        let (what, _) = unnamed.into_iter().find(|(_, text)| text.as_deref().is_none_or(|text| text.trim().is_empty()))?;
        Some(format!("its {what} is missing or too long"))
    }
}

pub(crate) fn report(Arguments { ability_id }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let ability = get(cx, &ability_id)?;
    let executors = ability.executors().map(Shown::from).collect();
    Ok(Report {
        ability_id,
        name: clip(ability.name.as_str(), 200),
        tactic: clip(ability.tactic.as_str(), 60),
        technique_id: clip(ability.technique_id.as_str(), 20),
        technique_name: clip(ability.technique_name.as_str(), 200),
        obstacle: ability.obstacle(),
        executors,
        description: ability.description.0,
        privilege: ability.privilege.0,
    })
}

impl From<&Executor> for Shown {
    fn from(executor: &Executor) -> Self {
        Self {
            name: clip(executor.name.as_str(), 60),
            platform: clip(executor.platform.as_str(), 60),
            command: clip(executor.command.as_str(), COMMAND),
            cleanup: executor.cleanup(),
            payloads: executor.payloads(),
            obstacle: executor.obstacle(),
        }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { ability_id, name, tactic, technique_id, technique_name, .. } = self;
        let mut text = format!("{name} ({ability_id})\n{technique_id} {technique_name}, {tactic}");
        for Shown { name, platform, command, obstacle, .. } in &self.executors {
            let _ = write!(text, "\n{platform}, {name}: {command}");
            if let Some(obstacle) = obstacle {
                let _ = write!(text, "\n  not alone: {obstacle}");
            }
        }
        if let Some(obstacle) = &self.obstacle {
            let _ = write!(text, "\nnot alone: {obstacle}");
        }
        text
    }
}
