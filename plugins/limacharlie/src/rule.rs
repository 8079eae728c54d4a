//! A detection rule as it is asked for, and as LimaCharlie takes it: <https://docs.limacharlie.io/docs/detection-and-response>.
//!
//! A rule of LimaCharlie is a tree of operators with a list of actions, in JSON of any kind. Here it is alternatives of conditions, each with
//! one operator of a list, and one action, which reports. Every rule of those operators can be written so. What is sent is written from these
//! types, in the one order of members that the contract in plugin.toml describes.

use casemate_plugin::{
    Failure,
    field::{Line, List, Whole},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::field::{Event, EventPath, Title};

/// What a condition does with what is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Operator {
    #[serde(rename = "is")]
    Is,
    #[serde(rename = "contains")]
    Contains,
    #[serde(rename = "starts with")]
    StartsWith,
    #[serde(rename = "ends with")]
    EndsWith,
    #[serde(rename = "matches")]
    Matches,
    #[serde(rename = "exists")]
    Exists,
    #[serde(rename = "is greater than")]
    IsGreaterThan,
    #[serde(rename = "is lower than")]
    IsLowerThan,
    #[serde(rename = "cidr")]
    Cidr,
    #[serde(rename = "is tagged")]
    IsTagged,
    #[serde(rename = "is platform")]
    IsPlatform,
    #[serde(rename = "is public address")]
    IsPublicAddress,
    #[serde(rename = "is private address")]
    IsPrivateAddress,
}

/// One condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Condition {
    op: Operator,
    /// Where in the event, such as event/FILE_PATH; not for is tagged and is platform
    #[serde(default)]
    path: Option<EventPath>,
    /// The text to compare with; for matches a regular expression, for cidr a network, for is tagged a tag, for is platform windows,
    /// linux, macos or chrome
    #[serde(default)]
    value: Option<Line<500>>,
    /// The number to compare with, in place of value
    #[serde(default)]
    number: Option<Whole<0, 999_999_999_999_999>>,
    /// Whether the condition holds where it otherwise would not
    #[serde(default)]
    not: bool,
    /// Whether upper and lower case are the same
    #[serde(default)]
    ignore_case: bool,
}

/// Conditions that all hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Alternative {
    /// All of them have to hold
    all_of: List<Condition, 12>,
}

/// What a rule detects.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Detect {
    /// The kind of event, such as NEW_PROCESS or DNS_REQUEST
    event: Event,
    /// One of them has to hold
    any_of: List<Alternative, 8>,
}

/// What is reported.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Report {
    /// What the detection is called
    name: Title,
    /// From 0 to 5
    #[serde(default)]
    priority: Option<Whole<0, 5>>,
}

/// `{"detect": …, "respond": […]}`
#[derive(Debug, Serialize)]
struct Written<'a> {
    detect: WrittenDetect<'a>,
    respond: [WrittenAction<'a>; 1],
}

#[derive(Debug, Serialize)]
struct WrittenDetect<'a> {
    event: &'a str,
    op: &'static str,
    rules: Vec<WrittenAlternative<'a>>,
}

#[derive(Debug, Serialize)]
struct WrittenAlternative<'a> {
    op: &'static str,
    rules: Vec<WrittenCondition<'a>>,
}

#[derive(Debug, Serialize)]
struct WrittenCondition<'a> {
    op: Operator,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Scalar<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    re: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(rename = "case sensitive", skip_serializing_if = "Option::is_none")]
    case_sensitive: Option<bool>,
}

/// What the operator takes besides a place.
enum Operand<'a> {
    Value(Scalar<'a>),
    Re(&'a str),
    Cidr(&'a str),
    Tag(&'a str),
    Name(&'a str),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Scalar<'a> {
    Text(&'a str),
    Number(i64),
}

#[derive(Debug, Serialize)]
struct WrittenAction<'a> {
    action: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i64>,
}

/// The rule as it is sent.
///
/// # Errors
/// When a condition lacks what its operator takes, or has what it does not.
pub(crate) fn written(detect: &Detect, report: &Report) -> Result<String, Failure> {
    if detect.any_of.as_slice().is_empty() {
        return Err(refused("it has no alternative, so it would detect nothing"));
    }
    let alternatives = detect.any_of.as_slice().iter().map(Alternative::written).collect::<Result<_, _>>()?;
    let rule = Written {
        detect: WrittenDetect { event: detect.event.as_str(), op: "or", rules: alternatives },
        respond: [WrittenAction { action: "report", name: report.name.as_str(), priority: report.priority.map(Whole::number) }],
    };
    Ok(serde_json::to_string(&rule)?)
}

impl Alternative {
    fn written(&self) -> Result<WrittenAlternative<'_>, Failure> {
        let conditions = self.all_of.as_slice();
        if conditions.is_empty() {
            return Err(refused("an alternative has no condition, so it would match every event"));
        }
        Ok(WrittenAlternative { op: "and", rules: conditions.iter().map(Condition::written).collect::<Result<_, _>>()? })
    }
}

impl Condition {
    fn written(&self) -> Result<WrittenCondition<'_>, Failure> {
        let Self { op, path, not, ignore_case, .. } = self;
        let has_place = !matches!(op, Operator::IsTagged | Operator::IsPlatform);
        if has_place != path.is_some() {
            return Err(self.lacks(if has_place { "needs a path" } else { "takes no path" }));
        }
        let text_only =
            matches!(op, Operator::Is | Operator::Contains | Operator::StartsWith | Operator::EndsWith | Operator::Matches);
        if *ignore_case && (!text_only || self.number.is_some()) {
            return Err(self.lacks("has no case to ignore"));
        }
        let mut written = WrittenCondition {
            op: *op,
            not: *not,
            path: path.as_ref().map(EventPath::as_str),
            value: None,
            re: None,
            cidr: None,
            tag: None,
            name: None,
            case_sensitive: ignore_case.then_some(false),
        };
        match self.operand()? {
            None => {}
            Some(Operand::Value(value)) => written.value = Some(value),
            Some(Operand::Re(re)) => written.re = Some(re),
            Some(Operand::Cidr(cidr)) => written.cidr = Some(cidr),
            Some(Operand::Tag(tag)) => written.tag = Some(tag),
            Some(Operand::Name(name)) => written.name = Some(name),
        }
        Ok(written)
    }

    fn operand(&self) -> Result<Option<Operand<'_>>, Failure> {
        let text = self.value.as_ref().map(Line::as_str);
        // `<<event/X>>` would be looked up in the event, and `{{ … }}` is a template elsewhere: neither is the text that it looks like.
        if text.is_some_and(|text| text.contains("<<") || text.contains("{{")) {
            return Err(self.lacks("compares with a text that LimaCharlie would look up; `<<` and `{{` are not sent"));
        }
        let number = self.number.map(Whole::number);
        Ok(Some(match (self.op, text, number) {
            (Operator::Exists | Operator::IsPublicAddress | Operator::IsPrivateAddress, None, None) => return Ok(None),
            (Operator::Is, Some(text), None) => Operand::Value(Scalar::Text(text)),
            (Operator::Is | Operator::IsGreaterThan | Operator::IsLowerThan, None, Some(number)) => {
                Operand::Value(Scalar::Number(number))
            }
            (Operator::Contains | Operator::StartsWith | Operator::EndsWith, Some(text), None) => {
                Operand::Value(Scalar::Text(text))
            }
            (Operator::Matches, Some(text), None) => Operand::Re(text),
            (Operator::Cidr, Some(text), None) => Operand::Cidr(text),
            (Operator::IsTagged, Some(text), None) => Operand::Tag(text),
            (Operator::IsPlatform, Some(text @ ("windows" | "linux" | "macos" | "chrome")), None) => Operand::Name(text),
            (Operator::Exists | Operator::IsPublicAddress | Operator::IsPrivateAddress, ..) => {
                return Err(self.lacks("compares with nothing; leave value and number out"));
            }
            (Operator::Is, ..) => return Err(self.lacks("needs either a value or a number")),
            (Operator::IsGreaterThan | Operator::IsLowerThan, ..) => return Err(self.lacks("needs a number, and no value")),
            (Operator::IsPlatform, ..) => return Err(self.lacks("needs the value windows, linux, macos or chrome")),
            _ => return Err(self.lacks("needs a value, and no number")),
        }))
    }

    fn lacks(&self, what: &str) -> Failure {
        let op = serde_json::to_string(&self.op).unwrap_or_default();
        refused(&format!("a condition with `{}` {what}", op.trim_matches('"')))
    }
}

fn refused(why: &str) -> Failure {
    Failure::invalid_arguments(format!("nothing was sent: {why}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn one(condition: Value) -> Result<Value, String> {
        let detect =
            from_value(json!({ "event": "NEW_PROCESS", "any_of": [{ "all_of": [condition] }] })).map_err(|e| e.to_string())?;
        let report = from_value(json!({ "name": "x" })).unwrap();
        let text = written(&detect, &report).map_err(|failure| failure.message().to_owned())?;
        Ok(serde_json::from_str::<Value>(&text).unwrap().pointer("/detect/rules/0/rules/0").unwrap().clone())
    }

    #[test]
    fn each_operator_takes_what_it_takes() {
        let at = "event/X";
        for (condition, expected) in [
            (json!({ "op": "is", "path": at, "value": "a" }), json!({ "op": "is", "path": at, "value": "a" })),
            (json!({ "op": "is", "path": at, "number": 7 }), json!({ "op": "is", "path": at, "value": 7 })),
            (
                json!({ "op": "ends with", "path": at, "value": "a\"\\", "ignore_case": true, "not": true }),
                json!({ "op": "ends with", "not": true, "path": at, "value": "a\"\\", "case sensitive": false }),
            ),
            (json!({ "op": "matches", "path": at, "value": "^a.*$" }), json!({ "op": "matches", "path": at, "re": "^a.*$" })),
            (json!({ "op": "exists", "path": at }), json!({ "op": "exists", "path": at })),
            (
                json!({ "op": "is greater than", "path": at, "number": 1 }),
                json!({ "op": "is greater than", "path": at, "value": 1 }),
            ),
            (
                json!({ "op": "cidr", "path": at, "value": "10.0.0.0/8" }),
                json!({ "op": "cidr", "path": at, "cidr": "10.0.0.0/8" }),
            ),
            (json!({ "op": "is tagged", "value": "vip" }), json!({ "op": "is tagged", "tag": "vip" })),
            (json!({ "op": "is platform", "value": "linux" }), json!({ "op": "is platform", "name": "linux" })),
            (json!({ "op": "is public address", "path": at }), json!({ "op": "is public address", "path": at })),
        ] {
            assert_eq!(one(condition), Ok(expected));
        }
    }

    #[test]
    fn and_nothing_else() {
        let at = "event/X";
        for (condition, why) in [
            (json!({ "op": "is", "path": at }), "needs either"),
            (json!({ "op": "is", "path": at, "value": "a", "number": 1 }), "needs either"),
            (json!({ "op": "is", "value": "a" }), "needs a path"),
            (json!({ "op": "contains", "path": at, "number": 1 }), "needs a value"),
            (json!({ "op": "exists", "path": at, "value": "a" }), "compares with nothing"),
            (json!({ "op": "is lower than", "path": at, "value": "1" }), "needs a number"),
            (json!({ "op": "is tagged", "path": at, "value": "a" }), "takes no path"),
            (json!({ "op": "is platform", "value": "amiga" }), "windows, linux"),
            (json!({ "op": "exists", "path": at, "ignore_case": true }), "no case"),
            (json!({ "op": "is", "path": at, "number": 1, "ignore_case": true }), "no case"),
            (json!({ "op": "is", "path": at, "value": "<<event/Y>>" }), "look up"),
            (json!({ "op": "is", "path": at, "value": "{{ .x }}" }), "look up"),
            (json!({ "op": "lookup", "path": at, "resource": "hive://lookup/x" }), "unknown"),
            (json!({ "op": "and", "rules": [] }), "unknown"),
            (json!({ "op": "yara", "path": at }), "unknown"),
        ] {
            let told = one(condition.clone()).unwrap_err();
            assert!(told.contains(why), "{condition}: {told}");
        }
        let report = from_value(json!({ "name": "x" })).unwrap();
        for nothing in [json!([]), json!([{ "all_of": [] }])] {
            let detect = from_value(json!({ "event": "NEW_PROCESS", "any_of": nothing })).unwrap();
            assert!(written(&detect, &report).is_err());
        }
    }

    #[test]
    fn a_rule_is_written_in_one_order() {
        let detect = from_value(json!({ "event": "DNS_REQUEST", "any_of": [
            { "all_of": [{ "op": "is", "path": "event/A", "value": "a" }, { "op": "exists", "path": "event/B", "not": true }] },
            { "all_of": [{ "op": "is tagged", "value": "t" }] },
        ] }))
        .unwrap();
        let report = from_value(json!({ "name": "odd", "priority": 3 })).unwrap();
        assert_eq!(
            written(&detect, &report).unwrap(),
            r#"{"detect":{"event":"DNS_REQUEST","op":"or","rules":[{"op":"and","rules":[{"op":"is","path":"event/A","value":"a"},{"op":"exists","not":true,"path":"event/B"}]},{"op":"and","rules":[{"op":"is tagged","tag":"t"}]}]},"respond":[{"action":"report","name":"odd","priority":3}]}"#
        );
    }
}
