//! Output: what a plugin returns, checked before anyone reads it.
//!
//! In this order: size; hidden characters; the signed output schema; the secrets the host injected; the operator's patterns; labels. What
//! does not fit is withheld whole: half a result is a result nobody signed. What looks suspicious is flagged, not removed.

mod content;
mod failure;
mod lines;
mod plan;
mod redact;
mod rules;
mod screen;

use std::{collections::BTreeSet, fmt};

use casemate_signing::manifest::Label;
use serde_json::Value;

pub use content::{Content, is_shown, of_bytes};
pub use failure::{CheckedFailure, FailureKind, RawFailure, check_failure};
pub use lines::{check_lines, check_progress};
pub use plan::{CheckedPlan, check_plan};
pub use redact::{LiveRedactor, Redactor};
pub use rules::{OutputRuleError, OutputRules, untrusted};
pub use screen::{Flag, Flags, Pattern, PatternError, PatternName, Screen};

use crate::{
    json::{Json, map_texts},
    text::visible,
};

/// Bytes that a piece counts beside its own: an empty one is not free, for it becomes an object of its own.
const PIECE: usize = 32;

/// What a plugin returned. It cannot be shown or serialised; `Debug` tells sizes only.
pub struct RawOutput {
    /// For the reader, in order.
    pub content: Vec<RawContent>,
    /// JSON text for programs.
    pub structured: Option<String>,
}

/// A piece of what a plugin returned.
pub enum RawContent {
    /// Text.
    Text(String),
    /// An image.
    Image {
        /// An IANA media type.
        media_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A recording.
    Audio {
        /// An IANA media type.
        media_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A pointer to a resource.
    Link {
        /// An absolute URI.
        uri: String,
        /// What a person would call it.
        name: String,
        /// Its media type, where known.
        media_type: Option<String>,
    },
    /// A text with its address.
    Embedded {
        /// An absolute URI.
        uri: String,
        /// Its media type, where known.
        media_type: Option<String>,
        /// The text itself.
        text: String,
    },
}

impl RawContent {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Image { media_type, data } | Self::Audio { media_type, data } => media_type.len() + data.len(),
            Self::Link { uri, name: text, media_type } | Self::Embedded { uri, media_type, text } => {
                uri.len() + text.len() + media_type.as_ref().map_or(0, String::len)
            }
        }
    }
}

impl fmt::Debug for RawContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Text(_) => "Text",
            Self::Image { .. } => "Image",
            Self::Audio { .. } => "Audio",
            Self::Link { .. } => "Link",
            Self::Embedded { .. } => "Embedded",
        };
        write!(f, "{kind}({} bytes)", self.size())
    }
}

impl RawOutput {
    /// Bytes of everything in it.
    pub fn size(&self) -> usize {
        self.content.iter().map(|piece| piece.size() + PIECE).sum::<usize>() + self.structured.as_ref().map_or(0, String::len)
    }
}

impl fmt::Debug for RawOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let structured = self.structured.as_ref().map(String::len);
        f.debug_struct("RawOutput").field("content", &self.content).field("structured_bytes", &structured).finish()
    }
}

/// A result that may be shown. Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedOutput {
    content: Vec<Content>,
    structured: Option<Value>,
    labels: BTreeSet<Label>,
    redactions: usize,
    flags: Flags,
}

impl CheckedOutput {
    /// For the reader, in order.
    pub fn content(&self) -> &[Content] {
        &self.content
    }

    /// For programs: an object that fits the signed output schema. There exactly when the tool has one.
    pub fn structured(&self) -> Option<&Value> {
        self.structured.as_ref()
    }

    /// What the result carries.
    pub fn labels(&self) -> &BTreeSet<Label> {
        &self.labels
    }

    /// How many places held a secret and no longer do. Anything but zero is worth the operator's look.
    pub fn redactions(&self) -> usize {
        self.redactions
    }

    /// What its words look like.
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    /// Content, structured result, labels, flags.
    pub fn into_parts(self) -> (Vec<Content>, Option<Value>, BTreeSet<Label>, Flags) {
        (self.content, self.structured, self.labels, self.flags)
    }
}

/// A result that is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    reason: WithheldReason,
    detail: String,
}

impl Withheld {
    fn new(reason: WithheldReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Why, as a stable word.
    pub fn reason(&self) -> WithheldReason {
        self.reason
    }

    /// For the model: nothing of the result is in it.
    pub fn for_model(&self) -> &'static str {
        match self.reason {
            WithheldReason::TooLarge => "the result was too large and is withheld; ask for less",
            _ => "the plugin's result was not what it must be and is withheld; retrying will not help",
        }
    }

    /// For the operator: where and why. Text of the result in it is quoted and bounded.
    pub fn for_operator(&self) -> &str {
        &self.detail
    }
}

/// Why a result is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithheldReason {
    /// Above the cap.
    TooLarge,
    /// The structured result is not JSON with one reading, or not an object.
    StructuredMalformed,
    /// A structured result without output schema, or the other way round.
    StructuredUnexpected,
    /// It does not fit the signed output schema.
    SchemaMismatch,
    /// An image that is not one of the kinds that are shown.
    Image,
    /// A recording that is not one of the kinds that are passed on.
    Audio,
    /// A link, or a text's address, that is not an https URI in its plain spelling.
    Link,
    /// It holds a secret where none can be taken out.
    Secret,
    /// It matches a pattern that the operator enforces, where nothing can be replaced.
    Pattern,
}

impl WithheldReason {
    /// The stable word used in logs and results.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "output-too-large",
            Self::StructuredMalformed => "structured-malformed",
            Self::StructuredUnexpected => "structured-unexpected",
            Self::SchemaMismatch => "output-schema-mismatch",
            Self::Image => "image-not-allowed",
            Self::Audio => "audio-not-allowed",
            Self::Link => "link-not-allowed",
            Self::Secret => "secret-in-output",
            Self::Pattern => "pattern-in-output",
        }
    }
}

/// Check a result, of which at most `cap` bytes may be shown.
///
/// # Errors
/// When it is not what it must be, or something in it must not be shown and cannot be taken out.
pub fn check(
    raw: RawOutput,
    rules: &OutputRules,
    cap: usize,
    redactor: &Redactor,
    screen: &Screen,
) -> Result<CheckedOutput, Withheld> {
    let too_large =
        |size: usize| Withheld::new(WithheldReason::TooLarge, format!("the result is {size} bytes, and {cap} are allowed"));
    if raw.size() > cap {
        return Err(too_large(raw.size()));
    }
    let mut flags = Flags::new();
    raw.content.iter().for_each(|piece| content::note(piece, screen, &mut flags));
    let content: Vec<Content> = raw.content.into_iter().map(|piece| content::read(piece, redactor)).collect::<Result<_, _>>()?;
    let structured = raw.structured.as_deref().map(|text| structured(text, screen, &mut flags)).transpose()?;
    if let Err(withheld) = rules.check(structured.as_ref()) {
        return Err(without_secrets(withheld, structured, rules, redactor));
    }

    let mut redactions = 0;
    let content: Vec<Content> =
        content.into_iter().map(|piece| content::redact(piece, redactor, &mut redactions)).collect::<Result<_, _>>()?;
    let structured = match structured {
        Some(value) => Some(redact_structured(value, rules, redactor, &mut redactions)?),
        None => None,
    };
    let content: Vec<Content> =
        content.into_iter().map(|piece| content::screened(piece, screen, &mut flags)).collect::<Result<_, _>>()?;
    let structured = structured.map(|value| screened(value, rules, screen, &mut flags)).transpose()?;
    // Hidden characters made visible and placeholders for secrets take room: the cap holds for what is shown, too.
    let size = content.iter().map(|piece| piece.size() + PIECE).sum::<usize>()
        + structured.as_ref().map_or(0, |value| value.to_string().len());
    if size > cap {
        return Err(too_large(size));
    }
    Ok(CheckedOutput { content, structured, labels: rules.labels().clone(), redactions, flags })
}

/// Parse strictly, note what its texts look like, and make what is hidden in them visible.
fn structured(text: &str, screen: &Screen, flags: &mut Flags) -> Result<Value, Withheld> {
    let malformed =
        |why: String| Withheld::new(WithheldReason::StructuredMalformed, format!("the structured result is refused: {why}"));
    let json = Json::parse(text.as_bytes()).map_err(|fault| malformed(fault.to_string()))?;
    match json.to_value() {
        Some(value @ Value::Object(_)) => Ok(map_texts(value, &mut |text| {
            screen.note(&text, flags);
            visible(&text).into_owned()
        })),
        Some(_) => Err(malformed("it is not an object".to_owned())),
        None => Err(malformed("a number is beyond what a double can hold".to_owned())),
    }
}

/// What does not fit is quoted to the operator, and logs hold no secrets: quote it from the redacted result.
fn without_secrets(withheld: Withheld, structured: Option<Value>, rules: &OutputRules, redactor: &Redactor) -> Withheld {
    let Some(value) = structured else { return withheld };
    let mut redactions = 0;
    let value = map_texts(value, &mut |text| redactor.redact_counting(text, &mut redactions));
    if redactions == 0 {
        return withheld;
    }
    let fallback = Withheld::new(withheld.reason, "the structured result does not fit the output schema, and holds a secret");
    rules.check(Some(&value)).err().unwrap_or(fallback)
}

/// Take secrets out of texts and keys. If the result then no longer fits its schema, it is withheld.
fn redact_structured(value: Value, rules: &OutputRules, redactor: &Redactor, redactions: &mut usize) -> Result<Value, Withheld> {
    let before = *redactions;
    let value = map_texts(value, &mut |text| redactor.redact_counting(text, redactions));
    if *redactions > before {
        rules.check(Some(&value)).map_err(|_| {
            Withheld::new(WithheldReason::Secret, "the structured result holds a secret, and does not fit its schema without it")
        })?;
    }
    Ok(value)
}

/// Look for the operator's patterns. If the result no longer fits its schema without what they replace, it is withheld.
fn screened(value: Value, rules: &OutputRules, screen: &Screen, flags: &mut Flags) -> Result<Value, Withheld> {
    let value = map_texts(value, &mut |text| screen.apply(text, flags));
    let replaced = flags.iter().find(|flag| matches!(flag, Flag::Redacted(_)));
    if let Some(flag) = replaced {
        rules.check(Some(&value)).map_err(|_| {
            Withheld::new(
                WithheldReason::Pattern,
                format!("the structured result does not fit its schema once a pattern is replaced ({flag}); name the tool in the pattern's `except`, or do not enforce it"),
            )
        })?;
    }
    Ok(value)
}

#[cfg(test)]
#[path = "output/tests.rs"]
mod tests;
