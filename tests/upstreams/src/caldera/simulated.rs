//! Agents that are not there: each beacons as a real one does, and what it is told to run it only says it has run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::task::AbortHandle;

use super::beacon::{Instruction, Orders, Outcome, Profile};
use super::link::SUCCESS;
use super::state::State;

/// How often a simulated agent beacons, where nobody says otherwise. A real one does every 30 to 60 seconds.
pub(super) const BEAT: Duration = Duration::from_millis(50);

/// Start an agent; it beacons until it is aborted.
pub(super) fn start(state: &Arc<Mutex<State>>, profile: Profile, beat: Duration) -> AbortHandle {
    let state = Arc::clone(state);
    let task = async move {
        let mut profile = profile;
        loop {
            beat_once(&state, &mut profile);
            tokio::time::sleep(beat).await;
        }
    };
    tokio::spawn(task).abort_handle()
}

/// Say what was done, hear what is to be done, and do it.
fn beat_once(state: &Mutex<State>, profile: &mut Profile) {
    let Ok(text) = serde_json::to_vec(profile) else { return };
    let answer = state.lock().unwrap_or_else(PoisonError::into_inner).beacon(STANDARD.encode(text).as_bytes());
    let orders = answer.ok().and_then(|answer| STANDARD.decode(answer).ok());
    let Some(orders) = orders.and_then(|text| serde_json::from_slice::<Orders>(&text).ok()) else { return };
    profile.paw = Some(orders.paw);
    let texts: Vec<String> = serde_json::from_str(&orders.instructions).unwrap_or_default();
    let instructions = texts.iter().filter_map(|text| serde_json::from_str::<Instruction>(text).ok());
    profile.results = instructions.map(|instruction| pretend(&instruction, profile)).collect();
}

/// What a machine of this kind would have said.
fn pretend(instruction: &Instruction, profile: &Profile) -> Outcome {
    let command = String::from_utf8_lossy(&STANDARD.decode(&instruction.command).unwrap_or_default()).into_owned();
    let fails = command.contains("exit 1");
    let stdout = match command.split_whitespace().next().unwrap_or_default() {
        _ if fails => String::new(),
        "whoami" => profile.username.clone(),
        "hostname" => profile.host.clone(),
        "ps" | "tasklist" => "PID TTY TIME CMD\n1 ? 00:00:01 init\n".to_owned(),
        first => format!("{}: `{first}` has run", instruction.executor),
    };
    Outcome {
        id: instruction.id.clone(),
        output: STANDARD.encode(stdout),
        stderr: STANDARD.encode(if fails { "no such thing" } else { "" }),
        exit_code: if fails { "1" } else { "0" }.to_owned(),
        status: if fails { 1 } else { SUCCESS },
        pid: profile.pid + 1,
    }
}
