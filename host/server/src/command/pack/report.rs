//! Faults of a plugin as its author reads them: the line of `plugin.toml` with the culprit marked, or the part of a tool in Rust.

use std::path::{Component, Path, PathBuf};

use casemate_signing::{
    manifest::image::{ImageError, MAX_PICTURE},
    source::{Culprit, Fault, InvalidPluginToml, Place, PluginToml},
};

use crate::{exit::Failure, house::store};

/// A plugin.toml is written by hand.
const MAX_SOURCE: usize = 1 << 20;

/// A `plugin.toml` as it was read, which faults are shown in.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    text: String,
}

/// Why a picture cannot be put in the place of its file's name.
struct Unembedded(String);

impl From<ImageError> for Unembedded {
    fn from(error: ImageError) -> Self {
        Self(error.to_string())
    }
}

impl Source {
    /// Read the one in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        // `./plugin.toml` would be a longer way to say it.
        let path = if folder == Path::new(".") { PathBuf::from("plugin.toml") } else { folder.join("plugin.toml") };
        let text = String::from_utf8(store::file(&path, MAX_SOURCE)?)
            .map_err(|_| Failure::invalid(format!("`{}` is not UTF-8", path.display())))?;
        Ok(Self { path, text })
    }

    /// What it says.
    pub(crate) fn parse(&self) -> Result<PluginToml, Failure> {
        let mut plugin = PluginToml::parse(&self.text).map_err(|InvalidPluginToml { what, span, .. }| {
            let place = span.map(|span| Place::of(&self.text, span));
            self.refused(place.as_ref(), &what)
        })?;
        plugin
            .embed(|file| self.picture(file))
            .map_err(|(at, Unembedded(what))| self.refused(self.find(&at).as_ref(), &format!("{at}: {what}")))?;
        Ok(plugin)
    }

    fn refused(&self, place: Option<&Place>, what: &str) -> Failure {
        let (what, help) = what.split_once("\nhelp: ").map_or((what, None), |(what, help)| (what, Some(("help", help))));
        Failure::invalid(self.shown(place, what, help))
    }

    /// A picture that `plugin.toml` names: a file in its folder, or below.
    fn picture(&self, file: &str) -> Result<Vec<u8>, Unembedded> {
        let inside = !file.is_empty() && Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(Unembedded(format!("`{file}` is no file in the plugin's folder, or below it")));
        }
        let path = self.path.parent().unwrap_or(Path::new("")).join(file);
        store::file(&path, MAX_PICTURE).map_err(|failure| Unembedded(failure.message))
    }

    /// Where the keys `at` stand, or what is nearest to them.
    pub(crate) fn find(&self, at: &str) -> Option<Place> {
        Place::find(&self.text, at)
    }

    /// As rustc shows it: the place, the line, and a mark under what is meant.
    fn shown(&self, place: Option<&Place>, what: &str, note: Option<(&str, &str)>) -> String {
        let Some(place) = place else { return plain(&format!("{}: {what}", self.path.display()), note) };
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        // A tab is as wide as a terminal likes; a space is not.
        let line = place.text.replace('\t', " ");
        let mark = format!("{}{}", " ".repeat(place.column.saturating_sub(1)), "^".repeat(place.length));
        plain(&format!("{}:{number}: {what}\n{margin} |\n{number} | {line}\n{margin} | {mark}", self.path.display()), note)
    }
}

/// Every fault, one after the other, in the text they were made of if it is there. `label` is what their last line begins with.
pub(crate) fn report<F: Into<Fault>>(source: Option<&Source>, label: &str, faults: impl IntoIterator<Item = F>) -> String {
    let shown = faults.into_iter().map(Into::into).map(|Fault { culprit, what, help }| {
        let note = help.as_deref().map(|help| (label, help));
        match (culprit, source) {
            (Culprit::Source(at), Some(source)) => source.shown(source.find(&at).as_ref(), &format!("{at}: {what}"), note),
            (Culprit::Source(at), None) => plain(&format!("{at}: {what}"), note),
            (Culprit::Tool { tool, part }, _) if part.is_empty() => plain(&format!("tool `{tool}`: {what}"), note),
            (Culprit::Tool { tool, part }, _) => plain(&format!("tool `{tool}`, {part}: {what}"), note),
            (Culprit::Component, _) => plain(&format!("component: {what}"), note),
        }
    });
    shown.collect::<Vec<_>>().join("\n\n")
}

fn plain(text: &str, note: Option<(&str, &str)>) -> String {
    match note {
        Some((label, note)) => format!("{text}\n{label}: {note}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_signing::manifest::check::{Rule, RuleError};

    fn source(text: &str) -> Source {
        Source { path: PathBuf::from("plugin.toml"), text: text.to_owned() }
    }

    #[test]
    fn the_culprit_is_marked() {
        let faults = [
            RuleError { at: "plugin.release".to_owned(), rule: Rule::ReleaseZero },
            RuleError { at: "component.sha256".to_owned(), rule: Rule::ComponentDigest },
            RuleError { at: "tool".to_owned(), rule: Rule::NoTools },
        ];
        let shown = report(Some(&source("[plugin]\n\trelease = 0 # none\n")), "help", &faults);
        let expected = "\
plugin.toml:2: plugin.release: the release is 0
  |
2 |  release = 0 # none
  |            ^
help: releases count from 1 and grow with every package that is published

component: the component's digest is not 64 lower-case hex digits

plugin.toml: tool: the plugin has no tools";
        assert_eq!(shown, expected);
    }

    #[test]
    fn so_is_what_cannot_be_read() {
        let refused = |text| source(text).parse().err().map(|failure| failure.message).unwrap_or_default();
        assert_eq!(
            refused("[plugin]\nname = \"Größe\"\n").lines().collect::<Vec<_>>(),
            [
                "plugin.toml:2: `Größe` is not a plugin name",
                "  |",
                "2 | name = \"Größe\"",
                "  |        ^^^^^^^",
                "help: it has the form ^[a-z][a-z0-9-]{1,38}$",
            ]
        );
        assert!(refused("[plugin").starts_with("plugin.toml:1: "));
    }
}
