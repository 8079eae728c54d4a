//! Checking a rule.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, clip, field::Passage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    finding::Finding,
    language::{self, Target},
    rule::{LONGEST, Rule},
};

/// Arguments of `validate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The rule, in YAML
    rule: Passage<LONGEST>,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// Whether it is a rule without errors
    valid: bool,
    title: String,
    findings: Vec<Finding>,
    /// What keeps it from being converted, by language; nothing where it can be
    unsupported: Vec<Unsupported>,
}

/// A language that has no words for the rule.
#[derive(Debug, Serialize, JsonSchema)]
struct Unsupported {
    target: Target,
    what: String,
}

pub(crate) fn validate(args: Arguments, _: &Context) -> Result<Checked, Failure> {
    let (rule, findings) = Rule::read(args.rule.as_str());
    let valid = findings.is_valid();
    let fault = |target| {
        let what = language::query(target, &rule.detection, &rule.fields).err()?;
        Some(Unsupported { target, what: clip(&what, 400) })
    };
    let unsupported = if valid { [Target::Splunk, Target::Kusto].into_iter().filter_map(fault).collect() } else { Vec::new() };
    Ok(Checked { valid, title: clip(&rule.title, 256), findings: findings.into_vec(), unsupported })
}

impl Readable for Checked {
    fn text(&self) -> String {
        let Self { valid, title, findings, unsupported } = self;
        let mut text = format!("`{title}` is {}", if *valid { "a rule without errors" } else { "no valid rule" });
        for finding in findings {
            let _ = write!(text, "\n{finding}");
        }
        for Unsupported { target, what } in unsupported {
            let _ = write!(text, "\nnot for {}: {what}", target.as_str());
        }
        text
    }
}
