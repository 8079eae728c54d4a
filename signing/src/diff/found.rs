//! What a comparison has found so far, and the comparisons that several fields share.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use serde::Serialize;

use super::{Change, TextChange, Verdict};
use crate::manifest::{ToolName, image::described};

/// Differences, in the order they are found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) authority: Vec<Change>,
    pub(super) texts: Vec<TextChange>,
}

impl Found {
    /// One difference.
    pub(super) fn change<B: Serialize, A: Serialize>(
        &mut self,
        place: impl Into<String>,
        before: Option<&B>,
        after: Option<&A>,
        verdict: Verdict,
    ) {
        let (before, after) = (before.map(shown), after.map(shown));
        self.authority.push(Change { place: place.into(), before, after, verdict });
    }

    /// A value of which only equality is understood.
    pub(super) fn equal<T: Serialize + PartialEq>(&mut self, place: impl Into<String>, before: &T, after: &T) {
        if before != after {
            self.change(place, Some(before), Some(after), Verdict::Widened);
        }
    }

    /// A value that may be absent, of which only equality is understood.
    pub(super) fn equal_option<T: Serialize + PartialEq>(
        &mut self,
        place: impl Into<String>,
        before: Option<&T>,
        after: Option<&T>,
    ) {
        if before != after {
            self.change(place, before, after, Verdict::Widened);
        }
    }

    /// A set of what is allowed: one more widens, one less narrows.
    pub(super) fn allowed<T: Serialize + Ord + Display>(&mut self, place: &str, before: &BTreeSet<T>, after: &BTreeSet<T>) {
        for gone in before.difference(after) {
            self.change(format!("{place}.{gone}"), Some(gone), None::<&T>, Verdict::Narrowed);
        }
        for new in after.difference(before) {
            self.change(format!("{place}.{new}"), None::<&T>, Some(new), Verdict::Widened);
        }
    }

    /// A set of what is demanded or attached: one more narrows, one less widens.
    pub(super) fn demanded<T: Serialize + Ord + Display>(&mut self, place: &str, before: &BTreeSet<T>, after: &BTreeSet<T>) {
        for gone in before.difference(after) {
            self.change(format!("{place}.{gone}"), Some(gone), None::<&T>, Verdict::Widened);
        }
        for new in after.difference(before) {
            self.change(format!("{place}.{new}"), None::<&T>, Some(new), Verdict::Narrowed);
        }
    }

    /// A map of what is allowed: one more widens, one less narrows; gives what is in both to compare.
    pub(super) fn entries<'m, K: Ord + Display, V: Serialize>(
        &mut self,
        place: &str,
        before: &'m BTreeMap<K, V>,
        after: &'m BTreeMap<K, V>,
    ) -> Vec<(String, &'m V, &'m V)> {
        for (name, gone) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
            self.change(format!("{place}.{name}"), Some(gone), None::<&V>, Verdict::Narrowed);
        }
        let mut both = Vec::new();
        for (name, new) in after {
            let at = format!("{place}.{name}");
            match before.get(name) {
                Some(old) => both.push((at, old, new)),
                None => self.change(at, None::<&V>, Some(new), Verdict::Widened),
            }
        }
        both
    }

    /// A text that somebody reads.
    pub(super) fn words<T: Serialize + PartialEq>(
        &mut self,
        tool: Option<&ToolName>,
        field: &'static str,
        before: Option<&T>,
        after: Option<&T>,
    ) {
        if before != after {
            let (before, after) = (before.map(shown), after.map(shown));
            self.texts.push(TextChange { tool: tool.cloned(), field, before, after });
        }
    }
}

/// A string as it is, anything else as JSON; pictures as their digests.
pub(super) fn shown<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value).map(described) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        // Nothing of a manifest that is compared comes here; a difference is never lost for want of words.
        Err(_) => "not shown".to_owned(),
    }
}
