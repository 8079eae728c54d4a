//! Prompts: every word can be read by a reviewer, and every argument stands somewhere.

use std::collections::BTreeSet;

use super::{Findings, MAX_DESCRIPTION, MAX_LINE, MAX_SERVED_NAME, MAX_TITLE, Manifest, Rule, text};
use crate::manifest::{
    Prompt, PromptArgument, PromptDocument,
    address::{self, AddressError},
    media::is_text,
    prompt::named,
};
use url::Url;

/// Prompts of one plugin; more than a menu holds.
pub const MAX_PROMPTS: usize = 32;
/// Arguments of one prompt; more than a person fills in.
const MAX_ARGUMENTS: usize = 16;
/// Values of one argument; as many as a client is offered at once.
const MAX_VALUES: usize = 100;
/// Characters of one value.
const MAX_VALUE: usize = 100;
/// What goes with one prompt; more than anybody looks at before it is sent.
const MAX_ATTACHMENTS: usize = 8;
/// Characters of what is said; a reviewer reads all of it.
const MAX_TEXT: usize = 8_000;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    few("prompt", "prompts", manifest.prompt.len(), MAX_PROMPTS, findings);
    for (name, prompt) in &manifest.prompt {
        let at = format!("prompt.{name}");
        let served = manifest.served_prompt(name);
        if served.len() > MAX_SERVED_NAME {
            findings.add(&at, Rule::ServedPrompt(served));
        }
        findings.line(format!("{at}.title"), &prompt.title, MAX_TITLE);
        if let Err(error) = text::prose(&prompt.description, MAX_DESCRIPTION) {
            findings.add(format!("{at}.description"), error);
        }
        if let Err(error) = text::prose(&prompt.text, MAX_TEXT) {
            findings.add(format!("{at}.text"), error);
        }
        few(&format!("{at}.attach"), "attachments", prompt.attach.len(), MAX_ATTACHMENTS, findings);
        for (number, attached) in prompt.documents() {
            document(&format!("{at}.attach[{number}]"), attached, findings);
        }
        arguments(&at, prompt, findings);
    }
}

/// A text that goes with a prompt is read like the prompt's own.
fn document(at: &str, document: &PromptDocument, findings: &mut Findings) {
    if let Err(error) = text::prose(&document.text, MAX_TEXT) {
        findings.add(format!("{at}.text"), error);
    }
    findings.line(format!("{at}.uri"), &document.uri, MAX_LINE);
    // Where arguments stand in it, it is checked when they are filled in.
    if named(&document.uri).is_ok_and(|names| names.is_empty())
        && let Err(error) = is_address(&document.uri)
    {
        findings.add(format!("{at}.uri"), Rule::Address(error));
    }
    if !is_text(document.media_type()) {
        findings.add(format!("{at}.media_type"), Rule::TextType(document.media_type().to_owned()));
    }
}

/// Of what is embedded: https, as in results, or a scheme of one's own.
fn is_address(uri: &str) -> Result<(), AddressError> {
    let is_https = Url::parse(uri).is_ok_and(|url| url.scheme() == "https" && url.as_str() == uri && url.username().is_empty());
    if is_https { Ok(()) } else { address::own(uri) }
}

fn few(at: &str, what: &'static str, count: usize, max: usize, findings: &mut Findings) {
    if count > max {
        findings.add(at, Rule::TooMany { what, count, max });
    }
}

fn arguments(at: &str, prompt: &Prompt, findings: &mut Findings) {
    few(&format!("{at}.argument"), "arguments", prompt.argument.len(), MAX_ARGUMENTS, findings);
    let mut seen = BTreeSet::new();
    for argument in &prompt.argument {
        let at = format!("{at}.argument.{}", argument.name);
        if !seen.insert(argument.name.as_str()) {
            findings.add(&at, Rule::DuplicateArgument(argument.name.clone()));
        }
        findings.line(format!("{at}.description"), &argument.description, MAX_LINE);
        values(&at, argument, findings);
    }
    let mut used = BTreeSet::new();
    for (place, template) in prompt.templates() {
        match named(template) {
            Ok(names) => {
                for name in names.difference(&seen) {
                    findings.add(format!("{at}.{place}"), Rule::UndeclaredArgument((*name).to_owned()));
                }
                used.extend(names);
            }
            Err(_) => findings.add(format!("{at}.{place}"), Rule::StrayBrace),
        }
    }
    // What is no template names nothing, which is told already.
    for name in seen.difference(&used).filter(|_| prompt.templates().all(|(_, template)| named(template).is_ok())) {
        findings.add(format!("{at}.argument.{name}"), Rule::UnusedArgument((*name).to_owned()));
    }
}

fn values(at: &str, argument: &PromptArgument, findings: &mut Findings) {
    let at = format!("{at}.values");
    few(&at, "values", argument.values.len(), MAX_VALUES, findings);
    let mut seen = BTreeSet::new();
    for value in &argument.values {
        findings.line(&at, value, MAX_VALUE);
        if !seen.insert(value) {
            findings.add(&at, Rule::DuplicateValue(value.clone()));
        }
    }
}
