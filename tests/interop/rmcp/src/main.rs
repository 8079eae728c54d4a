//! rmcp as a client of `casemate serve`: the same list as tests/interop/clients/card.mjs and card.py have.
//!
//! `casemate-rmcp-client legacy|auto|pinned CHANGE http URL`, the token in `CASEMATE_TOKEN`, or `… stdio COMMAND…`. CHANGE is the program that
//! changes the tool list. The last line is the sum.

mod card;

use std::{
    env,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, bail};
use rmcp::{
    ClientHandler, ClientServiceExt, RoleClient,
    model::{ProgressNotificationParam, ProtocolVersion},
    service::{ClientLifecycleMode, NotificationContext, RunningService},
    transport::{StreamableHttpClientTransport, TokioChildProcess, streamable_http_client::StreamableHttpClientTransportConfig},
};
use tokio::{process::Command, sync::Notify};

use card::Card;

/// A client that remembers what it was told.
#[derive(Debug, Clone, Default)]
struct Witness {
    progress: Arc<Mutex<Vec<f64>>>,
    reported: Arc<Notify>,
    changes: Arc<AtomicUsize>,
}

impl ClientHandler for Witness {
    async fn on_progress(&self, report: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        if let Ok(mut progress) = self.progress.lock() {
            progress.push(report.progress);
        }
        self.reported.notify_one();
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

type Client = RunningService<RoleClient, Witness>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut card = Card::default();
    if let Err(error) = run(&arguments, &mut card).await {
        card.check("the session holds", false, &format!("{error:?}"));
    }
    card.end()
}

async fn run(arguments: &[String], card: &mut Card) -> anyhow::Result<()> {
    let [mode, change, transport, place @ ..] = arguments else { bail!("usage: MODE CHANGE http|stdio …") };
    let (version, newest) = (ProtocolVersion::V_2025_11_25, vec![ProtocolVersion::V_2026_07_28]);
    let (lifecycle, expected) = match mode.as_str() {
        "legacy" => (ClientLifecycleMode::Initialize, version),
        "auto" => {
            let lifecycle = ClientLifecycleMode::Auto { preferred_versions: newest, legacy_version: Some(version) };
            (lifecycle, ProtocolVersion::V_2026_07_28)
        }
        "pinned" => (ClientLifecycleMode::Discover { preferred_versions: newest }, ProtocolVersion::V_2026_07_28),
        other => bail!("there is no mode `{other}`"),
    };
    let client = connect(lifecycle, transport, place).await?;
    card::session(&client, &expected, change, card).await?;
    client.cancel().await?;
    Ok(())
}

async fn connect(lifecycle: ClientLifecycleMode, transport: &str, place: &[String]) -> anyhow::Result<Client> {
    let witness = Witness::default();
    let (first, rest) = place.split_first().context("a URL or a command")?;
    if transport == "http" {
        // Another one in its place would be as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = StreamableHttpClientTransportConfig::with_uri(first.as_str()).auth_header(env::var("CASEMATE_TOKEN")?);
        Ok(witness.serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), lifecycle).await?)
    } else {
        let mut command = Command::new(first);
        command.args(rest);
        Ok(witness.serve_with_lifecycle(TokioChildProcess::new(command)?, lifecycle).await?)
    }
}
