//! Why policies do not load: where, what, and who can do what about it. The culprit is the operator's policy, except
//! where it says `plugin`.

use cedar_policy::{ParseError, ValidationError, ValidationWarning};
use miette::Diagnostic;

use super::source::{Place, Source};

/// How near a name must be to be offered instead of one that does not exist.
const NEAR: usize = 3;

/// One fault of the operator's policies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct RulesError {
    place: Place,
    fault: RulesFault,
}

impl RulesError {
    pub(super) fn new(place: Place, fault: RulesFault) -> Self {
        Self { place, fault }
    }

    /// Where.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What.
    pub fn fault(&self) -> &RulesFault {
        &self.fault
    }
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesFault {
    /// More than anyone reads.
    #[error("{what} has more than {max} {unit}\nhelp: make several of it; a set may have many elements")]
    TooLarge {
        /// The file or the policy.
        what: &'static str,
        /// Bytes, tokens, operators or levels.
        unit: &'static str,
        /// How many are allowed.
        max: usize,
    },
    /// A character that changes what a reader sees.
    #[error("there is a hidden character, `{shown}`\nhelp: remove it: what a reviewer reads must be what is enforced")]
    Hidden {
        /// The character, as `\u{…}`.
        shown: String,
    },
    /// It is not Cedar.
    #[error("{fault}{}", or_help(.help, "the language is at https://docs.cedarpolicy.com"))]
    Syntax {
        /// What the parser says.
        fault: String,
        /// What it advises.
        help: Option<String>,
    },
    /// It has `?principal` or `?resource` in it.
    #[error("this is a template, and nothing fills it in\nhelp: name the principal or the tool")]
    Template,
    /// It permits something.
    #[error(
        "a policy cannot permit: what the grants and the other layers refuse stays refused\nhelp: write it as `forbid … unless {{ … }}`"
    )]
    Permit,
    /// An annotation that means nothing here.
    #[error("`@{name}` is no annotation{}\nhelp: use `@id`, `@message` and `@remedy`", instead(.near))]
    Annotation {
        /// As it is written.
        name: String,
        /// The one that is nearest.
        near: Option<String>,
    },
    /// An annotation whose text cannot be told.
    #[error("`@{name}` cannot be told of\nhelp: {rule}")]
    AnnotationText {
        /// Which.
        name: String,
        /// What it must be.
        rule: &'static str,
    },
    /// Two policies with one id.
    #[error("`@id(\"{id}\")` is taken by the policy at {first}\nhelp: give each policy an id of its own: denials are told by it")]
    DuplicateId {
        /// The id.
        id: String,
        /// Who has it.
        first: Place,
    },
    /// A tool, plugin, group or principal that is not there.
    #[error("there is no {what} `{name}`{}\nhelp: {help}", instead(.near))]
    NoSuch {
        /// What it should be.
        what: &'static str,
        /// As it is written.
        name: String,
        /// The one that is nearest.
        near: Option<String>,
        /// Where names are listed.
        help: &'static str,
    },
    /// An attribute that no call has which the policy is about: an unknown argument, dimension or window.
    #[error("`{of}` has no `{name}` in any call that this policy is about{}\nhelp: `casemate policy schema` shows what there is", instead(.near))]
    NoAttribute {
        /// What was asked.
        of: String,
        /// As it is written.
        name: String,
        /// The one that is nearest.
        near: Option<String>,
    },
    /// A text that is never there: an unknown label, role, environment.
    #[error("`{of}` is never `{word}`{}\nhelp: `casemate policy schema` shows what it can be", instead(.near))]
    NoWord {
        /// What was compared.
        of: String,
        /// As it is written.
        word: String,
        /// The one that is nearest.
        near: Option<String>,
    },
    /// A group of tools is compared with one of them.
    #[error("`Action::{name:?}` stands for several tools, and no call is of it itself\nhelp: write `action in Action::{name:?}`")]
    Group {
        /// The group.
        name: String,
    },
    /// A named entity is used as if its attributes were known.
    #[error(
        "`{name}` can only be compared\nhelp: ask what is called, `resource`, or who calls, `principal`; attributes of others are not known"
    )]
    Named {
        /// As it is written.
        name: String,
    },
    /// An attribute that some calls have and others do not.
    #[error("{fault}\nhelp: {help}")]
    Sometimes {
        /// What the validator says.
        fault: String,
        /// How to ask.
        help: String,
    },
    /// Types that do not fit, and whatever else the validator refuses.
    #[error("{fault}{}", or_help(.help, "`casemate policy schema` shows every type"))]
    Type {
        /// What the validator says.
        fault: String,
        /// What it advises.
        help: Option<String>,
    },
    /// A policy that cannot forbid anything.
    #[error(
        "no call can ever meet what this policy asks\nhelp: `casemate policy schema` shows what calls look like; remove the policy if nothing is meant"
    )]
    Never,
    /// The schema that was made of the plugins' manifests is none.
    #[error("the installed plugins' input schemas make no Cedar schema: {fault}\nhelp: remove the plugin that it names")]
    Schema {
        /// Why.
        fault: String,
    },
}

impl RulesFault {
    pub(super) fn syntax(error: &ParseError) -> Self {
        Self::Syntax { fault: line(&error.to_string()), help: advice(error) }
    }

    /// `None` for what the names' own check tells better.
    pub(super) fn validation(error: &ValidationError) -> Option<Self> {
        let fault = told(&error.to_string());
        match error {
            ValidationError::UnrecognizedActionId(_) => None,
            ValidationError::UnsafeAttributeAccess(_) => Some(Self::Sometimes {
                fault,
                help: "name the tools it is about, such as `action == Action::\"…\"`, or ask with `has` first".to_owned(),
            }),
            ValidationError::UnsafeOptionalAttributeAccess(_) => {
                Some(Self::Sometimes { fault, help: advice(error).unwrap_or_else(|| "ask with `has` first".to_owned()) })
            }
            _ => Some(Self::Type { fault, help: advice(error).map(|help| told(&help)) }),
        }
    }

    pub(super) fn warning(warning: &ValidationWarning) -> Self {
        match warning {
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => Self::Never,
            _ => Self::Type {
                fault: told(&warning.to_string()),
                help: Some("write it with characters that look like no others".to_owned()),
            },
        }
    }
}

/// Where a parser or validator says it is; the start of the policy or file where it does not say.
pub(super) fn place(diagnostic: &dyn Diagnostic, source: &Source<'_>, start: usize) -> (Place, std::ops::Range<usize>) {
    let span = diagnostic.labels().and_then(|mut labels| labels.next());
    let from = span.as_ref().map_or(start, |span| span.offset());
    let length = span.as_ref().map_or(0, |span| span.len());
    (source.place(from), from..from.saturating_add(length))
}

/// The nearest of some names, if one is near enough to be meant: of equally near ones, that which begins alike.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let measured = |other: &'a str| {
        let begins_alike = name.chars().next() == other.chars().next();
        (strsim::damerau_levenshtein(name, other), !begins_alike, other)
    };
    let (distance, _, near) = names.into_iter().map(measured).min()?;
    let enough = NEAR.min(name.chars().count().div_ceil(3)).max(1);
    (distance <= enough).then(|| near.to_owned())
}

fn instead(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn or_help(advice: &Option<String>, otherwise: &str) -> String {
    format!("\nhelp: {}", advice.as_deref().unwrap_or(otherwise))
}

fn advice(diagnostic: &dyn Diagnostic) -> Option<String> {
    diagnostic.help().map(|help| line(&help.to_string()))
}

/// Without the number that the policy has among the others.
fn told(text: &str) -> String {
    let rest = text.strip_prefix("for policy `").and_then(|rest| rest.split_once('`')).map(|(_, rest)| rest);
    line(rest.map_or(text, |rest| rest.trim_start_matches([',', ':', ' '])))
}

/// On one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
