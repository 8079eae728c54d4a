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
mod metadata;
mod sessions;
pub(super) mod step_up;

use std::{
    collections::{BTreeSet, HashMap},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    response::Response,
    routing::{any, get},
    serve::{Listener, ListenerExt},
};
use casemate_policy::{Principal, PrincipalId};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rmcp::{
    model::{ClientJsonRpcMessage, ClientRequest},
    transport::{StreamableHttpServerConfig, StreamableHttpService, streamable_http_server::session::SessionManager},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use self::sessions::{SESSIONS_PER_PRINCIPAL, Sessions};
use super::{
    House, Limits,
    decode::{Refused, decode},
    handler::Handler,
    in_flight::busy,
};
use crate::identity::Identity;

/// Names under which this machine reaches itself. A page on any other name (DNS rebinding) is refused.
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// How long a request's body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// How long calls may still run to their end when the server stops, before they are cancelled.
const DRAIN: Duration = Duration::from_secs(2);

/// How long cancelled calls have to end.
const LAST_CALLS: Duration = Duration::from_secs(3);

/// What an operator may set about the endpoint.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The bounds, for each principal.
    pub limits: Limits,
    /// Further `Host` names the server answers to, with or without a port. Loopback names always work.
    pub hosts: Vec<String>,
    /// Further web origins that may reach the server from a browser, such as `https://console.example`. An origin
    /// without a port is its scheme's default port. Loopback origins always work; requests without an origin do too.
    pub origins: Vec<String>,
}

/// Why the endpoint could not be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The listening socket failed.
    #[error("cannot serve HTTP on the listening socket")]
    Listener(#[source] io::Error),
}

/// Serves `/mcp` and `/healthz` on `listener` until `shutdown` fires and the last calls have ended.
///
/// # Errors
///
/// [`HttpError`]; nothing a client sends is one.
pub async fn serve<H: House>(
    listener: TcpListener,
    house: Arc<H>,
    identity: Arc<Identity>,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), HttpError> {
    let stop = CancellationToken::new();
    let described = Arc::clone(&identity);
    let front = Arc::new(Front { house, identity, options, stop: stop.clone(), doors: Mutex::default() });
    let mut routes = Router::new().route("/mcp", any(mcp::<H>)).route("/healthz", get(async || "ok\n"));
    for path in metadata::paths(&described) {
        let described = Arc::clone(&described);
        routes = routes.route(&path, get(move || metadata::metadata(described)));
    }
    let routes = routes.with_state(front);
    let serving =
        axum::serve(undelayed(listener), routes).with_graceful_shutdown(shutdown.clone().cancelled_owned()).into_future();
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
        stop.cancel();
        tokio::time::sleep(LAST_CALLS).await;
    };
    tokio::select! {
        served = serving => served.map_err(HttpError::Listener),
        () = deadline => {
            tracing::warn!("connections were still open when the server stopped");
            Ok(())
        }
    }
}

/// `listener` with TCP_NODELAY on what it accepts: otherwise the last part of an answer waits for the client's delayed
/// acknowledgement of the part before, 40 ms on Linux.
fn undelayed(listener: TcpListener) -> impl Listener<Addr = SocketAddr, Io = TcpStream> {
    listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    })
}

/// What all principals share.
struct Front<H> {
    house: Arc<H>,
    identity: Arc<Identity>,
    options: Options,
    stop: CancellationToken,
    /// One door for each principal that ever presented a good token. What a token confers is not the door's: it comes with each request.
    doors: Mutex<HashMap<PrincipalId, Arc<Door<H>>>>,
}

/// What one principal has to itself.
struct Door<H> {
    service: StreamableHttpService<Handler<H>, Sessions>,
    sessions: Arc<Sessions>,
    limits: Limits,
}

impl<H: House> Front<H> {
    fn door(&self, principal: &Principal) -> Arc<Door<H>> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        let bare = || Principal::new(principal.id().clone()).with_scopes(BTreeSet::new());
        Arc::clone(doors.entry(principal.id().clone()).or_insert_with(|| Arc::new(self.build(bare()))))
    }

    fn build(&self, principal: Principal) -> Door<H> {
        let limits = self.options.limits;
        let handler = Handler::new(Arc::clone(&self.house), principal, limits);
        let sessions = Arc::new(Sessions::default());
        let hosts = LOOPBACK_HOSTS.map(String::from).into_iter().chain(self.options.hosts.iter().cloned());
        let loopback = LOOPBACK_HOSTS.iter().flat_map(|host| [format!("http://{host}:*"), format!("https://{host}:*")]);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(loopback.chain(self.options.origins.iter().map(|origin| with_port(origin))))
            .enforce_origin_validation()
            .with_max_request_body_bytes(limits.message_bytes)
            .with_json_response(true)
            // No invitation to reconnect: see the module's word on hanging up.
            .with_sse_retry(None)
            .with_cancellation_token(self.stop.clone());
        let service = StreamableHttpService::new(move || Ok(handler.clone()), Arc::clone(&sessions), config);
        Door { service, sessions, limits }
    }
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
    let principal = match bearer::authenticate(&front.identity, request.uri(), request.headers()).await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    let door = front.door(&principal);
    let ends = *request.method() == Method::DELETE;
    match door.admit(request).await {
        Ok((mut request, tool)) => {
            let lacking = tool.map(|tool| front.house.lacking(&principal, &tool)).unwrap_or_default();
            let refused = step_up::Refused::default();
            request.extensions_mut().insert(refused.clone());
            // Who asks, for the handler: roles and scopes are this token's.
            request.extensions_mut().insert(principal);
            match door.service.handle(request).await.map(Body::new) {
                // It has ended: "accepted" would say that it will, and makes the MCP Python SDK complain.
                answer if ends && answer.status() == StatusCode::ACCEPTED => answer::ended(),
                answer if lacking.is_empty() => answer,
                answer => step_up::challenge(answer, &refused, lacking, &front.identity, door.limits.message_bytes).await,
            }
        }
        Err(answer) => answer,
    }
}

impl<H: House> Door<H> {
    /// The request with its body read and known to be one message, and the tool that it calls; or the answer to give instead.
    async fn admit(&self, request: Request) -> Result<(Request, Option<String>), Response> {
        match *request.method() {
            Method::POST => {
                let (parts, body) = request.into_parts();
                let body = read(body, self.limits.message_bytes).await?;
                let message = decode(&body).map_err(|refused| answer::json_rpc(StatusCode::BAD_REQUEST, &refused))?;
                self.has_room(&message).await?;
                Ok((Request::from_parts(parts, Body::from(body)), step_up::called(&message)))
            }
            // `rmcp` answers the deletion of any session with 202.
            Method::DELETE => match sessions::named(request.headers()) {
                Some(id) if !self.sessions.has_session(&id).await.unwrap_or(false) => Err(answer::unknown_session()),
                _ => Ok((request, None)),
            },
            _ => Ok((request, None)),
        }
    }

    async fn has_room(&self, message: &ClientJsonRpcMessage) -> Result<(), Response> {
        let ClientJsonRpcMessage::Request(request) = message else { return Ok(()) };
        if !matches!(request.request, ClientRequest::InitializeRequest(_)) || self.sessions.count().await < SESSIONS_PER_PRINCIPAL
        {
            return Ok(());
        }
        let refused = Refused::new(Some(request.id.clone()), busy("sessions", SESSIONS_PER_PRINCIPAL));
        Err(answer::json_rpc(StatusCode::SERVICE_UNAVAILABLE, &refused))
    }
}

/// The body, if it is no larger than `limit` and arrives in time. More than `limit` is never held.
async fn read(body: Body, limit: usize) -> Result<bytes::Bytes, Response> {
    let too_large = || answer::json_rpc(StatusCode::PAYLOAD_TOO_LARGE, &Refused::too_large(limit));
    if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced > limit) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(answer::text(StatusCode::BAD_REQUEST, "the request's body could not be read\n")),
        Err(_) => Err(answer::text(StatusCode::REQUEST_TIMEOUT, "the request's body did not arrive in time\n")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use axum::serve::Listener;
    use tokio::net::{TcpListener, TcpStream};

    use super::{undelayed, with_port};

    #[tokio::test]
    async fn accepted_connections_send_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = undelayed(listener).accept().await;
        assert!(accepted.nodelay().unwrap());
    }

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
