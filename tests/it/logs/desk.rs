//! The desk: a house with the plugin, and a folder of logs.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::harness::{House, Reply};

/// What `auth` holds at first.
pub(crate) const AUTH: &str = "\
2026-11-22T06:00:01+00:00 web sshd[811]: Failed password for root from 203.0.113.9 port 51234 ssh2
2026-11-22T06:00:09+00:00 web sshd[902]: Accepted publickey for ann from 198.51.100.7 port 40022 ssh2
";

/// What it was rotated into.
pub(crate) const OLDER: &str = "2026-11-21T00:00:00+00:00 web sshd[1]: Failed password for before from 192.0.2.1\n";

const CONFIG: &str = r#"
environment = "dev"

[plugins.logs]
source.auth.file = "logs/auth.log"
source.auth--1.file = "logs/auth.log.1"
source.auth-1.file = "logs/web.log"
source.web.file = "logs/web.log"

[grants.tester]
principals = ["local"]
tools = ["logs_*"]
max_effect = "read"
scope.log = ["auth", "ghost"]
"#;

/// A house with the plugin.
pub(crate) struct Desk(pub(crate) House);

impl Desk {
    /// `auth`, what it was rotated into, and `web`, also as another machine's `auth-1`, are bound; `auth` is granted.
    pub(crate) fn open() -> Self {
        Self::with(|house| house)
    }

    /// The same, but for what is changed.
    pub(crate) fn with(change: impl FnOnce(House) -> House) -> Self {
        let desk = Self::closed(change);
        Self(desk.0.serve())
    }

    /// The same, not yet installed.
    pub(crate) fn closed(change: impl FnOnce(House) -> House) -> Self {
        let desk = Self(change(House::of_plugin("logs", |_| CONFIG.parse().unwrap())));
        fs::create_dir(desk.0.folder().join("logs")).unwrap();
        desk.holds("auth.log", AUTH);
        desk.holds("auth.log.1", OLDER);
        desk.holds("web.log", "Failed to be granted\n");
        desk
    }

    /// The file of that name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.folder().join("logs").join(name)
    }

    /// A file holds this now.
    pub(crate) fn holds(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.file(name), content).unwrap();
    }

    /// A program writes a line.
    pub(crate) fn logs(&self, name: &str, line: &str) {
        writeln!(File::options().append(true).create(true).open(self.file(name)).unwrap(), "{line}").unwrap();
    }

    /// Search a log.
    #[track_caller]
    pub(crate) fn query(&self, log: &str, pattern: &str) -> Reply {
        self.0.call("query_logs", json!({ "log": log, "pattern": pattern }))
    }

    /// What lines say that match in `auth`.
    #[track_caller]
    pub(crate) fn found(&self, pattern: &str) -> Vec<String> {
        let reply = self.query("auth", pattern).done(&[]);
        reply.structured()["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    }

    /// The log's record of how a call ended.
    pub(crate) fn outcome(&self, reply: &Reply) -> Value {
        let of_it = |record: &Value| record.to_string().contains(reply.audit_id()) && record["event_type"] == "outcome";
        self.0.audit().into_iter().find(of_it).unwrap_or_default()
    }
}
