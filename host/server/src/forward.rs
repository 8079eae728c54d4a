//! Forwarding: the audit log, live, to systems that collect logs.
//!
//! It reads the log's files as anybody could, after they are written, and remembers how far it came. So no call waits for a collector; what
//! a collector missed is sent when it is back; and what was sent just before a crash is sent again. One process forwards at a time.

mod cursor;
mod otlp;
mod standing;
mod syslog;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use casemate_audit::{Entry, Filter};
use rustix::fs::{FlockOperation, flock};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    config::{Collector, ForwardConfig},
    exit::Failure,
    folders::private,
    house::House,
    mcp,
    trail::Watch,
};
use cursor::Cursor;

pub(crate) use standing::{Behind, behind, reached};

/// Records that are sent and acknowledged together.
const BATCH: usize = 512;
/// How often the log is looked at once it is all sent.
const LOOK: Duration = Duration::from_millis(500);
/// The first wait after a failure, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How often another process's turn is asked for.
const TURN: Duration = Duration::from_secs(5);

/// What the host's log says while records do not reach a collector.
const NOT_FORWARDED: &str = "not-forwarded";

/// A collector that is sent records, in order.
enum Line {
    Syslog(syslog::Stream),
    Otlp(otlp::Poster),
}

impl Line {
    async fn open(to: &Collector) -> Result<Self, String> {
        match to {
            Collector::Syslog(to) => syslog::Stream::open(to).await.map(Self::Syslog),
            Collector::Otlp(to) => otlp::Poster::open(to).await.map(Self::Otlp),
        }
    }

    /// Sent, as far as the collector's protocol lets anybody know.
    async fn send(&mut self, entries: &[Entry]) -> Result<(), String> {
        match self {
            Self::Syslog(stream) => stream.send(entries).await,
            Self::Otlp(poster) => poster.send(entries).await,
        }
    }
}

/// One forwarding, with the right to do it.
pub(crate) struct Forwarding<'a> {
    state: &'a Path,
    config: &'a ForwardConfig,
    watch: Watch,
    cursor: Cursor,
    line: Option<Line>,
    _turn: std::fs::File,
}

impl<'a> Forwarding<'a> {
    /// Take the turn; none while another process has it.
    ///
    /// # Errors
    /// When what is known of the past cannot be read.
    pub(crate) fn begin(state: &'a Path, config: &'a ForwardConfig) -> Result<Option<Self>, Failure> {
        let folder = state.join("forward");
        private(&folder)?;
        let turn = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join(format!("{}.lock", config.name)))
            .map_err(|error| Failure::failed(format!("`{}` cannot be used: {error}", folder.display())))?;
        match flock(&turn, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(Failure::failed(format!("`{}` cannot be locked: {error}", folder.display()))),
        }
        let cursor = Cursor::read(&cursor_path(state, config))?;
        Ok(Some(Self { state, config, watch: Watch::resume(cursor.positions()), cursor, line: None, _turn: turn }))
    }

    /// Send the next records; gives how many. Nothing counts as sent before the collector has it.
    ///
    /// # Errors
    /// When the log cannot be read, or the collector does not take them. They are sent again the next time.
    pub(crate) async fn step(&mut self) -> Result<usize, String> {
        let before = self.watch.clone();
        let watched = block_in_place(|| self.watch.some(self.state, &Filter::default(), BATCH));
        let entries = watched.map_err(|failure| failure.message)?;
        if entries.is_empty() {
            return Ok(0);
        }
        let sent = self.deliver(&entries).await;
        if let Err(fault) = sent {
            (self.watch, self.line) = (before, None);
            return Err(fault);
        }
        self.cursor.note(self.watch.positions());
        block_in_place(|| self.cursor.write(&cursor_path(self.state, self.config))).map_err(|failure| failure.message)?;
        Ok(entries.len())
    }

    async fn deliver(&mut self, entries: &[Entry]) -> Result<(), String> {
        if self.line.is_none() {
            self.line = Some(Line::open(&self.config.to).await?);
        }
        match &mut self.line {
            Some(line) => line.send(entries).await,
            None => Ok(()),
        }
    }
}

fn cursor_path(state: &Path, config: &ForwardConfig) -> PathBuf {
    state.join("forward").join(format!("{}.json", config.name))
}

/// Forward to whomever the configuration names, as long as it does.
pub(crate) async fn follow(house: Arc<House>, state: PathBuf, ended: CancellationToken) {
    let mut changes = <House as mcp::House>::changes(&house);
    let mut running: Vec<(ForwardConfig, CancellationToken)> = Vec::new();
    loop {
        let named: Vec<_> = house.serving().config().forwards.iter().map(|forward| forward.value.clone()).collect();
        running.retain(|(config, token)| {
            named.contains(config) || {
                token.cancel();
                false
            }
        });
        for config in named {
            if !running.iter().any(|(known, _)| *known == config) {
                let token = ended.child_token();
                tokio::spawn(forward(state.clone(), config.clone(), token.clone()));
                running.push((config, token));
            }
        }
        tokio::select! {
            () = ended.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// Forward until told to stop. A collector that is away is told of once, and again when it is back.
async fn forward(state: PathBuf, config: ForwardConfig, ended: CancellationToken) {
    let mut forwarding = None;
    let (mut wait, mut away) = (Duration::ZERO, false);
    while !ended.is_cancelled() {
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let Some(current) = &mut forwarding else {
            match block_in_place(|| Forwarding::begin(&state, &config)) {
                Ok(Some(begun)) => (forwarding, wait) = (Some(begun), Duration::ZERO),
                Ok(None) => wait = TURN,
                Err(failure) => {
                    warn!(code = NOT_FORWARDED, forward = %config.name, fault = %failure.message, "the audit log is not forwarded");
                    wait = RETRY.1;
                }
            }
            continue;
        };
        match current.step().await {
            Ok(sent) => {
                if away {
                    info!(forward = %config.name, "the audit log is forwarded again");
                }
                (wait, away) = (if sent == BATCH { Duration::ZERO } else { LOOK }, false);
            }
            Err(fault) => {
                if !away {
                    warn!(code = NOT_FORWARDED, forward = %config.name, %fault, "the audit log is not forwarded; nothing is lost, and it is tried again");
                }
                (wait, away) = ((wait * 2).clamp(RETRY.0, RETRY.1), true);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
