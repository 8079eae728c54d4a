//! The installed plugins, and whether a server has loaded each.

use std::collections::BTreeMap;

use casemate_audit::Entry;
use casemate_policy::Timestamp;

use super::{
    super::{Text, figures::Figures},
    calls::word,
};

/// Plugins that are kept in mind; the log may name more that are gone.
const MAX: usize = 256;

/// One installed plugin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plugin {
    pub(crate) id: Text,
    pub(crate) version: Text,
    pub(crate) release: u64,
    pub(crate) tools: usize,
    /// Why it would not be loaded now.
    pub(crate) refused: Option<Text>,
}

/// What a server did with it last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Load {
    /// It serves it since then.
    Loaded(Timestamp),
    /// It does not.
    Refused(Timestamp, Text),
    /// What was read of the log does not say.
    Unknown,
}

/// One plugin, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) plugin: Plugin,
    pub(crate) load: Load,
    /// Since the server began.
    pub(crate) fuel: Option<u64>,
}

impl Row {
    /// Whether somebody has to look at it.
    pub(crate) fn is_refused(&self) -> bool {
        self.plugin.refused.is_some() || matches!(self.load, Load::Refused(..))
    }
}

/// What servers did with plugins.
#[derive(Debug, Clone, Default)]
pub(super) struct Loads(BTreeMap<Text, Load>);

impl Loads {
    /// Take up a record.
    pub(super) fn take(&mut self, entry: &Entry) {
        let Ok(at) = entry.occurred_at().parse::<Timestamp>() else { return };
        let load = match entry.event_type() {
            "plugin.loaded" => Load::Loaded(at),
            "plugin.load-failed" | "config.secrets-lost" => Load::Refused(at, word(entry, "reason")),
            "plugin.removed" => Load::Unknown,
            _ => return,
        };
        let plugin = word(entry, "plugin");
        if self.0.len() < MAX || self.0.contains_key(&plugin) {
            self.0.insert(plugin, load);
        }
    }

    /// The installed ones, each with what became of it.
    pub(super) fn rows(&self, installed: &[Plugin], figures: Option<&Figures>) -> Vec<Row> {
        let row = |plugin: &Plugin| Row {
            load: self.0.get(&plugin.id).cloned().unwrap_or(Load::Unknown),
            fuel: figures.and_then(|figures| fuel(figures, plugin.id.as_str())),
            plugin: plugin.clone(),
        };
        installed.iter().map(row).collect()
    }
}

/// By its id, or by its short name.
fn fuel(figures: &Figures, id: &str) -> Option<u64> {
    let short = id.split_once('/').map(|(_, name)| name);
    figures.fuel.iter().find(|(name, _)| name.as_str() == id || Some(name.as_str()) == short).map(|(_, fuel)| *fuel)
}
