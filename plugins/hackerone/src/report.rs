//! One report, as HackerOne sends it and as it is shown.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, clip, clip_lines, path,
    tolerant::{Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope, Related},
    field::ReportId,
};

/// Characters of a report's text that are shown.
const INFORMATION: usize = 20_000;

/// Arguments of `get_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that list_reports gives
    report_id: ReportId,
}

/// One report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    #[serde(flatten)]
    summary: Summary,
    /// What it says, in Markdown
    information: String,
}

/// What a list shows of a report.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Summary {
    report_id: String,
    title: String,
    /// Such as new, triaged, needs-more-info or resolved
    pub(crate) state: String,
    /// The handle of the program
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<String>,
    /// none, low, medium, high or critical
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    /// The kind of weakness, with its CWE where HackerOne says it
    #[serde(skip_serializing_if = "Option::is_none")]
    weakness: Option<String>,
    /// What was reported about
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    triaged: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disclosed: Option<String>,
    /// When a bounty was awarded
    #[serde(skip_serializing_if = "Option::is_none")]
    bounty_awarded: Option<String>,
}

/// A report in an envelope.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    pub(crate) id: Verbatim<12>,
    pub(crate) attributes: Object<Attributes>,
    relationships: Object<Relationships>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) title: Verbatim<1000>,
    pub(crate) state: Text<30>,
    vulnerability_information: Verbatim<200_000>,
    created_at: Text<30>,
    triaged_at: Text<30>,
    closed_at: Text<30>,
    disclosed_at: Text<30>,
    bounty_awarded_at: Text<30>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Relationships {
    program: Object<Related<Program>>,
    severity: Object<Related<Severity>>,
    weakness: Object<Related<Weakness>>,
    structured_scope: Object<Related<Scope>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Program {
    handle: Text<64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Severity {
    rating: Text<10>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Weakness {
    name: Text<120>,
    external_id: Text<20>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scope {
    asset_identifier: Text<200>,
}

impl Item {
    pub(crate) fn into_summary(self) -> Summary {
        let (it, related) = (self.attributes.0, self.relationships.0);
        let weakness = related.weakness.0.into_attributes();
        let weakness = match (weakness.name.0, weakness.external_id.0) {
            (Some(name), Some(id)) => Some(format!("{name} ({})", id.to_ascii_uppercase())),
            (name, _) => name,
        };
        Summary {
            report_id: clip(self.id.as_str(), 12),
            title: clip(it.title.as_str(), 200),
            state: it.state.0.unwrap_or_default(),
            program: related.program.0.into_attributes().handle.0,
            severity: related.severity.0.into_attributes().rating.0,
            weakness,
            asset: related.structured_scope.0.into_attributes().asset_identifier.0,
            created: it.created_at.0,
            triaged: it.triaged_at.0,
            closed: it.closed_at.0,
            disclosed: it.disclosed_at.0,
            bounty_awarded: it.bounty_awarded_at.0,
        }
    }
}

pub(crate) fn get(Arguments { report_id }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let answer = api::hackerone(cx).get(path!("/v1/hackers/reports/{}", report_id)).send()?;
    let Envelope { data: Object(item), .. }: Envelope<Object<Item>> = api::read(answer, "report")?;
    if item.id.as_str() != report_id.as_str() {
        return Err(Failure::upstream("HackerOne answered with another report than the one that was asked for"));
    }
    let information = clip_lines(item.attributes.0.vulnerability_information.as_str(), INFORMATION);
    Ok(Report { information, summary: item.into_summary() })
}

impl Summary {
    /// `2871337 new, high, acme: XSS on the login page`
    pub(crate) fn line(&self) -> String {
        let Self { report_id, title, state, .. } = self;
        let mut line = format!("{report_id} {state}");
        for part in [&self.severity, &self.program].into_iter().flatten() {
            let _ = write!(line, ", {part}");
        }
        let _ = write!(line, ": {title}");
        line
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = self.summary.line();
        for (name, value) in
            [("weakness", &self.summary.weakness), ("asset", &self.summary.asset), ("created", &self.summary.created)]
        {
            if let Some(value) = value {
                let _ = write!(text, "\n{name}: {value}");
            }
        }
        let _ = write!(text, "\n\n{}", self.information);
        text
    }
}
