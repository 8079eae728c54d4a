//! One layer wide open by mistake, and a dangerous call still stopped by another.
//!
//! Each case starts from a house with the defaults and a grant for one group, opens exactly one layer as far as its
//! configuration goes, and then tries to destroy another group: once by asking for it, once by asking for the
//! granted group and having the plugin send something else.

use std::sync::Arc;

use casemate_policy::{
    ApprovalMode, Decision, Layer,
    egress::{Conduct, Verdict},
};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::json;

use crate::fixture::{House, NOW, budget, code, gate, json_body};

/// Careful: production, read at most, disabled, dry run, approval, budget spent, one group.
fn careful() -> House {
    let mut house = House::by_default().grant(|g| {
        g.max_effect = Effect::Read;
        g.scope.insert("group".parse().unwrap(), vec!["red-lab".to_owned()]);
        g.budgets = vec![budget(&[], 0, "1h")];
        g.expires = Some(NOW);
    });
    house.environment = Environment::Prod;
    house.spent("lab_operate", 0, NOW)
}

/// With this layer wide open, nothing destructive is sent.
fn check(open: Layer, house: House) {
    for group in ["prod", "red-lab"] {
        let decision = house.ask("local", "lab_operate", json!({ "group": group }));
        let Decision::Permit(permit) = &decision else {
            let stopped_by = match &decision {
                Decision::Denied(denied) => denied.layer(),
                _ => Layer::Approval,
            };
            assert_ne!(stopped_by, open, "the layer is not open: {:?}", code(&decision));
            continue;
        };
        let request = json_body("/api/operations", r#"{"name":"x","group":"prod"}"#);
        let verdict = Conduct::new(Arc::new(gate()), permit, None).check(request);
        assert!(matches!(verdict, Verdict::Refuse(_)), "{open}: {verdict:?}");
    }
}

#[test]
fn identity() {
    check(Layer::Identity, careful().grant(|g| g.expires = None));
}

#[test]
fn catalog() {
    check(Layer::Catalog, careful().grant(|g| g.tools = vec!["*".parse().unwrap()]));
}

#[test]
fn enable() {
    check(Layer::Enable, careful().rule("lab_operate", |r| r.enabled = true));
}

#[test]
fn effect() {
    check(Layer::Effect, House { environment: Environment::Dev, ..careful().grant(|g| g.max_effect = Effect::Destructive) });
}

#[test]
fn input() {
    let mut house = careful();
    for rule in &mut house.rules {
        let mut tool = (*rule.manifest_tool).clone();
        tool.input_schema = json!(true);
        rule.manifest_tool = tool.into();
    }
    check(Layer::Input, house);
}

#[test]
fn scope() {
    check(Layer::Scope, careful().grant(|g| g.scope.get_mut(&"group".parse().unwrap()).unwrap().push("prod".to_owned())));
}

#[test]
fn budgets() {
    let mut house = careful().grant(|g| g.budgets.clear());
    house.known.clear();
    check(Layer::Budget, house);
}

#[test]
fn approval() {
    check(Layer::Approval, careful().rule("lab_operate", |r| r.approval.mode = ApprovalMode::None));
}

#[test]
fn dry_run() {
    check(Layer::DryRun, careful().rule("lab_operate", |r| r.dry_run = false));
}

/// The same with nothing but that one layer left closed: each stops the call alone.
#[test]
fn each_layer_alone_is_enough() {
    let alone: [(Layer, House); 8] = [
        (Layer::Identity, House::open().grant(|g| g.expires = Some(NOW))),
        (Layer::Catalog, House::open().rule("lab_operate", |r| r.pinned = false)),
        (Layer::Enable, House::open().rule("lab_operate", |r| r.enabled = false)),
        (Layer::Effect, House::open().grant(|g| g.max_effect = Effect::Execute)),
        (Layer::Scope, House::open().grant(|g| drop(g.scope.insert("group".parse().unwrap(), vec!["red-lab".to_owned()])))),
        (Layer::Budget, House::open().grant(|g| g.budgets = vec![budget(&[], 1, "1h")]).spent("lab_operate", 1, NOW)),
        (Layer::Approval, House::open().rule("lab_operate", |r| r.approval.mode = ApprovalMode::Operator)),
        (
            Layer::Input,
            House::open().rule("lab_operate", |r| {
                let mut tool = (*r.manifest_tool).clone();
                tool.input_schema = json!({"type": "object", "properties": {"group": {"const": "red-lab"}}});
                r.manifest_tool = tool.into();
            }),
        ),
    ];
    for (layer, house) in alone {
        let decision = house.ask("local", "lab_operate", json!({"group": "prod"}));
        assert!(!matches!(decision, Decision::Permit(_)), "{layer}");
    }
    let dry = House::open().rule("lab_operate", |r| r.dry_run = true);
    let verdict = dry.send("lab_operate", json_body("/api/operations", r#"{"group":"red-lab"}"#));
    assert!(matches!(verdict, Verdict::End(_)), "{verdict:?}");
}

/// The gate is the last layer: every layer of the decision wide open, and the plugin still reaches only what is granted.
#[test]
fn the_gate_holds_when_every_other_layer_is_open() {
    let verdict = House::open().send("lab_operate", json_body("/api/operations", r#"{"group":"prod"}"#));
    assert!(matches!(verdict, Verdict::Refuse(_)));
}

/// And the other way round: a gate without a useful contract, and a decision that holds.
#[test]
fn the_decision_holds_when_the_gate_is_open() {
    assert_eq!(code(&House::open().ask("local", "lab_operate", json!({"group": "prod"}))), Some("out-of-scope"));
}
