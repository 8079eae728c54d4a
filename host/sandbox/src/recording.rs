//! Recorded exchanges: kept on their way through the gate, or played back in place of the network.
//!
//! Only the connection is replaced. A request that is played to has passed the same gate and been given its credential, and an
//! answer from a recording is held to the same size and cleaned of the same secrets as one from the network.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use casemate_policy::egress::Checked;
use casemate_signing::manifest::{DimensionName, Effect, Method, UpstreamName};
use serde_json::Value;

/// How requests leave that passed the gate. Handed in with each call by whoever makes it: no configuration names it, so no client
/// of a served house gets anything but the network, and nothing of what it sends is kept.
#[derive(Clone, Default)]
pub enum Transport {
    /// To their upstreams.
    #[default]
    Network,
    /// To their upstreams, and each is kept with its answer.
    Kept(Arc<Tape>),
    /// Nowhere: a recording answers.
    Played(Arc<Replay>),
}

/// Exchanges are an upstream's data: they are not for logs.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "Network",
            Self::Kept(_) => "Kept",
            Self::Played(_) => "Played",
        })
    }
}

impl Transport {
    /// Note a request that a dry run would have sent.
    pub(crate) fn plan(&self, request: &Checked) {
        match self {
            Self::Network => {}
            Self::Kept(tape) => tape.reel().planned.push(Sent::of(request)),
            Self::Played(replay) => replay.played().planned.push(Sent::of(request)),
        }
    }
}

/// A request as it passed the gate, without credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// To which upstream.
    pub upstream: UpstreamName,
    /// Its method.
    pub method: Method,
    /// Path and query, percent-encoded as sent.
    pub path: String,
    /// Lower-case names and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// What it may do.
    pub effect: Effect,
    /// What it touches, per dimension.
    pub targets: BTreeMap<DimensionName, Vec<String>>,
}

impl Sent {
    fn of(request: &Checked) -> Self {
        let origin = request.origin().to_string();
        Self {
            upstream: request.upstream().clone(),
            method: request.method(),
            path: request.url().strip_prefix(&origin).unwrap_or(request.url()).to_owned(),
            headers: request.headers().to_vec(),
            body: request.body().to_vec(),
            effect: request.effect(),
            targets: request.targets().clone(),
        }
    }
}

/// An answer as a guest gets it: decoded, and without the host's secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names and values. A name may stand more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What one call sent and got, in the order in which it was sent.
#[derive(Default)]
pub struct Tape(Mutex<Reel>);

#[derive(Default)]
struct Reel {
    exchanges: Vec<(Sent, Option<Received>)>,
    planned: Vec<Sent>,
    /// Bytes of bodies that may still be held; no bound if none.
    room: Option<usize>,
    omitted: usize,
}

impl Reel {
    /// A body, or none of it where there is no room: half a secret could not be recognised any more.
    fn hold(&mut self, body: &mut Vec<u8>) {
        match self.room.map(|room| room.checked_sub(body.len())) {
            None => {}
            Some(Some(left)) => self.room = Some(left),
            Some(None) => {
                self.omitted += body.len();
                *body = Vec::new();
            }
        }
    }
}

impl Tape {
    /// A tape that holds so many bytes of bodies. Those that do not fit are left out whole.
    pub fn holding(bytes: usize) -> Self {
        Self(Mutex::new(Reel { room: Some(bytes), ..Reel::default() }))
    }

    /// Bytes of bodies that did not fit.
    pub fn omitted(&self) -> usize {
        self.reel().omitted
    }

    /// Every request that left, with its answer where one came whole.
    pub fn exchanges(&self) -> Vec<(Sent, Option<Received>)> {
        self.reel().exchanges.clone()
    }

    /// What a dry run would have sent.
    pub fn planned(&self) -> Vec<Sent> {
        self.reel().planned.clone()
    }

    /// A request leaves; the place where its answer belongs.
    pub(crate) fn sent(&self, request: &Checked) -> usize {
        let (mut reel, mut sent) = (self.reel(), Sent::of(request));
        reel.hold(&mut sent.body);
        reel.exchanges.push((sent, None));
        reel.exchanges.len() - 1
    }

    pub(crate) fn received(&self, at: usize, mut answer: Received) {
        let mut reel = self.reel();
        reel.hold(&mut answer.body);
        if let Some((_, received)) = reel.exchanges.get_mut(at) {
            *received = Some(answer);
        }
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that a recording answers. Headers that it does not name may be there.
#[derive(Clone, PartialEq)]
pub struct Expected {
    /// To which upstream.
    pub upstream: UpstreamName,
    /// Its method.
    pub method: Method,
    /// Path and query, percent-encoded as sent.
    pub path: String,
    /// Headers that must be there, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: ExpectedBody,
}

/// What a body must be.
#[derive(Clone, PartialEq)]
pub enum ExpectedBody {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This JSON, whatever its spacing and the order of its keys.
    Json(Value),
}

/// How a request differs from the expected one. All but the first kind are of the same request otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Upstream, method, path or query.
    Request,
    /// A header is missing or another.
    Headers,
    /// The body.
    Body,
}

impl Expected {
    /// The first way in which `sent` is another request; nothing where it is this one.
    pub fn difference(&self, sent: &Sent) -> Option<Difference> {
        if self.upstream != sent.upstream || self.method != sent.method || self.path != sent.path {
            return Some(Difference::Request);
        }
        if !self.headers.iter().all(|header| sent.headers.contains(header)) {
            return Some(Difference::Headers);
        }
        let same = match &self.body {
            ExpectedBody::Bytes(bytes) => *bytes == sent.body,
            ExpectedBody::Json(value) => serde_json::from_slice::<Value>(&sent.body).is_ok_and(|body| body == *value),
        };
        (!same).then_some(Difference::Body)
    }
}

/// Answers in place of the network: each is given once, to the first request that is the expected one.
pub struct Replay {
    exchanges: Vec<(Expected, Received)>,
    played: Mutex<Played>,
}

#[derive(Default)]
struct Played {
    used: Vec<usize>,
    strays: Vec<Sent>,
    planned: Vec<Sent>,
}

impl Replay {
    /// A recording, from its beginning.
    pub fn new(exchanges: Vec<(Expected, Received)>) -> Self {
        Self { exchanges, played: Mutex::default() }
    }

    /// Exchanges that no request asked for.
    pub fn unused(&self) -> Vec<Expected> {
        let played = self.played();
        let unused = self.exchanges.iter().enumerate().filter(|(at, _)| !played.used.contains(at));
        unused.map(|(_, (expected, _))| expected.clone()).collect()
    }

    /// Requests that are not in the recording, or were sent more often than it has them. They got no answer.
    pub fn strays(&self) -> Vec<Sent> {
        self.played().strays.clone()
    }

    /// What a dry run would have sent.
    pub fn planned(&self) -> Vec<Sent> {
        self.played().planned.clone()
    }

    /// The answer to a request, if the recording has one left.
    pub(crate) fn answer(&self, request: &Checked) -> Option<Received> {
        self.play(Sent::of(request))
    }

    fn play(&self, sent: Sent) -> Option<Received> {
        let mut played = self.played();
        let fits = |(at, (expected, _)): &(usize, &(Expected, Received))| {
            !played.used.contains(at) && expected.difference(&sent).is_none()
        };
        match self.exchanges.iter().enumerate().find(fits) {
            Some((at, (_, received))) => {
                played.used.push(at);
                Some(received.clone())
            }
            None => {
                played.strays.push(sent);
                None
            }
        }
    }

    fn played(&self) -> MutexGuard<'_, Played> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(path: &str, body: &str) -> Sent {
        Sent {
            upstream: "api".parse().unwrap(),
            method: Method::Post,
            path: path.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
            effect: Effect::Read,
            targets: BTreeMap::new(),
        }
    }

    fn expected(path: &str, body: ExpectedBody) -> Expected {
        let Sent { upstream, method, headers, .. } = sent("", "");
        Expected { upstream, method, path: path.to_owned(), headers, body }
    }

    fn received(status: u16) -> Received {
        Received { status, headers: Vec::new(), body: Vec::new() }
    }

    fn statuses(replay: &Replay, requests: &[(&str, &str)]) -> Vec<Option<u16>> {
        requests.iter().map(|(path, body)| replay.play(sent(path, body)).map(|answer| answer.status)).collect()
    }

    #[test]
    fn each_answer_is_given_once_and_in_order() {
        let bytes = || ExpectedBody::Bytes(b"x".to_vec());
        let exchanges = vec![
            (expected("/a", bytes()), received(201)),
            (expected("/b", bytes()), received(202)),
            (expected("/a", bytes()), received(203)),
        ];
        let replay = Replay::new(exchanges);
        assert_eq!(statuses(&replay, &[("/b", "x"), ("/a", "x"), ("/a", "x")]), [Some(202), Some(201), Some(203)]);
        assert!(replay.unused().is_empty() && replay.strays().is_empty());
        assert_eq!(statuses(&replay, &[("/a", "x")]), [None]);
        assert_eq!(replay.strays().len(), 1);
    }

    #[test]
    fn what_is_not_recorded_gets_no_answer_and_is_told() {
        let replay = Replay::new(vec![(expected("/a", ExpectedBody::Bytes(b"x".to_vec())), received(200))]);
        let others = [("/A", "x"), ("/a?", "x"), ("/a", ""), ("/a", "xx"), ("/a/", "x")];
        assert_eq!(statuses(&replay, &others), [None; 5]);
        assert_eq!((replay.strays().len(), replay.unused().len()), (5, 1));
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        let body = || ExpectedBody::Json(json!({ "a": 1, "b": [true] }));
        let replay = |body| Replay::new(vec![(expected("/a", body), received(200))]);
        assert_eq!(statuses(&replay(body()), &[("/a", "{ \"b\": [true], \"a\": 1 }")]), [Some(200)]);
        for other in ["{\"a\":1}", "{\"a\":1,\"b\":[true],\"c\":0}", "{\"a\":\"1\",\"b\":[true]}", "", "{\"a\":1,\"b\":[true]} x"]
        {
            assert_eq!(statuses(&replay(body()), &[("/a", other)]), [None], "{other}");
        }
    }

    #[test]
    fn a_named_header_must_be_there_and_others_may() {
        let mut wanted = expected("/a", ExpectedBody::Bytes(Vec::new()));
        assert_eq!(wanted.difference(&sent("/a", "")), None);
        wanted.headers = vec![("accept".to_owned(), "application/json".to_owned())];
        assert_eq!(wanted.difference(&sent("/a", "")), Some(Difference::Headers));
        wanted.headers.clear();
        assert_eq!(wanted.difference(&sent("/a", "")), None);
    }

    #[test]
    fn a_bounded_tape_leaves_out_what_does_not_fit_and_counts_it() {
        let tape = Tape::holding(5);
        let mut bodies = [b"abc".to_vec(), b"defg".to_vec(), b"hi".to_vec()];
        bodies.iter_mut().for_each(|body| tape.reel().hold(body));
        assert_eq!((bodies, tape.omitted()), ([b"abc".to_vec(), Vec::new(), b"hi".to_vec()], 4));
    }

    #[test]
    fn a_debug_print_shows_nothing_of_an_exchange() {
        let replay = Replay::new(vec![(expected("/secret", ExpectedBody::Bytes(Vec::new())), received(200))]);
        assert_eq!(format!("{:?}", Transport::Played(Arc::new(replay))), "Played");
    }
}
