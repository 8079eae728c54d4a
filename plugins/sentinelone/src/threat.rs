//! One threat: what SentinelOne says of it, and what is shown of that.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, path,
    tolerant::{Few, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Known, Page, Short},
    field::Id,
};

/// Arguments of `get_threat`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The site's id
    site_id: Id,
    /// The threat's id, as list_threats shows it
    threat_id: Id,
}

/// What a list shows of a threat. Whatever SentinelOne does not say is left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Summary {
    pub(crate) threat_id: Id,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<String>,
    /// malicious or suspicious
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<String>,
    /// Such as not_mitigated or mitigated
    #[serde(skip_serializing_if = "Option::is_none")]
    mitigation_status: Option<String>,
    /// Such as unresolved
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    analyst_verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// The agent that it is on
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    computer_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha1: Option<String>,
}

/// A threat.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Threat {
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_path: Option<String>,
    /// The process that it came from
    #[serde(skip_serializing_if = "Option::is_none")]
    originator_process: Option<String>,
    /// The account that it ran under
    #[serde(skip_serializing_if = "Option::is_none")]
    process_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storyline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operating_system: Option<String>,
    /// Such as connected, or disconnected where the computer is isolated
    #[serde(skip_serializing_if = "Option::is_none")]
    network_status: Option<String>,
    /// What was done: the action and how it ended, up to 20
    mitigations: Vec<Done>,
    /// Why it is one, in SentinelOne's words, up to 20
    indicators: Vec<String>,
}

/// One thing that was done about it.
#[derive(Debug, Serialize, JsonSchema)]
struct Done {
    action: String,
    status: String,
}

/// A threat as SentinelOne sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Item {
    id: Known,
    threat_info: Object<Found>,
    agent_realtime_info: Object<Agent>,
    agent_detection_info: Object<Agent>,
    mitigation_status: Few<Object<Step>, 20>,
    indicators: Few<Object<Indicator>, 20>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Found {
    threat_name: Text<200>,
    classification: Short,
    confidence_level: Short,
    mitigation_status: Short,
    incident_status: Short,
    analyst_verdict: Short,
    created_at: Text<40>,
    sha1: Text<40>,
    sha256: Text<64>,
    file_path: Text<500>,
    originator_process: Text<200>,
    process_user: Short,
    malicious_process_arguments: Text<1_000>,
    storyline: Short,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Agent {
    agent_id: Known,
    agent_computer_name: Verbatim<253>,
    agent_os_name: Short,
    agent_network_status: Short,
    site_id: Known,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Step {
    action: Short,
    status: Short,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Indicator {
    description: Text<300>,
}

/// The one threat of this id in this site.
pub(crate) fn find(site: &Id, threat: &Id, cx: &Context) -> Result<Item, Failure> {
    let answer = api::console(cx).get(path!("/web/api/v2.1/threats")).query("siteIds", site).query("ids", threat).send()?;
    let Page { data, .. }: Page<Few<Object<Item>, 2>> = api::read(answer)?;
    let mut found = data.0.into_iter().map(|Object(item)| item);
    match (found.next(), found.next()) {
        (None, _) => Err(Failure::not_found(format!("there is no threat `{threat}` in this site"))),
        (Some(item), None) if api::is(&item.id, threat) && item.is_in(site) => Ok(item),
        _ => Err(Failure::upstream("SentinelOne answered with other threats than the one that was asked for")),
    }
}

pub(crate) fn get(Arguments { site_id, threat_id }: Arguments, cx: &Context) -> Result<Threat, Failure> {
    find(&site_id, &threat_id, cx)?.shown().ok_or_else(|| Failure::upstream("SentinelOne answered with a threat without an id"))
}

impl Item {
    /// Whether it is of this site: that of its agent now, or when it was found.
    pub(crate) fn is_in(&self, site: &Id) -> bool {
        [&self.agent_realtime_info, &self.agent_detection_info].into_iter().any(|agent| api::is(&agent.0.site_id, site))
    }

    /// Whether it is on this agent.
    pub(crate) fn is_on(&self, agent: &Id) -> bool {
        api::is(&self.agent_realtime_info.0.agent_id, agent)
    }

    /// What a list shows; nothing where it has no id.
    pub(crate) fn summary(&mut self) -> Option<Summary> {
        let (found, agent) = (&mut self.threat_info.0, &self.agent_realtime_info.0);
        let computer = casemate_plugin::clip(agent.agent_computer_name.as_str(), 253);
        Some(Summary {
            threat_id: self.id.as_str().parse().ok()?,
            name: found.threat_name.0.take().unwrap_or_default(),
            classification: found.classification.0.take(),
            confidence: found.confidence_level.0.take(),
            mitigation_status: found.mitigation_status.0.take(),
            incident_status: found.incident_status.0.take(),
            analyst_verdict: found.analyst_verdict.0.take(),
            created: found.created_at.0.take(),
            agent_id: agent.agent_id.as_str().parse().ok(),
            computer_name: Some(computer).filter(|name| !name.is_empty()),
            sha1: found.sha1.0.take(),
        })
    }

    fn shown(mut self) -> Option<Threat> {
        let summary = self.summary()?;
        let (found, agent) = (self.threat_info.0, self.agent_realtime_info.0);
        let done = |step: Step| Some(Done { action: step.action.0?, status: step.status.0.unwrap_or_default() });
        Some(Threat {
            summary,
            sha256: found.sha256.0,
            file_path: found.file_path.0,
            originator_process: found.originator_process.0,
            process_user: found.process_user.0,
            arguments: found.malicious_process_arguments.0,
            storyline: found.storyline.0,
            operating_system: agent.agent_os_name.0,
            network_status: agent.agent_network_status.0,
            mitigations: self.mitigation_status.0.into_iter().filter_map(|Object(step)| done(step)).collect(),
            indicators: self.indicators.0.into_iter().filter_map(|Object(indicator)| indicator.description.0).collect(),
        })
    }
}

impl Summary {
    /// `1001 mimikatz.exe on WIN-7: Malware, not_mitigated, unresolved`
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} {}", self.threat_id, self.name);
        if let Some(computer) = &self.computer_name {
            let _ = write!(line, " on {computer}");
        }
        let said: Vec<&str> = [&self.classification, &self.mitigation_status, &self.incident_status]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if !said.is_empty() {
            let _ = write!(line, ": {}", said.join(", "));
        }
        line
    }
}

impl Readable for Threat {
    fn text(&self) -> String {
        let mut text = self.summary.line();
        let agent = self.summary.agent_id.as_ref().map(Id::to_string);
        for (name, value) in [
            ("agent", &agent),
            ("file", &self.file_path),
            ("sha1", &self.summary.sha1),
            ("process", &self.originator_process),
            ("user", &self.process_user),
            ("arguments", &self.arguments),
            ("network", &self.network_status),
        ] {
            if let Some(value) = value {
                let _ = write!(text, "\n{name}: {value}");
            }
        }
        for Done { action, status } in &self.mitigations {
            let _ = write!(text, "\ndone: {action}, {status}");
        }
        text
    }
}
