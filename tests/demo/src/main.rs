//! `make demo`: a publisher signs plugins, an operator installs them, a person approves, and an agent uses them through a real MCP client.
//!
//! Everything is done as a person would do it: with the `casemate` program, and with rmcp's client over standard input and
//! output. Each step states what is expected and ends the demo if it is not what happened.

mod agent;
mod lookups;
mod operation;
mod search;
mod shell;
mod stage;

use std::{error::Error, process::ExitCode, time::Instant};

use shell::{act, heading, said};
use stage::Stage;

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
    act("One: an agent looks things up");
    lookups::play(&stage).await?;
    act("Two: an agent runs an operation on machines");
    operation::play(&stage).await?;
    act("Three: an agent searches logs");
    search::play(&stage).await?;

    heading("Use it: add casemate to your client");
    ["claude-code", "claude-desktop", "cursor", "vscode", "codex", "gemini"]
        .into_iter()
        .try_for_each(|client| stage.connect(client))
}
