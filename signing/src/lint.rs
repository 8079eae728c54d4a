//! What a reviewer would ask about: a plugin that keeps every rule of the loader can still say, ask or reach more than it needs.
//!
//! Warnings, not rules: each can be meant, and nothing is refused for one. A pure function over the manifest, so that what is signed
//! can be held against it as well as what is being written.

mod client;
mod limit;
mod name;
mod picture;
mod reach;
mod schema;
mod text;

use crate::{
    manifest::{Manifest, PluginId},
    source::Culprit,
};

/// One kind of warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "`why` says what each is about")]
pub enum Lint {
    AddressesModel,
    Link,
    Markup,
    ForeignTool,
    MixedScript,
    ThinDescription,
    UndescribedArgument,
    WideString,
    UncheckedPathArgument,
    ReadableSecret,
    SecretInSettings,
    OpenUpstream,
    OpenPath,
    WidePattern,
    OpenBody,
    ReadByPost,
    WeakReason,
    UnderstatedEffect,
    UnusedScope,
    UnusedSource,
    HighLimit,
    SimilarName,
    LongName,
    LongDescription,
    UnportableSchema,
    AnnotatedPicture,
}

impl Lint {
    /// Every kind.
    pub const ALL: [Self; 26] = [
        Self::AddressesModel,
        Self::Link,
        Self::Markup,
        Self::ForeignTool,
        Self::MixedScript,
        Self::ThinDescription,
        Self::UndescribedArgument,
        Self::WideString,
        Self::UncheckedPathArgument,
        Self::ReadableSecret,
        Self::SecretInSettings,
        Self::OpenUpstream,
        Self::OpenPath,
        Self::WidePattern,
        Self::OpenBody,
        Self::ReadByPost,
        Self::WeakReason,
        Self::UnderstatedEffect,
        Self::UnusedScope,
        Self::UnusedSource,
        Self::HighLimit,
        Self::SimilarName,
        Self::LongName,
        Self::LongDescription,
        Self::UnportableSchema,
        Self::AnnotatedPicture,
    ];

    /// What it is called, in reports and scripts.
    pub fn code(self) -> &'static str {
        match self {
            Self::AddressesModel => "addresses-model",
            Self::Link => "link",
            Self::Markup => "markup",
            Self::ForeignTool => "foreign-tool",
            Self::MixedScript => "mixed-script",
            Self::ThinDescription => "thin-description",
            Self::UndescribedArgument => "undescribed-argument",
            Self::WideString => "wide-string",
            Self::UncheckedPathArgument => "unchecked-path-argument",
            Self::ReadableSecret => "readable-secret",
            Self::SecretInSettings => "secret-in-settings",
            Self::OpenUpstream => "open-upstream",
            Self::OpenPath => "open-path",
            Self::WidePattern => "wide-pattern",
            Self::OpenBody => "open-body",
            Self::ReadByPost => "read-by-post",
            Self::WeakReason => "weak-reason",
            Self::UnderstatedEffect => "understated-effect",
            Self::UnusedScope => "unused-scope",
            Self::UnusedSource => "unused-source",
            Self::HighLimit => "high-limit",
            Self::SimilarName => "similar-name",
            Self::LongName => "long-name",
            Self::LongDescription => "long-description",
            Self::UnportableSchema => "unportable-schema",
            Self::AnnotatedPicture => "annotated-picture",
        }
    }

    /// Why a reviewer asks, in one sentence.
    pub fn why(self) -> &'static str {
        match self {
            Self::AddressesModel => {
                "a description says what a tool does; one that tells the model what to do steers every session it is listed in"
            }
            Self::Link => "a model that reads an address may follow it",
            Self::Markup => "clients may show markup otherwise than a reviewer saw it, or not at all",
            Self::ForeignTool => "a text that names another plugin's tool steers calls that its publisher has no say in",
            Self::MixedScript => "letters of two alphabets in one word look like another word",
            Self::ThinDescription => "a model chooses a tool by its description",
            Self::UndescribedArgument => "a model that has to guess what an argument means guesses wrong",
            Self::WideString => "a long string of any form carries whatever a model was talked into putting there",
            Self::UncheckedPathArgument => "an argument that becomes part of a path is best refused before the component runs",
            Self::ReadableSecret => "what is not marked `x-secret` stands in the audit log and in errors",
            Self::SecretInSettings => "settings reach the component; a secret is declared under `secrets` and never does",
            Self::OpenUpstream => {
                "nothing says which service this is for, so the operator's choice of origin is all that limits it"
            }
            Self::OpenPath => "a path without a fixed beginning reaches all that the upstream has",
            Self::WidePattern => "a pattern that takes nearly any character limits nothing",
            Self::OpenBody => {
                "a body that may hold anything can ask for more than was reviewed; `closed = true` and `allow` say what it holds"
            }
            Self::ReadByPost => "by its method nobody can see that the request changes nothing",
            Self::WeakReason => "the reason is all that a reviewer has where a target or a safe method is missing",
            Self::UnderstatedEffect => "a name that speaks of a change, on what is said to be a read",
            Self::UnusedScope => "the target is checked in the arguments and in no request the tool makes",
            Self::UnusedSource => "an operator would bind files that the component cannot ask for",
            Self::HighLimit => "far more than the host gives by default; an operator will ask what for",
            Self::SimilarName => "two names that look alike are told apart by nobody in a hurry",
            Self::LongName => "clients put the server's name before it, and cut or refuse what has more than 64 characters then",
            Self::LongDescription => "clients and models' APIs cut or refuse what has more than 1024 characters",
            Self::UnportableSchema => "some clients show the model plain text in its place, and some refuse the tool",
            Self::AnnotatedPicture => {
                "whoever looks at a picture does not see the words in its file, and a model may be given them"
            }
        }
    }
}

/// Something a reviewer would ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which kind.
    pub lint: Lint,
    /// Where.
    pub culprit: Culprit,
    /// What exactly.
    pub what: String,
}

/// Everything a reviewer would ask about, sorted by place as far as the manifest is. `neighbours` are the plugins it may be mistaken
/// for, or speak of.
pub fn lint(manifest: &Manifest, neighbours: &[PluginId]) -> Vec<Warning> {
    let mut warnings = Warnings::default();
    name::check(manifest, neighbours, &mut warnings);
    limit::check(manifest, &mut warnings);
    text::check(manifest, neighbours, &mut warnings);
    reach::check(manifest, &mut warnings);
    schema::check(manifest, &mut warnings);
    client::check(manifest, &mut warnings);
    picture::check(manifest, &mut warnings);
    warnings.found
}

/// What has been found so far.
#[derive(Default)]
struct Warnings {
    found: Vec<Warning>,
}

impl Warnings {
    /// At these keys of `plugin.toml`.
    fn add(&mut self, lint: Lint, at: impl Into<String>, what: impl Into<String>) {
        self.found.push(Warning { lint, culprit: Culprit::Source(at.into()), what: what.into() });
    }

    /// At a part of a tool.
    fn add_at(&mut self, lint: Lint, culprit: Culprit, what: impl Into<String>) {
        self.found.push(Warning { lint, culprit, what: what.into() });
    }
}

#[cfg(test)]
mod tests;
