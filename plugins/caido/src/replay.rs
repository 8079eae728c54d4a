//! Sending a copy of a recorded request again.

use std::{fmt::Write as _, thread, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Change, Context, Failure, Readable, clip,
    field::{List, Passage, Whole},
    tolerant::{Object, Text, Verbatim},
    traffic::{self, Changes, Headers, HostName, Parameter, RequestPath},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api::{self, Declined},
    document,
    field::RequestId,
    request::shown,
    stored::{self, Request, Schema},
};

const SESSION: Change = Change {
    service: "Caido",
    unknown: "a replay session may exist now, which has sent nothing",
    patience: Duration::from_secs(10),
};
const REPLAY: Change = Change {
    service: "Caido",
    unknown: "the request may have been sent; look with get_requests, or at Caido's replay sessions",
    patience: Duration::from_secs(10),
};

/// How long the answer is waited for, look by look.
const PAUSES: [u64; 9] = [100, 200, 400, 800, 1_000, 1_500, 2_000, 2_000, 2_000];

/// Arguments of `replay_request`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that get_requests gave
    request_id: RequestId,
    /// The host that it went to. It cannot be sent to another one
    host: HostName,
    /// The port that it went to. It cannot be sent to another one
    port: Whole<1, 65_535>,
    /// Another path; the query stays
    #[serde(default)]
    path: Option<RequestPath>,
    /// Parameters of the query that get another value; the others stay. None that is a credential
    #[serde(default)]
    query: List<Parameter, 8>,
    /// Headers that get another value; the others stay
    #[serde(default)]
    headers: Option<Headers>,
    /// Another body, of a POST, PUT, PATCH or DELETE
    #[serde(default)]
    body: Option<Passage<16_384>>,
}

/// What a replay led to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The recorded request that a copy was sent of
    copy_of: RequestId,
    /// The copy, once it was sent
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    /// What was sent, in a few words; Caido's replay session is called so
    sent: String,
    /// Absent where there was no response, or not yet
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u32>,
    /// Its beginning, without credentials that are known by place, name or form
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Created {
    create_replay_session: Object<Creation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    error: Object<Declined>,
    session: Object<Session>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Session {
    id: Verbatim<18>,
    active_entry: Object<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: Verbatim<18>,
    error: Text<200>,
    request: Object<Sent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    id: Verbatim<18>,
    response: Object<stored::Response>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Started {
    start_replay_task: Object<Start>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Start {
    error: Object<Declined>,
    task: Object<Task>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Task {
    id: Verbatim<64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Looked {
    replay_session: Object<Session>,
}

pub(crate) fn replay(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Arguments { request_id, host, port, path, query, headers, body } = args;
    let changes = Changes {
        path: path.as_ref(),
        query: query.as_slice(),
        headers: headers.as_ref(),
        body: body.as_ref().map(Passage::as_str),
    };
    // What is refused is refused before Caido is asked for anything; the copy is held to it, too.
    changes.query()?;
    let (stored, schema) = stored::get(cx, &request_id)?;
    let port = u32::try_from(port.number()).unwrap_or_default();
    went_to(&stored, host.as_str(), port)?;
    let Some(schema) = schema else {
        return Err(Failure::upstream("Caido does not say its version, by which it replays in one way or another"));
    };
    let Some(recorded) = stored.bytes() else {
        return Err(Failure::upstream("Caido has this request, and not what was sent; nothing was sent"));
    };
    let (bytes, words) = traffic::copy(&recorded, (host.as_str(), port), changes)?;
    let tls = stored.is_tls.0 == Some(true);
    let scheme = if tls { "https" } else { "http" };
    let sent = clip(&format!("casemate: {words} to {scheme}://{host}:{port}, copy of {request_id}{}", parts(changes)), 400);

    let (session, entry) = session(cx, schema, &request_id)?;
    let connection = json!({ "host": host, "port": port, "isTLS": tls });
    let blob = STANDARD.encode(bytes);
    let (document, variables) = match schema {
        Schema::Input => {
            let settings = json!({ "connectionClose": true, "updateContentLength": true, "placeholders": [] });
            let input = json!({ "connection": connection, "raw": blob, "settings": settings });
            (document::REPLAY_056, json!({ "sessionId": session, "name": sent, "input": input }))
        }
        Schema::Draft => {
            let draft = json!({ "connection": connection, "raw": blob, "editorState": blob, "settings": { "placeholders": [] } });
            (document::REPLAY_057, json!({ "sessionId": session, "entryId": entry, "name": sent, "input": { "http": draft } }))
        }
    };
    let Started { start_replay_task: Object(start) } = api::change(cx, REPLAY, document, &variables)?;
    if let Some(failure) = start.error.0.failure() {
        return Err(failure);
    }
    if start.task.0.id.as_str().is_empty() {
        return Err(REPLAY.unknown("Caido took it and did not say which task it became"));
    }
    let became = wait(cx, schema, &session, &entry);
    let Object(response) = became.request.0.response;
    Ok(Report {
        copy_of: request_id,
        request_id: became.request.0.id.as_str().parse().ok(),
        sent,
        status: response.status_code.count(),
        error: became.error.0.map(|error| clip(&traffic::text(&error), 200)),
        milliseconds: response.roundtrip_time.count(),
        response: response.raw.bytes().map(|raw| shown(&raw)),
    })
}

/// Whether it went where the caller says: the caller's word decides nothing, and has to be right.
fn went_to(stored: &Request, host: &str, port: u32) -> Result<(), Failure> {
    let there = stored.host.as_str().eq_ignore_ascii_case(host) && stored.port.count() == Some(port);
    if !there {
        let place = clip(&format!("{}:{}", stored.host.as_str(), stored.port.count().unwrap_or_default()), 200);
        return Err(Failure::invalid_arguments(format!(
            "nothing was sent: this request went to `{place}`, and a copy can be sent there only"
        )));
    }
    match stored.sni.0.as_deref() {
        None | Some("") => Ok(()),
        Some(name) if name.eq_ignore_ascii_case(host) => Ok(()),
        Some(_) => Err(Failure::invalid_arguments("nothing was sent: in TLS, this request named another host than it went to")),
    }
}

/// What is another in the copy, besides what its first line shows.
fn parts(changes: Changes<'_>) -> String {
    let mut text = String::new();
    for (name, value) in changes.headers.into_iter().flat_map(Headers::pairs) {
        let _ = write!(text, ", {name}: {}", clip(value, 60));
    }
    if let Some(body) = changes.body {
        let _ = write!(text, ", body of {} bytes", body.len());
    }
    text
}

/// A new session, whose first entry is what was recorded.
fn session(cx: &Context, schema: Schema, id: &RequestId) -> Result<(String, String), Failure> {
    let source = json!({ "id": id });
    let (document, input) = match schema {
        Schema::Input => (document::CREATE_SESSION_056, json!({ "requestSource": source })),
        Schema::Draft => (document::CREATE_SESSION_057, json!({ "kind": "HTTP", "requestSource": source })),
    };
    let Created { create_replay_session: Object(created) } = api::change(cx, SESSION, document, &json!({ "input": input }))?;
    if let Some(failure) = created.error.0.failure() {
        return Err(failure);
    }
    let Object(Session { id: session, active_entry: Object(entry) }) = created.session;
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id(session.as_str()) || schema == Schema::Draft && !is_id(entry.id.as_str()) {
        return Err(SESSION.unknown("Caido took it and did not say which session it became"));
    }
    Ok((session.as_str().to_owned(), entry.id.as_str().to_owned()))
}

/// What became of it, as far as it can be seen before patience ends. What cannot be seen is not told, and was sent all the same.
fn wait(cx: &Context, schema: Schema, session: &str, before: &str) -> Entry {
    let document = match schema {
        Schema::Input => document::SESSION_056,
        Schema::Draft => document::SESSION_057,
    };
    let variables: Value = json!({ "id": session });
    for pause in PAUSES {
        // In a native test there is nobody to wait for.
        if cfg!(target_family = "wasm") {
            thread::sleep(Duration::from_millis(pause));
        }
        let Ok(Looked { replay_session: Object(now) }) = api::ask(cx, document, &variables) else { continue };
        let Object(entry) = now.active_entry;
        let is_done = entry.error.0.is_some() || entry.request.0.response.0.status_code.0.is_some();
        if entry.id.as_str() != before && is_done {
            return entry;
        }
    }
    Entry::default()
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { sent, status, error, .. } = self;
        let mut text = match (status, error) {
            (Some(status), _) => format!("{sent}: answered {status}"),
            (None, Some(error)) => format!("{sent}: no response: {error}"),
            (None, None) => format!("{sent}: sent, and not answered yet; look with get_requests"),
        };
        if let Some(response) = &self.response {
            let _ = write!(text, "\n\n{response}");
        }
        text
    }
}
