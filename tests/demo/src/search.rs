//! The third act: Splunk, where a query is read before it is sent, and leaves the granted index in no way.

use serde_json::{Value, json};

use crate::{
    agent::{Agent, Expected},
    shell::{answer, good, heading, prompt},
    stage::{Result, Stage},
};

/// The fake knows no other token; it must show up nowhere all the same.
const TOKEN: &str = "token-of-the-splunk-fake";
const SEARCH: &str = "siem-splunk_search_logs";
const DAY: &str = "2026-11-21T00:00:00Z/2026-11-22T00:00:00Z";

pub(crate) async fn play(stage: &Stage) -> Result<()> {
    heading("The operator installs Splunk: one index, a day at a time");
    let package = stage.pack("siem-splunk")?;
    stage.sign(&package)?;
    stage.keep("splunk.token", TOKEN)?;
    stage.extend(&config(stage.origin("siem-splunk")?))?;
    stage.install(&package)?;
    stage.run(&["sessions", "clear", "local"])?;

    heading("A search");
    let agent = Agent::connect(stage).await?;
    let search = |query: &str| json!({ "index": ["web"], "window": DAY, "query": query });
    agent.call(SEARCH, search("status=500 | stats count by host"), Expected::Answer).await?;
    prompt("What Splunk was sent, written anew from what was understood");
    let sent = searches(stage)?;
    answer(&sent.join("\n"), 4);

    heading("Queries that try to leave, and where they were stopped");
    for query in [
        "index=hr",
        "* | append [search index=hr]",
        "status=500) OR (index=hr",
        "* | map search=\"search index=hr user=$user$\"",
        "* `everything`",
    ] {
        agent.call(SEARCH, search(query), Expected::Refused("invalid-arguments")).await?;
    }

    heading("What the grant does not name is denied before the plugin runs");
    let other = json!({ "index": ["web", "hr"], "window": DAY, "query": "*" });
    agent.call(SEARCH, other, Expected::Refused("out-of-scope")).await?;
    let longer = json!({ "index": ["web"], "window": "2026-11-01T00:00:00Z/2026-11-22T00:00:00Z", "query": "*" });
    agent.call(SEARCH, longer, Expected::Refused("out-of-scope")).await?;
    agent.leave().await?;

    stage.holds_no_key(&sent.concat(), TOKEN)?;
    stage.run(&["audit", "verify"])?;
    if searches(stage)? == sent && sent.len() == 1 {
        good("Splunk received the one search, and none of the others");
        Ok(())
    } else {
        Err(format!("Splunk was sent {:?}", searches(stage)?).into())
    }
}

/// The searches that Splunk was sent, as their text.
fn searches(stage: &Stage) -> Result<Vec<String>> {
    let begun = stage.received("siem-splunk")?.into_iter().filter(|request| {
        let is = |name: &str, value: &str| request.get(name).and_then(Value::as_str) == Some(value);
        is("method", "POST") && is("target", "/services/search/v2/jobs")
    });
    begun.map(|request| crate::agent::form_field(&request, "search")).collect()
}

/// What is added: a plugin, and which index may be searched how far back.
fn config(origin: &str) -> String {
    format!(
        r#"
[plugins.siem-splunk]
upstream.siem-splunk = {{ origin = "{origin}", allow_private = ["127.0.0.1/32"] }}
secret.token = {{ file = "splunk.token" }}

[grants.soc]
principals = ["local"]
tools = ["siem-splunk_search_logs"]
max_effect = "read"
scope.index = ["web"]
scope.window = ["24h"]
"#
    )
}
