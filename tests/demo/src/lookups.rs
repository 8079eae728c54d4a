//! The first act: VirusTotal, from the publisher's key to the audit log.

use serde_json::json;

use crate::{
    agent::{Agent, Expected},
    shell::heading,
    stage::{Result, Stage},
};

/// EICAR, the test file every scanner knows.
const EICAR: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";
/// The operator has it at VirusTotal; it must show up nowhere.
pub(crate) const KEY: &str = "demo-4f1c0ffee5ecure0key0that0must0not0leak00000000000000000000000";

pub(crate) async fn play(stage: &Stage) -> Result<()> {
    heading("The publisher packs and signs the VirusTotal plugin");
    let fingerprint = stage.make_key()?;
    let package = stage.pack("virustotal")?;
    stage.sign(&package)?;

    heading("The operator trusts the publisher, reviews and installs");
    stage.trust(&fingerprint)?;
    stage.keep("virustotal.key", KEY)?;
    stage.configure(&config(stage.origin("virustotal")?))?;
    stage.review(&package)?;
    stage.install(&package)?;
    stage.run(&["check"])?;

    heading("A package that somebody touched");
    stage.tamper(&package)?;

    heading("An agent connects (rmcp client over stdio)");
    let agent = Agent::connect(stage).await?;
    agent.list().await?;

    heading("Four lookups");
    agent.call("virustotal_file_report", json!({ "hash": EICAR }), Expected::Answer).await?;
    agent.call("virustotal_url_report", json!({ "url": "http://malware.wicar.org/data/eicar.com" }), Expected::Answer).await?;
    agent.call("virustotal_ip_report", json!({ "ip": "8.8.8.8" }), Expected::Answer).await?;
    agent.call("virustotal_domain_report", json!({ "domain": "google.com" }), Expected::Answer).await?;

    heading("What is refused, and what the agent is told");
    agent
        .call("virustotal_file_report", json!({ "hash": "not-a-hash; rm -rf /" }), Expected::Refused("arguments-invalid"))
        .await?;
    agent.call("virustotal_file_report", json!({ "hash": EICAR }), Expected::Refused("budget-exhausted")).await?;

    heading("A dry run: the exact request, and no key");
    // "casemate" in base64.
    let plan = agent
        .call("virustotal_submit_file", json!({ "content": "Y2FzZW1hdGU=", "filename": "sample.txt" }), Expected::Plan)
        .await?;
    stage.holds_no_key(&serde_json::to_string(&plan)?, KEY)?;
    agent.leave().await?;

    heading("The audit log");
    stage.run(&["audit", "show"])?;
    stage.run(&["audit", "verify"])?;
    stage.nothing_was_changed("virustotal", "VirusTotal received the four lookups and no submission")
}

/// One plugin, one grant, four lookups a minute.
fn config(origin: &str) -> String {
    format!(
        r#"environment = "dev"

[plugins.virustotal]
version = "0.1"
upstream.virustotal = {{ origin = "{origin}", allow_private = ["127.0.0.1/32"] }}
secret.api_key = {{ file = "virustotal.key" }}

[plugins.virustotal.tools.submit_file]
enabled = true        # it is a write: off by default, and a dry run until told otherwise

[grants.analyst]
principals = ["local"]
tools = ["virustotal_*"]
max_effect = "write"
budget = [{{ tools = "virustotal_*_report", calls = 4, per = "1m" }}]
"#
    )
}
