//! Log sources: files that grants may name, to be read by callers and, where they are bound to them, by plugins.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use casemate_policy::{GrantName, SourceRule};
use casemate_signing::{
    digest::Digest,
    manifest::{SourceName, text},
};

use super::{Located, Resolver, file, nearest};

/// Bytes of one read where the operator says nothing: a screenful of pages, and no model's whole context.
const DEFAULT_MAX_BYTES: u64 = 64 << 10;
/// The most that the operator may say: a result above this helps nobody.
const MOST_MAX_BYTES: u64 = 4 << 20;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 300;

/// One source, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// The file. Its name is never shown to a caller.
    pub path: PathBuf,
    /// The most bytes of one read.
    pub max_bytes: usize,
    /// Who may read it, and what that brings into a session.
    pub rule: SourceRule,
}

/// What grants say of sources: the names in each grant's `sources`.
pub(super) type Readers = Vec<(GrantName, Vec<toml::Spanned<String>>)>;

impl Resolver<'_> {
    pub(super) fn sources(
        &mut self,
        sources: BTreeMap<toml::Spanned<String>, file::LogSource>,
        readers: &Readers,
    ) -> BTreeMap<SourceName, Located<SourceConfig>> {
        let known: Vec<String> = sources.keys().map(|name| name.get_ref().clone()).collect();
        for name in readers.iter().flat_map(|(_, names)| names).filter(|name| !known.contains(name.get_ref())) {
            let help = nearest(name.get_ref(), known.iter().map(String::as_str)).map_or_else(
                || format!("add `[sources.{}]` with the file's `path`", name.get_ref()),
                |meant| format!("did you mean `{meant}`?"),
            );
            self.faults.push(format!("{}: there is no source `{}`\nhelp: {help}", self.place(name.span()), name.get_ref()));
        }
        sources.into_iter().filter_map(|(name, source)| self.source(&name, source, readers)).collect()
    }

    fn source(
        &mut self,
        name: &toml::Spanned<String>,
        file: file::LogSource,
        readers: &Readers,
    ) -> Option<(SourceName, Located<SourceConfig>)> {
        let place = self.place(name.span());
        let beside = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let grants: BTreeSet<GrantName> = readers
            .iter()
            .filter(|(_, names)| names.iter().any(|known| known.get_ref() == name.get_ref()))
            .map(|(grant, _)| grant.clone())
            .collect();
        let name: Option<SourceName> = self.form(name);
        let labels = file.labels.iter().filter_map(|label| self.form(label)).collect();
        if let Err(error) = text::line(file.description.get_ref(), MAX_DESCRIPTION) {
            self.faults.push(format!("{}: the description: {error}", self.place(file.description.span())));
        }
        let max_bytes = file.max_bytes.as_ref().map_or(DEFAULT_MAX_BYTES, |bytes| *bytes.get_ref());
        if !(1..=MOST_MAX_BYTES).contains(&max_bytes) {
            let at = file.max_bytes.as_ref().map_or(0..0, toml::Spanned::span);
            self.faults.push(format!(
                "{}: `max_bytes` is {max_bytes}\nhelp: it is 1 to {MOST_MAX_BYTES}; a caller reads more in parts",
                self.place(at)
            ));
        }
        let path = beside.join(file.path);
        let digest = Digest::of(path.as_os_str().as_encoded_bytes()).to_hex();
        let name = name?;
        let rule = match SourceRule::new(&name, file.description.get_ref(), &labels, digest, grants) {
            Ok(rule) => rule,
            Err(error) => {
                self.faults.push(format!("{place}: {error}"));
                return None;
            }
        };
        let max_bytes = usize::try_from(max_bytes).ok()?;
        Some((name, Located::new(place, SourceConfig { path, max_bytes, rule })))
    }
}
