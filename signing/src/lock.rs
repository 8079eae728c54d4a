//! `casemate.lock`: exactly which bytes of which plugins are installed, for people to review.
//!
//! The lock file can only narrow. It grants no trust: a package it names still has to be signed, owned and approved.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Deserialize;

use crate::{
    digest::Digest,
    key::Fingerprint,
    manifest::{PluginId, ToolName},
};

/// Bytes of a lock file.
pub const MAX_LOCK_FILE: usize = 4 * 1024 * 1024;

const VERSION: u64 = 1;

/// Why a lock file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// More than [`MAX_LOCK_FILE`] bytes.
    #[error("the lock file is larger than {MAX_LOCK_FILE} bytes")]
    TooLarge,
    /// Not the TOML of a lock file.
    #[error("the lock file cannot be read: {0}")]
    Syntax(String),
    /// Written by another version.
    #[error("the lock file has version {0}, and this program reads version {VERSION}")]
    Version(u64),
    /// One plugin, two entries.
    #[error("the lock file lists `{0}` twice")]
    Twice(PluginId),
}

/// One installed plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Its version.
    pub version: semver::Version,
    /// Its release.
    pub release: u64,
    /// The component's digest.
    pub component: Digest,
    /// The digest of the signed statement.
    pub statement: Digest,
    /// Who signed it.
    pub signers: BTreeSet<Fingerprint>,
    /// Where it came from: a file or a registry reference, for people.
    pub source: String,
    /// What the operator agreed it may do.
    pub capabilities: Digest,
    /// What clients are shown of each tool.
    pub tools: BTreeMap<ToolName, Digest>,
    /// Whether an update leaves it as it is.
    pub pinned: bool,
}

/// Every installed plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockFile {
    plugins: BTreeMap<PluginId, Locked>,
}

impl LockFile {
    /// A lock file of no plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every plugin, by its id.
    pub fn plugins(&self) -> &BTreeMap<PluginId, Locked> {
        &self.plugins
    }

    /// What is locked for a plugin.
    pub fn plugin(&self, id: &PluginId) -> Option<&Locked> {
        self.plugins.get(id)
    }

    /// Lock a plugin, in place of what was locked before, which is returned.
    pub fn insert(&mut self, id: PluginId, locked: Locked) -> Option<Locked> {
        self.plugins.insert(id, locked)
    }

    /// Forget a plugin.
    pub fn remove(&mut self, id: &PluginId) -> Option<Locked> {
        self.plugins.remove(id)
    }

    /// Read a lock file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        if text.len() > MAX_LOCK_FILE {
            return Err(LockError::TooLarge);
        }
        let file: File = toml::from_str(text).map_err(|error| LockError::Syntax(error.to_string().trim_end().to_owned()))?;
        if file.version != VERSION {
            return Err(LockError::Version(file.version));
        }
        let mut lock = Self::new();
        for Entry { id, version, release, component, statement, signers, source, capabilities, tools, pinned } in file.plugin {
            let locked = Locked { version, release, component, statement, signers, source, capabilities, tools, pinned };
            if lock.insert(id.clone(), locked).is_some() {
                return Err(LockError::Twice(id));
            }
        }
        Ok(lock)
    }

    /// As a lock file: plugins, signers and tools in order, so that a change is a short diff.
    pub fn to_text(&self) -> String {
        let mut text = format!("# What is installed. Changed by `casemate install`; it grants no trust.\nversion = {VERSION}\n");
        for (id, locked) in &self.plugins {
            let Locked { version, release, component, statement, signers, source, capabilities, tools, pinned } = locked;
            let signers: Vec<String> = signers.iter().map(|signer| format!("\"{signer}\"")).collect();
            // Writing to a `String` cannot fail. Only `source` is free text, and toml writes it.
            let _ = write!(
                text,
                "\n[[plugin]]\nid = \"{id}\"\nversion = \"{version}\"\nrelease = {release}\nsource = {}\n\
                 component = \"{component}\"\nstatement = \"{statement}\"\nsigners = [{}]\ncapabilities = \"{capabilities}\"\n{}\n\
                 [plugin.tools]\n",
                toml::Value::from(source.as_str()),
                signers.join(", "),
                if *pinned { "pinned = true\n" } else { "" },
            );
            for (tool, digest) in tools {
                let _ = writeln!(text, "{tool} = \"{digest}\"");
            }
        }
        text
    }
}

/// The lock file as TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    #[serde(default)]
    plugin: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: PluginId,
    version: semver::Version,
    release: u64,
    component: Digest,
    statement: Digest,
    signers: BTreeSet<Fingerprint>,
    source: String,
    capabilities: Digest,
    tools: BTreeMap<ToolName, Digest>,
    #[serde(default)]
    pinned: bool,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::key::PrivateKey;

    fn lock(source: &str) -> LockFile {
        let mut lock = LockFile::new();
        for (name, release) in [("acme/scanner", 3), ("acme/emulator", u64::from(u32::MAX))] {
            let digest = |what: &str| Digest::of(format!("{name} {what}").as_bytes());
            let locked = Locked {
                version: "1.2.3-rc.1+build".parse().unwrap(),
                release,
                component: digest("component"),
                statement: digest("statement"),
                signers: [2, 1].map(|seed| PrivateKey::from_seed(&[seed; 32]).public_key().fingerprint()).into(),
                source: source.to_owned(),
                capabilities: digest("capabilities"),
                tools: ["start", "agents"].map(|tool| (tool.parse().unwrap(), digest(tool))).into(),
                pinned: name == "acme/scanner",
            };
            lock.insert(name.parse().unwrap(), locked);
        }
        lock
    }

    #[test]
    fn what_is_written_is_read_back_in_one_order() {
        for source in ["emulator-0.1.0.wasm", "", "a \"quoted\" \\ name\n[[plugin]]\u{7f}", "'''"] {
            let text = lock(source).to_text();
            assert_eq!(LockFile::parse(&text), Ok(lock(source)), "{text}");
            assert_eq!(LockFile::parse(&text).unwrap().to_text(), text);
            assert!(text.find("acme/emulator") < text.find("acme/scanner"));
            assert_eq!(text.matches("\npinned = true\n").count(), 1 + source.matches("pinned").count());
        }
        assert_eq!(LockFile::parse(&LockFile::new().to_text()), Ok(LockFile::new()));
    }

    #[test]
    fn a_changed_file_is_refused() {
        let text = lock("x").to_text();
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            LockFile::parse(&text.replacen(from, to, 1)).unwrap_err()
        };
        assert_eq!(refused("version = 1\n", "version = 2\n"), LockError::Version(2));
        assert_eq!(refused("acme/scanner", "acme/emulator"), LockError::Twice("acme/emulator".parse().unwrap()));
        for (from, to) in [
            ("release =", "extra = 1\nrelease ="),
            ("release = 3", "release = -3"),
            ("release = 3", "release = 3.5"),
            ("component = ", "components = "),
            ("sha256:", "sha512:"),
            ("SHA256:", "MD5:"),
            ("acme/scanner", "scanner"),
            ("1.2.3-rc.1+build", "1.2"),
            ("start =", "START ="),
            ("pinned = true", "pinned = 1"),
        ] {
            assert!(matches!(refused(from, to), LockError::Syntax(_)), "{to}");
        }
        assert_eq!(LockFile::parse(&" ".repeat(MAX_LOCK_FILE + 1)), Err(LockError::TooLarge));
    }
}
