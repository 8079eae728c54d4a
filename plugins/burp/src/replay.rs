//! Sending a copy of a recorded request again.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Readable, clip_lines,
    field::List,
    traffic::{self, Headers, HostName, Parameter, RequestPath},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    copy::{self, NewBody, Number, Port, Wanted},
};

const REPLAY: Change = Change {
    service: "Burp",
    unknown: "the request may have been sent, or be sent when somebody at Burp agrees to it; look at Burp's Logger",
    patience: Duration::from_secs(30),
};

/// Characters of a response that are looked at. More than is shown, so that nothing is cut before its credentials are found.
const LOOKED_AT: usize = 64 << 10;
/// Characters of a response that are shown.
const SHOWN: usize = 8_000;

/// Arguments of `replay_request`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The number that get_proxy_history gave
    number: Number,
    /// The host that it names. It cannot be sent to another one
    host: HostName,
    /// The port that it names; without one, 443, or 80 where https is false. It cannot be sent to another one
    port: Port,
    /// Whether it goes over TLS, as it does where this is left out
    #[serde(default = "yes")]
    https: bool,
    /// Another path; the query stays
    #[serde(default)]
    path: Option<RequestPath>,
    /// Parameters of the query that get another value; the others stay. None that is a credential
    #[serde(default)]
    query: List<Parameter, 8>,
    /// Headers that get another value; the others stay. No backslashes
    #[serde(default)]
    headers: Option<Headers>,
    /// Another body, of a POST, PUT, PATCH or DELETE. ASCII; its lines end with CRLF
    #[serde(default)]
    body: Option<NewBody>,
}

pub(crate) fn yes() -> bool {
    true
}

/// What a replay led to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The recorded request that a copy was sent of
    copy_of: Number,
    /// What was sent, in a few words
    sent: String,
    /// Absent where there was no response
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Its beginning, without credentials that are known by place, name or form
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
}

pub(crate) fn replay(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Arguments { number, host, port, https, path, query, headers, body } = &args;
    let (number, port, https) = (*number, *port, *https);
    let (path, headers, body) = (path.as_ref(), headers.as_ref(), body.as_ref());
    let copy = copy::copy(cx, &Wanted { number, host, port, https, path, query, headers, body })?;
    let said = api::change(cx, REPLAY, "send_http1_request", &copy.arguments(None), &copy.shown())?;
    let Some(response) = response(&said, &copy.content) else {
        return Err(REPLAY.unknown("Burp's extension took it and does not say in a known way what came of it"));
    };
    let beginning: String = response.unwrap_or_default().chars().take(LOOKED_AT).collect();
    Ok(Report {
        copy_of: number,
        sent: copy.words,
        status: response.and_then(status),
        response: response.map(|_| clip_lines(&traffic::message(beginning.as_bytes()), SHOWN)),
    })
}

/// The response in what Burp's extension says, or that there was none; nothing where it says neither. It says what it sent, too, with the
/// credentials in it: `HttpRequestResponse{httpRequest=…, httpResponse=…, messageAnnotations=Annotations{…}}`.
fn response<'t>(said: &'t str, content: &str) -> Option<Option<&'t str>> {
    if said.trim() == "<no response>" {
        return Some(None);
    }
    let rest = said.strip_prefix("HttpRequestResponse{httpRequest=")?;
    // What Burp sent is what it was told, unless its own rules have changed it on the way.
    let rest = match rest.strip_prefix(content).and_then(|rest| rest.strip_prefix(", httpResponse=")) {
        Some(rest) => rest,
        None => rest.split_once(", httpResponse=")?.1,
    };
    let end = rest.rfind(", messageAnnotations=").or_else(|| rest.rfind('}'))?;
    match rest.get(..end)? {
        "null" => Some(None),
        response if response.starts_with("HTTP/") => Some(Some(response)),
        _ => None,
    }
}

/// `HTTP/1.1 200 OK`
fn status(response: &str) -> Option<u16> {
    let number = response.lines().next()?.split(' ').nth(1)?;
    number.parse().ok().filter(|number| (100..=599).contains(number))
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { sent, status, response, .. } = self;
        match (status, response) {
            (Some(status), Some(response)) => format!("{sent}: answered {status}\n\n{response}"),
            (None, Some(response)) => format!("{sent}: answered\n\n{response}"),
            (_, None) => format!("{sent}: no response"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "GET /?a=1 HTTP/1.1\r\nHost: app.test\r\nCookie: s3cr3t\r\n\r\n";

    fn said(request: &str, rest: &str) -> String {
        format!("HttpRequestResponse{{httpRequest={request}, httpResponse={rest}")
    }

    #[test]
    fn the_response_is_found_and_what_was_sent_is_not_taken_for_it() {
        let answer = "HTTP/1.1 200 OK\r\nX: y\r\n\r\n{\"a\": \", httpResponse=HTTP/1.1 500\"}";
        for text in [
            said(SENT, &format!("{answer}, messageAnnotations=Annotations{{comment='', highlightColor=NONE}}}}")),
            said(SENT, &format!("{answer}}}")),
            said("GET / HTTP/1.1\r\nX-Rule: 1", &format!("{answer}, messageAnnotations=Annotations{{}}}}")),
        ] {
            assert_eq!(response(&text, SENT), Some(Some(answer)), "{text}");
        }
        // Whatever stands in what was sent.
        let tricky = SENT.replace("a=1", ", httpResponse=HTTP/1.1 299 OK");
        assert_eq!(response(&said(&tricky, &format!("{answer}}}")), &tricky), Some(Some(answer)));
        for text in [said(SENT, "null, messageAnnotations=Annotations{}}"), said(SENT, "null}"), "<no response>".to_owned()] {
            assert_eq!(response(&text, SENT), Some(None), "{text}");
        }
        for text in ["", "done", "Executed tool", SENT, &said(SENT, ""), &said(SENT, "x}"), "HttpRequestResponse{httpRequest="] {
            assert_eq!(response(text, SENT), None, "{text}");
        }
    }

    #[test]
    fn a_status_is_one() {
        for (line, number) in
            [("HTTP/1.1 200 OK", Some(200)), ("HTTP/2 404", Some(404)), ("HTTP/1.1 999", None), ("HTTP/1.1", None), ("", None)]
        {
            assert_eq!(status(line), number, "{line}");
        }
    }
}
