//! `make demo`: a publisher signs a plugin, an operator installs it, and an agent uses it through a real MCP client.
//!
//! Everything is done as a person would do it: with the `casemate` program, and with rmcp's client over standard input and
//! output. Each step states what is expected and ends the demo if it is not what happened.

mod agent;
mod clients;
mod shell;
mod stage;

use std::{error::Error, process::ExitCode, time::Instant};

use agent::{Agent, Expected};
use serde_json::json;
use shell::{heading, said};
use stage::Stage;

/// EICAR, the test file every scanner knows.
const EICAR: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let started = Instant::now();
    match play().await {
        Ok(()) => {
            said(&format!("\nThe demo took {:.1} s.", started.elapsed().as_secs_f32()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            said(&format!("\nThe demo failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn play() -> Result<(), Box<dyn Error>> {
    let stage = Stage::new()?;

    heading("The publisher packs and signs the VirusTotal plugin");
    let fingerprint = stage.make_key()?;
    let package = stage.pack()?;
    stage.sign(&package)?;

    heading("The operator trusts the publisher, reviews and installs");
    stage.trust(&fingerprint)?;
    stage.configure()?;
    stage.install(&package)?;
    stage.run(&["check"])?;

    heading("A package that somebody touched");
    stage.tamper(&package)?;

    heading("An agent connects (rmcp client over stdio)");
    let agent = Agent::connect(&stage).await?;
    agent.list().await?;

    heading("Four lookups");
    agent.call("virustotal_file_report", json!({ "hash": EICAR }), Expected::Answer).await?;
    agent.call("virustotal_url_report", json!({ "url": "http://malware.wicar.org/data/eicar.com" }), Expected::Answer).await?;
    agent.call("virustotal_ip_report", json!({ "ip": "8.8.8.8" }), Expected::Answer).await?;
    agent.call("virustotal_domain_report", json!({ "domain": "google.com" }), Expected::Answer).await?;

    heading("What is refused, and what the agent is told");
    agent
        .call("virustotal_file_report", json!({ "hash": "not-a-hash; rm -rf /" }), Expected::Denied("arguments-invalid"))
        .await?;
    agent.call("virustotal_file_report", json!({ "hash": EICAR }), Expected::Denied("budget-exhausted")).await?;

    heading("A dry run: the exact request, and no key");
    // "casemate" in base64.
    let plan = agent
        .call("virustotal_submit_file", json!({ "content": "Y2FzZW1hdGU=", "filename": "sample.txt" }), Expected::Plan)
        .await?;
    stage.holds_no_key(&plan)?;
    agent.leave().await?;

    heading("The audit log");
    stage.run(&["audit", "show"])?;
    stage.run(&["audit", "verify"])?;
    stage.nothing_was_submitted()?;

    heading("Use it: add casemate to your client");
    said(&clients::blocks(&stage.casemate, &stage.dir));
    Ok(())
}
