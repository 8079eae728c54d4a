//! `/metrics`, as Prometheus reads it: on an address of its own, for whoever is let near it. It has nothing that a token would guard, and
//! nothing is changed by it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::spawn_blocking,
};

use crate::{
    config::{HttpSettings, MetricsSettings},
    console::guard,
    mcp::{self, Shutdown},
};

/// Connections; those who scrape are few.
const CONNECTIONS: usize = 32;
/// Bytes and fields of a request's head.
const HEAD: (usize, usize) = (16 << 10, 64);
/// Readings that are under way at once. A reading asks the ledger.
const AT_ONCE: usize = 2;

/// What who comes under another name is told.
const REFUSED: &str = "metrics-refused: metrics are not served under this name, or to a page of another site\nhelp: add the name to `[telemetry] hosts`\n";

struct Page {
    registry: Registry,
    settings: Arc<HttpSettings>,
    places: Semaphore,
}

/// Serve them until told to stop.
pub(super) async fn serve(listener: TcpListener, registry: Registry, metrics: &MetricsSettings, shutdown: Shutdown) {
    // Whoever writes the address itself was not led here by a name.
    let own = listener.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
    let own = own.map(|ip| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
    let settings = Arc::new(HttpSettings {
        hosts: metrics.hosts.iter().cloned().chain(own).collect(),
        connections: CONNECTIONS,
        connections_per_address: CONNECTIONS,
        header_bytes: HEAD.0,
        header_fields: HEAD.1,
        ..HttpSettings::default()
    });
    let page = Arc::new(Page { registry, settings: Arc::clone(&settings), places: Semaphore::new(AT_ONCE) });
    let router = Router::new().route("/metrics", get(read)).with_state(page);
    mcp::http::serve_alone(listener, router, watch::channel(settings).1, None, shutdown).await;
}

async fn read(State(page): State<Arc<Page>>, request: Request) -> Response {
    if guard::check(request.method(), request.headers(), &page.settings, false).is_err() {
        return (StatusCode::FORBIDDEN, REFUSED).into_response();
    }
    let Ok(_place) = page.places.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy: metrics are being read\n").into_response();
    };
    let registry = page.registry.clone();
    // It waits for a file, if only for microseconds.
    let written = spawn_blocking(move || {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).map(|()| text)
    });
    match written.await {
        Ok(Ok(text)) => {
            let mut response = text.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(prometheus::TEXT_FORMAT));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            response
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n").into_response(),
    }
}
