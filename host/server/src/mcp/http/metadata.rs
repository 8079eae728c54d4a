//! Which authorization server gives tokens for this one (RFC 9728). The one answer that nobody has to prove anything for.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::answer;
use crate::identity::{
    Identity,
    oauth::{OAuth, WELL_KNOWN},
};

/// The paths it is at: the well-known one alone, for the endpoint, and for the resource where that is at another path behind a proxy.
pub(super) fn paths(identity: &Identity) -> Vec<String> {
    let mut paths = vec![WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/mcp")];
    // A path is a pattern to the router, whose marks no address needs.
    let own = identity.oauth().map(|oauth| oauth.metadata_url().path().to_owned());
    paths.extend(own.filter(|path| !paths.contains(path) && !path.contains(['{', '}', ':', '*'])));
    paths
}

/// The metadata, where there is an authorization server.
pub(super) async fn metadata(identity: Arc<Identity>) -> Response {
    let Some(oauth) = identity.oauth() else {
        return answer::text(
            StatusCode::NOT_FOUND,
            "this server has no authorization server\nhelp: `casemate token new NAME` makes a token\n",
        );
    };
    let mut response = Response::new(Body::from(document(oauth)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    // It is public: a client in a browser may read it from wherever it runs. The endpoint itself looks at its origin.
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn document(oauth: &OAuth) -> String {
    let settings = oauth.settings();
    json!({
        "resource": settings.rules.resource,
        "authorization_servers": [settings.rules.issuer],
        "scopes_supported": settings.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "bearer_methods_supported": ["header"],
        "resource_name": "Casemate",
    })
    .to_string()
}
