//! What every upstream received, for tests to assert that nothing else did.
//!
//! The record in memory is complete, credentials included: tests need to see that the key arrived, and where. The log file has
//! every known secret blotted out.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::StartError;
use crate::http::Request;

/// Most requests kept; the oldest go first. A test clears the record before it starts.
const MAX_KEPT: usize = 20_000;
/// Longest body that is kept whole, beside its digest.
const MAX_BODY_KEPT: usize = 64 * 1024;

/// One request that an upstream received.
#[derive(Debug, Clone, Serialize)]
pub struct Received {
    /// Its place among all requests to all upstreams, from 1, never used twice.
    pub seq: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Which upstream.
    pub upstream: &'static str,
    /// The method, as sent.
    pub method: String,
    /// The request target, as sent.
    pub target: String,
    /// The target's path, still encoded.
    pub path: String,
    /// The target's query, still encoded.
    pub query: Option<String>,
    /// `1.0` or `1.1`.
    pub version: &'static str,
    /// Every header field as `[name, value]`, in the order, case and number sent.
    pub headers: Vec<(String, String)>,
    /// The body's length.
    pub body_bytes: usize,
    /// The body's SHA-256, in hexadecimal.
    pub body_sha256: String,
    /// The body, in base64, when it is at most 64 KiB.
    pub body_base64: Option<String>,
    /// The status answered, the name of the misbehaviour, or `held` for an answer that has to wait.
    pub answered: String,
    /// Why the bytes that came were no request; then the fields above are empty.
    pub malformed: Option<String>,
}

/// Everything received so far.
#[derive(Debug)]
pub struct Record {
    state: Mutex<State>,
    secrets: Vec<String>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    requests: VecDeque<Received>,
    connections: BTreeMap<&'static str, u64>,
    file: Option<File>,
}

impl Record {
    /// An empty record that also writes to `log`, if there is one, with `secrets` blotted out.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn new(log: Option<&Path>, secrets: Vec<String>) -> Result<Self, StartError> {
        let open = |path: &Path| {
            let file = File::options().create(true).append(true).open(path);
            file.map_err(|error| StartError::Log(path.to_owned(), error))
        };
        let file = log.map(open).transpose()?;
        Ok(Record { state: Mutex::new(State { file, ..State::default() }), secrets })
    }

    /// Notes a new connection to an upstream.
    pub fn connected(&self, upstream: &'static str) {
        *self.state().connections.entry(upstream).or_default() += 1;
    }

    /// Notes a request.
    pub fn received(&self, upstream: &'static str, request: &Request, answered: &str) {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        self.keep(Received {
            method: request.method.clone(),
            target: request.target.clone(),
            path: request.path().to_owned(),
            query: request.query().map(str::to_owned),
            version: if request.minor_version == 0 { "1.0" } else { "1.1" },
            headers: request.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            body_bytes: request.body.len(),
            body_sha256: hex(&Sha256::digest(&request.body)),
            body_base64: (request.body.len() <= MAX_BODY_KEPT).then(|| STANDARD.encode(&request.body)),
            answered: answered.to_owned(),
            ..Received::blank(upstream)
        });
    }

    /// Notes bytes that were no request.
    pub fn malformed(&self, upstream: &'static str, why: &str) {
        self.keep(Received { answered: "400".into(), malformed: Some(why.to_owned()), ..Received::blank(upstream) });
    }

    /// The requests after `since`, to one upstream or to all.
    #[must_use]
    pub fn requests(&self, upstream: Option<&str>, since: u64) -> Vec<Received> {
        let wanted = |kept: &&Received| kept.seq > since && upstream.is_none_or(|name| name == kept.upstream);
        self.state().requests.iter().filter(wanted).cloned().collect()
    }

    /// How many connections each upstream has had.
    #[must_use]
    pub fn connections(&self) -> BTreeMap<&'static str, u64> {
        self.state().connections.clone()
    }

    /// Forgets requests and connections. Numbering goes on.
    pub fn clear(&self) {
        let mut state = self.state();
        state.requests.clear();
        state.connections.clear();
    }

    fn keep(&self, mut received: Received) {
        let mut state = self.state();
        state.last += 1;
        received.seq = state.last;
        if let Some(file) = &mut state.file {
            // The log is a convenience of the person watching; a full disk must not change what the fake answers.
            let _ = writeln!(file, "{}", self.line(&received));
        }
        if state.requests.len() == MAX_KEPT {
            state.requests.pop_front();
        }
        state.requests.push_back(received);
    }

    /// The log file's line: no body, and no secret.
    fn line(&self, received: &Received) -> String {
        let shown = Received { body_base64: None, ..received.clone() };
        let line = serde_json::to_string(&shown).unwrap_or_default();
        self.secrets.iter().filter(|secret| !secret.is_empty()).fold(line, |line, secret| line.replace(secret, "‹key›"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Received {
    fn blank(upstream: &'static str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Received {
            seq: 0,
            at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            upstream,
            method: String::new(),
            target: String::new(),
            path: String::new(),
            query: None,
            version: "",
            headers: Vec::new(),
            body_bytes: 0,
            body_sha256: String::new(),
            body_base64: None,
            answered: String::new(),
            malformed: None,
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Record;
    use crate::http::Request;

    fn request() -> Request {
        let headers = vec![("X-ApiKey".into(), b"secret-1234".to_vec()), ("Host".into(), b"x".to_vec())];
        Request { method: "POST".into(), target: "/a?b=c".into(), minor_version: 1, headers, body: b"hello".to_vec() }
    }

    #[test]
    fn a_request_is_kept_as_it_was_sent() {
        let record = Record::new(None, Vec::new()).unwrap();
        record.received("echo", &request(), "200");
        record.malformed("hostile", "both content-length and transfer-encoding");
        let kept = record.requests(Some("echo"), 0);
        let [kept] = kept.as_slice() else { unreachable!("{kept:?}") };
        assert_eq!(*kept.headers.first().unwrap(), ("X-ApiKey".to_owned(), "secret-1234".to_owned()));
        assert_eq!(kept.body_sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(record.requests(None, 1).len(), 1, "`since` leaves out what came before");
        record.clear();
        assert!(record.requests(None, 0).is_empty());
    }

    #[test]
    fn the_log_file_never_has_the_key() {
        let path = std::env::temp_dir().join(format!("casemate-upstreams-{}.log", std::process::id()));
        let record = Record::new(Some(&path), vec!["secret-1234".into()]).unwrap();
        record.received("echo", &request(), "200");
        let log = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(log.contains("X-ApiKey") && log.contains("‹key›") && !log.contains("secret-1234"), "{log}");
    }
}
