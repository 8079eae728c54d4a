//! What a running server writes down, and what happens to a call that is under way.

use std::{
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{House, Reply};

/// Long enough for anything that happens at all on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// A call that was begun is under way by then.
pub(crate) const UNDER_WAY: Duration = Duration::from_millis(700);

/// Wait for something, and say how long that took.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}: it does not happen");
        sleep(Duration::from_millis(10));
    }
    started.elapsed()
}

/// What a record says of its own kind.
pub(crate) fn said<'a>(record: &'a Value, name: &str) -> &'a Value {
    &record["extensions"]["casemate"][name]
}

impl House {
    /// Every record in the order in which the server wrote it, and after those what commands wrote. Read from the files: the command
    /// that shows them needs a configuration that can be read, and here not every one can.
    pub(crate) fn written(&self) -> Vec<Value> {
        let mut files = Vec::new();
        let inside = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        for environment in inside(&self.folder().join("state")) {
            for chain in inside(&environment.join("audit")) {
                files.extend(
                    inside(&chain).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")),
                );
            }
        }
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        // The last line may be in the middle of being written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Records of this kind, oldest first.
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        self.written().into_iter().filter(|record| record["event_type"] == kind).collect()
    }

    /// The record that a reply names. It may take a moment to be in the file.
    #[track_caller]
    pub(crate) fn record(&self, reply: &Reply) -> Value {
        let mut found = Value::Null;
        until("the record is written", || {
            found = self.written().into_iter().find(|record| record["event_id"] == reply.audit_id()).unwrap_or_default();
            !found.is_null()
        });
        found
    }

    /// Tell the server to take up the configuration as it is now, and wait until it has.
    #[track_caller]
    pub(crate) fn reload(&self) {
        let before = self.records("config.loaded").len();
        self.hang_up();
        until("the configuration is taken up", || self.records("config.loaded").len() > before);
        // It is written down right before it counts.
        sleep(Duration::from_millis(50));
    }

    /// What a call is told that is under way while `change` happens, and how long after the change.
    pub(crate) fn during(&self, tool: &str, arguments: Value, change: impl FnOnce()) -> (Reply, Duration) {
        let tool = self.served(tool);
        std::thread::scope(|scope| {
            let call = scope.spawn(move || (self.try_call(&tool, arguments).unwrap(), Instant::now()));
            sleep(UNDER_WAY);
            assert!(!call.is_finished(), "the call is over before anything changes");
            change();
            let changed = Instant::now();
            let (reply, ended) = call.join().unwrap();
            (reply, ended.saturating_duration_since(changed))
        })
    }
}
