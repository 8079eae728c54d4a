//! What a client over HTTP meets: nothing without a token, and the tools with one.

use std::{collections::BTreeMap, env, time::Duration};

use casemate_registry::{Authority, Client, FetchError, HostRule, Settings};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use super::Findings;

/// An endpoint that takes longer is of no use to a client.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes of an answer that are looked at.
const MOST: usize = 16 << 20;

const REVISION: &str = "2026-07-28";

/// Ask without a token, which must be refused, then with the one in the variable.
pub(super) async fn ask(url: &Url, variable: &str, findings: &mut Findings) {
    let client = match client(url) {
        Ok(client) => client,
        Err(error) => return findings.broken("http", error),
    };
    match list(&client, url, None).await {
        Ok((StatusCode::UNAUTHORIZED, headers, _)) if headers.contains_key(header::WWW_AUTHENTICATE) => {
            findings.well("http", format!("{url} lets nobody in without a token"));
        }
        Ok((status, ..)) => {
            return findings.broken(
                "http",
                format!("{url} answers {status} to a request without a token: this is no casemate, or something in front of it answers"),
            );
        }
        Err(error) => return findings.broken("http", format!("{url} cannot be reached: {}", error)),
    }
    let Ok(token) = env::var(variable) else {
        return findings.doubtful(
            "http",
            format!("${variable} is not set, so nothing was asked with a token\nhelp: casemate token new NAME"),
        );
    };
    match list(&client, url, Some(token.trim())).await {
        Ok((StatusCode::OK, _, body)) => match body.pointer("/result/tools").and_then(Value::as_array) {
            Some(tools) => findings
                .well("http", format!("a client with the token in ${variable} sees {} tools on the first page", tools.len())),
            None => findings.broken("http", format!("`tools/list` is answered with {body}")),
        },
        Ok((StatusCode::UNAUTHORIZED, ..)) => {
            findings.broken(
                "http",
                format!("the token in ${variable} is refused; the server's log says why\nhelp: casemate token list"),
            );
        }
        Ok((status, _, body)) => findings.broken("http", format!("with the token in ${variable} it answers {status}: {body}")),
        Err(error) => findings.broken("http", error),
    }
}

/// A client for this URL alone: a person named it, so it may be anywhere.
fn client(url: &Url) -> Result<Client, String> {
    let name = url.host_str().ok_or_else(|| format!("`{url}` has no host"))?;
    let host: Authority = match url.port() {
        Some(port) => format!("{name}:{port}").parse(),
        None => name.parse(),
    }
    .map_err(|error: casemate_registry::InvalidAuthority| error.to_string())?;
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
    let hosts = BTreeMap::from([(host, HostRule { allow_private: everywhere, ..HostRule::default() })]);
    Client::new(Settings { hosts, deadline: PATIENCE, stall: PATIENCE, ..Settings::default() }).map_err(|error| error.to_string())
}

async fn list(client: &Client, url: &Url, token: Option<&str>) -> Result<(StatusCode, HeaderMap, Value), FetchError> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "casemate-doctor", "version": env!("CARGO_PKG_VERSION") },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let fixed = [
        (header::ACCEPT, "application/json, text/event-stream"),
        (header::CONTENT_TYPE, "application/json"),
        (HeaderName::from_static("mcp-protocol-version"), REVISION),
        (HeaderName::from_static("mcp-method"), "tools/list"),
    ];
    let mut headers: HeaderMap = fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    if let Some(mut bearer) = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
    let posted = client.post(url, headers, request.to_string().into_bytes(), MOST).await?;
    Ok((posted.status, posted.headers, serde_json::from_slice(&posted.body).unwrap_or(Value::Null)))
}
