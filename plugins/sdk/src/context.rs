//! What a tool has besides its arguments.

use serde::de::DeserializeOwned;

use crate::{Failure, request::Upstream, text::clip, world};

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Something an operator can act on.
    Warn,
    /// Something went wrong.
    Error,
}

/// One call's way to the world: its upstreams, the operator's settings, the log and the progress bar.
#[derive(Debug)]
pub struct Context {
    settings: String,
    pub(crate) world: world::World,
}

impl Context {
    pub(crate) fn new(settings: String, world: world::World) -> Self {
        Self { settings, world }
    }

    /// A client of the upstream that the manifest calls `name`. Where that is, only the host knows.
    pub fn upstream(&self, name: &'static str) -> Upstream<'_> {
        Upstream::new(self, name)
    }

    /// The operator's settings, which fit the manifest's `[settings]` schema.
    ///
    /// # Errors
    /// When they do not fit `T`: then the schema and the type disagree.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.settings)
            .map_err(|error| Failure::internal(format!("the settings do not fit: {}", clip(&error.to_string(), 300))))
    }

    /// A line for the operator's log. It never reaches the model.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.world.log(level, message.as_ref());
    }

    /// Say that `done` of `total` units are done.
    pub fn progress(&self, done: u64, total: Option<u64>, message: impl AsRef<str>) {
        self.world.progress(done, total, message.as_ref());
    }
}
