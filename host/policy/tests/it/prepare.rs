//! Rules that could not be enforced do not load.

use casemate_policy::{Policy, PolicyError};
use casemate_signing::Environment;
use serde_json::json;

use crate::fixture::{House, budget, grant, rules};

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
fn schemas_that_do_not_compile() {
    for schema in [json!({"type": "strnig"}), json!({"$ref": "https://evil.example/"}), json!({"pattern": "("})] {
        let mut house = House::open();
        let mut tool = (*house.rules[0].manifest_tool).clone();
        tool.input_schema = schema;
        house.rules[0].manifest_tool = tool.into();
        check(house, "the plugin's input schema of `lab_case` cannot be used");
    }
}
