//! Prompts: texts that a person at a client picks, with places for arguments. What a plugin says there is signed, and filled in by the
//! host: the component is not asked.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{ArgumentName, Image, PromptName};

/// One prompt, with every text a client will ever see of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// A few words for a menu.
    pub title: String,
    /// What it is for, for people.
    pub description: String,
    /// What it takes, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argument: Vec<PromptArgument>,
    /// What goes before the text, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attach: Vec<Attachment>,
    /// What is said to the model: `{argument}` stands for an argument, `{{` and `}}` for a brace.
    pub text: String,
}

/// Something that goes with a prompt's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "neither `{ image = … }` nor `{ uri = …, text = … }`, with nothing else")]
pub enum Attachment {
    /// A picture.
    Picture(PromptPicture),
    /// A text with its address.
    Document(PromptDocument),
}

/// A picture that goes with a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptPicture {
    /// The picture itself.
    pub image: Image,
}

/// A text that goes with a prompt. Arguments stand in it as in the prompt's own text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptDocument {
    /// Where it is said to be from; arguments may stand in it.
    pub uri: String,
    /// IANA media type of a text; default: `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The text itself.
    pub text: String,
}

impl PromptDocument {
    /// What it is, stated or not.
    pub fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or("text/plain")
    }
}

/// One argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptArgument {
    /// Its name, as in the text.
    pub name: ArgumentName,
    /// What it is, for people.
    pub description: String,
    /// Whether the prompt makes no sense without it. Else nothing stands in its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The only values it takes, where there are any; clients are offered them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A part of a prompt's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Said as it is.
    Said(&'a str),
    /// Where an argument stands, by its name.
    Argument(&'a str),
}

/// A brace that is neither half of a doubled one nor around a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrayBrace;

impl fmt::Display for StrayBrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a brace is neither doubled nor around a name")
    }
}

/// A template in its parts, in order.
///
/// # Errors
/// Where it is none. A checked manifest has none of those.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, StrayBrace> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (said, brace) = rest.split_at_checked(at).ok_or(StrayBrace)?;
        if !said.is_empty() {
            pieces.push(Piece::Said(said));
        }
        rest = if let Some(after) = brace.strip_prefix("{{") {
            pieces.push(Piece::Said("{"));
            after
        } else if let Some(after) = brace.strip_prefix("}}") {
            pieces.push(Piece::Said("}"));
            after
        } else {
            let (name, after) = brace.strip_prefix('{').and_then(|inner| inner.split_once('}')).ok_or(StrayBrace)?;
            name.parse::<ArgumentName>().map_err(|_| StrayBrace)?;
            pieces.push(Piece::Argument(name));
            after
        };
    }
    if !rest.is_empty() {
        pieces.push(Piece::Said(rest));
    }
    Ok(pieces)
}

impl Prompt {
    /// The argument of that name.
    pub fn argument(&self, name: &str) -> Option<&PromptArgument> {
        self.argument.iter().find(|argument| argument.name.as_str() == name)
    }

    /// The texts that go with it.
    pub fn documents(&self) -> impl Iterator<Item = (usize, &PromptDocument)> {
        self.attach.iter().enumerate().filter_map(|(number, attachment)| match attachment {
            Attachment::Document(document) => Some((number, document)),
            Attachment::Picture(_) => None,
        })
    }

    /// Every template of it, and where it stands.
    pub(crate) fn templates(&self) -> impl Iterator<Item = (String, &str)> {
        let documents = self.documents().flat_map(|(number, document)| {
            [(format!("attach[{number}].uri"), document.uri.as_str()), (format!("attach[{number}].text"), document.text.as_str())]
        });
        std::iter::once(("text".to_owned(), self.text.as_str())).chain(documents)
    }
}

/// Names that stand in a template.
pub(crate) fn named(text: &str) -> Result<BTreeSet<&str>, StrayBrace> {
    let argument = |piece| match piece {
        Piece::Argument(name) => Some(name),
        Piece::Said(_) => None,
    };
    Ok(pieces(text)?.into_iter().filter_map(argument).collect())
}

/// What clients call a prompt: `plugin_prompt`, as a tool.
pub(crate) fn served(plugin: &super::PluginName, prompt: &PromptName) -> String {
    format!("{plugin}_{prompt}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Result<Vec<String>, StrayBrace> {
        let shown = |piece: Piece<'_>| match piece {
            Piece::Said(text) => text.to_owned(),
            Piece::Argument(name) => format!("<{name}>"),
        };
        Ok(super::pieces(text)?.into_iter().map(shown).collect())
    }

    #[test]
    fn a_text_falls_into_its_parts() {
        assert_eq!(pieces("Look at {host}, {{not}} at {a_1}.").unwrap().concat(), "Look at <host>, {not} at <a_1>.");
        assert_eq!(pieces("{a}{b}").unwrap(), ["<a>", "<b>"]);
        assert_eq!(pieces("{{{a}}}").unwrap().concat(), "{<a>}");
        assert_eq!(pieces("größe").unwrap(), ["größe"]);
        assert!(pieces("").unwrap().is_empty());
    }

    #[test]
    fn a_brace_that_means_nothing_is_refused() {
        for text in ["{", "}", "{a", "a}", "{}", "{ a }", "{A}", "{a b}", "{a{b}}", "{a}}", "{{a}", "{1a}", "{ä}"] {
            assert_eq!(pieces(text), Err(StrayBrace), "{text}");
        }
    }

    proptest::proptest! {
        /// What is said is what was written, whatever it is.
        #[test]
        fn never_panics_and_loses_nothing(text in "[{}a\u{e9} ]{0,30}") {
            if let Ok(pieces) = pieces(&text) {
                let written = pieces.iter().map(|piece| piece.replace('<', "{").replace('>', "}")).collect::<String>();
                proptest::prop_assert!(written.len() <= text.len());
            }
        }
    }
}
