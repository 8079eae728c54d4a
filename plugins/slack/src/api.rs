//! Slack's Web API: every answer has status 200 and says `ok` or not, except where there are too many of them.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Response, Upstream,
    tolerant::{Flag, Text},
};
use serde::{Deserialize, de::DeserializeOwned};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "slack";

/// The one change there is.
pub(crate) const POST: Change = Change {
    service: "Slack",
    unknown: "the message may be in the channel; look with read_channel",
    patience: Duration::from_secs(15),
};

pub(crate) fn slack(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// `{"ok": true, …}` or `{"ok": false, "error": "channel_not_found"}`: what every answer says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    pub(crate) ok: Flag,
    pub(crate) error: Text<60>,
    /// The permission that is missing, with `missing_scope`.
    pub(crate) needed: Text<60>,
}

impl Said {
    /// Whether it worked, if it is said.
    pub(crate) fn worked(&self) -> Result<(), Failure> {
        match self.ok.0 {
            Some(true) => Ok(()),
            Some(false) => Err(failure(self.error.0.as_deref().unwrap_or_default(), self.needed.0.as_deref())),
            None => Err(Failure::upstream("Slack's answer does not say whether it worked")),
        }
    }
}

/// `{"response_metadata": {"next_cursor": …}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) next_cursor: Text<200>,
}

/// What an answer holds, if it says that it worked.
pub(crate) fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Failure> {
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    // Read twice, so that nothing is kept of an answer that is not asked for.
    let said: Said = serde_json::from_slice(answer.bytes()).unwrap_or_default();
    said.worked()?;
    answer.json()
}

/// A status that is no success. Slack itself has one: 429.
pub(crate) fn refused(answer: &Response) -> Failure {
    match answer.status() {
        429 => {
            Failure::rate_limited("Slack wants fewer requests: about one message a second and channel").with_code("ratelimited")
        }
        500..=599 => Failure::unavailable(format!("Slack is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("Slack answered with status {status}; is it Slack?")),
    }
    .with_retry_after(answer.retry_after())
}

/// The words of <https://docs.slack.dev/reference/methods>, in ours.
fn failure(code: &str, needed: Option<&str>) -> Failure {
    match code {
        "channel_not_found" => Failure::not_found("Slack does not know this channel, or this bot may not see it"),
        "thread_not_found" | "message_not_found" => Failure::not_found("Slack does not know this message"),
        "not_in_channel" => Failure::unauthorized("this bot is not in the channel; somebody has to invite it there"),
        "is_archived" => Failure::invalid_arguments("the channel is archived"),
        "msg_too_long" | "no_text" => Failure::invalid_arguments("Slack does not accept a message of this length"),
        "invalid_cursor" => Failure::invalid_arguments("the cursor is old or of another list; begin again without it"),
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            Failure::unauthorized("Slack refused the bot token; the operator has to set a valid one")
        }
        "missing_scope" => {
            match needed.filter(|scope| scope.bytes().all(|byte| byte.is_ascii_lowercase() || b":.,_".contains(&byte))) {
                Some(scope) => Failure::unauthorized(format!("the bot token lacks the scope `{scope}`")),
                None => Failure::unauthorized("the bot token lacks a scope"),
            }
        }
        "restricted_action" | "ekm_access_denied" | "no_permission" | "access_denied" | "restricted_action_read_only_channel" => {
            Failure::unauthorized("the workspace does not let this bot do this")
        }
        "ratelimited" | "rate_limited" => Failure::rate_limited("Slack wants fewer requests"),
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            Failure::unavailable("Slack is out of order")
        }
        _ => Failure::upstream("Slack declined without a reason that is known here"),
    }
    .with_code(code)
}
