//! Prompts: every word can be read by a reviewer, and every argument stands somewhere.

use std::collections::BTreeSet;

use super::{Findings, MAX_DESCRIPTION, MAX_LINE, MAX_SERVED_NAME, MAX_TITLE, Manifest, Rule, text};
use crate::manifest::{Prompt, PromptArgument};

/// Prompts of one plugin; more than a menu holds.
pub const MAX_PROMPTS: usize = 32;
/// Arguments of one prompt; more than a person fills in.
const MAX_ARGUMENTS: usize = 16;
/// Values of one argument; as many as a client is offered at once.
const MAX_VALUES: usize = 100;
/// Characters of one value.
const MAX_VALUE: usize = 100;
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
        arguments(&at, prompt, findings);
    }
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
    match prompt.named() {
        Ok(named) => {
            for name in named.difference(&seen) {
                findings.add(format!("{at}.text"), Rule::UndeclaredArgument((*name).to_owned()));
            }
            for name in seen.difference(&named) {
                findings.add(format!("{at}.argument.{name}"), Rule::UnusedArgument((*name).to_owned()));
            }
        }
        Err(_) => findings.add(format!("{at}.text"), Rule::StrayBrace),
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
