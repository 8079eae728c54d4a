//! Agents: programs on machines that do what Caldera tells them.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Name,
    path,
    tolerant::{Few, Flag, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{api, field::Group};

/// Agents in one answer.
const SHOWN: usize = 100;
/// More than 4 MiB of agents hold.
const READ: usize = 20_000;

/// Arguments of `list_agents`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Only agents of this group; all groups where it is left out
    #[serde(default)]
    group: Option<Group>,
}

/// The agents.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    agents: Vec<Shown>,
    /// Agents that are not listed, because the list ends at 100
    more: usize,
}

/// One agent, for people.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    /// What other tools call it by
    paw: String,
    group: String,
    platform: String,
    host: String,
    username: String,
    /// `User` or `Elevated`
    privilege: String,
    executors: Vec<String>,
    trusted: bool,
    /// When it last asked for instructions
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
}

/// One agent, as Caldera sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    pub(crate) paw: Verbatim<64>,
    pub(crate) group: Verbatim<128>,
    pub(crate) platform: Verbatim<64>,
    pub(crate) executors: Few<Verbatim<64>, 20>,
    pub(crate) trusted: Flag,
    pub(crate) host: Text<120>,
    username: Text<120>,
    privilege: Text<20>,
    last_seen: Text<30>,
}

/// One agent.
pub(crate) fn get(cx: &Context, paw: &Name) -> Result<Agent, Failure> {
    let agent: Object<Agent> = api::get(cx, path!("/api/v2/agents/{}", paw), Some("links"), "agent")?;
    if agent.0.paw.as_str() != paw.as_str() {
        return Err(Failure::upstream("Caldera answered with another agent than the one that was asked for"));
    }
    Ok(agent.0)
}

pub(crate) fn list(Arguments { group }: Arguments, cx: &Context) -> Result<Report, Failure> {
    // Caldera has no filter. With their links, agents would be as large as everything they ever ran.
    let all: Few<Object<Agent>, READ> = api::get(cx, path!("/api/v2/agents"), Some("links"), "list of agents")?;
    let wanted = |agent: &Agent| group.as_ref().is_none_or(|group| agent.group.as_str() == group.as_str());
    let mut agents: Vec<Agent> = all.0.into_iter().map(|agent| agent.0).filter(wanted).collect();
    let more = agents.len().saturating_sub(SHOWN);
    agents.truncate(SHOWN);
    Ok(Report { agents: agents.into_iter().map(Shown::from).collect(), more })
}

impl From<Agent> for Shown {
    fn from(agent: Agent) -> Self {
        let plain = |text: &str| casemate_plugin::clip(text, 64);
        Self {
            paw: plain(agent.paw.as_str()),
            group: plain(agent.group.as_str()),
            platform: plain(agent.platform.as_str()),
            host: agent.host.0.unwrap_or_default(),
            username: agent.username.0.unwrap_or_default(),
            privilege: agent.privilege.0.unwrap_or_default(),
            executors: agent.executors.0.iter().map(|name| plain(name.as_str())).collect(),
            trusted: agent.trusted.0.unwrap_or_default(),
            last_seen: agent.last_seen.0,
        }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("{} agents", self.agents.len() + self.more);
        for Shown { paw, group, platform, host, username, privilege, .. } in &self.agents {
            let _ = write!(text, "\n{paw}: {platform} in group {group}, {username} on {host} ({privilege})");
        }
        if self.more > 0 {
            let _ = write!(text, "\n{} more are not listed; name a group", self.more);
        }
        text
    }
}
