//! Deploying a rule: what is there, whether LimaCharlie would take it, and then it is set.

use casemate_plugin::{Context, Failure, Readable, Response, field::Line, leak, path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, MARK, SET, Said},
    field::RuleName,
    rule::{self, Detect, Report},
    rules,
};

/// Arguments of `deploy_rule`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What the rule is called
    name: RuleName,
    /// What it detects
    detect: Detect,
    /// What it reports
    report: Report,
    /// Why it is there, for whoever looks at it in LimaCharlie
    #[serde(default)]
    comment: Option<Line<300>>,
    /// Whether it is switched on; on where it is left out
    #[serde(default)]
    enabled: Option<bool>,
}

/// The rule that was deployed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deployed {
    name: RuleName,
    /// Whether it took the place of one that was deployed here before
    replaced: bool,
    enabled: bool,
}

/// `usr_mtd`: the tag says that the rule is ours.
#[derive(Debug, Serialize)]
struct Metadata<'a> {
    enabled: bool,
    tags: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
}

pub(crate) fn deploy(args: Arguments, cx: &Context) -> Result<Deployed, Failure> {
    let Arguments { name, detect, report, comment, enabled } = args;
    let enabled = enabled.unwrap_or(true);
    let data = rule::written(&detect, &report)?;
    let comment = comment.as_ref().map(Line::as_str);
    let metadata = serde_json::to_string(&Metadata { enabled, tags: [MARK], comment })?;
    // A rule is read by everybody in the organization.
    for text in [&data, &metadata] {
        if let Some(what) = leak::found(text) {
            return Err(Failure::invalid_arguments(format!(
                "nothing was sent: the rule holds {what}; a credential does not belong into one"
            )));
        }
    }
    let organization = api::organization(cx)?;
    let there = rules::ours(cx, &organization, &name)?;
    let fields = [("data", data.as_str()), ("usr_mtd", metadata.as_str())];

    let answer =
        api::limacharlie(cx).post(path!("/v1/hive/dr-general/{}/{}/validate", organization, name)).form(fields).send()?;
    let Said { error, .. } = api::read(answer, "rule")?;
    if error.0.is_some() {
        return Err(Failure::invalid_arguments("LimaCharlie does not accept this rule; nothing was deployed"));
    }

    let etag = there.as_ref().map(|there| ("etag", there.etag.as_str()));
    let request = api::limacharlie(cx).post(path!("/v1/hive/dr-general/{}/{}/data", organization, name));
    let request = request.form(fields.into_iter().chain(etag));
    let answer: Said = SET.send(request, refused)?;
    if answer.error.0.is_some() || answer.name.as_str().is_empty() {
        return Err(SET.unknown("LimaCharlie's answer does not say that the rule was set"));
    }
    if answer.name.as_str() != name.as_str() {
        return Err(Failure::upstream(
            "LimaCharlie says that it set another rule than the one that was asked for; somebody has to look",
        ));
    }
    Ok(Deployed { name, replaced: there.is_some(), enabled })
}

fn refused(answer: &Response) -> Failure {
    api::failure(answer, "rule")
}

impl Readable for Deployed {
    fn text(&self) -> String {
        let Self { name, replaced, enabled } = self;
        let how = if *replaced { "replaced" } else { "deployed" };
        format!("{how} {name}, which is {}; it reports, and does nothing else", if *enabled { "on" } else { "off" })
    }
}
