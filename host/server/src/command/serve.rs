//! `casemate serve`: MCP over standard input and output, or over HTTP.

use std::{net::SocketAddr, sync::Arc};

use casemate_policy::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Context, print, trust::revocations};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::{House, Opening, follow, store},
    identity::{
        self, Identity,
        oauth::{self, OAuth, OAuthSettings},
        uses::Uses,
    },
    mcp,
};

/// A bundle of root certificates.
const MAX_ROOTS: usize = 1 << 20;

/// Serve MCP over standard input and output; with --http, Streamable HTTP with bearer tokens.
///
/// Over stdio the caller is the person who started the program, principal `local`. Over HTTP every request carries a token
/// made by `casemate token new`, principal `token:NAME`, or by the authorization server of `[http.oauth]`, principal `oidc:sub:SUBJECT` or
/// `oidc:client:CLIENT`.
///
/// Follows what is trusted and installed within a second; SIGHUP takes up the configuration, and one that makes no sense is refused while
/// the old one stays in force.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Listen on this address, such as 127.0.0.1:8787, instead of standard input and output.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// What is logged to standard error: error, warn, info or debug.
    #[arg(long, default_value = "info", env = "CASEMATE_LOG", hide_env_values = true, value_name = "LEVEL")]
    log: crate::log::Level,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

/// Serve until end of input, or until the process is told to stop.
pub fn run(args: Args, context: &Context) -> Outcome {
    crate::log::start(args.log, args.log_json);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(&args, context));
    // A blocking read of standard input must not keep the process alive.
    runtime.shutdown_background();
    result
}

async fn serve(args: &Args, context: &Context) -> Outcome {
    let house = Arc::new(House::open(Opening { context, via: if args.http.is_some() { "http" } else { "stdio" } }).await?);
    let shutdown = CancellationToken::new();
    tokio::spawn(on_signal(shutdown.clone()));
    let following = tokio::spawn(follow(Arc::clone(&house), shutdown.clone()));
    let lists = tokio::spawn(revocations::follow(context.clone(), shutdown.clone()));
    let served = match args.http {
        None => mcp::serve_stdio(Arc::clone(&house), identity::local(), mcp::Limits::default(), shutdown.clone())
            .await
            .map_err(Failure::failed),
        Some(address) => http(address, &house, context, shutdown.clone()).await,
    };
    shutdown.cancel();
    // What the followers have begun to write down comes before the end of the log.
    let _ = tokio::join!(following, lists);
    // The last checkpoint of the audit log is written here, whatever happened above.
    let closed = house.close().await;
    served?;
    closed.map_err(Failure::failed)?;
    Ok(Exit::Done)
}

async fn http(address: SocketAddr, house: &Arc<House>, context: &Context, shutdown: CancellationToken) -> Result<(), Failure> {
    let state = context.folders.state(house.environment());
    // Taken before the file is read: a change in between is seen as one.
    let known = store::tokens_changed(&state);
    let identity = Identity::new(store::tokens(&state)?, clock::now as fn() -> Timestamp)
        .with_uses(Uses::of(&state))
        .with_oauth(house.http().oauth.as_ref().map(oauth).transpose()?);
    let identity = Arc::new(identity);
    if let Some(oauth) = identity.oauth() {
        // A server that cannot be reached now is asked again: tokens made here are good without it.
        oauth.keys().tick().await;
    }
    tokio::spawn(follow_keys(Arc::clone(&identity), shutdown.clone()));
    tokio::spawn(follow_refusals(Arc::clone(&identity), Arc::clone(house), shutdown.clone()));
    tokio::spawn(follow_tokens(state, known, Arc::clone(&identity), shutdown.clone()));
    let listener =
        TcpListener::bind(address).await.map_err(|error| Failure::failed(format!("cannot listen on {address}: {error}")))?;
    print::note(format_args!("casemate: serving http://{}/mcp", listener.local_addr()?));
    let options = mcp::http::Options {
        limits: mcp::Limits::default(),
        hosts: house.http().hosts.clone(),
        origins: house.http().origins.clone(),
    };
    let served = mcp::http::serve(listener, Arc::clone(house), Arc::clone(&identity), options, shutdown).await;
    identity.refusals().finish(house).await;
    served.map_err(Failure::failed)
}

/// The authorization server that the operator named, not asked yet.
fn oauth(settings: &OAuthSettings) -> Result<OAuth, Failure> {
    let roots = settings.ca.iter().map(|ca| store::file(ca, MAX_ROOTS)).collect::<Result<_, _>>()?;
    let fetch = oauth::fetch(settings, roots).map_err(Failure::invalid)?;
    Ok(OAuth::new(settings.clone(), fetch))
}

async fn follow_keys(identity: Arc<Identity>, shutdown: CancellationToken) {
    if let Some(oauth) = identity.oauth() {
        oauth.keys().follow(shutdown).await;
    }
}

async fn follow_refusals(identity: Arc<Identity>, house: Arc<House>, shutdown: CancellationToken) {
    identity.refusals().follow(&house, shutdown).await;
}

/// Take up a changed token file within a second, so that a revoked token ends without a restart.
async fn follow_tokens(
    state: std::path::PathBuf,
    mut known: Option<store::Version>,
    identity: Arc<Identity>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
        }
        let changed = store::tokens_changed(&state);
        if changed == known {
            continue;
        }
        match store::tokens(&state) {
            Ok(tokens) => {
                identity.replace(tokens);
                known = changed;
            }
            // A file that cannot be read admits nobody: better than tokens that may have been revoked.
            Err(failure) => {
                tracing::error!(error = %failure.message, "the token file cannot be read; no token is accepted until it can");
                identity.replace(crate::token::TokenFile::default());
            }
        }
    }
}

async fn on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.cancel();
}
