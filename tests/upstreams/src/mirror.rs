//! An upstream that answers with every credential it is sent, in every spelling it knows; and hands out tokens.
//!
//! `/items/error` is an error page, `/items/moved` a redirect, `/items/wide` UTF-16; any other path is JSON.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::{Reply, Upstream};

/// The mirror, and how many tokens it has handed out.
#[derive(Debug, Default)]
pub struct Mirror {
    tokens: AtomicU64,
    /// Tokens up to this one are taken no more.
    revoked: AtomicU64,
}

impl Upstream for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        if request.method == "POST" && request.path() == "/oauth/token" {
            return self.token(request).into();
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Token token-number-"));
        if let Some(number) = token.and_then(|token| token.parse::<u64>().ok())
            && number <= self.revoked.load(Ordering::SeqCst)
        {
            return Response::json(401, &json!({ "error": "invalid_token", "seen": echoes(request) })).into();
        }
        let page = |status| Response::html(status, &format!("<html><pre>{}</pre></html>", echoes(request).join("\n")));
        let short = credentials(request).into_iter().map(|text| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
        let short = short.collect::<Vec<_>>().join("&");
        let response = if request.path().ends_with("/error") {
            page(500)
        } else if request.path().ends_with("/moved") {
            page(302).with_header("location", format!("https://elsewhere.example/?{short}"))
        } else if request.path().ends_with("/wide") {
            let body = credentials(request).join(" ").encode_utf16().flat_map(u16::to_le_bytes).collect();
            Response { status: 200, headers: vec![("content-type".into(), "text/plain; charset=utf-16le".into())], body }
        } else {
            Response::json(200, &json!({ "echo": echoes(request) }))
        };
        response
            .with_header("x-seen", short.clone())
            .with_header("x-seen-base64", STANDARD.encode(credentials(request).join(" ")))
            .with_header("set-cookie", format!("seen={short}"))
            .into()
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        match order {
            b"\"revoke\"" => {
                self.revoked.store(self.tokens.load(Ordering::SeqCst), Ordering::SeqCst);
                Ok(())
            }
            _ => Err("the mirror can `revoke`".to_owned()),
        }
    }
}

impl Mirror {
    /// An OAuth 2.0 token endpoint (RFC 6749, section 4.4) that takes any client but one called `refused`.
    fn token(&self, request: &Request) -> Response {
        let form = String::from_utf8_lossy(&request.body);
        if form.contains("refused") {
            return Response::json(401, &json!({ "error": "invalid_client", "error_description": form }));
        }
        let number = self.tokens.fetch_add(1, Ordering::SeqCst) + 1;
        Response::json(
            200,
            &json!({ "access_token": format!("token-number-{number}"), "token_type": "Bearer", "expires_in": 3600 }),
        )
    }
}

/// What may be a credential: values of headers without their scheme, pairs of Basic, parts of the target.
fn credentials(request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("authorization") && !name.to_ascii_lowercase().starts_with("x-") {
            continue;
        }
        let value = String::from_utf8_lossy(value).into_owned();
        if let Some(pair) = value.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok()) {
            found.push(String::from_utf8_lossy(&pair).into_owned());
        }
        let bare = ["Bearer ", "Token "].iter().find_map(|scheme| value.strip_prefix(scheme)).map(str::to_owned);
        found.extend(bare);
        found.push(value);
    }
    let parts = request.target.split(['/', '?', '&', '=']).filter(|part| part.len() >= 6);
    found.extend(parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()));
    found
}

/// Each of them in every spelling.
fn echoes(request: &Request) -> Vec<String> {
    let mut all = vec![request.target.clone()];
    for text in credentials(request) {
        let each = |form: &dyn Fn(u8) -> String| text.bytes().map(form).collect::<String>();
        let points = |form: &dyn Fn(u32) -> String| text.chars().map(|c| form(c.into())).collect::<String>();
        let percent = each(&|b| format!("%{b:02X}"));
        let json = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<String>();
        all.extend([
            format!("the key is {text}, you sent it"),
            percent.clone(),
            percent.to_ascii_lowercase(),
            utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string(),
            each(&|b| format!("{b:02x}")),
            each(&|b| format!("{b:02X}")),
            json,
            points(&|c| format!("&#{c};")),
            points(&|c| format!("&#x{c:x};")),
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            Value::from(text.as_str()).to_string(),
            text.to_ascii_uppercase(),
        ]);
        for before in ["", "a", "ab"] {
            all.push(STANDARD.encode(format!("{before}{text}")));
            all.push(URL_SAFE_NO_PAD.encode(format!("{before}{text} and more")));
        }
        all.push(STANDARD.encode(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()));
    }
    all
}
