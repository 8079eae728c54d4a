//! What a client over HTTP meets: nothing without a token, and the tools with one.

use std::{env, time::Duration};

use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use super::Findings;

/// An endpoint that takes longer is of no use to a client.
const PATIENCE: Duration = Duration::from_secs(15);

const REVISION: &str = "2026-07-28";

/// Ask without a token, which must be refused, then with the one in the variable.
pub(super) async fn ask(url: &Url, variable: &str, findings: &mut Findings) {
    let client = match client() {
        Ok(client) => client,
        Err(error) => return findings.broken("http", told(&error)),
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
        Err(error) => return findings.broken("http", format!("{url} cannot be reached: {}", told(&error))),
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
        Err(error) => findings.broken("http", told(&error)),
    }
}

fn client() -> reqwest::Result<Client> {
    // The first one stays; whoever installed it chose one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A token goes to the URL that was given and nowhere else.
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .user_agent("casemate-doctor")
        .build()
}

async fn list(client: &Client, url: &Url, token: Option<&str>) -> reqwest::Result<(StatusCode, header::HeaderMap, Value)> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": { "name": "casemate-doctor", "version": env!("CARGO_PKG_VERSION") },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let mut asked = client
        .post(url.clone())
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json")
        .header("mcp-protocol-version", REVISION)
        .header("mcp-method", "tools/list")
        .body(request.to_string());
    if let Some(token) = token {
        asked = asked.bearer_auth(token);
    }
    let response = asked.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?;
    Ok((status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// What went wrong, down to the cause: "unknown issuer" is what helps.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}
