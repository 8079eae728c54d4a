//! Secrets that a program writes to its standard output. It is run as it is: no shell, nothing to read, nothing of it shown.

use std::{process::Stdio, time::Duration};

use secrecy::SecretString;
use tokio::{io::AsyncReadExt, process::Command};
use zeroize::Zeroizing;

use super::{MAX_BYTES, SecretFault, text, waited};

/// Run it, and take what it writes.
pub(super) fn read(argv: &[String], patience: Duration) -> Result<SecretString, SecretFault> {
    let program = argv.first().cloned().unwrap_or_default();
    let fault = |why: &str| SecretFault::Command { program: program.clone(), why: why.to_owned() };
    let written = waited(patience, run(argv)).map_err(|_| fault(&format!("did not end within {} ms", patience.as_millis())))?;
    text(written.map_err(|why| fault(&why))?)
}

async fn run(argv: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let Some((program, arguments)) = argv.split_first() else { return Err("is nothing to run".to_owned()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let group = Group(child.id());
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    if let Some(output) = child.stdout.take() {
        let most = MAX_BYTES as u64 + 1;
        output.take(most).read_to_end(&mut bytes).await.map_err(|error| format!("cannot be read from: {error}"))?;
    }
    if bytes.len() > MAX_BYTES {
        return Err(format!("wrote more than {} KiB", MAX_BYTES >> 10));
    }
    let status = child.wait().await.map_err(|error| format!("cannot be waited for: {error}"))?;
    group.release();
    if status.success() { Ok(bytes) } else { Err(format!("ended with {status}")) }
}

/// What a program started: it ends with it, also where nobody waits any longer.
struct Group(Option<u32>);

impl Group {
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            // It fails where nothing is left of it, which is as good.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}
