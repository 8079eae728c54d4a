//! What is verified anew now and then, because it takes time: every installed package, and the whole log.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    Text,
    model::{News, Plugin},
    text::Lines,
};
use crate::{
    command::Context,
    exit::Failure,
    house::store,
    installed::{self, Installed, VERIFIED},
    trail::whole,
};

/// Trust and packages are looked at after so long even where no file has changed: signatures and lists expire.
const PACKAGES: Duration = Duration::from_secs(60);
/// As long as the console shows an answer.
const LOG: Duration = Duration::from_secs(300);

/// Verifies what one environment has.
pub(crate) struct Checker {
    context: Context,
    state: PathBuf,
    packages: Option<(store::Marks, Instant)>,
    log: Option<Instant>,
}

impl Checker {
    pub(crate) fn new(context: Context, state: PathBuf) -> Self {
        Self { context, state, packages: None, log: None }
    }

    /// What is installed, where anything may have changed.
    pub(crate) fn plugins(&mut self) -> Option<News> {
        let marks = store::marks(&self.context.folders, &self.state);
        if self.packages.as_ref().is_some_and(|(known, at)| *known == marks && at.elapsed() < PACKAGES) {
            return None;
        }
        let installed = self.installed();
        self.packages = Some((marks, Instant::now()));
        Some(News::Plugins(installed.map_err(Lines::from)))
    }

    fn installed(&self) -> Result<Vec<Plugin>, Failure> {
        // Whoever asks what is installed where nothing ever was makes the keys of that state. Looking begins nothing.
        match (self.state.exists(), self.context.folders.lock().exists()) {
            (true, _) => Ok(installed::all(&self.context)?.iter().map(plugin).collect()),
            (false, false) => Ok(Vec::new()),
            (false, true) => {
                Err(Failure::failed("no plugin was ever loaded in this environment\nhelp: `casemate list` says what would be"))
            }
        }
    }

    /// Whether the log is whole, where it is time to ask.
    pub(crate) fn health(&mut self) -> Option<News> {
        // A host that has done nothing yet has no log that could be whole.
        if self.log.is_some_and(|at| at.elapsed() < LOG) || !self.state.exists() {
            return None;
        }
        let found = whole::extent(&self.state);
        self.log = Some(Instant::now());
        Some(News::Health(found.map_err(|failure: Failure| failure.into())))
    }
}

fn plugin(installed: &Installed) -> Plugin {
    let refused = (installed.status != VERIFIED).then(|| Text::of(installed.status.trim_start_matches("refused: ")));
    Plugin {
        id: Text::of(&installed.id.to_string()),
        version: Text::of(&installed.locked.version.to_string()),
        release: installed.locked.release,
        tools: installed.locked.tools.len(),
        refused,
    }
}
