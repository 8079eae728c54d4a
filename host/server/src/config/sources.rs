//! Log sources: files that grants may name, to be read by callers and, where they are bound to them, by plugins.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use casemate_policy::{Asks, GrantName, SourceRule, VALUES, output::is_shown};
use casemate_signing::{
    digest::Digest,
    manifest::{ArgumentName, SourceName, media::is_text, text},
};
use serde_json::Value;

use super::{Located, Resolver, address::OwnAddress, file, nearest};

/// Bytes of one read where the operator says nothing: a screenful of pages, and no model's whole context.
const DEFAULT_MAX_BYTES: u64 = 64 << 10;
/// The most that the operator may say: a result above this helps nobody.
const MOST_MAX_BYTES: u64 = 4 << 20;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 300;

/// One source, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// The file, or a template of files. Its name is never shown to a caller.
    path: PathBuf,
    /// Its own address, if it has one.
    pub address: Option<OwnAddress>,
    /// What it is.
    pub media_type: String,
    /// The most bytes of one read.
    pub max_bytes: usize,
    /// Who may read it, and what that brings into a session.
    pub rule: SourceRule,
}

impl SourceConfig {
    /// Whether it is read as text, in parts.
    pub fn is_text(&self) -> bool {
        is_text(&self.media_type)
    }

    /// Whether parts of it can be asked for at the host's addresses.
    pub fn has_parts(&self) -> bool {
        self.is_text() && !self.is_template()
    }

    /// What stands for a value in its address.
    fn variables(&self) -> impl Iterator<Item = &ArgumentName> {
        self.address.iter().flat_map(OwnAddress::variables)
    }

    /// Where clients find it, or the template of where they do.
    pub fn uri(&self, name: &SourceName) -> String {
        self.address.as_ref().map_or_else(|| format!("casemate://logs/{name}"), |address| address.as_str().to_owned())
    }

    /// Whether it is one of many.
    pub fn is_template(&self) -> bool {
        self.variables().next().is_some()
    }

    /// The file that a read with these arguments is of: they fit the schema by now.
    pub fn file(&self, arguments: &Value) -> Option<PathBuf> {
        let mut name = self.path.file_name()?.to_str()?.to_owned();
        for variable in self.variables() {
            let value = arguments.get(VALUES)?.get(variable.as_str())?.as_str()?;
            name = name.replace(&format!("{{{variable}}}"), value);
        }
        Some(if self.is_template() { self.path.with_file_name(name) } else { self.path.clone() })
    }
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
        let sources: BTreeMap<SourceName, Located<SourceConfig>> =
            sources.into_iter().filter_map(|(name, source)| self.source(&name, source, readers)).collect();
        for (at, (one, source)) in sources.iter().enumerate() {
            let other = sources.iter().take(at).find(|(_, other)| match (&source.value.address, &other.value.address) {
                (Some(one), Some(other)) => one.overlaps(other),
                _ => false,
            });
            if let Some((other, _)) = other {
                let place = &source.place;
                self.faults.push(format!("{place}: an address is of both `{other}` and `{one}`\nhelp: give each its own"));
            }
        }
        sources
    }

    /// Its own address, and whether the file's name has the same places in it.
    fn own_address(&mut self, uri: Option<&toml::Spanned<String>>, path: &toml::Spanned<PathBuf>) -> Option<OwnAddress> {
        let address = match OwnAddress::parse(uri?.get_ref()) {
            Ok(address) => address,
            Err(error) => {
                self.faults.push(format!("{}: `{}`: {error}", self.place(uri?.span()), uri?.get_ref()));
                return None;
            }
        };
        let name = path.get_ref().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        for variable in address.variables().iter().filter(|variable| name.matches(&format!("{{{variable}}}")).count() != 1) {
            self.faults.push(format!(
                "{}: `{{{variable}}}` stands in the address, and not once in the file's name\nhelp: `uri = \"cases://{{id}}\"` goes with `path = \"cases/{{id}}.json\"`",
                self.place(path.span())
            ));
        }
        Some(address)
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
        let media_type = file.media_type.as_ref().map_or("text/plain", |media_type| media_type.get_ref()).to_owned();
        if !is_text(&media_type) && !is_shown(&media_type) {
            let at = file.media_type.as_ref().map_or(0..0, toml::Spanned::span);
            self.faults.push(format!(
                "{}: `{media_type}` is not given to clients\nhelp: of a text, such as `application/json`; or a picture or recording: PNG, JPEG, GIF, WebP, WAV, MP3, Ogg, FLAC",
                self.place(at)
            ));
        }
        let address = self.own_address(file.uri.as_ref(), &file.path);
        let path = beside.join(file.path.get_ref());
        let digest = Digest::of(path.as_os_str().as_encoded_bytes()).to_hex();
        let name = name?;
        let values = address.as_ref().map(|address| address.variables().clone()).unwrap_or_default();
        let asks = Asks { parts: is_text(&media_type), values: &values };
        let rule = match SourceRule::new(&name, file.description.get_ref(), &labels, digest, grants, asks) {
            Ok(rule) => rule,
            Err(error) => {
                self.faults.push(format!("{place}: {error}"));
                return None;
            }
        };
        let max_bytes = usize::try_from(max_bytes).ok()?;
        Some((name, Located::new(place, SourceConfig { path, address, media_type, max_bytes, rule })))
    }
}
