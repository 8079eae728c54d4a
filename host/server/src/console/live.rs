//! What has changed: counted by one task, and told to every page that wants to know (server-sent events). What changed is not told: the
//! page asks anew, as whoever looks at it.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash as _, Hasher as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use tokio::{sync::watch, time::timeout};

use super::Console;
use crate::config::Config;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(700);
/// How often something is said where nothing happens, so that a page knows that the console is there.
const PULSE: Duration = Duration::from_secs(15);
/// Pages that are told, at once; more of them ask again later.
const MAX_LISTENERS: usize = 64;

/// Count the changes of the log, the ledger and the configuration.
pub(crate) async fn follow(console: Arc<Console>) {
    let mut known = stamp(&console);
    loop {
        tokio::select! {
            () = console.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if console.changes.receiver_count() == 0 {
            continue;
        }
        let now = stamp(&console);
        if now != known {
            known = now;
            console.changes.send_modify(|count| *count += 1);
        }
    }
}

/// What tells that something was written: sizes and times of the files.
fn stamp(console: &Console) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut look = |path: &Path| {
        let found = fs::metadata(path).ok();
        found.and_then(|file| Some((file.len(), file.modified().ok()?))).hash(&mut hasher);
    };
    for name in ["ledger.db", "ledger.db-wal", "packages.state", "tokens.toml"] {
        look(&console.state.join(name));
    }
    look(&console.context.folders.config);
    let entries =
        |folder: &Path| -> Vec<_> { fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect() };
    for chain in entries(&console.state.join("audit")) {
        let mut files = entries(&chain);
        files.sort();
        files.iter().rev().take(4).for_each(|file| look(file));
    }
    hasher.finish()
}

/// The stream of one page. It ends with the session.
pub(super) fn stream(console: &Arc<Console>, cookie: &str, config: &Config) -> Response {
    // Whoever shows a token with each request has no session that could end: such a page is not told, and does not ask again.
    let refused = match cookie {
        "" => Some(StatusCode::NO_CONTENT),
        _ if console.changes.receiver_count() >= MAX_LISTENERS => Some(StatusCode::SERVICE_UNAVAILABLE),
        _ => None,
    };
    if let Some(status) = refused {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        return response;
    }
    let listener = Listener {
        console: Arc::clone(console),
        cookie: cookie.to_owned(),
        idle: config.console.idle,
        changes: console.changes.subscribe(),
        said: false,
    };
    let mut response = Response::new(Body::from_stream(stream::unfold(listener, Listener::next)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

struct Listener {
    console: Arc<Console>,
    cookie: String,
    idle: Duration,
    changes: watch::Receiver<u64>,
    said: bool,
}

impl Listener {
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        if !self.said {
            self.said = true;
            return Some((Ok(Bytes::from_static(b"retry: 3000\n\n")), self));
        }
        let stop = self.console.stop.clone();
        let changed = tokio::select! {
            () = stop.cancelled() => return None,
            changed = timeout(PULSE, self.changes.changed()) => changed,
        };
        self.console.sessions.of(&self.cookie, self.idle, false)?;
        let said = match changed {
            Ok(Ok(())) => Bytes::from(format!("data: {}\n\n", *self.changes.borrow_and_update())),
            Ok(Err(_)) => return None,
            Err(_) => Bytes::from_static(b": still here\n\n"),
        };
        Some((Ok(said), self))
    }
}
