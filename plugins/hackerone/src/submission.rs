//! Submitting a report: once, whole, and for good.

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, Passage, Whole},
    path,
    tolerant::Object,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope, SUBMISSION},
    completeness,
    field::{Handle, ReportId, Severity},
    report::Item,
};

/// Arguments of `submit_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The program's handle
    program: Handle,
    /// What it is about, in one line
    title: Line<150>,
    /// The report in Markdown: the CWE or CVE, and a section "Proof of concept" or "Steps to reproduce"
    vulnerability_information: Passage<20_000>,
    /// What an attacker gains by it, at least a sentence
    impact: Passage<4_000>,
    /// How bad it is
    severity: Severity,
    /// HackerOne's number of the weakness
    #[serde(default)]
    weakness_id: Option<Whole<1, 1_000_000_000>>,
    /// HackerOne's number of the asset, from the program's scope
    #[serde(default)]
    structured_scope_id: Option<Whole<1, 1_000_000_000>>,
}

/// What HackerOne is sent.
#[derive(Debug, Serialize)]
struct Body<'a> {
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    r#type: &'static str,
    attributes: Attributes<'a>,
}

/// HackerOne requires `impact`, though its published schema does not say so.
#[derive(Debug, Serialize)]
struct Attributes<'a> {
    team_handle: &'a str,
    title: &'a str,
    vulnerability_information: &'a str,
    impact: &'a str,
    severity_rating: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weakness_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_scope_id: Option<i64>,
}

/// The submitted report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Submitted {
    report_id: ReportId,
    /// Usually new
    state: String,
    program: Handle,
    title: String,
    /// The report for people
    link: String,
}

pub(crate) fn submit(args: Arguments, cx: &Context) -> Result<Submitted, Failure> {
    let information = args.vulnerability_information.as_str();
    let missing = completeness::missing(information, args.impact.as_str());
    if !missing.is_empty() {
        return Err(Failure::invalid_arguments(format!("nothing was prepared: the report {}", missing.join("; it "))));
    }
    let attributes = Attributes {
        team_handle: args.program.as_str(),
        title: args.title.as_str(),
        vulnerability_information: information,
        impact: args.impact.as_str(),
        severity_rating: args.severity.as_str(),
        weakness_id: args.weakness_id.map(Whole::number),
        structured_scope_id: args.structured_scope_id.map(Whole::number),
    };
    let body = Body { data: Data { r#type: "report", attributes } };
    let request = api::hackerone(cx).post(path!("/v1/hackers/reports")).json(&body);
    let Envelope { data: Object(created), .. }: Envelope<Object<Item>> =
        SUBMISSION.send(request, |answer| api::failure(answer, "report"))?;
    let Ok(report_id) = created.id.as_str().parse::<ReportId>() else {
        return Err(SUBMISSION.unknown("HackerOne took it and did not say which report it became"));
    };
    let title = created.attributes.0.title.as_str().trim();
    if title != args.title.as_str().trim() {
        return Err(Failure::upstream(format!(
            "the report `{report_id}` now exists and its title is not the one that was asked for; somebody has to look at it in HackerOne",
        )));
    }
    Ok(Submitted {
        state: created.attributes.0.state.0.unwrap_or_default(),
        link: format!("https://hackerone.com/reports/{report_id}"),
        title: args.title.to_string(),
        program: args.program,
        report_id,
    })
}

impl Readable for Submitted {
    fn text(&self) -> String {
        let Self { report_id, state, program, title, link } = self;
        format!("submitted to {program} as {report_id} ({state}): {title}\n{link}")
    }
}
