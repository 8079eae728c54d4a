//! From a request to an answer: the guard, then who asks, then the page. One table says which page is where, and what it takes.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use casemate_policy::Timestamp;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use maud::Markup;
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret as _;

use super::{
    Console, asset,
    form::Fields,
    guard, live, login, page, part,
    session::{Session, Who},
};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure},
    mcp::http::presented,
};

/// Bytes of a form. A signature, a token and a reason are far below.
const MAX_FORM: usize = 64 << 10;
/// What a cookie and a script's request are known by.
const COOKIE: &str = "casemate-console";
const SECURE_COOKIE: &str = "__Host-casemate-console";
const THEME_COOKIE: &str = "casemate-theme";
const LIVE: &str = "x-casemate-live";

/// A request, taken apart. Nothing in it is believed.
pub(super) struct Asked {
    method: Method,
    headers: HeaderMap,
    /// What follows `/console/`, decoded, without empty parts.
    path: Vec<String>,
    /// The path and the query as they were sent.
    target: String,
    pub(super) query: Fields,
    pub(super) form: Fields,
}

/// A page, and the status it is answered with.
pub(super) struct Answer(pub(super) StatusCode, pub(super) Markup);

/// What every page is made with: who looks, and at what moment.
pub(super) struct Desk<'a> {
    pub(super) console: &'a Console,
    pub(super) config: Config,
    pub(super) session: &'a Session,
    pub(super) asked: &'a Asked,
    pub(super) now: Timestamp,
}

impl Desk<'_> {
    pub(super) fn who(&self) -> &Who {
        &self.session.who
    }

    pub(super) fn theme(&self) -> &'static str {
        self.asked.theme()
    }
}

impl Asked {
    /// Which colours the person chose.
    pub(super) fn theme(&self) -> &'static str {
        match self.cookie(THEME_COOKIE).unwrap_or_default() {
            "dark" => "dark",
            "light" => "light",
            _ => "auto",
        }
    }

    /// Whether a script looks again, and no person.
    fn is_live(&self) -> bool {
        self.headers.contains_key(LIVE)
    }

    /// A cookie that is there once.
    fn cookie(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = all
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(known, _)| *known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// Where the person wanted to go: a page of this console, or its first.
    pub(super) fn next(&self) -> String {
        let wanted = self.form.get("next").or_else(|| self.query.get("next")).unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~?&=%+:".contains(&byte);
        let ours = wanted.strip_prefix("/console/").is_some_and(|rest| !rest.starts_with("login"));
        if ours && !wanted.contains("//") && wanted.bytes().all(plain) { wanted.to_owned() } else { "/console".to_owned() }
    }
}

/// Every request below `/console`.
pub(super) async fn answer(State(console): State<Arc<Console>>, request: Request) -> Response {
    let answer = match take(&console, request).await {
        Ok(asked) => reply(&console, asked).await,
        Err(response) => response,
    };
    guard::dressed(answer)
}

/// The request, if the guard lets it in; what it carries is read.
async fn take(console: &Arc<Console>, request: Request) -> Result<Asked, Response> {
    let settings = Arc::clone(&console.http.borrow());
    let (parts, body) = request.into_parts();
    if let Err(refused) = guard::check(&parts.method, &parts.headers, &settings, console.is_secure()) {
        tracing::warn!(reason = refused.code(), "a request to the console was refused");
        console.identity.refusals().note(refused.code());
        return Err(bare(StatusCode::FORBIDDEN, refused.sentence()));
    }
    let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(|part| part.into_owned()).ok();
    let rest = parts.uri.path().strip_prefix("/console").unwrap_or_default();
    let path: Option<Vec<String>> = rest.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let target = parts.uri.path_and_query().map(|target| target.as_str().to_owned()).unwrap_or_default();
    let body = if parts.method == Method::POST {
        let body = tokio::time::timeout(settings.body_time, Limited::new(body, MAX_FORM).collect()).await;
        match body {
            Ok(Ok(body)) => body.to_bytes(),
            _ => return Err(bare(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large, or did not arrive")),
        }
    } else {
        bytes::Bytes::new()
    };
    Ok(Asked {
        path: path.ok_or_else(|| bare(StatusCode::BAD_REQUEST, "the address is not UTF-8"))?,
        query: Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()),
        form: Fields::parse(&body),
        method: parts.method,
        headers: parts.headers,
        target,
    })
}

async fn reply(console: &Arc<Console>, asked: Asked) -> Response {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    match (asked.method.as_str(), path.as_slice()) {
        ("GET" | "HEAD", ["asset", name]) => return file(name),
        ("GET" | "HEAD" | "POST", _) => {}
        _ => return bare(StatusCode::METHOD_NOT_ALLOWED, "the console answers GET and POST"),
    }
    let posts = asked.method == Method::POST;
    let config = match console.config() {
        Ok(config) => config,
        Err(failure) => return failed(&asked, &failure),
    };
    let door = match path.as_slice() {
        ["login"] => true,
        ["theme"] if posts => return chosen(&asked),
        _ => false,
    };
    if door {
        return login::answer(console, asked, config).await;
    }
    let session = match who(console, &asked, &config).await {
        Some(session) => session,
        None if posts || asked.is_live() || path == ["live"] => {
            return failed(&asked, &Failure::denied("nobody is signed in, or no longer"));
        }
        None => return redirect(&login::place(&asked.target)),
    };
    if posts && !asked.form.get("form").is_some_and(|form| session.made(form)) {
        console.identity.refusals().note("console-form");
        return failed(
            &asked,
            &Failure::denied("this form was not made for this session\nhelp: go back, load the page again and send it anew"),
        );
    }
    match path.as_slice() {
        ["live"] if !posts => return live::stream(console, asked.cookie(cookie_name(console)).unwrap_or_default(), &config),
        ["logout"] if posts => return login::leave(console, &asked, session).await,
        _ => {}
    }
    page_of(console, asked, config, session).await
}

/// Pages read files and wait for disks, so they are made where waiting is allowed.
async fn page_of(console: &Arc<Console>, asked: Asked, config: Config, session: Arc<Session>) -> Response {
    let console = Arc::clone(console);
    let made = tokio::task::spawn_blocking(move || {
        let desk = Desk { console: &console, config, session: &session, asked: &asked, now: clock::now() };
        match table(&desk) {
            Ok(answer) => answer.into_response(),
            Err(failure) => {
                let status = status(&failure);
                Answer(status, part::frame(&desk, "Refused", "", &part::trouble(&failure))).into_response()
            }
        }
    });
    made.await
        .unwrap_or_else(|_| bare(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made; the server's log says why"))
}

/// Which page is where.
fn table(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let path: Vec<&str> = desk.asked.path.iter().map(String::as_str).collect();
    match (desk.asked.method == Method::POST, path.as_slice()) {
        (false, []) => page::overview::show(desk),
        (false, ["approvals"]) => page::approvals::list(desk),
        (false, ["approvals", id]) => page::approval::show(desk, id),
        (true, ["approvals", id]) => page::approval::say(desk, id),
        (true, ["approvals", id, "withdraw"]) => page::approval::withdraw(desk, id),
        (false, ["audit"]) => page::audit::list(desk),
        (false, ["audit", id]) => page::record::show(desk, id),
        (false, ["plugins"]) => page::plugins::list(desk),
        (false, ["plugins", publisher, name]) => page::plugins::show(desk, &format!("{publisher}/{name}")),
        (true, ["plugins", publisher, name]) => page::plugins::compare(desk, &format!("{publisher}/{name}")),
        (false, ["grants"]) => page::grants::show(desk),
        (false, ["callers"]) => page::callers::show(desk),
        (true, ["callers", "resume"]) => page::callers::resume(desk),
        (false, ["posture"]) => page::posture::show(desk),
        _ => Ok(Answer(StatusCode::NOT_FOUND, part::frame(desk, "Not found", "", &part::nothing("There is no such page.")))),
    }
}

/// Who asks: a session, or whoever a token in the header names. The latter may look at pages, and send no form.
async fn who(console: &Console, asked: &Asked, config: &Config) -> Option<Arc<Session>> {
    let cookie = asked.cookie(cookie_name(console));
    let session = cookie.and_then(|cookie| console.sessions.of(cookie, config.console.idle, !asked.is_live()));
    if let Some(session) = session {
        let stays = match &session.who {
            Who::Local => true,
            Who::Approver(speaker) => speaker.may_speak(console.environment, &config.guards.approvers, clock::now()),
            // The token is shown anew each time: one that was revoked opens nothing from then on.
            Who::Viewer(principal, token) => {
                let found = console.identity.bearer(token.expose_secret()).await;
                found.is_ok_and(|found| found.id() == principal && config.console.admits(&found))
            }
        };
        if !stays {
            cookie.and_then(|cookie| console.sessions.end(cookie));
        }
        return stays.then_some(session);
    }
    if !asked.headers.contains_key(header::AUTHORIZATION) || asked.method == Method::POST {
        return None;
    }
    let uri = asked.target.parse().ok()?;
    let token = presented(&uri, &asked.headers)?;
    let who = login::viewer(console, config, token).await.ok()?;
    Some(Arc::new(Session::of_request(who)))
}

pub(super) fn cookie_name(console: &Console) -> &'static str {
    if console.is_secure() { SECURE_COOKIE } else { COOKIE }
}

/// The answer that gives a browser its session, or takes it away.
pub(super) fn with_cookie(console: &Console, mut response: Response, value: Option<&str>) -> Response {
    let (name, value, age) = (cookie_name(console), value.unwrap_or_default(), if value.is_some() { "" } else { "; Max-Age=0" });
    let place = if console.is_secure() { "; Path=/; Secure" } else { "; Path=/console" };
    if let Ok(cookie) = HeaderValue::try_from(format!("{name}={value}{place}; HttpOnly; SameSite=Strict{age}")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Asked {
    pub(super) fn session_cookie(&self, console: &Console) -> Option<&str> {
        self.cookie(cookie_name(console))
    }

    /// The address of this page, to come back to; of what a form was sent to, its first page.
    pub(super) fn page(&self) -> String {
        if self.posts() { "/console".to_owned() } else { self.target.clone() }
    }

    pub(super) fn posts(&self) -> bool {
        self.method == Method::POST
    }

    /// The name that the browser reaches the console by.
    pub(super) fn host(&self) -> &str {
        guard::one(&self.headers, header::HOST).unwrap_or_default()
    }
}

/// Light or dark, as chosen: it concerns nobody but who looks.
fn chosen(asked: &Asked) -> Response {
    let theme = asked.form.get("theme").filter(|theme| ["dark", "light"].contains(theme)).unwrap_or("auto");
    let mut response = redirect(&asked.next());
    if let Ok(cookie) =
        HeaderValue::try_from(format!("{THEME_COOKIE}={theme}; Path=/console; HttpOnly; SameSite=Strict; Max-Age=31536000"))
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Answer {
    pub(super) fn into_response(self) -> Response {
        with_type(self.0, "text/html; charset=utf-8", self.1.into_string())
    }
}

/// To another page of the console.
pub(super) fn redirect(place: &str) -> Response {
    let mut response = with_type(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", String::new());
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A page for somebody of whom nothing is known.
pub(super) fn failed(asked: &Asked, failure: &Failure) -> Response {
    let status = if failure.exit == Exit::Denied && !asked.headers.contains_key(header::COOKIE) {
        StatusCode::UNAUTHORIZED
    } else {
        status(failure)
    };
    Answer(status, part::outside(asked.theme(), "Refused", &part::trouble(failure))).into_response()
}

pub(super) fn status(failure: &Failure) -> StatusCode {
    match failure.exit {
        Exit::Denied => StatusCode::FORBIDDEN,
        Exit::Invalid => StatusCode::BAD_REQUEST,
        Exit::Done | Exit::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn file(name: &str) -> Response {
    match asset::find(name) {
        Some((media, text)) => with_type(StatusCode::OK, media, text.to_owned()),
        None => bare(StatusCode::NOT_FOUND, "there is no such file"),
    }
}

fn bare(status: StatusCode, sentence: &str) -> Response {
    with_type(status, "text/plain; charset=utf-8", format!("{sentence}\n"))
}

fn with_type(status: StatusCode, media: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
