//! Rules about prompts.

use super::*;
use crate::manifest::address::AddressError;

fn prompt() -> Value {
    json!({ "title": "Triage", "description": "Look at one agent.", "text": "Look at {paw} for {why}.",
        "argument": [
            { "name": "paw", "description": "The agent", "required": true },
            { "name": "why", "description": "The reason", "values": ["alert", "routine"] }
        ] })
}

fn with(place: &str, value: Value) -> Vec<RuleError> {
    let mut prompt = prompt();
    let (parent, key) = place.rsplit_once('/').unwrap();
    match prompt.pointer_mut(parent).unwrap() {
        Value::Array(items) => items.insert(key.parse().unwrap(), value),
        object => object[key] = value,
    }
    findings(changed(&[("/prompt", json!({ "triage": prompt }))]))
}

#[test]
fn a_prompt_that_keeps_the_rules_passes() {
    assert_eq!(findings(changed(&[("/prompt", json!({ "triage": prompt() }))])), []);
}

#[test]
fn each_rule_of_prompts_is_held() {
    let hidden = TextError::Hidden { code: 0x200B };
    for (place, value, at, rule) in [
        ("/title", json!(""), "prompt.triage.title", TextError::Empty.into()),
        ("/title", json!("a\u{200b}b"), "prompt.triage.title", hidden.clone().into()),
        ("/description", json!("a\u{200b}b"), "prompt.triage.description", hidden.clone().into()),
        ("/text", json!("{paw}\u{200b}{why}"), "prompt.triage.text", hidden.clone().into()),
        (
            "/argument/0/description",
            json!("a\nb"),
            "prompt.triage.argument.paw.description",
            TextError::Hidden { code: 10 }.into(),
        ),
        ("/argument/1/values/0", json!("a\u{200b}b"), "prompt.triage.argument.why.values", hidden.into()),
        ("/argument/1/values/0", json!("alert"), "prompt.triage.argument.why.values", Rule::DuplicateValue("alert".to_owned())),
        ("/text", json!("{paw} {why} {other}"), "prompt.triage.text", Rule::UndeclaredArgument("other".to_owned())),
        ("/text", json!("{paw}"), "prompt.triage.argument.why", Rule::UnusedArgument("why".to_owned())),
        ("/text", json!("{paw} {why} {"), "prompt.triage.text", Rule::StrayBrace),
        ("/text", json!("{paw} {why} {{x}"), "prompt.triage.text", Rule::StrayBrace),
        (
            "/argument/2",
            json!({ "name": "why", "description": "x" }),
            "prompt.triage.argument.why",
            Rule::DuplicateArgument("why".parse().unwrap()),
        ),
    ] {
        assert_eq!(with(place, value.clone()), [RuleError { at: at.to_owned(), rule }], "{place} {value}");
    }
}

#[test]
fn what_goes_with_a_prompt_is_held_to_the_same() {
    let attach = |document: Value| with("/attach", json!([document]));
    let document = |uri: &str, media_type: &str, text: &str| json!({ "uri": uri, "media_type": media_type, "text": text });
    for passing in [
        document("https://example.com/guide", "text/markdown", "Agent {paw}."),
        document("cases://open", "application/json", "{{}}"),
        document("cases://{paw}", "text/plain", "x"),
        document("{paw}", "text/plain", "x"),
    ] {
        assert_eq!(attach(passing.clone()), [], "{passing}");
    }
    let hidden: Rule = TextError::Hidden { code: 0x200B }.into();
    for (refused, at, rule) in [
        (document("cases://open", "text/plain", "a\u{200b}b"), "text", hidden.clone()),
        (document("cases://{paw}/a\u{200b}b", "text/plain", "x"), "uri", hidden),
        (document("cases://open", "text/plain", "{other}"), "text", Rule::UndeclaredArgument("other".to_owned())),
        (document("cases://{other}", "text/plain", "x"), "uri", Rule::UndeclaredArgument("other".to_owned())),
        (document("cases://open", "text/html", "x"), "media_type", Rule::TextType("text/html".to_owned())),
        (document("cases://open", "image/png", "x"), "media_type", Rule::TextType("image/png".to_owned())),
        (document("casemate://audit/self", "text/plain", "x"), "uri", Rule::Address(AddressError::Reserved)),
        (document("file:///etc/passwd", "text/plain", "x"), "uri", Rule::Address(AddressError::Form)),
        (document("ui://card", "text/plain", "x"), "uri", Rule::Address(AddressError::Reserved)),
        (document("https://user@example.com/", "text/plain", "x"), "uri", Rule::Address(AddressError::Form)),
    ] {
        assert_eq!(attach(refused.clone()), [RuleError { at: format!("prompt.triage.attach[0].{at}"), rule }], "{refused}");
    }
    for unreadable in
        [json!({}), json!({ "image": "x", "text": "y" }), json!({ "uri": "a://b", "text": "x", "role": "assistant" })]
    {
        let mut prompt = prompt();
        prompt["attach"] = json!([unreadable]);
        assert!(serde_json::from_value::<Manifest>(changed(&[("/prompt", json!({ "triage": prompt }))])).is_err());
    }
}

#[test]
fn an_argument_may_stand_in_what_goes_with_the_text() {
    let mut prompt = prompt();
    prompt["text"] = json!("Look at {paw}.");
    prompt["attach"] = json!([{ "uri": "cases://open", "text": "Because of {why}." }]);
    assert_eq!(findings(changed(&[("/prompt", json!({ "triage": prompt }))])), []);
}

#[test]
fn there_are_not_too_many_and_they_are_not_too_long() {
    let many = |what, count, max| Rule::TooMany { what, count, max };
    let values: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    assert_eq!(
        with("/argument/1", json!({ "name": "b", "description": "x", "values": values }))[0].rule,
        many("values", 101, 100)
    );
    let text = format!("{{paw}}{{why}}{}", "a".repeat(8_000));
    assert_eq!(with("/text", json!(text))[0].rule, TextError::TooLong { length: 8_010, max: 8_000 }.into());
    let prompts: serde_json::Map<String, Value> = (0..33).map(|number| (format!("p_{number}"), prompt())).collect();
    assert_eq!(findings(changed(&[("/prompt", prompts.into())]))[0].rule, many("prompts", 33, 32));
    let long = "a".repeat(40);
    let found = findings(changed(&[("/plugin/name", json!("p".repeat(30))), ("/prompt", json!({ long.clone(): prompt() }))]));
    assert_eq!(found[0].rule, Rule::ServedPrompt(format!("{}_{long}", "p".repeat(30))));
}

#[test]
fn what_a_prompt_does_not_have_is_refused() {
    for (place, value) in [("/x", json!(1)), ("/argument/0/x", json!(1)), ("/argument/0/name", json!("A b")), ("/text", json!(1))]
    {
        let mut prompt = prompt();
        let (parent, key) = place.rsplit_once('/').unwrap();
        prompt.pointer_mut(parent).unwrap()[key] = value;
        assert!(serde_json::from_value::<Manifest>(changed(&[("/prompt", json!({ "triage": prompt }))])).is_err(), "{place}");
    }
    assert!(serde_json::from_value::<Manifest>(changed(&[("/prompt", json!({ "Triage": prompt() }))])).is_err());
}

/// What was signed before there were prompts is the same bytes still.
#[test]
fn a_manifest_without_prompts_does_not_speak_of_them() {
    let manifest: Manifest = serde_json::from_value(valid()).unwrap();
    assert!(manifest.prompt.is_empty());
    assert_eq!(serde_json::to_value(&manifest).unwrap().get("prompt"), None);
}
