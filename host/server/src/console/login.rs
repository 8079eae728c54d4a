//! Coming in: by a link that was made on this machine, by a token, or with an approver's signature. And going.

use std::{sync::Arc, time::Instant};

use axum::response::Response;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use casemate_audit::EventKind;
use casemate_policy::approval::ApproverName;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde_json::json;

use super::{
    Console, page,
    route::{Answer, Asked, redirect, status, with_cookie},
    session::{Session, Who},
};
use crate::{config::Config, exit::Failure};

/// The way in, for somebody who wanted to go to `target`.
pub(super) fn place(target: &str) -> String {
    match target.strip_prefix("/console") {
        None | Some("" | "/") => "/console/login".to_owned(),
        Some(_) => format!("/console/login?next={}", utf8_percent_encode(target, NON_ALPHANUMERIC)),
    }
}

/// Show the ways in, or take one.
pub(super) async fn answer(console: &Arc<Console>, asked: Asked, config: Config) -> Response {
    if !asked.posts() {
        return Answer(StatusCode::OK, page::login::show(&asked, &config, None)).into_response();
    }
    match come_in(console, &asked, &config).await {
        Ok(Come::In(who, how)) => match begin(console, &config, who, how).await {
            Ok(cookie) => with_cookie(console, redirect(&asked.next()), Some(&cookie)),
            Err(failure) => refused(&asked, &config, &failure),
        },
        Ok(Come::Sign(name, payload)) => Answer(StatusCode::OK, page::login::sign(&asked, &name, &payload)).into_response(),
        Err(failure) => {
            let code = failure.message.split_once(": ").map_or("console-login", |(code, _)| known(code));
            console.identity.refusals().note(code);
            refused(&asked, &config, &failure)
        }
    }
}

fn refused(asked: &Asked, config: &Config, failure: &Failure) -> Response {
    Answer(status(failure), page::login::show(asked, config, Some(failure))).into_response()
}

/// Words that go on record: none that somebody at the door made up.
fn known(code: &str) -> &'static str {
    const CODES: [&str; 6] =
        ["link-used", "link-expired", "link-unknown", "delegation-refused", "delegation-unknown", "not-a-viewer"];
    CODES.into_iter().find(|known| *known == code).unwrap_or("console-login")
}

enum Come {
    In(Who, &'static str),
    /// An approver has to sign this first.
    Sign(ApproverName, String),
}

async fn come_in(console: &Console, asked: &Asked, config: &Config) -> Result<Come, Failure> {
    let form = &asked.form;
    if let Some(link) = form.get("once") {
        let who = console
            .sessions
            .exchange(link, Instant::now())
            .map_err(|fault| Failure::denied(format!("{}: {}", fault.code(), fault.sentence())))?;
        return Ok(Come::In(who, "link"));
    }
    if let Some(token) = form.get("token") {
        return Ok(Come::In(viewer(console, config, token).await?, "token"));
    }
    if let (Some(challenge), Some(signature)) = (form.get("challenge"), form.get("signature")) {
        let bytes = |text: &str| {
            let text: String = text.split_whitespace().collect();
            BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| {
                Failure::denied(
                    "delegation-refused: this is not what the command printed\nhelp: copy all of it, and nothing else",
                )
            })
        };
        let (payload, signature) = (bytes(challenge)?, bytes(signature)?);
        let who = console.sessions.answer(&payload, &signature, console.environment, &config.guards.approvers)?;
        return Ok(Come::In(who, "signature"));
    }
    let name = form.get("approver").ok_or_else(|| Failure::invalid("nothing was filled in"))?;
    let name: ApproverName = name.parse().map_err(Failure::invalid)?;
    // Whether there is an approver of that name is not said to whoever asks.
    let payload = challenge(console, config, &name, &format!("{}/console", origin(console, asked)))?;
    Ok(Come::Sign(name, BASE64_URL_SAFE_NO_PAD.encode(payload)))
}

fn origin(console: &Console, asked: &Asked) -> String {
    let scheme = console.origin.split_once("://").map_or("http", |(scheme, _)| scheme);
    format!("{scheme}://{}", asked.host())
}

/// What an approver signs to let a session of this console speak.
pub(super) fn challenge(console: &Console, config: &Config, name: &ApproverName, audience: &str) -> Result<Vec<u8>, Failure> {
    console.sessions.challenge(name.clone(), console.environment, audience.to_owned(), config.console.lasts)
}

/// Whom a token lets look.
pub(super) async fn viewer(console: &Console, config: &Config, token: &str) -> Result<Who, Failure> {
    let refused = || {
        Failure::denied(
            "not-a-viewer: this token opens nothing here\nhelp: it has to be good, and the operator names its principal in `[console] viewers`",
        )
    };
    let principal = console.identity.bearer(token).await.map_err(|error| {
        tracing::warn!(reason = %error, "a token was refused at the console");
        refused()
    })?;
    if !config.console.admits(&principal) {
        return Err(refused());
    }
    Ok(Who::Viewer(principal.id().clone(), SecretString::from(token)))
}

/// Begin a session: on record before it is one.
async fn begin(console: &Arc<Console>, config: &Config, who: Who, how: &'static str) -> Result<String, Failure> {
    let facts = json!({ "console": who.name(), "how": how });
    let principal = who.principal().to_owned();
    record(console, EventKind::AuthAccepted, principal, facts).await?;
    console.sessions.begin(who, config.console.lasts)
}

/// End the session.
pub(super) async fn leave(console: &Arc<Console>, asked: &Asked, session: Arc<Session>) -> Response {
    asked.session_cookie(console).and_then(|cookie| console.sessions.end(cookie));
    let facts = json!({ "console": session.who.name() });
    if let Err(failure) = record(console, EventKind::AuthEnded, session.who.principal().to_owned(), facts).await {
        tracing::error!(error = failure.message, "the end of a session could not be recorded");
    }
    with_cookie(console, redirect("/console/login"), None)
}

async fn record(console: &Arc<Console>, kind: EventKind, principal: String, facts: serde_json::Value) -> Result<(), Failure> {
    let console = Arc::clone(console);
    let written = tokio::task::spawn_blocking(move || console.recorder.act(kind, &principal, facts));
    written.await.unwrap_or_else(|_| Err(Failure::failed("it could not be put on record")))
}
