//! The `casemate-upstreams` binary: starts the fakes, prints where they are as one line of JSON, and ends when its parent does.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use casemate_upstreams::{Settings, caldera, start, virustotal};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Loopback fakes of the services that Casemate's plugins talk to, for tests and the demo.
///
/// Prints one line of JSON, name to origin, once every listener is ready. Ends on SIGTERM, on SIGINT, and when its standard
/// input closes, so that it never outlives the test that started it.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Loopback address to listen on; port 0 picks free ports, another port is the first of a row.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The API key that the VirusTotal fake takes; every other one is refused.
    #[arg(long, value_name = "KEY", env = "CASEMATE_UPSTREAMS_VIRUSTOTAL_KEY", default_value = virustotal::DEFAULT_KEY, hide_env_values = true)]
    virustotal_key: String,

    /// The red team's key that the Caldera fake takes; the blue team's is the one it comes with.
    #[arg(long, value_name = "KEY", env = "CASEMATE_UPSTREAMS_CALDERA_KEY", default_value = caldera::RED_KEY, hide_env_values = true)]
    caldera_key: String,

    /// Calls a minute that the VirusTotal fake allows, such as `4/min`; without it there is no limit.
    #[arg(long, value_name = "N/min", value_parser = per_minute)]
    quota: Option<u32>,

    /// Let the Caldera fake's agents beacon every so many milliseconds; without it they do not before they are told to.
    #[arg(long, value_name = "MS")]
    beat: Option<u64>,

    /// Append one line of JSON for each request received to this file, with the API key blotted out.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

fn per_minute(text: &str) -> Result<u32, String> {
    let number =
        text.strip_suffix("/min").ok_or_else(|| format!("`{text}` does not end in `/min`\nhelp: write it as `4/min`"))?;
    number.parse().map_err(|_| format!("`{number}` is not a whole number\nhelp: write it as `4/min`"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let beat = args.beat.map(Duration::from_millis);
    let settings = Settings {
        listen: args.listen,
        virustotal_key: args.virustotal_key,
        caldera_key: args.caldera_key,
        quota: args.quota,
        beat,
        log: args.log,
    };
    match run(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let origins = start(settings).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", serde_json::to_string(&origins)?)?;
    stdout.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = stdin_closed() => {}
    }
    Ok(())
}

/// Completes at the end of standard input. It is read on a thread of its own: tokio's reader would keep the process alive until
/// the next byte came.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        let _ = sender.send(());
    });
    receiver
}
