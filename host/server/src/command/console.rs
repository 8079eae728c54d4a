//! `casemate console`: pages for people, on this machine.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use casemate_policy::{
    Timestamp,
    approval::{ApproverName, DELEGATION_TYPE, Delegation},
};
use clap::Subcommand;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

use super::{Context, print, signer::SigningKey};
use crate::{
    clock,
    config::{Config, HttpSettings},
    console::{
        self, Console, Opening,
        door::{Ask, Door, Told, Visit},
    },
    exit::{Exit, Failure, Outcome},
    house::{Recorder, store},
    identity::{Identity, oauth::OAuth, tokens},
    mcp::{self, Shutdown, http::Acceptor},
};

/// Pages for people: what waits, what was done, what is installed, who may do what.
///
/// Runs beside whatever serves, on the same state folder as the other commands, and prints a link that signs you in: good once, for a
/// minute. `casemate serve --http` has the same pages under /console, where `[console] enabled = true`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Listen on this address. Anything but loopback needs `[http.tls]`.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// What is logged to standard error: error, warn, info or debug.
    #[arg(long, default_value = "warn", env = "CASEMATE_LOG", hide_env_values = true, value_name = "LEVEL")]
    log: crate::log::Level,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Login(Login),
}

/// Make a link that signs you in at the console that runs: good once, for a minute.
///
/// With --as, as an approver: your key signs a delegation, which lets the key of that one session agree to calls in your name for as long as
/// `[console] lasts` says. Your own key goes nowhere.
#[derive(Debug, clap::Args)]
struct Login {
    /// As this approver, as in `[approvers.NAME]`.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<ApproverName>,
    #[command(flatten)]
    key: SigningKey,
    /// Sign what the console's page shows, and print what to paste there: for a console on another machine.
    #[arg(long, value_name = "TEXT", requires = "name")]
    challenge: Option<String>,
}

/// Serve, or make a link.
pub fn run(args: &Args, context: &Context) -> Outcome {
    if let Some(Command::Login(login)) = &args.command {
        return sign_in(login, context);
    }
    crate::log::start(args.log, false);
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = executor.block_on(serve(args.listen, context));
    executor.shutdown_background();
    result
}

async fn serve(address: SocketAddr, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let state = context.folders.state(config.environment);
    let http = config.http.clone();
    http.may_listen_on(address.ip()).map_err(Failure::invalid)?;
    // Taken before the file is read: a change in between is seen as one.
    let known = store::tokens_changed(&state);
    let identity = Identity::new(store::tokens(&state)?, clock::now as fn() -> Timestamp)
        .with_oauth(http.oauth.as_ref().map(OAuth::open).transpose()?);
    let identity = Arc::new(identity);
    if let Some(oauth) = identity.oauth().filter(|_| !config.console.viewers.is_empty()) {
        oauth.keys().tick().await;
    }
    let shutdown = Shutdown::default();
    let stop = shutdown.asked().clone();
    let recorder = Recorder::State(state.clone());
    let listener =
        TcpListener::bind(address).await.map_err(|error| Failure::failed(format!("cannot listen on {address}: {error}")))?;
    let origin = origin(&http, listener.local_addr()?);
    let tls = http.tls.as_ref().map(|tls| Acceptor::open(tls).map(Arc::new)).transpose().map_err(Failure::invalid)?;
    let settings = watch::channel(Arc::new(http)).1;
    let console = Arc::new(Console::open(Opening {
        context: context.clone(),
        environment: config.environment,
        recorder: recorder.clone(),
        identity: Arc::clone(&identity),
        http: settings.clone(),
        origin: origin.clone(),
        stop: stop.clone(),
    })?);
    tokio::spawn(tokens::follow(state.clone(), known, Arc::clone(&identity), stop.clone()));
    let keys = (Arc::clone(&identity), stop.clone());
    tokio::spawn(async move {
        if let (Some(oauth), stop) = (keys.0.oauth(), keys.1) {
            oauth.keys().follow(stop).await;
        }
    });
    let noting = {
        let (identity, stop) = (Arc::clone(&identity), stop.clone());
        tokio::spawn(async move {
            identity.refusals().follow(&recorder, stop).await;
            identity.refusals().finish(&recorder).await;
        })
    };
    tokio::spawn(Door::open(&state)?.serve(Arc::clone(&console)));
    tokio::spawn(console::follow(Arc::clone(&console)));
    tokio::spawn(on_signals(shutdown.clone()));
    print::note(format_args!("casemate: the console is at {origin}/console"));
    print::line(console.first_link()?);
    mcp::http::serve_alone(listener, console::router(console), settings, tls, shutdown).await;
    let _ = noting.await;
    Ok(Exit::Done)
}

/// Where people reach what listens here.
pub(super) fn origin(http: &HttpSettings, address: SocketAddr) -> String {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    let host = match http.hosts.first() {
        Some(host) if !address.ip().is_loopback() => host.clone(),
        _ if address.ip().is_unspecified() => "localhost".to_owned(),
        _ => return format!("{scheme}://{address}"),
    };
    if host.contains(':') { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{}", address.port()) }
}

async fn on_signals(shutdown: Shutdown) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.ask();
}

fn sign_in(login: &Login, context: &Context) -> Outcome {
    let state = || -> Result<_, Failure> { Ok(context.folders.state(Config::read(&context.folders.config)?.environment)) };
    let link = match (&login.name, &login.challenge) {
        (Some(name), Some(challenge)) => {
            let signature = sign(name, login, challenge)?.1;
            print::result(context.format, || signature.clone(), || json!({ "signature": signature }));
            return Ok(Exit::Done);
        }
        (Some(name), None) => {
            let mut visit = Visit::begin(&state()?)?;
            let Told::Sign(challenge) = visit.ask(&Ask::Approver(name.to_string()))? else { return Err(unexpected()) };
            let (payload, signature) = sign(name, login, &challenge)?;
            visit.ask(&Ask::Signed { payload, signature })?
        }
        (None, _) => Visit::begin(&state()?)?.ask(&Ask::Local)?,
    };
    let Told::Link(link) = link else { return Err(unexpected()) };
    print::result(context.format, || link.clone(), || json!({ "link": link }));
    Ok(Exit::Done)
}

fn unexpected() -> Failure {
    Failure::failed("the console answered something else than was asked for\nhelp: is it of the same version?")
}

/// Sign a delegation in one's own name, having said what it is.
fn sign(name: &ApproverName, login: &Login, challenge: &str) -> Result<(String, String), Failure> {
    let challenge: String = challenge.split_whitespace().collect();
    let none = || Failure::invalid("this is no delegation\nhelp: copy all of what the console's page shows");
    let payload = BASE64_URL_SAFE_NO_PAD.decode(&challenge).map_err(|_| none())?;
    let delegation = Delegation::from_payload(&payload).ok_or_else(none)?;
    if delegation.approver != *name {
        return Err(Failure::denied(format!("this lets a session speak for `{}`, and not for `{name}`", delegation.approver)));
    }
    // Until it ends: one that was handed out before may be signed now, and one for longer than a shift may not.
    if delegation.expires.since(clock::now()) > casemate_policy::approval::MAX_DELEGATION_MS {
        return Err(Failure::denied(format!("this lets a session speak until {}, which is too long", delegation.expires)));
    }
    print::note(casemate_policy::text::visible(&format!(
        "You let one session of the console at {} agree to calls in environment `{}`,\nas approver `{name}`, until {}. Its key: {}",
        delegation.audience,
        delegation.environment,
        delegation.expires,
        delegation.key.fingerprint()
    )));
    let signature = login.key.open()?.sign(DELEGATION_TYPE, &payload)?.bytes;
    Ok((challenge, BASE64_URL_SAFE_NO_PAD.encode(signature)))
}
