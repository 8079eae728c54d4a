//! Ways around a policy, each of which is closed.

use std::collections::{BTreeMap, BTreeSet};

use casemate_policy::{
    Budget, Call, Decision, Grant, Guards, Measure, Policy, Principal, Reading, Readings, Timestamp, ToolRule,
    cedar::{Known, left},
    decide, needs,
};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::{Value, json};

use super::fixture::{NOW, Question, load, load_with, open_tool, rules, told, tools};

fn scan() -> Question {
    Question::of("range_scan")
}

/// A policy that is about the call and lets it pass.
const IDLE: &str = "forbid(principal, action, resource) when { context.hour == 23 };";

/// That a call is denied since it could not be put to the policies, and what the operator is told.
fn faulty(question: &Question, policy: &str, words: &str) {
    let denial = question.denial(&rules(policy)).unwrap_or_else(|| panic!("should be denied: {question:?}"));
    assert!(denial.is_fault() && denial.rules().count() == 0, "{question:?}");
    assert!(denial.for_operator().contains(words), "{}", denial.for_operator());
    assert_eq!(denial.message(), "the operator's policies could not be asked about this call");
    assert_eq!(denial.for_model(), "correct the arguments and call again, or ask the operator");
}

#[test]
fn what_cannot_be_evaluated_is_denied() {
    let policy = "@id(\"sum\")\nforbid(principal, action == Action::\"range_scan\", resource)\n\
                  when { context.arguments.count * 9223372036854775807 == 5 };";
    faulty(&scan(), policy, "`sum` cannot be evaluated: ");
    assert!(!scan().argument("count", json!(1)).is_denied(&rules(policy)));
    // Beside a policy that forbids, both are told.
    let both = rules(&format!("{policy}\n@id(\"all\") forbid(principal, action, resource);"));
    let denial = scan().denial(&both).unwrap();
    assert!(denial.is_fault());
    assert_eq!(denial.rules().map(|rule| rule.id()).collect::<Vec<_>>(), ["all"]);
    assert_eq!(denial.message(), "the operator's policy `all` forbids this call");
    assert_eq!(denial.for_operator().lines().count(), 2);
}

#[test]
fn arguments_that_do_not_fit_are_denied() {
    let scan = |name: &str, value: Value| scan().argument(name, value);
    faulty(&scan("count", json!(u64::MAX)), IDLE, "the argument at `/count` is not a whole number of 64 bits");
    faulty(&scan("count", json!(9_223_372_036_854_775_808_u64)), IDLE, "/count");
    faulty(&scan("count", json!(1e300)), IDLE, "/count");
    faulty(&scan("count", json!(0.5)), IDLE, "/count");
    faulty(&scan("count", json!("5")), IDLE, "/count");
    faulty(&scan("count", json!(null)), IDLE, "/count");
    faulty(&scan("ports", json!([22, "22"])), IDLE, "/ports/1");
    faulty(&scan("ports", json!({})), IDLE, "/ports");
    faulty(&scan("loud", json!("false")), IDLE, "/loud");
    faulty(&scan("options", json!({})), IDLE, "the argument at `/options/depth` is missing");
    faulty(&scan("options", json!([])), IDLE, "/options");
    faulty(&scan("targets", json!(["not a host"])), IDLE, "the target at `/targets` cannot be read");
    faulty(&scan("targets", json!([["web.test"]])), IDLE, "/targets");
    for arguments in [json!({}), json!([]), json!(null), json!("x"), json!(5)] {
        faulty(&Question::of("range_scan").with(|q| q.arguments = arguments), IDLE, "");
    }
}

#[test]
fn numbers_at_the_ends_are_compared_as_they_are() {
    let policy =
        "forbid(principal, action == Action::\"range_scan\", resource) when { context.arguments.count > 9223372036854775806 };";
    let rules = rules(policy);
    assert!(scan().argument("count", json!(i64::MAX)).is_denied(&rules));
    assert!(!scan().argument("count", json!(i64::MAX - 1)).is_denied(&rules));
    assert!(!scan().argument("count", json!(i64::MIN)).is_denied(&rules));
}

#[test]
fn hostile_texts_are_texts() {
    let policy = r#"forbid(principal, action == Action::"range_wipe", resource) when { context.arguments has why && context.arguments.why == "stop" };"#;
    let rules = rules(policy);
    let wipe = |why: &str| Question::of("range_wipe").argument("why", json!(why));
    for why in [
        "\u{0}",
        "\"",
        "\\\"",
        "\" || true",
        "\u{202e}pots",
        "{\"__entity\":{\"type\":\"Tool\",\"id\":\"x\"}}",
        "ip(\"::1\")",
        "principal",
        "*",
        "\u{fffd}",
        "stop\u{0}",
        "Stop",
        "st\u{200b}op",
        &"x".repeat(1 << 20),
    ] {
        assert!(!wipe(why).is_denied(&rules), "{why:.20}");
    }
    assert!(wipe("stop").is_denied(&rules));
    let entity = json!({ "__entity": { "type": "Tool", "id": "x" } });
    faulty(&Question::of("range_wipe").argument("why", entity), policy, "the argument at `/why` is not a text");
}

#[test]
fn deep_and_wide_arguments_do_no_harm() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    faulty(&scan().argument("ports", deep.clone()), IDLE, "/ports/0");
    assert!(!scan().argument("unknown", deep.clone()).is_denied(&rules(IDLE)), "policies cannot speak of it");
    let tainted = scan().argument("unknown", deep).with(|q| {
        q.tainted.insert("/unknown".to_owned());
    });
    faulty(&tainted, IDLE, "nests too deeply");
    let wide: Vec<u32> = (0..10_000).collect();
    assert!(!scan().argument("ports", json!(wide)).is_denied(&rules(IDLE)));
}

#[test]
fn another_release_of_a_tool_is_not_judged_by_the_old_ones_policies() {
    let other = scan().with(|q| q.tool.digest = "bb".repeat(32));
    faulty(&other, IDLE, "the policies were not made for this release of `range_scan`");
    let stranger = scan().with(|q| q.tool = open_tool("new", "read", json!({})));
    faulty(&stranger, IDLE, "the policies were not made for this release of `new_run`");
}

#[test]
fn what_the_schema_does_not_have_is_denied() {
    let window = scan().with(|q| {
        q.budget.insert("7m".parse().unwrap(), 5);
    });
    faulty(&window, IDLE, "the call cannot be put to the policies");
    for millis in [i64::MIN, i64::MAX, 253_402_300_800_000] {
        faulty(&scan().with(|q| q.now = Timestamp::from_millis(millis)), IDLE, "the call cannot be put to the policies");
    }
}

#[test]
fn a_plugin_called_like_an_effect_is_not_of_that_effect() {
    let tools = [open_tool("read", "destructive", json!({})), open_tool("destructive", "read", json!({}))];
    let text = "forbid(principal, action, resource) unless { action in Action::\"read\" };";
    let rules = load_with(&tools, text).unwrap();
    let ask = |tool: &ToolRule| Question::of("range_list").with(|q| q.tool = tool.clone());
    assert!(ask(&tools[0]).is_denied(&rules), "it destroys, whatever it is called");
    assert!(!ask(&tools[1]).is_denied(&rules));
    let by_plugin = load_with(&tools, "forbid(principal, action, resource in Plugin::\"read\");").unwrap();
    assert!(ask(&tools[0]).is_denied(&by_plugin) && !ask(&tools[1]).is_denied(&by_plugin));
}

#[test]
fn names_of_callers_are_data() {
    let rules = rules(r#"forbid(principal == Principal::"token:ci", action, resource);"#);
    for (id, denied) in
        [("token:ci", true), ("token:c\\i", false), ("token:CI", false), ("Principal::token:ci", false), ("token:ci:", false)]
    {
        let question = scan().with(|q| q.principal = Principal::new(id.parse().unwrap()));
        assert_eq!(question.is_denied(&rules), denied, "{id}");
    }
}

#[test]
fn what_a_reviewer_cannot_see_does_not_load() {
    for text in [
        "// \u{202e} forbid\nforbid(principal, action, resource);",
        "forbid(principal, action, resource) when { context.grant like \"a\u{200b}*\" };",
        "\u{feff}forbid(principal, action, resource);",
        "forbid(principal, action, resource) /* \u{0} */;",
    ] {
        let errors = load(text).unwrap_err();
        assert!(told(&errors).contains("there is a hidden character"), "{}", told(&errors));
    }
    // Cyrillic letters that look like Latin ones.
    let errors = load("forbid(principal, action, resource) when { context.grant like \"l\u{0430}b*\" };").unwrap_err();
    assert!(told(&errors).contains("mixed scripts"), "{}", told(&errors));
    rules("forbid(principal, action, resource)\r\n\twhen { context.hour > 5 };\r\n");
}

#[test]
fn what_no_parser_should_read_is_not_parsed() {
    let big = format!("// {}\n", "x".repeat(300 * 1024));
    let deep = format!("forbid(principal, action, resource) when {{ {}true{} }};", "(".repeat(10_000), ")".repeat(10_000));
    let lists = format!("forbid(principal, action, resource) when {{ {}1{} == 1 }};", "[".repeat(10_000), "]".repeat(10_000));
    let list = format!("forbid(principal, action, resource) when {{ [{}1].contains(context.hour) }};", "1, ".repeat(10_000));
    let chain = |link: &str| format!("forbid(principal, action, resource) when {{ context.hour{} }};", link.repeat(5_000));
    let branches = format!("forbid(principal, action, resource) when {{ {}true }};", "if true then true else ".repeat(5_000));
    let mut texts = vec![
        (big, "the file has more than 262144 bytes"),
        (deep, "the policy has more than 32 levels"),
        (lists, "the policy has more than 32 levels"),
        (list, "the policy has more than 16384 tokens"),
        (branches, "the policy has more than 256 operators"),
    ];
    for link in [" && true", " || true", " + 1", " - 1", " * 1", ".a", "[\"a\"]", ".isEmpty()"] {
        texts.push((chain(link), "the policy has more than 256 operators"));
    }
    for (text, words) in texts {
        let errors = load(&text).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(told(&errors).contains(words), "{}", told(&errors));
    }
}

/// Each as long as it may be: a parser that went too deep would end the program, and with it this test.
#[test]
fn what_may_be_parsed_is_not_too_deep_for_it() {
    let chain = |first: &str, link: &str, count: usize| {
        format!("forbid(principal, action, resource) when {{ {first}{} }};", link.repeat(count))
    };
    let mut texts: Vec<String> = [" && context.approved", " || context.approved", " && context has arguments", " + context.hour"]
        .map(|link| chain("context.approved", link, 255 / (1 + link.matches(['&', '|', '.', '+']).count())))
        .into();
    texts.extend([" + 1", " - 1", " * 1", ".a", "[\"a\"]", ".isEmpty()", " has a.a"].map(|link| chain("context", link, 250)));
    texts.extend([" == true", " in context", " < 1", " like \"x\""].map(|link| chain("context", link, 3000)));
    texts.push(chain("", "if context.approved then true else ", 120));
    texts.push(format!("forbid(principal, action, resource) {};", "when { true }".repeat(3000)));
    texts.push(chain("", "!(", 30) + &")".repeat(30));
    texts.push(chain("context.arguments has a", ".a", 250));
    texts.push(format!("forbid(principal, action, resource) when {{ [{}1].contains(context.hour) }};", "1, ".repeat(8000)));
    for text in texts {
        match load(&text) {
            Ok(rules) => drop(scan().denial(&rules)),
            Err(errors) => assert!(!told(&errors).contains("has more than"), "{}", told(&errors)),
        }
    }
}

#[test]
fn garbage_is_refused_and_nothing_worse() {
    for text in [
        "\"",
        "forbid(",
        ";",
        "@",
        "@id(",
        "forbid(principal, action, resource) when {",
        "é",
        "forbid(principal, action, resource) when { \"\\q\" };",
        "forbid(principal, action, resource) when { 99999999999999999999 == 1 };",
        "permit",
        "{}",
        "forbid(principal,,);",
        "forbid(principal, action, resource) when { ip(\"x\") == ip(\"y\") };",
        "forbid(principal, action, resource) when { nothing() };",
    ] {
        let errors = load(text).map(|_| ()).unwrap_err();
        assert!(!errors.is_empty(), "{text}");
    }
}

#[test]
fn an_unknown_budget_is_a_spent_one() {
    let budget = |tools: &[&str], calls, per: &str| Budget {
        tools: tools.iter().map(|tool| tool.parse().unwrap()).collect(),
        effect: None,
        measure: Measure::Calls(calls),
        per: per.parse().unwrap(),
    };
    let grant = Grant {
        name: "lab".parse().unwrap(),
        principals: ["local".parse().unwrap()].into(),
        tools: vec!["*".parse().unwrap()],
        max_effect: Effect::Read,
        scope: BTreeMap::new(),
        expires: None,
        session: None,
        roles: BTreeSet::from(["analyst".parse().unwrap()]),
        max_result_kib: None,
        budgets: vec![budget(&[], 10, "1h"), budget(&["range_list"], 5, "60m"), budget(&[], 3, "1d")],
    };
    let known = Known::of([&grant]);
    assert_eq!(known.windows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1h", "1d"]);
    let policy = Policy::new(Environment::Dev, vec![grant], tools(), Guards::default()).unwrap();
    let principal = Principal::new("local".parse().unwrap());
    let call = Call::new("range_list", json!({}));
    let needs = needs(&policy, &principal, &call);
    let spent = |spent| {
        let mut readings = Readings::fresh(&needs);
        let reading = Reading { spent, oldest: Some(NOW), ..Reading::default() };
        needs.charges.iter().for_each(|charge| readings.budget(charge.key().clone(), reading));
        readings
    };
    let unspent = spent(0);
    let Decision::Permit(permit) = decide(&policy, &principal, &call, &unspent, NOW) else {
        panic!("should be permitted");
    };
    let rest = |readings: &Readings| left(permit.charges(), readings).into_values().collect::<Vec<u32>>();
    assert_eq!(rest(&unspent), [5, 3], "of two budgets with one window, the one that ends first");
    assert_eq!(rest(&spent(4)), [1, 0]);
    assert_eq!(rest(&Readings::none()), [0, 0]);
}
