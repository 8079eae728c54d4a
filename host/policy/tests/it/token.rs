//! What an access token says of its bearer: roles, by which it holds grants, and scopes, without which it may do less.

use std::collections::BTreeSet;

use casemate_policy::{
    Call, Decision, Layer, Principal, Readings, TokenScope,
    approval::RoleName,
    cedar::{Known, Rules},
    decide, explain, needs, visible,
};
use casemate_signing::manifest::Effect;

use crate::fixture::{House, NOW, budget, code, good_arguments, grant, principal, rules};

fn names<T: std::str::FromStr<Err: std::fmt::Debug> + Ord>(names: &[&str]) -> BTreeSet<T> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn with_roles(id: &str, roles: &[&str]) -> Principal {
    principal(id).with_roles(names::<RoleName>(roles))
}

fn with_scopes(scopes: &[&str]) -> Principal {
    principal("local").with_scopes(names::<TokenScope>(scopes))
}

fn ask(house: &House, who: &Principal, tool: &str) -> Decision {
    let (policy, call) = (house.policy(), Call::new(tool, good_arguments(tool)));
    decide(&policy, who, &call, &Readings::fresh(&needs(&policy, who, &call)), NOW)
}

#[test]
fn a_role_holds_what_is_granted_to_it_and_nothing_else_does() {
    let house = House::open().grant(|grant| grant.principals = names(&["role:soc"]));
    assert_eq!(code(&ask(&house, &with_roles("oidc:sub:ann", &["other", "soc"]), "lab_replay")), None);
    // Nobody else holds it: no role, another role, or an id that looks like one.
    for other in [
        principal("oidc:sub:ann"),
        with_roles("oidc:sub:ann", &["soc2", "so"]),
        principal("role:soc"),
        principal("oidc:sub:role:soc"),
    ] {
        assert_eq!(code(&ask(&house, &other, "lab_replay")), Some("no-grant"), "{other:?}");
        assert!(visible(&house.policy(), &other, NOW).is_empty());
    }
    // Nor does a role confer what a grant confers on its holders.
    let asking = house.rule("lab_tag", |rule| rule.roles = names(&["soc"]));
    assert_eq!(code(&ask(&asking, &with_roles("oidc:sub:ann", &["soc"]), "lab_tag")), Some("role-missing"));
}

#[test]
fn a_grant_that_is_held_twice_counts_once_and_grants_keep_their_order() {
    let mut house = House::open().grant(|grant| {
        grant.principals = names(&["local", "role:soc", "role:lead"]);
        grant.budgets = vec![budget(&["lab_*"], 3, "1h")];
    });
    let mut second = grant("b-second");
    second.principals = names(&["role:lead"]);
    house.grants.push(second);
    let (policy, who) = (house.policy(), with_roles("local", &["lead", "soc"]));
    let call = Call::new("lab_replay", good_arguments("lab_replay"));
    let needs = needs(&policy, &who, &call);
    assert_eq!(needs.charges.len(), 1);
    let under = explain(&policy, &who, &call, &Readings::fresh(&needs), NOW);
    assert_eq!(under.iter().map(|one| one.grant.as_str()).collect::<Vec<_>>(), ["a-red-team", "b-second"]);
    let shown = visible(&policy, &who, NOW);
    assert_eq!(shown.len(), visible(&policy, &principal("local"), NOW).len(), "no tool is shown twice");
}

#[test]
fn those_who_share_a_role_share_no_budget() {
    let house = House::open().grant(|grant| {
        grant.principals = names(&["role:soc"]);
        grant.budgets = vec![budget(&["lab_*"], 3, "1h")];
    });
    let key = |id: &str| {
        let call = Call::new("lab_replay", good_arguments("lab_replay"));
        needs(&house.policy(), &with_roles(id, &["soc"]), &call).charges[0].key().clone()
    };
    assert_ne!(key("oidc:sub:ann"), key("oidc:sub:ben"));
    // The same key as if the grant named the caller: a change from one to the other gives nothing back.
    let named = House::open().grant(|grant| {
        grant.principals = names(&["oidc:sub:ann"]);
        grant.budgets = vec![budget(&["lab_*"], 3, "1h")];
    });
    let call = Call::new("lab_replay", good_arguments("lab_replay"));
    assert_eq!(needs(&named.policy(), &principal("oidc:sub:ann"), &call).charges[0].key(), &key("oidc:sub:ann"));
}

#[test]
fn an_effect_needs_the_scopes_that_the_operator_asks_for_it_and_below() {
    let mut house = House::open();
    house.guards.step_up =
        [(Effect::Write, "w"), (Effect::Destructive, "d")].map(|(effect, scope)| (effect, scope.parse().unwrap())).into();
    for (tool, scopes, expected) in [
        ("lab_read_file", &[][..], None),
        ("lab_tag", &[], Some("insufficient-scope")),
        ("lab_tag", &["d", "W", "casemate"], Some("insufficient-scope")),
        ("lab_tag", &["w"], None),
        ("lab_replay", &[], Some("insufficient-scope")),
        ("lab_replay", &["w"], None),
        ("lab_operate", &["w"], Some("insufficient-scope")),
        ("lab_operate", &["d"], Some("insufficient-scope")),
        ("lab_operate", &["d", "w"], None),
    ] {
        assert_eq!(code(&ask(&house, &with_scopes(scopes), tool)), expected, "{tool} {scopes:?}");
    }
    let Decision::Denied(denied) = ask(&house, &with_scopes(&[]), "lab_operate") else { panic!("it is denied") };
    assert_eq!(denied.layer(), Layer::Identity);
    assert!(denied.message().contains("`d w`") && denied.for_operator().contains("`step_up` under `[http.oauth]`"));
    // Whoever came without an access token needs none, and a dry run is no way around.
    assert_eq!(house.code("lab_operate"), None);
    let dry = house.clone().rule("lab_tag", |rule| rule.dry_run = true);
    assert_eq!(code(&ask(&dry, &with_scopes(&[]), "lab_tag")), Some("insufficient-scope"));
    // It is listed all the same: a client that never hears of it cannot ask for more.
    assert!(visible(&house.policy(), &with_scopes(&[]), NOW).iter().any(|rule| rule.served.as_str() == "lab_tag"));
}

#[test]
fn what_is_lacking_is_told_of_tools_that_are_granted_and_no_others() {
    let mut house = House::open().grant(|grant| grant.tools = vec!["lab_tag".parse().unwrap()]);
    house.guards.step_up = [(Effect::Write, "w".parse().unwrap())].into();
    let lacking = |tool: &str, who: &Principal| house.policy().lacking(who, tool).len();
    assert_eq!(lacking("lab_tag", &with_scopes(&[])), 1);
    assert_eq!(lacking("lab_tag", &with_scopes(&["w"])), 0);
    assert_eq!(lacking("lab_replay", &with_scopes(&[])), 0, "not granted");
    assert_eq!(lacking("lab_none", &with_scopes(&[])), 0);
    assert_eq!(lacking("lab_tag", &principal("local")), 0);
    assert_eq!(lacking("lab_tag", &principal("token:other").with_scopes(BTreeSet::new())), 0);
}

/// A policy that names nobody forbids nothing, so it does not load.
#[test]
fn a_policy_names_those_who_come_by_a_role_and_never_the_role() {
    let rules = rules();
    let tools: Vec<_> = rules.iter().collect();
    let load = |holders: &[&str], who: &str| {
        let mut grant = grant("a");
        grant.principals = names(holders);
        let policy = format!("forbid(principal == Principal::\"{who}\", action, resource);");
        Rules::new(&[("a.cedar".to_owned(), policy)], &tools, &Known::of([&grant])).is_ok()
    };
    for who in ["oidc:sub:bob", "oidc:client:bot", "token:ci", "local"] {
        assert!(load(&["local", "role:soc"], who), "{who}");
        assert_eq!(load(&["local"], who), who == "local", "{who}");
    }
    for nobody in ["role:soc", "soc", "oidc:bob", "oidc:sub:", "bob"] {
        assert!(!load(&["local", "role:soc"], nobody), "{nobody}");
    }
}
