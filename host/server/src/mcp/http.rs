//! Streamable HTTP: one endpoint, `/mcp`, for whoever presents a bearer token.
//!
//! There is no way in without a token, on any address. Each principal has a door of its own: its sessions, its bound on
//! calls, its handler. A session id therefore opens nothing for anyone else; behind another door it does not exist.
//!
//! A call whose client hangs up is cancelled, in every revision. (2025-11-25 asks servers not to take a dropped stream for
//! a cancelled call, so that the client can come back for the answer. This server gives out nothing to come back with, and
//! a security tool should not go on acting for nobody.)

mod answer;
mod bearer;
mod connection;
mod held;
mod listener;
mod metadata;
mod sessions;
mod standing;
pub(super) mod step_up;
mod tls;
mod watched;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    response::Response,
    routing::{any, get},
};
use casemate_policy::{Principal, PrincipalId};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rmcp::{
    model::{ClientJsonRpcMessage, ClientRequest},
    transport::{StreamableHttpServerConfig, StreamableHttpService, streamable_http_server::session::SessionManager},
};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::bearer::presented_alone as presented;
pub use self::tls::{Acceptor, TlsError};
use self::{
    held::held,
    listener::Ground,
    sessions::{SESSIONS_PER_PRINCIPAL, Sessions},
    standing::Standing,
    step_up::Called,
};
use super::{
    House, Limits,
    decode::{Refused, decode},
    handler::Handler,
    in_flight::busy,
    shutdown::{LAST_CALLS, Shutdown, UnderWay},
};
use crate::{config::HttpSettings, identity::Identity};

/// Names under which this machine reaches itself. A page on any other name (DNS rebinding) is refused.
pub(crate) const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Doors that are kept although nobody stands in them.
const DOORS: usize = 4096;

/// What an operator may set about the endpoint.
#[derive(Debug)]
pub struct Options {
    /// The bounds, for each principal.
    pub limits: Limits,
    /// The settings of the moment. A change counts for whatever begins after it.
    pub settings: watch::Receiver<Arc<HttpSettings>>,
    /// TLS, where it is spoken.
    pub tls: Option<Arc<Acceptor>>,
    /// What else is served at this address.
    pub beside: Option<Router>,
}

/// Serves `/mcp` and `/healthz` on `listener` until it is told to stop and the last calls have ended.
///
/// Told to stop, it accepts nothing more. What has begun may come to its end for as long as `drain` says, or until the second word; then it
/// is cancelled. Nothing that a client sends ends it.
pub async fn serve<H: House>(
    listener: TcpListener,
    house: Arc<H>,
    identity: Arc<Identity>,
    options: Options,
    shutdown: Shutdown,
) {
    let stop = CancellationToken::new();
    let (settings, under_way) = (options.settings.clone(), UnderWay::default());
    let described = Arc::clone(&identity);
    let front = Arc::new(Front {
        house,
        identity,
        limits: options.limits,
        settings: settings.clone(),
        stop: stop.clone(),
        under_way: under_way.clone(),
        doors: Mutex::default(),
    });
    // Health is asked after by what holds no token: it says that the server answers, and nothing about it.
    let mut router = Router::new().route("/mcp", any(mcp::<H>)).route("/healthz", get(async || "ok\n"));
    for path in metadata::paths(&described) {
        let described = Arc::clone(&described);
        router = router.route(&path, get(move || metadata::metadata(described)));
    }
    let router = router.with_state(front).merge(options.beside.unwrap_or_default());
    let ground = Ground { router, settings, tls: options.tls, shutdown: shutdown.clone() };
    let mut connections = listener::accept(listener, &ground).await;
    let drain = ground.settings.borrow().drain;
    tokio::select! {
        () = under_way.none() => {}
        () = shutdown.over(drain) => tracing::warn!("calls were still running when the server stopped; they are cancelled"),
    }
    // Ends the sessions too, and with them the streams that would never end by themselves.
    stop.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_CALLS, ended).await.is_err() {
        tracing::warn!("connections were still open when the server stopped");
    }
}

/// Serves nothing but `router` on `listener`, on the same ground: until it is told to stop.
pub(crate) async fn serve_alone(
    listener: TcpListener,
    router: Router,
    settings: watch::Receiver<Arc<HttpSettings>>,
    tls: Option<Arc<Acceptor>>,
    shutdown: Shutdown,
) {
    let ground = Ground { router, settings, tls, shutdown };
    let mut connections = listener::accept(listener, &ground).await;
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_CALLS, ended).await;
}

tokio::task_local! {
    /// Who makes the request that is being handled.
    static CALLER: Principal;
}

/// What all principals share.
struct Front<H> {
    house: Arc<H>,
    identity: Arc<Identity>,
    limits: Limits,
    settings: watch::Receiver<Arc<HttpSettings>>,
    stop: CancellationToken,
    /// Requests that are not answered yet, but for streams that only end with their client.
    under_way: UnderWay,
    /// One door for each principal that ever presented a good token. What a token confers is not the door's: it comes with each request.
    doors: Mutex<HashMap<PrincipalId, Arc<Door<H>>>>,
}

/// What one principal has to itself.
struct Door<H> {
    service: RwLock<Service<H>>,
    sessions: Arc<Sessions>,
}

/// `rmcp`'s part of a door, and the settings it was made with.
struct Service<H> {
    made_with: Arc<HttpSettings>,
    service: Arc<Rmcp<H>>,
}

type Rmcp<H> = StreamableHttpService<Handler<H>, Sessions>;

impl<H: House> Front<H> {
    fn door(&self, principal: &Principal) -> Arc<Door<H>> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if doors.len() >= DOORS && !doors.contains_key(principal.id()) {
            // Whoever has a session or a request under way keeps its door; the others get theirs anew.
            doors.retain(|_, door| Arc::strong_count(door) > 1 || !door.sessions.is_empty());
        }
        let bare = || Principal::new(principal.id().clone()).with_scopes(BTreeSet::new());
        Arc::clone(doors.entry(principal.id().clone()).or_insert_with(|| Arc::new(self.build(bare()))))
    }

    fn build(&self, principal: Principal) -> Door<H> {
        let handler = Handler::new(Arc::clone(&self.house), principal, self.limits);
        let (sessions, settings) = (Arc::new(Sessions::default()), Arc::clone(&self.settings.borrow()));
        let config = StreamableHttpServerConfig::default()
            .enforce_origin_validation()
            .with_json_response(true)
            // No invitation to reconnect: see the module's word on hanging up.
            .with_sse_retry(None)
            .with_cancellation_token(self.stop.clone());
        let mut service = StreamableHttpService::new(
            // Asked within the request, also where `rmcp` has no context to hand over.
            move || Ok(CALLER.try_with(Principal::clone).map_or_else(|_| handler.clone(), |caller| handler.of(caller))),
            Arc::clone(&sessions),
            config,
        );
        apply(&mut service.config, &settings);
        Door { service: RwLock::new(Service { made_with: settings, service: Arc::new(service) }), sessions }
    }
}

/// Who is let in under which names, and with how much.
fn apply(config: &mut StreamableHttpServerConfig, settings: &HttpSettings) {
    let hosts = LOOPBACK_HOSTS.map(String::from).into_iter().chain(settings.hosts.iter().cloned());
    let loopback = LOOPBACK_HOSTS.iter().flat_map(|host| [format!("http://{host}:*"), format!("https://{host}:*")]);
    let origins = loopback.chain(settings.origins.iter().map(|origin| with_port(origin)));
    *config = std::mem::take(config)
        .with_allowed_hosts(hosts)
        .with_allowed_origins(origins)
        .with_max_request_body_bytes(settings.message_bytes);
}

/// `origin` with its port spelled out; `rmcp` takes an origin without one for any port.
fn with_port(origin: &str) -> String {
    let bare = origin.trim_end_matches('/');
    match bare.split_once("://") {
        Some(("https", host)) if !has_port(host) => format!("{bare}:443"),
        Some(("http", host)) if !has_port(host) => format!("{bare}:80"),
        _ => bare.into(),
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(']').map_or(host, |(_, after_ipv6)| after_ipv6).contains(':')
}

/// Every request to the endpoint: who is it, is it a message, and on to `rmcp`.
async fn mcp<H: House>(State(front): State<Arc<Front<H>>>, request: Request) -> Response {
    if let Some(name) = given_twice(request.headers()) {
        tracing::warn!(reason = "header-twice", "a request was refused");
        return answer::text(StatusCode::BAD_REQUEST, name);
    }
    let certificate = request.extensions().get::<tls::ClientCertificate>();
    let principal = match bearer::authenticate(&front.identity, request.uri(), request.headers(), certificate).await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    let door = front.door(&principal);
    let settings = Arc::clone(&front.settings.borrow());
    let ends = *request.method() == Method::DELETE;
    let Admitted { mut request, awaited, streams, called } = match door.admit(request, &settings).await {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    let begun = awaited.then(|| front.under_way.begin());
    let standing = streams.then(|| Standing::of(&request, &principal, &front.identity));
    let lacking = step_up::lacking(&*front.house, &principal, called);
    let refused = step_up::Refused::default();
    request.extensions_mut().insert(refused.clone());
    // Who asks, for the handler: roles and scopes are this token's.
    request.extensions_mut().insert(principal.clone());
    let service = door.service(&settings);
    let answer = match CALLER.scope(principal, service.handle(request)).await.map(Body::new) {
        // It has ended: "accepted" would say that it will, and makes the MCP Python SDK complain.
        answer if ends && answer.status() == StatusCode::ACCEPTED => answer::ended(),
        answer if lacking.is_empty() => answer,
        answer => step_up::challenge(answer, &refused, lacking, &front.identity, settings.message_bytes).await,
    };
    let answer = match standing {
        Some(standing) => standing.bounds(answer),
        None => answer,
    };
    held(answer, begun)
}

/// A request with its body read and known to be one message.
struct Admitted {
    request: Request,
    /// Whether its answer is waited for when the server stops.
    awaited: bool,
    /// Whether its answer is a stream that only ends with its client.
    streams: bool,
    /// What it calls.
    called: Option<Called>,
}

/// A header that says where a request is going, where it comes from or what it asks for is there once: which of two counts, a proxy may
/// see otherwise.
fn given_twice(headers: &HeaderMap) -> Option<&'static str> {
    let twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    if twice(&header::HOST) {
        return Some("the request has more than one Host header\n");
    }
    if twice(&header::ORIGIN) {
        return Some("the request has more than one Origin header\n");
    }
    let protocols = |name: &&HeaderName| name.as_str().starts_with("mcp-");
    headers
        .keys()
        .filter(protocols)
        .any(twice)
        .then_some("the request has one of the protocol's headers (Mcp-…) more than once\n")
}

impl<H: House> Door<H> {
    /// `rmcp`'s part, with these settings.
    fn service(&self, settings: &Arc<HttpSettings>) -> Arc<Rmcp<H>> {
        {
            let known = self.service.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&known.made_with, settings) {
                return Arc::clone(&known.service);
            }
        }
        let mut known = self.service.write().unwrap_or_else(PoisonError::into_inner);
        // The sessions stay: a clone has the same.
        let mut service = Rmcp::clone(&known.service);
        apply(&mut service.config, settings);
        *known = Service { made_with: Arc::clone(settings), service: Arc::new(service) };
        Arc::clone(&known.service)
    }

    /// The request, or the answer to give instead.
    async fn admit(&self, request: Request, settings: &HttpSettings) -> Result<Admitted, Response> {
        match *request.method() {
            Method::POST => {
                let (parts, body) = request.into_parts();
                let body = read(body, settings.message_bytes, settings.body_time).await?;
                let message = decode(&body).map_err(|refused| answer::json_rpc(StatusCode::BAD_REQUEST, &refused))?;
                self.has_room(&message).await?;
                let streams = matches!(&message, ClientJsonRpcMessage::Request(request)
                    if matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)));
                let awaited = matches!(message, ClientJsonRpcMessage::Request(_)) && !streams;
                let request = Request::from_parts(parts, Body::from(body));
                Ok(Admitted { request, awaited, streams, called: Called::of(&message) })
            }
            // `rmcp` answers the deletion of any session with 202.
            Method::DELETE => match sessions::named(request.headers()) {
                Some(id) if !self.sessions.has_session(&id).await.unwrap_or(false) => Err(answer::unknown_session()),
                _ => Ok(Admitted { request, awaited: false, streams: false, called: None }),
            },
            _ => Ok(Admitted { request, awaited: false, streams: true, called: None }),
        }
    }

    async fn has_room(&self, message: &ClientJsonRpcMessage) -> Result<(), Response> {
        let ClientJsonRpcMessage::Request(request) = message else { return Ok(()) };
        if !matches!(request.request, ClientRequest::InitializeRequest(_)) || self.sessions.count().await < SESSIONS_PER_PRINCIPAL
        {
            return Ok(());
        }
        let refused = Refused::new(Some(request.id.clone()), busy("sessions", SESSIONS_PER_PRINCIPAL));
        Err(answer::busy(&refused))
    }
}

/// The body, if it is no larger than `limit` and arrives in time. More than `limit` is never held.
async fn read(body: Body, limit: usize, within: Duration) -> Result<bytes::Bytes, Response> {
    let too_large = || {
        tracing::debug!(limit = "message_kib", "a request's body is too large");
        answer::json_rpc(StatusCode::PAYLOAD_TOO_LARGE, &Refused::too_large(limit))
    };
    if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced > limit) {
        return Err(too_large());
    }
    match tokio::time::timeout(within, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(answer::text(StatusCode::BAD_REQUEST, "the request's body could not be read\n")),
        Err(_) => Err(answer::json_rpc(StatusCode::REQUEST_TIMEOUT, &Refused::too_late(within))),
    }
}

#[cfg(test)]
mod tests {
    use super::with_port;

    #[test]
    fn an_origin_without_a_port_means_its_default_port() {
        for (given, meant) in [
            ("https://a.example", "https://a.example:443"),
            ("http://a.example/", "http://a.example:80"),
            ("https://a.example:8443", "https://a.example:8443"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:443"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("http://a.example:*", "http://a.example:*"),
        ] {
            assert_eq!(with_port(given), meant);
        }
    }
}
