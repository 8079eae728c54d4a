//! Rules that could not be enforced do not load.

use casemate_policy::{
    Policy, PolicyError,
    breaker::{BreakerRules, Rate},
    flow::{FlowRule, FlowWhen},
};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::json;

use crate::fixture::{House, budget, grant, rules};
use crate::people::flow;

fn errors(house: &House) -> Vec<PolicyError> {
    Policy::new(Environment::Dev, house.grants.clone(), house.rules.clone(), house.guards.clone()).unwrap_err()
}

fn check(house: House, said: &str) {
    let errors = errors(&house);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].to_string().contains(said), "{}", errors[0]);
}

#[test]
fn a_grant_that_names_what_is_not_there() {
    check(House::open().grant(|g| g.tools.push("lub_*".parse().unwrap())), "names `lub_*`, and no installed tool is called that");
    check(House::open().grant(|g| drop(g.scope.insert("grupe".parse().unwrap(), vec![]))), "`scope.grupe`");
    check(House::open().grant(|g| g.principals.clear()), "names no principals");
    check(House::open().grant(|g| g.budgets = vec![budget(&["other_*"], 1, "1h")]), "counts none of the grant's tools");
    check(House::open().grant(|g| g.budgets = vec![budget(&[], 1, "1h"), budget(&[], 2, "60m")]), "is there twice");
    let mut twice = House::open();
    twice.grants.push(grant("a-red-team"));
    check(twice, "two grants are called `a-red-team`");
    let mut twice = House::open();
    twice.rules.push(rules().remove(0));
    check(twice, "two installed tools are called `lab_case`");
}

#[test]
fn a_grant_that_covers_nothing() {
    let empty = errors(&House::open().grant(|g| g.tools.clear()));
    assert!(empty.iter().any(|error| matches!(error, PolicyError::Empty { what: "tools", .. })));
}

#[test]
fn scope_values_of_the_wrong_kind() {
    for (dimension, value) in [
        ("group", "red lab"),
        ("group", "*"),
        ("group", "réd"),
        ("target", "0x7f000001"),
        ("target", "web.test:80"),
        ("limit", "many"),
        ("limit", "0"),
        ("index", "a b"),
    ] {
        let house = House::open().grant(|g| drop(g.scope.insert(dimension.parse().unwrap(), vec![value.to_owned()])));
        check(house, &format!("grant `a-red-team`, `scope.{dimension}`: `{value}`"));
    }
}

#[test]
fn rates_that_could_never_be_reached() {
    let rate = |count, per: &str| Some(Rate { count, per: per.parse().unwrap() });
    let house = |breaker| House::open().guard(|guards| guards.breaker = breaker);
    check(house(BreakerRules { denials: rate(30, "8d"), ..BreakerRules::OFF }), "`denials` under `[breaker]` looks back 8d");
    check(house(BreakerRules { variants: rate(20, "2w"), ..BreakerRules::OFF }), "help: `per` is at most `1w`");
    check(house(BreakerRules { burst: rate(100_001, "1m"), ..BreakerRules::OFF }), "`burst` under `[breaker]` is 100001");
    let most = BreakerRules { denials: rate(30, "1w"), variants: None, burst: rate(100_000, "1w") };
    let _ = house(most).policy();
}

#[test]
fn flow_rules_of_one_name() {
    let named = |name: &str| {
        let rule = FlowRule { name: name.parse().unwrap(), ..flow(FlowWhen::After, "untrusted", Effect::Write, true) };
        House::open().guard(|guards| guards.flows.push(rule))
    };
    check(named("secret-then-write"), "flow rule `secret-then-write` is there twice");
    let _ = named("another").policy();
}

#[test]
fn schemas_that_do_not_compile() {
    for schema in [json!({"type": "strnig"}), json!({"$ref": "https://evil.example/"}), json!({"pattern": "("})] {
        let mut house = House::open();
        let mut tool = (*house.rules[0].manifest_tool).clone();
        tool.input_schema = schema;
        house.rules[0].manifest_tool = tool.into();
        check(house, "the plugin's input schema of `lab_case` cannot be used");
    }
}
