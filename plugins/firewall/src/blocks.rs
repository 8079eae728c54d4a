//! The blocks that are in force.

use std::fmt::Write as _;

use casemate_crowdsec::Decision;
use casemate_plugin::{Context, Failure, Readable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{api, rules::Settings};

/// Blocks that are listed; the settings allow no more.
const MOST: usize = 200;

/// Arguments of `list_firewall_blocks`: there are none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

/// What is blocked.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The first 200
    blocks: Vec<Block>,
    /// How many there are
    active: usize,
    /// How many there may be at once
    max_active: usize,
}

/// One block.
#[derive(Debug, Serialize, JsonSchema)]
struct Block {
    /// The address or network
    ip: String,
    /// CrowdSec's number of it
    decision_id: i64,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<i64>,
}

pub(crate) fn report(Arguments {}: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Settings { max_active, .. } = cx.settings()?;
    let found = api::blocks(cx)?;
    let active = found.len();
    Ok(Report { blocks: found.into_iter().take(MOST).map(Block::from).collect(), active, max_active })
}

impl From<Decision> for Block {
    fn from(Decision { id, scenario, value, left, .. }: Decision) -> Self {
        let reason = scenario.strip_prefix("casemate: ").unwrap_or(&scenario).to_owned();
        Self { ip: value, decision_id: id, reason, seconds_left: left }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("{} of at most {} blocks in force", self.active, self.max_active);
        for Block { ip, reason, seconds_left, .. } in &self.blocks {
            let left = seconds_left.map(|left| format!(", {left} seconds left")).unwrap_or_default();
            let _ = write!(text, "\n- {ip}{left}: {reason}");
        }
        text
    }
}
