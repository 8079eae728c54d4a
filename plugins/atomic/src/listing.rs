//! Finding tests in the catalogue.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, TechniqueId, Uuid, Whole},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::{self, Technique};

/// Tests of one answer.
const SHOWN: usize = 60;

/// Arguments of `search_tests`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A technique; T1059 also finds T1059.001
    #[serde(default)]
    technique: Option<TechniqueId>,
    /// A platform, such as windows
    #[serde(default)]
    platform: Option<Line<40>>,
    /// Words in the test's name, without case
    #[serde(default)]
    text: Option<Line<100>>,
    /// How many tests to pass over, as an earlier answer says it
    #[serde(default)]
    offset: Option<Whole<0, 100_000>>,
}

/// Tests that were found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    tests: Vec<Hit>,
    /// There are more: call again with this offset
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    /// How many documents of the catalogue are no techniques that can be read; what is in them was not looked at
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<usize>,
}

/// One test.
#[derive(Debug, Serialize, JsonSchema)]
struct Hit {
    technique: TechniqueId,
    technique_name: String,
    /// For the other tools
    test: Uuid,
    name: String,
    platforms: Vec<String>,
    executor: String,
    elevation_required: bool,
    has_cleanup: bool,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Found, Failure> {
    let Arguments { technique, platform, text, offset } = args;
    let texts = catalogue::texts(cx)?;
    let is_it = |id: &TechniqueId| {
        technique.as_ref().is_none_or(|wanted| {
            id.as_str().strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let wanted = |document: &&str| technique.as_ref().is_none_or(|wanted| document.contains(wanted.as_str()));
    let words = text.as_ref().map(|text| text.as_str().to_ascii_lowercase());
    let from = offset.map_or(0, |offset| usize::try_from(offset.number()).unwrap_or_default());
    let (mut tests, mut found, mut unread) = (Vec::new(), 0, 0);
    for document in catalogue::documents(&texts).filter(wanted) {
        let Some(Technique { id, name, tests: all }) = Technique::read(document) else {
            unread += 1;
            continue;
        };
        if !is_it(&id) {
            continue;
        }
        for test in all {
            let said = words.as_ref().is_none_or(|words| test.name.to_ascii_lowercase().contains(words.as_str()));
            if !said || platform.as_ref().is_some_and(|platform| !test.runs_on(platform.as_str())) {
                continue;
            }
            found += 1;
            if found > from && tests.len() < SHOWN {
                tests.push(Hit {
                    technique: id.clone(),
                    technique_name: name.clone(),
                    test: test.id,
                    name: test.name,
                    platforms: test.platforms,
                    executor: test.executor,
                    elevation_required: test.elevation_required,
                    has_cleanup: !test.cleanup_command.is_empty(),
                });
            }
        }
    }
    let offset = (found > from.saturating_add(SHOWN)).then_some(from + SHOWN);
    Ok(Found { tests, offset, unread: (unread > 0).then_some(unread) })
}

impl Readable for Found {
    fn text(&self) -> String {
        let mut text = format!("{} tests", self.tests.len());
        for Hit { technique, test, name, platforms, executor, .. } in &self.tests {
            let _ = write!(text, "\n{technique} {test} {name} ({}; {executor})", platforms.join(", "));
        }
        if let Some(offset) = self.offset {
            let _ = write!(text, "\n(there are more: go on with offset = {offset})");
        }
        if let Some(unread) = self.unread {
            let _ = write!(
                text,
                "\n({unread} documents of the catalogue are no techniques that can be read; the operator has to look)"
            );
        }
        text
    }
}
