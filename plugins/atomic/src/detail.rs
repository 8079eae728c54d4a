//! One test of the catalogue.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{TechniqueId, Uuid},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::{self, Test};

/// Arguments of `show_test`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The technique
    technique: TechniqueId,
    /// The test's id
    test: Uuid,
}

/// A test.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    technique: TechniqueId,
    technique_name: String,
    test: Test,
}

pub(crate) fn show(args: Arguments, cx: &Context) -> Result<Shown, Failure> {
    let technique = catalogue::technique(cx, &args.technique)?;
    let technique_name = technique.name.clone();
    Ok(Shown { technique: args.technique, technique_name, test: technique.test(&args.test)? })
}

impl Readable for Shown {
    fn text(&self) -> String {
        let Self { technique, technique_name, test } = self;
        let mut text = format!("{technique} {technique_name}: {} ({})", test.name, test.id);
        let elevated = if test.elevation_required { ", elevated" } else { "" };
        let _ = write!(text, "\n{} on {}{elevated}", test.executor, test.platforms.join(", "));
        let _ = write!(text, "\n{}", test.said());
        text
    }
}
