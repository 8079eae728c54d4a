//! `casemate serve`: MCP over standard input and output, or over HTTP.

use std::{net::SocketAddr, str::FromStr, sync::Arc, time::Duration};

use casemate_policy::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{Context, print, trust::revocations};
use crate::{
    clock,
    config::{Config, HttpSettings},
    console::{self, Console, door::Door},
    exit::{Exit, Failure, Outcome},
    forward,
    house::{House, Opening, Recorder, follow, store},
    identity::{self, Identity, oauth::OAuth, tokens, uses::Uses},
    mcp::{self, Shutdown, http::Acceptor},
    systemd,
    telemetry::Telemetry,
};

/// Serve MCP over standard input and output; with --http, Streamable HTTP with bearer tokens.
///
/// Over stdio the caller is the person who started the program, principal `local`. Over HTTP every request carries a token
/// made by `casemate token new`, principal `token:NAME`, or by the authorization server of `[http.oauth]`, principal `oidc:sub:SUBJECT` or
/// `oidc:client:CLIENT`.
///
/// Follows what is trusted and installed within a second; SIGHUP takes up the configuration, and one that makes no sense is refused while
/// the old one stays in force. SIGTERM and SIGINT let running calls come to their end, a second one cancels them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Listen on this address, such as 127.0.0.1:8787, or with `systemd` on the socket that systemd passes, instead of standard input
    /// and output.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<Listen>,
    /// What is logged to standard error: error, warn, info or debug.
    #[arg(long, default_value = "info", env = "CASEMATE_LOG", hide_env_values = true, value_name = "LEVEL")]
    log: crate::log::Level,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

/// Where to listen.
#[derive(Debug, Clone, Copy)]
enum Listen {
    Address(SocketAddr),
    Systemd,
}

impl FromStr for Listen {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "systemd" { Ok(Self::Systemd) } else { text.parse().map(Self::Address) }
    }
}

/// Serve until end of input, or until the process is told to stop.
pub fn run(args: Args, context: &Context) -> Outcome {
    crate::log::start(args.log, args.log_json);
    // While this is the only thread.
    let listener = match args.http {
        Some(Listen::Systemd) => Some(systemd::socket()?),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(&args, listener, context));
    // A blocking read of standard input must not keep the process alive.
    runtime.shutdown_background();
    result
}

async fn serve(args: &Args, passed: Option<std::net::TcpListener>, context: &Context) -> Outcome {
    let mut house = House::open(Opening { context, via: if args.http.is_some() { "http" } else { "stdio" } }).await?;
    match Telemetry::open(&house.serving().config().telemetry, house.environment()) {
        Ok(telemetry) => house.telemetry = telemetry,
        Err(failure) => {
            house.close().await.map_err(Failure::failed)?;
            return Err(failure);
        }
    }
    let house = Arc::new(house);
    // Apart from the shutdown: what is revoked while calls run to their end still ends them.
    let (shutdown, ended) = (Shutdown::default(), CancellationToken::new());
    tokio::spawn(on_signals(Arc::clone(&house), shutdown.clone()));
    let following = tokio::spawn(follow(Arc::clone(&house), ended.clone()));
    let lists = tokio::spawn(revocations::follow(context.clone(), ended.clone()));
    let failed = {
        let (ended, shutdown) = (ended.clone(), shutdown.clone());
        // A follower that cannot follow ends the server.
        tokio::spawn(async move {
            ended.cancelled().await;
            shutdown.hurry();
        })
    };
    tokio::spawn(systemd::watch(ended.clone()));
    tokio::spawn(forward::follow(Arc::clone(&house), context.folders.state(house.environment()), ended.clone()));
    let watched = Telemetry::begin(&house, &context.folders.state(house.environment()), &shutdown, args.http.is_none()).await;
    let served = match (watched, args.http) {
        (Err(failure), _) => Err(failure),
        (Ok(()), None) => {
            systemd::ready();
            mcp::serve_stdio(Arc::clone(&house), identity::local(), limits(house.serving().config()), shutdown.clone())
                .await
                .map_err(Failure::failed)
        }
        (Ok(()), Some(listen)) => http(listen, passed, &house, context, (&shutdown, &ended)).await,
    };
    failed.abort();
    ended.cancel();
    // What the followers have begun to write down comes before the end of the log.
    let _ = tokio::join!(following, lists);
    // The last checkpoint of the audit log is written here, whatever happened above.
    let closed = house.close().await;
    house.telemetry.close().await;
    served?;
    closed.map_err(Failure::failed)?;
    Ok(Exit::Done)
}

/// The bounds of one client.
fn limits(config: &Config) -> mcp::Limits {
    mcp::Limits {
        calls_in_flight: config.calls.in_flight,
        message_bytes: config.http.message_bytes,
        drain: config.http.drain,
        ..mcp::Limits::default()
    }
}

async fn http(
    listen: Listen,
    passed: Option<std::net::TcpListener>,
    house: &Arc<House>,
    context: &Context,
    (shutdown, ended): (&Shutdown, &CancellationToken),
) -> Result<(), Failure> {
    let state = context.folders.state(house.environment());
    // Taken before the file is read: a change in between is seen as one.
    let known = store::tokens_changed(&state);
    let config = house.serving().config().http.clone();
    let identity = Identity::new(store::tokens(&state)?, clock::now as fn() -> Timestamp)
        .with_uses(Uses::of(&state))
        .with_oauth(config.oauth.as_ref().map(OAuth::open).transpose()?);
    let identity = Arc::new(identity);
    if let Some(oauth) = identity.oauth() {
        // A server that cannot be reached now is asked again: tokens made here are good without it.
        oauth.keys().tick().await;
    }
    tokio::spawn(follow_keys(Arc::clone(&identity), ended.clone()));
    tokio::spawn(follow_refusals(Arc::clone(&identity), Arc::clone(house), ended.clone()));
    tokio::spawn(tokens::follow(state, known, Arc::clone(&identity), ended.clone()));
    let listener = match (listen, passed) {
        (Listen::Address(address), _) => {
            config.may_listen_on(address.ip()).map_err(Failure::invalid)?;
            TcpListener::bind(address).await.map_err(|error| Failure::failed(format!("cannot listen on {address}: {error}")))?
        }
        (Listen::Systemd, Some(passed)) => {
            config.may_listen_on(passed.local_addr()?.ip()).map_err(Failure::invalid)?;
            TcpListener::from_std(passed)?
        }
        (Listen::Systemd, None) => return Err(Failure::failed("systemd passed no socket")),
    };
    make_room(config.connections);
    let (scheme, tls) = match &config.tls {
        None => ("http", None),
        Some(tls) => ("https", Some(Arc::new(Acceptor::open(tls).map_err(Failure::invalid)?))),
    };
    let (sender, settings) = watch::channel(Arc::new(config));
    tokio::spawn(follow_settings(Arc::clone(house), sender, ended.clone()));
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).follow(settings.clone(), ended.clone()));
    }
    print::note(format_args!("casemate: serving {scheme}://{}/mcp", listener.local_addr()?));
    systemd::ready();
    let beside = if house.serving().config().console.enabled {
        let origin = super::console::origin(&settings.borrow(), listener.local_addr()?);
        Some(beside(origin, house, context, (&identity, &settings), shutdown)?)
    } else {
        None
    };
    let options = mcp::http::Options { limits: limits(house.serving().config()), settings, tls, beside };
    mcp::http::serve(listener, Arc::clone(house), Arc::clone(&identity), options, shutdown.clone()).await;
    identity.refusals().finish(&Recorder::House(Arc::clone(house))).await;
    Ok(())
}

/// The console, at the same address.
fn beside(
    origin: String,
    house: &Arc<House>,
    context: &Context,
    (identity, settings): (&Arc<Identity>, &watch::Receiver<Arc<HttpSettings>>),
    shutdown: &Shutdown,
) -> Result<axum::Router, Failure> {
    let console = Arc::new(Console::open(console::Opening {
        context: context.clone(),
        environment: house.environment(),
        recorder: Recorder::House(Arc::clone(house)),
        identity: Arc::clone(identity),
        http: settings.clone(),
        origin: origin.clone(),
        stop: shutdown.asked().clone(),
    })?);
    tokio::spawn(Door::open(&context.folders.state(house.environment()))?.serve(Arc::clone(&console)));
    tokio::spawn(console::follow(Arc::clone(&console)));
    print::note(format_args!("casemate: the console is at {origin}/console; `casemate console login` makes a link"));
    Ok(console::router(console))
}

/// File descriptors beside those of connections: the log, the ledger, plugins' upstreams.
const OTHER_FILES: u64 = 1024;

/// Ask for as many file descriptors as there may be connections. Service managers commonly allow more than they give at first.
fn make_room(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let most = maximum.map_or(needed, |maximum| maximum.min(needed));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum });
    if most < needed {
        tracing::warn!(
            most,
            needed,
            "fewer file descriptors than `[http] connections` needs may be open at once; raise the limit (LimitNOFILE=) or lower the setting"
        );
    }
}

/// Hand on the settings of each configuration that is taken up.
async fn follow_settings(house: Arc<House>, settings: watch::Sender<Arc<HttpSettings>>, ended: CancellationToken) {
    let mut changes = <House as mcp::House>::changes(&house);
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        let now = &house.serving().config().http.clone();
        settings.send_if_modified(|known| {
            let changed = **known != *now;
            if changed {
                *known = Arc::new(now.clone());
            }
            changed
        });
    }
}

async fn follow_keys(identity: Arc<Identity>, shutdown: CancellationToken) {
    if let Some(oauth) = identity.oauth() {
        oauth.keys().follow(shutdown).await;
    }
}

async fn follow_refusals(identity: Arc<Identity>, house: Arc<House>, shutdown: CancellationToken) {
    identity.refusals().follow(&Recorder::House(house), shutdown).await;
}

/// The first SIGTERM or SIGINT asks, the second hurries.
async fn on_signals(house: Arc<House>, shutdown: Shutdown) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    let mut told = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    told().await;
    let drain = house.serving().config().http.drain;
    tracing::info!(?drain, "told to stop: what runs may come to its end");
    systemd::stopping(drain + LAST_WORDS);
    shutdown.ask();
    told().await;
    tracing::info!("told to stop again: what runs is cancelled");
    shutdown.hurry();
}

/// What cancelled calls and the log need to end, at most.
const LAST_WORDS: Duration = Duration::from_secs(10);
