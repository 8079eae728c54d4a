//! The authorization server's keys, kept current: fetched ahead of need, sooner where a token names a new one, and never often.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use casemate_oauth::KeySet;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How old keys get before they are fetched again. A key that the server has taken out is believed no longer than this.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How old they may get while the server does not answer. After that nothing it signed is believed: a key may have been taken out.
const STALE: Duration = Duration::from_secs(60 * 60);
/// How often tokens that name a key nobody knows make the server be asked: anybody can make one up, and not to be asked for a minute is
/// what a new key's first user can bear.
const UNKNOWN: Duration = Duration::from_secs(60);
/// How soon a server that did not answer is asked again: doubled with each failure, up to [`UNKNOWN`].
const RETRY: Duration = Duration::from_secs(1);
/// How long one asking may take, metadata and keys together: requests may wait for it.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether it is time.
const TICK: Duration = Duration::from_millis(500);

/// Asks for the keys; the error is for the operator.
pub type Fetch = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<KeySet, String>> + Send>> + Send + Sync>;

/// Where the time comes from: a test has its own.
type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// An authorization server's keys.
pub struct Keys {
    fetch: Fetch,
    clock: Clock,
    known: RwLock<Option<Known>>,
    /// Held while the server is asked, so that it is asked once.
    asking: Mutex<Asking>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<KeySet>,
    since: Instant,
    /// Counts what was fetched.
    number: u64,
}

/// When the server may be asked, or has to be.
#[derive(Default)]
struct Asking {
    /// When it was last asked because of an unknown key.
    unknown: Option<Instant>,
    /// When it is asked by itself; now, where nothing is said.
    next: Option<Instant>,
    /// Failures since it last answered.
    failures: u32,
}

impl Keys {
    pub(super) fn new(fetch: Fetch) -> Self {
        Self::with_clock(fetch, Arc::new(Instant::now))
    }

    fn with_clock(fetch: Fetch, clock: Clock) -> Self {
        Self { fetch, clock, known: RwLock::new(None), asking: Mutex::default() }
    }

    fn now(&self) -> Instant {
        (self.clock)()
    }

    fn known(&self) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| self.now().saturating_duration_since(known.since) < STALE)
    }

    /// The keys of the moment; none where there are none that may still be believed.
    pub fn current(&self) -> Option<Arc<KeySet>> {
        self.known().map(|known| known.keys)
    }

    /// Keys that are newer than what [`Keys::current`] gave a caller who missed one, where the server may be asked again; else the same.
    pub async fn newer(&self) -> Option<Arc<KeySet>> {
        let number = || self.known().map(|known| known.number);
        let before = number();
        let mut asking = self.asking.lock().await;
        // Whoever waited for the lock has what the one before it fetched.
        let again = asking.unknown.is_none_or(|at| self.now().saturating_duration_since(at) >= UNKNOWN);
        if number() == before && again {
            asking.unknown = Some(self.now());
            self.ask(&mut asking).await;
        }
        self.current()
    }

    /// Ask, if it is time to.
    pub async fn tick(&self) {
        let mut asking = self.asking.lock().await;
        if asking.next.is_none_or(|next| self.now() >= next) {
            self.ask(&mut asking).await;
        }
    }

    /// Ask now. What is fetched takes the place of all that was known: a key that is not among it is gone.
    async fn ask(&self, asking: &mut Asking) {
        let asked = tokio::time::timeout(PATIENCE, (self.fetch)()).await;
        let pause = match asked.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))) {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), left_out = keys.left_out(), "the authorization server's keys were fetched");
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                let number = known.as_ref().map_or(0, |known| known.number) + 1;
                *known = Some(Known { keys: Arc::new(keys), since: self.now(), number });
                asking.failures = 0;
                FRESH
            }
            Err(reason) => {
                let left = self.known().map_or(Duration::ZERO, |known| STALE.saturating_sub(self.now() - known.since));
                tracing::warn!(%reason, believed_for_s = left.as_secs(), "the authorization server's keys could not be fetched");
                asking.failures = asking.failures.saturating_add(1);
                RETRY.saturating_mul(2_u32.saturating_pow(asking.failures - 1)).min(UNKNOWN)
            }
        };
        asking.next = Some(self.now() + pause);
    }

    /// Keep them fresh until `shutdown`.
    pub async fn follow(&self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(TICK) => self.tick().await,
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    };

    use casemate_oauth::Algorithm;

    use super::*;

    /// An authorization server, and the time.
    struct Server {
        asked: AtomicUsize,
        down: AtomicBool,
        kid: Mutex<&'static str>,
        second: AtomicU64,
    }

    fn set(kid: &str) -> KeySet {
        let key =
            serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        KeySet::parse(serde_json::json!({ "keys": [key] }).to_string().as_bytes(), &Algorithm::ALL).unwrap()
    }

    impl Server {
        fn new() -> (Arc<Self>, Arc<Keys>) {
            let server = Arc::new(Self {
                asked: AtomicUsize::new(0),
                down: AtomicBool::new(false),
                kid: Mutex::new("one"),
                second: AtomicU64::new(0),
            });
            let (asked, timed, begin) = (Arc::clone(&server), Arc::clone(&server), Instant::now());
            let fetch: Fetch = Arc::new(move || {
                let server = Arc::clone(&asked);
                Box::pin(async move {
                    server.asked.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    if server.down.load(Ordering::SeqCst) { Err("down".into()) } else { Ok(set(*server.kid.lock().unwrap())) }
                })
            });
            let clock = Arc::new(move || begin + Duration::from_secs(timed.second.load(Ordering::SeqCst)));
            (server, Arc::new(Keys::with_clock(fetch, clock)))
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        fn sign_with(&self, kid: &'static str) {
            *self.kid.lock().unwrap() = kid;
        }

        /// Let so many seconds pass.
        async fn pass(&self, seconds: u64, keys: &Keys) {
            for _ in 0..seconds {
                self.second.fetch_add(1, Ordering::SeqCst);
                keys.tick().await;
            }
        }
    }

    #[tokio::test]
    async fn unknown_keys_make_the_server_be_asked_once_a_minute_however_many_there_are() {
        let (server, keys) = Server::new();
        keys.tick().await;
        server.sign_with("two");
        let ask = || {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.newer().await })
        };
        let flood: Vec<_> = (0..500).map(|_| ask()).collect();
        for one in flood {
            assert_eq!(*one.await.unwrap().unwrap(), set("two"), "whoever waits gets what was fetched");
        }
        assert_eq!(server.asked(), 2);
        server.sign_with("three");
        server.pass(59, &keys).await;
        assert_eq!(*keys.newer().await.unwrap(), set("two"));
        assert_eq!(server.asked(), 2);
        server.pass(1, &keys).await;
        assert_eq!(*keys.newer().await.unwrap(), set("three"));
        assert_eq!(server.asked(), 3);
    }

    #[tokio::test]
    async fn keys_are_fetched_ahead_of_need_and_what_is_gone_is_gone() {
        let (server, keys) = Server::new();
        keys.tick().await;
        server.sign_with("two");
        server.pass(299, &keys).await;
        assert_eq!(*keys.current().unwrap(), set("one"));
        server.pass(1, &keys).await;
        assert_eq!(*keys.current().unwrap(), set("two"));
        assert_eq!(server.asked(), 2);
    }

    #[tokio::test]
    async fn known_keys_outlive_the_server_for_an_hour_and_no_longer() {
        let (server, keys) = Server::new();
        keys.tick().await;
        server.down.store(true, Ordering::SeqCst);
        server.pass(3599, &keys).await;
        assert!(keys.current().is_some());
        assert!(server.asked() < 70, "a server that is down is not hammered: {}", server.asked());
        server.pass(1, &keys).await;
        assert!(keys.current().is_none(), "a key may have been taken out since");
        assert!(keys.newer().await.is_none());
        server.down.store(false, Ordering::SeqCst);
        server.pass(60, &keys).await;
        assert!(keys.current().is_some(), "it is asked again by itself");
    }

    #[tokio::test]
    async fn a_server_that_is_down_at_the_start_is_asked_soon() {
        let (server, keys) = Server::new();
        server.down.store(true, Ordering::SeqCst);
        keys.tick().await;
        assert!(keys.current().is_none());
        server.down.store(false, Ordering::SeqCst);
        server.pass(1, &keys).await;
        assert!(keys.current().is_some());
    }
}
