//! `casemate record`: one real call, kept as a case that `casemate test` plays.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use casemate_policy::{Call, ToolRule, Window, output::Redactor, without_secrets};
use casemate_sandbox::{CallSettings, Received, Sent, Tape, Transport};
use casemate_signing::manifest::{DimensionName, Effect, ScopeKind};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    call::{exit, shown, text},
    print,
};
use crate::{
    case::{
        Body, KINDS, MAX_CASE,
        file::{Exchange, Expect, File, Request, Response},
    },
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::{House, Opening},
    identity,
    mcp::Reply,
};

/// Make one real call as the local principal, and keep what was asked and answered as a case for casemate test.
///
/// The call goes through every layer and is on record like any other. What is kept is what the plugin saw: credentials were never
/// among it, secrets are taken out of answers, and headers that carry credentials or sessions are left out. Nothing is written when
/// a secret of the plugin is found all the same, or when the call did not end as a case can.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The served name, such as virustotal_file_report.
    tool: String,
    /// The arguments, a JSON object; - reads them from standard input.
    #[arg(default_value = "{}")]
    arguments: String,
    /// The case's file, such as tests/recorded/known-file.json. It must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What stands in place of an argument that must not be written down; only looked for, never written.
const HIDDEN: &str = "‹x-secret›";
/// A header with one of these in its name carries a credential, a session, or what one is made of.
const PRIVATE: [&str; 8] = ["auth", "cookie", "token", "secret", "session", "key", "nonce", "signature"];

/// Call, and keep it.
pub fn run(args: &Args, context: &Context) -> Outcome {
    crate::log::start(crate::log::Level::Warn, false);
    let arguments: Map<String, Value> = serde_json::from_str(&text(&args.arguments)?)
        .map_err(|error| Failure::invalid(format!("the arguments are not a JSON object: {error}")))?;
    // Before the call, which may change something: a file that cannot be written is known now.
    if fs::symlink_metadata(&args.out).is_ok() {
        return Err(Failure::invalid(format!(
            "`{}` is there already\nhelp: remove it, or choose another name",
            args.out.display()
        )));
    }
    let settings = Config::read(&context.folders.config)?.plugins;
    let tape = Arc::new(Tape::default());
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    executor.block_on(async {
        let house = House::open(Opening { context, via: "record" }).await?;
        let reply = match recordable(&house, &args.tool, &arguments) {
            Ok(()) => call(&house, &args.tool, &arguments, &tape).await,
            Err(failure) => {
                house.close().await?;
                return Err(failure);
            }
        };
        house.close().await?;
        let serving = house.serving();
        let Some(rule) = serving.policy().tools().find(|rule| rule.served.as_str() == args.tool) else {
            return Ok(not_kept(&reply));
        };
        let Some(expect) = expect(&reply, &tape) else { return Ok(not_kept(&reply)) };
        let settings =
            settings.get(&rule.plugin.name).and_then(|plugin| plugin.settings.as_object()).cloned().unwrap_or_default();
        let case = case(rule, arguments, settings, &tape, expect)?;
        let served = serving.plugin(&rule.plugin).ok_or_else(|| Failure::failed("the plugin is not loaded"))?;
        write(&args.out, &case, &served.plugin.redactor())?;
        print::note("look through it before you share it: it holds what the upstream answered, and the plugin's settings");
        let file = args.out.display();
        print::result(
            context.format,
            || format!("recorded {file}: {}, {} exchanges, {}", args.tool, case.exchanges.len(), case.expect.word()),
            || json!({ "case": args.out, "tool": args.tool, "exchanges": case.exchanges.len(), "outcome": case.expect.word() }),
        );
        Ok(Exit::Done)
    })
}

/// A call whose arguments may be written down. A tool that is not known is for the layers to refuse.
fn recordable(house: &House, tool: &str, arguments: &Map<String, Value>) -> Result<(), Failure> {
    let serving = house.serving();
    let Some((schema, _)) = serving.tool(tool) else { return Ok(()) };
    let arguments = Value::Object(arguments.clone());
    if without_secrets(&arguments, schema, HIDDEN) == arguments {
        return Ok(());
    }
    Err(Failure::denied(format!(
        "an argument of `{tool}` is secret, or not one of its arguments, and a case would hold it; the call was not made\nhelp: write the case by hand, with a value made up"
    )))
}

async fn call(house: &House, tool: &str, arguments: &Map<String, Value>, tape: &Arc<Tape>) -> Reply {
    let cancel = CancellationToken::new();
    let transport = Transport::Kept(Arc::clone(tape));
    let settings = CallSettings { cancel: cancel.clone(), transport, ..CallSettings::default() };
    let principal = identity::local();
    let call = house.pass(&principal, Call::new(tool.to_owned(), Value::Object(arguments.clone())), settings);
    tokio::pin!(call);
    tokio::select! {
        reply = &mut call => reply,
        _ = tokio::signal::ctrl_c() => {
            cancel.cancel();
            call.await
        }
    }
}

/// Say what the client would have been told instead.
fn not_kept(reply: &Reply) -> Exit {
    print::note(shown(reply));
    print::note("nothing was written: a case is a call that returned, failed in the plugin's words, or was planned");
    match exit(reply) {
        Exit::Done => Exit::Failed,
        other => other,
    }
}

/// How the call ended, if a case can end so.
fn expect(reply: &Reply, tape: &Tape) -> Option<Expect> {
    let planned = tape.planned();
    match (reply.is_error, planned.is_empty()) {
        (false, true) => Some(Expect::Returned { structured: reply.structured.clone(), includes: None, text: None }),
        (false, false) => Some(Expect::Planned { plan: planned.iter().map(request).collect() }),
        (true, _) => {
            let kind = reply.structured.as_ref()?.get("reason")?.as_str()?;
            KINDS.iter().any(|known| known.as_str() == kind).then(|| Expect::Failed { kind: kind.to_owned(), text: None })
        }
    }
}

fn case(
    rule: &ToolRule,
    arguments: Map<String, Value>,
    settings: Map<String, Value>,
    tape: &Tape,
    expect: Expect,
) -> Result<File, Failure> {
    let kept = tape.exchanges();
    let exchanges = kept.iter().map(|(sent, received)| match received {
        Some(received) => Ok(Exchange { request: request(sent), response: response(received) }),
        None => Err(Failure::failed(format!(
            "`{} {}` got no whole answer, so there is nothing to play back\nhelp: `casemate audit show` says what happened; record again",
            sent.method.as_str(),
            sent.path
        ))),
    });
    Ok(File {
        about: None,
        tool: rule.tool.clone(),
        scope: scope(rule, &arguments, kept.iter().map(|(sent, _)| sent).chain(&tape.planned())),
        execute: rule.manifest_tool.effect > Effect::Read && !matches!(expect, Expect::Planned { .. }),
        arguments,
        settings,
        origins: BTreeMap::new(),
        sources: BTreeMap::new(),
        exchanges: exchanges.collect::<Result<_, _>>()?,
        expect,
    })
}

/// The targets in the arguments, and those that only requests have, as a grant that covers them and no others.
fn scope<'s>(
    rule: &ToolRule,
    arguments: &Map<String, Value>,
    sent: impl Iterator<Item = &'s Sent>,
) -> BTreeMap<DimensionName, Vec<String>> {
    let mut scope = named(rule, arguments);
    let touched: BTreeSet<(&DimensionName, &String)> = sent
        .flat_map(|sent| &sent.targets)
        .flat_map(|(dimension, values)| values.iter().map(move |value| (dimension, value)))
        .collect();
    for (dimension, value) in touched {
        if let Some(kind) = rule.dimensions.get(dimension).filter(|_| !rule.manifest_tool.scope.contains_key(dimension)) {
            scope.entry(dimension.clone()).or_default().push(granted(*kind, value));
        }
    }
    scope
}

/// The targets in the arguments.
fn named(rule: &ToolRule, arguments: &Map<String, Value>) -> BTreeMap<DimensionName, Vec<String>> {
    let arguments = Value::Object(arguments.clone());
    let targets = rule.manifest_tool.scope.iter().filter_map(|(dimension, place)| {
        let one = |value: &Value| match value {
            Value::String(text) => Some(granted(*rule.dimensions.get(dimension)?, text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let values = match arguments.pointer(&place.argument)? {
            Value::Array(items) => items.iter().filter_map(one).collect(),
            value => one(value).into_iter().collect::<Vec<_>>(),
        };
        Some((dimension.clone(), values))
    });
    targets.collect()
}

/// A target as a grant writes it: a range of time is granted by its length.
fn granted(kind: ScopeKind, target: &str) -> String {
    let length = || {
        let (start, end) = target.split_once('/')?;
        let length = end.parse::<casemate_policy::Timestamp>().ok()?.since(start.parse().ok()?);
        Some(Window::from_millis(length.max(1))?.to_string())
    };
    match kind {
        ScopeKind::TimeRange => length().unwrap_or_else(|| target.to_owned()),
        _ => target.to_owned(),
    }
}

fn request(sent: &Sent) -> Request {
    Request {
        upstream: sent.upstream.clone(),
        method: sent.method,
        path: sent.path.clone(),
        headers: headers(sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        body: Body::of(&sent.body),
    }
}

fn response(received: &Received) -> Response {
    // A value that is no text says nothing to a plugin that reads texts.
    let texts = received.headers.iter().filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)));
    Response { status: received.status, headers: headers(texts), body: Body::of(&received.body) }
}

/// Headers that are no secret, those of one name in one line (RFC 9110, section 5.3).
fn headers<'h>(all: impl Iterator<Item = (&'h str, &'h str)>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in all.filter(|(name, _)| !PRIVATE.iter().any(|part| name.contains(part))) {
        headers
            .entry(name.to_owned())
            .and_modify(|line| {
                line.push_str(", ");
                line.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    headers
}

/// Write the case, if it holds no secret in any spelling.
fn write(path: &Path, case: &File, redactor: &Redactor) -> Result<(), Failure> {
    let value = serde_json::to_value(case)?;
    let text = format!("{value:#}\n");
    if holds_secret(&text, redactor) || any_text_holds_secret(&value, redactor) {
        return Err(Failure::denied(
            "the case would hold a secret of the plugin; nothing was written\nhelp: it is in the arguments or the settings, or the upstream repeats it in a spelling of its own; record another call",
        ));
    }
    if text.len() > MAX_CASE {
        return Err(Failure::failed(format!("the case is larger than the {MAX_CASE} bytes it may have; nothing was written")));
    }
    let cannot = |error: std::io::Error| Failure::failed(format!("`{}` cannot be written: {error}", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    // Private until somebody has looked through it.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)
}

/// Whether it holds a secret as it is, in base64, in hex, or with any of its characters percent-encoded.
fn holds_secret(text: &str, redactor: &Redactor) -> bool {
    redactor.is_in(text.as_bytes()) || redactor.is_in(&percent_encoding::percent_decode_str(text).collect::<Vec<u8>>())
}

/// The same for each text of a value: in the file it may stand with another escape.
fn any_text_holds_secret(value: &Value, redactor: &Redactor) -> bool {
    let inside = |value| any_text_holds_secret(value, redactor);
    match value {
        Value::String(text) => holds_secret(text, redactor),
        Value::Array(items) => items.iter().any(inside),
        Value::Object(map) => map.iter().any(|(name, value)| holds_secret(name, redactor) || inside(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_granted_as_it_is_and_a_range_of_time_by_its_length() {
        for (kind, target, expected) in [
            (ScopeKind::Name, "lab", "lab"),
            (ScopeKind::Cidr, "10.0.0.0/8", "10.0.0.0/8"),
            (ScopeKind::TimeRange, "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "1d"),
            (ScopeKind::TimeRange, "no range", "no range"),
        ] {
            assert_eq!(granted(kind, target), expected);
        }
    }

    #[test]
    fn headers_of_one_name_are_one_line_and_private_ones_are_none() {
        let all = [
            ("link", "</a>"),
            ("x-api-key", "1"),
            ("link", "</b>"),
            ("authorization", "2"),
            ("etag", "\"3\""),
            ("csrf-token", "4"),
        ];
        let kept: Vec<_> = headers(all.into_iter()).into_iter().collect();
        assert_eq!(kept, [("etag".to_owned(), "\"3\"".to_owned()), ("link".to_owned(), "</a>, </b>".to_owned())]);
    }

    #[test]
    fn a_secret_is_found_in_the_spellings_that_a_file_has() {
        let redactor = Redactor::new(&[("api_key", "s3cr3t/k\"ey")]);
        for text in ["a s3cr3t/k\"ey b", "s3cr3t%2Fk%22ey", "%733cr3t%2fk%22e%79", "733363723374", "czNjcjN0L2siZXk="] {
            let found = any_text_holds_secret(&json!({ "a": [{ text: 1 }] }), &redactor);
            // Half of it in hex is none.
            assert_eq!(found, text != "733363723374", "{text}");
        }
    }
}
