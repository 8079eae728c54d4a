//! An approval for people: whole, and with nothing in it that cannot be seen.

use std::collections::BTreeSet;

use casemate_ledger::{Approval, State};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Timestamp,
    approval::{ApproverName, Said, Statement},
    text::visible,
};
use serde_json::{Value, json};

use crate::config::Config;

/// More of them than this are a text in another script, which needs another reader.
const MAX_LOOKALIKES: usize = 40;

/// The rule that votes are held to: the tool's, as configured now.
pub(crate) fn rule(approval: &Approval, config: &Config) -> ApprovalRule {
    let subject = &approval.open.subject;
    let tool = subject.tool.as_str().strip_prefix(&format!("{}_", subject.plugin.name));
    let switches = config
        .plugins
        .get(&subject.plugin.name)
        .and_then(|plugin| plugin.tools.iter().find(|(name, _)| Some(name.as_str()) == tool).map(|(_, located)| &located.value));
    switches.and_then(|switches| switches.approval.clone()).unwrap_or_else(|| ApprovalRule::of(ApprovalMode::Operator))
}

/// Who has agreed, of those whose word counts: nobody, once one of them said no.
pub(crate) fn people(approval: &Approval, config: &Config) -> BTreeSet<ApproverName> {
    approval.open.people(&rule(approval, config), &config.guards.approvers).unwrap_or_default()
}

/// How many people must agree, by the rule as it is now.
pub(crate) fn quorum(approval: &Approval, config: &Config) -> u32 {
    rule(approval, config).quorum_of(&approval.open.subject)
}

pub(crate) fn statements(approval: &Approval, config: &Config) -> Vec<Statement> {
    let (open, rule) = (&approval.open, rule(approval, config));
    open.votes.iter().filter_map(|vote| vote.verify(&open.subject, &rule, &config.guards.approvers).ok()).collect()
}

/// How long until then.
pub(crate) fn left(end: Timestamp, now: Timestamp) -> String {
    let seconds = end.since(now) / 1000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Everything that is agreed to. Every text comes from a caller, a plugin or an upstream: what cannot be seen in it is made visible.
pub(crate) fn text(approval: &Approval, config: &Config, now: Timestamp) -> String {
    let subject = &approval.open.subject;
    let mut text = format!(
        "approval     {} ({})\ncall         {}\nby           {} under grant {}\nplugin       {} sha256:{}\nenvironment  {}\nasked        {}\n",
        approval.open.id,
        approval.state.as_str(),
        subject.tool,
        subject.principal,
        subject.grant,
        subject.plugin,
        subject.plugin_digest,
        subject.environment,
        subject.requested,
    );
    match approval.state {
        State::Open => text.push_str(&format!("good until   {} ({} left)\n", subject.expires, left(subject.expires, now))),
        _ => text.push_str(&format!("good until   {}\n", subject.expires)),
    }
    if let Some((by, at)) = &approval.closed {
        text.push_str(&format!("closed       {at} by {}\n", visible(by)));
    }
    let agreed = people(approval, config);
    text.push_str(&format!("agreed       {} of {}", agreed.len(), quorum(approval, config)));
    if !agreed.is_empty() {
        text.push_str(&format!(": {}", agreed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    }
    if approval.open.in_band {
        text.push_str(", and the person at the client");
    }
    text.push_str("\n\nwhy a person is asked\n");
    for line in &subject.why {
        text.push_str(&format!("  {}\n", visible(line)));
    }
    text.push_str(&format!("\narguments\n{}\n", indented(&subject.arguments)));
    let requests = subject.plan.get("requests").and_then(Value::as_array).cloned().unwrap_or_default();
    text.push_str(&format!("\nwhat it will send above read: {} (plan sha256:{})\n", requests.len(), subject.plan_digest));
    if requests.is_empty() {
        text.push_str("  nothing: it only reads, and what it reads is not listed\n");
    }
    for (number, request) in requests.iter().enumerate() {
        let word = |name: &str| visible(request.get(name).and_then(Value::as_str).unwrap_or_default()).into_owned();
        text.push_str(&format!(
            "\n{}. {} {}   [{}]\n{}\n",
            number + 1,
            word("method"),
            word("url"),
            word("effect"),
            indented(request)
        ));
    }
    for statement in statements(approval, config) {
        let said = if statement.said == Said::Approve { "agreed" } else { "denied" };
        let reason = if statement.reason.is_empty() { String::new() } else { format!(": {}", visible(&statement.reason)) };
        text.push_str(&format!("\n{} {said} at {}{reason}", statement.approver, statement.at));
    }
    text.push_str(&lookalikes(&text));
    text
}

/// The characters of a text that are none of ASCII: each can be taken for another that is. The marks around the host's own words are not
/// listed.
pub(crate) fn lookalikes(text: &str) -> String {
    let foreign: BTreeSet<char> =
        text.chars().filter(|character| !character.is_ascii() && !matches!(character, '‹' | '›')).collect();
    if foreign.is_empty() {
        return String::new();
    }
    let shown = foreign.iter().take(MAX_LOOKALIKES).map(|character| format!("{character} U+{:04X}", u32::from(*character)));
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = foreign.len().checked_sub(MAX_LOOKALIKES) {
        list.push_str(&format!(", and {more} more"));
    }
    format!("\ncharacters that may look like others: {list}\n")
}

/// JSON, indented, with what cannot be seen made visible. A body's text is shown line by line below its field.
fn indented(value: &Value) -> String {
    let json = format!("{value:#}");
    visible(&json).lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn json(approval: &Approval, config: &Config) -> Value {
    let said: Vec<Value> = statements(approval, config)
        .iter()
        .map(|statement| {
            json!({ "approver": statement.approver.as_str(), "said": statement.said.as_str(), "reason": statement.reason, "at": statement.at.to_string() })
        })
        .collect();
    json!({
        "id": approval.open.id.as_str(),
        "state": approval.state.as_str(),
        "agreed": people(approval, config).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "statements": said,
        "in_band": approval.open.in_band,
        "closed": approval.closed.as_ref().map(|(by, at)| json!({ "by": by, "at": at.to_string() })),
        "subject": approval.open.subject.to_json(),
    })
}

#[cfg(test)]
mod tests {
    use super::lookalikes;

    #[test]
    fn letters_of_other_scripts_are_listed_by_number() {
        assert_eq!(lookalikes("plain ‹secret api_key›"), "");
        assert_eq!(
            lookalikes("p\u{430}ypal, p\u{430}y\u{3c1}al"),
            "\ncharacters that may look like others: ρ U+03C1, а U+0430\n"
        );
        let many: String = ('\u{4e00}'..'\u{4e30}').collect();
        assert!(lookalikes(&many).ends_with("U+4E27, and 8 more\n"));
    }
}
