//! The console: pages for people, over the same state and by the same functions as the command line.
//!
//! It decides nothing, and there is no second path: what is shown, a command shows; what is done, a command does in the same way. Everything
//! works without a script. Whoever has no session is shown how to get one, and nothing else.

mod asset;
pub(crate) mod door;
mod form;
pub(crate) mod guard;
mod live;
mod login;
mod page;
mod part;
mod route;
mod session;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, routing::any};
use casemate_ledger::Ledger;
use casemate_signing::Environment;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::live::follow;
use self::{page::health::Health, session::Sessions};
use crate::{
    command::Context,
    config::{Config, HttpSettings},
    exit::Failure,
    folders::private,
    house::{Recorder, Rulebook, store},
    identity::Identity,
};

/// What a running console needs.
pub(crate) struct Console {
    context: Context,
    environment: Environment,
    /// Where the environment's state is.
    state: PathBuf,
    ledger: Ledger,
    recorder: Recorder,
    identity: Arc<Identity>,
    http: watch::Receiver<Arc<HttpSettings>>,
    sessions: Sessions,
    /// Where it is reached, such as `http://127.0.0.1:8788`.
    origin: String,
    /// Counts the changes of what it shows.
    changes: watch::Sender<u64>,
    /// Reading the rules verifies every package: what they were, of which files, and when.
    rules: Mutex<Option<Rules>>,
    /// Verifying takes time: the last answer, and when it was given.
    health: Mutex<Option<(Instant, Health)>>,
    stop: CancellationToken,
}

/// The rules that were read, and of what.
struct Rules {
    config: String,
    marks: store::Marks,
    at: Instant,
    book: Arc<Rulebook>,
}

/// How long rules are shown whose files have not changed: advisories are not among those.
const RULES_KEPT: Duration = Duration::from_secs(60);

/// What a console is opened with.
pub(crate) struct Opening {
    pub(crate) context: Context,
    pub(crate) environment: Environment,
    pub(crate) recorder: Recorder,
    pub(crate) identity: Arc<Identity>,
    pub(crate) http: watch::Receiver<Arc<HttpSettings>>,
    pub(crate) origin: String,
    pub(crate) stop: CancellationToken,
}

impl Console {
    /// Open it.
    pub(crate) fn open(opening: Opening) -> Result<Self, Failure> {
        let Opening { context, environment, recorder, identity, http, origin, stop } = opening;
        let state = context.folders.state(environment);
        // A host that has not served yet has none.
        private(&state)?;
        let ledger = Ledger::open(&state.join("ledger.db"))?;
        Ok(Self {
            context,
            environment,
            state,
            ledger,
            recorder,
            identity,
            http,
            sessions: Sessions::default(),
            origin,
            changes: watch::Sender::default(),
            rules: Mutex::default(),
            health: Mutex::default(),
            stop,
        })
    }

    /// Whether people reach it over TLS.
    fn is_secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// The configuration of the moment.
    fn config(&self) -> Result<Config, Failure> {
        let config = Config::read(&self.context.folders.config)?;
        if config.environment != self.environment {
            return Err(Failure::failed(format!(
                "the configuration is for environment `{}` now, and this console was started for `{}`\nhelp: start it again",
                config.environment, self.environment
            )));
        }
        Ok(config)
    }
}

impl Console {
    /// The rules of this configuration, read as `casemate policy check` reads them.
    fn rules(&self, config: &Config) -> Result<Arc<Rulebook>, Failure> {
        let marks = store::marks(&self.context.folders, &self.state);
        let mut known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |rules: &&Rules| rules.config == config.sha256 && rules.marks == marks && rules.at.elapsed() < RULES_KEPT;
        if let Some(rules) = known.as_ref().filter(same) {
            return Ok(Arc::clone(&rules.book));
        }
        let book = Arc::new(Rulebook::read(&self.context)?);
        *known = Some(Rules { config: book.config.sha256.clone(), marks, at: Instant::now(), book: Arc::clone(&book) });
        Ok(book)
    }
}

/// Everything below `/console`.
pub(crate) fn router(console: Arc<Console>) -> Router {
    Router::new().route("/console", any(route::answer)).route("/console/{*path}", any(route::answer)).with_state(console)
}
