//! The second act: Caldera, where a person agrees to exactly one call, and three harmless tools do not add up to an attack.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    agent::{Agent, Expected, structured},
    shell::{good, heading},
    stage::{Result, Stage},
};

/// The operator has it at Caldera; it must show up nowhere.
pub(crate) const KEY: &str = "demo-5c0ffee0red0team0key0that0must0not0leak0000000000000000000000";
/// An adversary with three harmless steps.
const DISCOVERY: &str = "0f4c3c67-845e-49a0-927e-90ed33c044e0";
/// An ability: `whoami`.
const WHOAMI: &str = "c0da588f-79f0-4263-8998-7496b1a40596";
/// Three steps on each of the group's two machines.
const STEPS: u64 = 6;
/// The simulated agents take less than a second.
const HANGS: Duration = Duration::from_secs(30);

pub(crate) async fn play(stage: &Stage) -> Result<()> {
    heading("The operator installs Caldera; alice may approve, and the agent may ask");
    let package = stage.pack("caldera")?;
    stage.sign(&package)?;
    stage.keep("caldera.key", KEY)?;
    let alice = stage.enrol("alice")?;
    stage.extend(&config(stage.origin("caldera")?, &alice))?;
    stage.install(&package)?;

    heading("Another engagement: what the agent has read so far is forgotten, on record");
    stage.run(&["sessions", "show"])?;
    stage.run(&["sessions", "clear", "local"])?;

    heading("The agent asks to run an operation: it is planned, and waits");
    let agent = Agent::connect(stage).await?;
    let operate = |name: &str, group: &str| json!({ "name": name, "adversary_id": DISCOVERY, "group": group, "keep_open": true });
    let asked = operate("look around", "red-lab");
    let waiting = agent.call("caldera_create_operation", asked.clone(), Expected::Waits("approval-required")).await?;
    let id = structured(&waiting, "approval_id");

    heading("Alice reads every request of it, and signs");
    stage.approve("alice", &id)?;

    heading("Another call is another call; this one runs, once");
    agent.call("caldera_create_operation", operate("look around", "production"), Expected::Refused("out-of-scope")).await?;
    agent.call("caldera_create_operation", operate("look further", "red-lab"), Expected::Waits("flow-needs-approval")).await?;
    let created = agent.call("caldera_create_operation", asked, Expected::Answer).await?;
    let operation = structured(&created, "operation_id");

    heading("Letting it run is another decision");
    let run = json!({ "operation_id": operation, "state": "running" });
    let waiting = agent.quietly("caldera_set_operation_state", &run).await?;
    stage.approve_quietly("alice", &structured(&waiting, "approval_id"))?;
    agent.call("caldera_set_operation_state", run, Expected::Answer).await?;
    let look = json!({ "operation_id": operation });
    results(&agent, &look).await?;
    agent.call("caldera_get_operation", look, Expected::Answer).await?;

    heading("Enumerate, select, execute: three allowed tools, and the chain is stopped");
    agent.call("caldera_list_agents", json!({ "group": "red-lab" }), Expected::Answer).await?;
    agent.call("caldera_list_abilities", json!({ "technique_id": "T1033" }), Expected::Answer).await?;
    let execute = json!({ "operation_id": operation, "paw": "simpaw1", "group": "red-lab", "ability_id": WHOAMI });
    agent.call("caldera_execute_ability", execute, Expected::Waits("flow-needs-approval")).await?;
    agent.leave().await?;

    heading("What happened, and what did not");
    stage.run(&["approvals", "list", "--all"])?;
    stage.run(&["audit", "verify"])?;
    stage.holds_no_key("", KEY)?;
    stage.changes("caldera", &["POST /api/v2/operations", &format!("PATCH /api/v2/operations/{operation}")])?;
    good("Caldera received the two requests that alice signed, and no other that changes anything");
    Ok(())
}

/// Wait for the machines.
async fn results(agent: &Agent, look: &Value) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < HANGS {
        let seen = agent.quietly("caldera_get_operation", look).await?;
        if seen.structured_content.as_ref().and_then(|seen| seen["succeeded"].as_u64()) == Some(STEPS) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the machines do not answer".into())
}

/// What is added: an approver, a plugin, and who may run what on which machines.
fn config(origin: &str, alice: &str) -> String {
    format!(
        r#"
{alice}

[plugins.caldera]
upstream.caldera = {{ origin = "{origin}", allow_private = ["127.0.0.1/32"] }}
secret.api_key = {{ file = "caldera.key" }}

[plugins.caldera.tools]      # what changes machines is off, dry and approved by a person, until told otherwise
create_operation = {{ enabled = true, dry_run = false }}
set_operation_state = {{ enabled = true, dry_run = false }}
execute_ability = {{ enabled = true, dry_run = false, approval = "none" }}

[grants.red-team]
principals = ["local"]
tools = ["caldera_*"]
max_effect = "destructive"
session = "8h"
scope.group = ["red-lab"]
scope.adversary = ["{DISCOVERY}"]
scope.technique = ["T1033"]
"#
    )
}
