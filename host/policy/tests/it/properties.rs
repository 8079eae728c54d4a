//! What holds for every call, every restriction and every request.

use std::sync::{Arc, LazyLock};

use casemate_policy::{
    ApprovalMode, Call, Decision, Permit, Policy, Readings, decide,
    egress::{Conduct, Gate, Outgoing, Verdict},
    needs,
};
use casemate_signing::{Environment, manifest::Effect};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{House, NOW, budget, form_body, gate, json_body, principal, request};
use crate::people::{PASTS, demanding, happened, impatient, strict};

const TOOLS: [&str; 6] = ["lab_read_file", "lab_search", "lab_tag", "lab_replay", "lab_operate", "lab_nothing"];

/// Everything that can be narrowed.
#[derive(Debug, Clone, Copy)]
enum Restriction {
    Expire,
    LowerEffect,
    DropTools,
    EmptyScope,
    DropValue,
    Disable,
    Unpin,
    Approve,
    DryRun,
    Budget,
    Prod,
    DropPrincipal,
    Flow,
    HardFlow,
    Refuses,
    Breaker,
    Role,
    Session,
    Quorum,
}

use Restriction as R;
const RESTRICTIONS: [Restriction; 19] = [
    R::Expire,
    R::LowerEffect,
    R::DropTools,
    R::EmptyScope,
    R::DropValue,
    R::Disable,
    R::Unpin,
    R::Approve,
    R::DryRun,
    R::Budget,
    R::Prod,
    R::DropPrincipal,
    R::Flow,
    R::HardFlow,
    R::Refuses,
    R::Breaker,
    R::Role,
    R::Session,
    R::Quorum,
];

fn restrict(house: House, restriction: Restriction, tool: &str) -> House {
    let known = house.rules.iter().any(|rule| rule.served.as_str() == tool);
    let on_rule = |house: House, change: fn(&mut casemate_policy::ToolRule)| if known { house.rule(tool, change) } else { house };
    match restriction {
        R::Expire => house.grant(|g| g.expires = Some(NOW)),
        R::LowerEffect => house.grant(|g| g.max_effect = Effect::Read),
        R::DropTools => house.grant(|g| {
            g.tools = vec!["lab_read_file".parse().unwrap()];
            (g.scope, g.budgets) = Default::default();
        }),
        R::EmptyScope => house.grant(|g| g.scope.clear()),
        R::DropValue => house.grant(|g| g.scope.values_mut().for_each(|values| drop(values.pop()))),
        R::Disable => on_rule(house, |r| r.enabled = false),
        R::Unpin => on_rule(house, |r| r.pinned = false),
        R::Approve => on_rule(house, |r| r.approval.mode = ApprovalMode::Operator),
        R::DryRun => on_rule(house, |r| r.dry_run = true),
        R::Budget => house.grant(|g| g.budgets = vec![budget(&[], 1, "1h")]),
        R::Prod => House { environment: Environment::Prod, ..house },
        R::DropPrincipal => house.grant(|g| g.principals = ["token:other".parse().unwrap()].into()),
        R::Flow => house.guard(|guards| strict(guards, true)),
        R::HardFlow => house.guard(|guards| strict(guards, false)),
        R::Refuses => on_rule(house, |r| {
            let mut tool = (*r.manifest_tool).clone();
            tool.labels.refuses = ["untrusted".parse().unwrap()].into();
            r.manifest_tool = tool.into();
        }),
        R::Breaker => house.guard(|guards| impatient(&mut guards.breaker)),
        R::Role => on_rule(house, |r| r.roles = ["red_team".parse().unwrap()].into()),
        R::Session => house.grant(|g| g.session = Some("1h".parse().unwrap())),
        R::Quorum => on_rule(house, |r| r.approval = demanding()),
    }
}

/// The most that a decision lets through; none where it lets nothing through.
fn power(decision: &Decision) -> Option<Effect> {
    match decision {
        Decision::Permit(permit) => Some(permit.ceiling()),
        Decision::Deferred(_) | Decision::Denied(_) => None,
    }
}

fn arguments() -> impl Strategy<Value = Value> {
    let target =
        prop_oneof![Just("red-lab"), Just("blue-lab"), Just("prod"), Just("web.test"), Just("web-1"), Just("*"), Just("")];
    prop_oneof![
        4 => (prop_oneof![Just("group"), Just("host"), Just("index")], target).prop_map(|(key, value)| json!({ key: value })),
        1 => Just(json!({"hash": "0".repeat(32)})),
        1 => Just(json!([])),
    ]
}

static POLICY: LazyLock<Policy> = LazyLock::new(|| House::open().policy());
static PERMITS: LazyLock<Vec<Permit>> = LazyLock::new(|| {
    let house = House::open();
    house.rules.iter().map(|rule| house.permit(rule.served.as_str())).collect()
});
static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| Arc::new(gate()));

fn sent(request: &Outgoing) -> Vec<casemate_policy::egress::Checked> {
    PERMITS
        .iter()
        .filter_map(|permit| match Conduct::new(Arc::clone(&GATE), permit, None).check(request.clone()) {
            Verdict::Send(checked) => Some(checked),
            _ => None,
        })
        .collect()
}

/// Pieces from which hostile requests are put together: most of it nearly right.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "/", "api", "files", "operations", "tags", "groups", "search", "run", "graphql", "red-lab", "prod", "upload_url", "00000000000000000000000000000000",
            "%2f", "%2e", "..", ".", "%5c", "\\", "%00", "%25", ";", "?", "&", "=", "#", "@", ":", "index", "count", "fields", "group", "web-1", "1", "100", "*", ",", "%70", "%", "+", " ",
            "//", "evil.example", "http://", "é", "\r\n", "[", "]",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,3}",
        1 => ".{0,2}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..9).prop_map(|pieces| pieces.concat())
}

/// Nearly every way to write a group in JSON.
fn spelled(group: &str, how: u8) -> String {
    let escaped: String = group.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    match how % 4 {
        0 => format!("\"{group}\""),
        1 => format!("\"{escaped}\""),
        2 => format!("[\"{group}\"]"),
        _ => format!("[\"red-lab\",\"{escaped}\"]"),
    }
}

fn percent(text: &str, mask: u32) -> String {
    text.bytes()
        .enumerate()
        .map(|(at, b)| if mask >> (at % 32) & 1 == 1 { format!("%{b:02x}") } else { char::from(b).to_string() })
        .collect()
}

proptest! {
    // Each case prepares two policies, which compiles their schemas.
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    /// However a house is configured, narrowing it further lets nothing more through.
    #[test]
    fn a_restriction_never_permits(
        tool in prop::sample::select(TOOLS.to_vec()),
        arguments in arguments(),
        before in prop::collection::vec(prop::sample::select(RESTRICTIONS.to_vec()), 0..3),
        restriction in prop::sample::select(RESTRICTIONS.to_vec()),
        past in prop::collection::vec(prop::sample::select(PASTS.to_vec()), 0..3),
    ) {
        let house = past.into_iter().fold(House::open().with_approvers(), happened);
        let house = before.into_iter().fold(house, |house, restriction| restrict(house, restriction, tool));
        let narrowed = restrict(house.clone(), restriction, tool);
        let (before, after) = (house.ask("local", tool, arguments.clone()), narrowed.ask("local", tool, arguments));
        let (wide, narrow) = (power(&before), power(&after));
        // Nor is anybody asked about what was denied, unless the restriction is that somebody is asked, or the call only planned.
        let asked = matches!((&before, &after), (Decision::Denied(_), Decision::Deferred(_)));
        prop_assert!(!asked || matches!(restriction, R::Approve | R::Quorum | R::DryRun), "{restriction:?}: a denial is a deferral");
        // Planning in place of asking or of the production rule lets reads through, which is what it is for.
        let planned = matches!(restriction, R::DryRun) && narrow == Some(Effect::Read);
        prop_assert!(narrow <= wide || planned, "{restriction:?}: {wide:?} → {narrow:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A principal without a grant, a tool without a grant: never, whatever the arguments.
    #[test]
    fn nothing_is_permitted_by_default(who in "[a-z:]{1,12}", tool in "[a-z_]{0,20}", arguments in arguments()) {
        prop_assume!(who != "local");
        let decision = decide(&POLICY, &principal(&who), &Call::new(tool, arguments), &Readings::none(), NOW);
        prop_assert!(matches!(decision, Decision::Denied(_)));
    }

    /// What is sent goes where a strict reader of URLs, not ours, says it goes: to the bound origin, along a path of the
    /// contract's shape that no normalisation changes.
    #[test]
    fn what_is_sent_goes_where_it_says(
        method in prop::sample::select(vec!["GET", "POST", "DELETE"]),
        scheme in prop_oneof![9 => Just("https".to_owned()), 1 => text()],
        authority in prop_oneof![5 => Just("api.lab.test:8443".to_owned()), 1 => Just("other.lab.test".to_owned()), 2 => text(), 1 => text().prop_map(|t| format!("api.lab.test:8443{t}")), 1 => text().prop_map(|t| format!("{t}@api.lab.test:8443"))],
        target in prop_oneof![2 => text().prop_map(|t| format!("/{t}")), 2 => text().prop_map(|t| format!("/api/{t}")), 1 => text(),
            3 => text().prop_map(|t| format!("/api/files/00000000000000000000000000000000{t}")),
            3 => text().prop_map(|t| format!("/api/search/?index=web-1&count=1{t}")), 2 => text().prop_map(|t| format!("/api/groups/{t}"))],
    ) {
        let asked = Outgoing { method: method.to_owned(), scheme, authority, path_and_query: target, ..Outgoing::default() };
        for checked in sent(&asked) {
            let url = url::Url::parse(checked.url()).unwrap();
            prop_assert_eq!(url.as_str(), checked.url(), "a browser-like parser changes nothing");
            prop_assert!(matches!((url.host_str(), url.port_or_known_default()), (Some("api.lab.test"), Some(8443)) | (Some("other.lab.test"), Some(443))));
            prop_assert_eq!((url.scheme(), url.username(), url.password(), url.fragment()), ("https", "", None, None));
            let path = url.path();
            prop_assert!(!path.contains("..") && !path.contains("//") && !path.contains('\\') && !path.to_ascii_lowercase().contains("%2f") && !path.contains("%25"));
            let shape = ["/api/files/", "/api/search/", "/api/groups/", "/list"].iter().any(|prefix| path.starts_with(prefix));
            prop_assert!(shape, "{path}");
        }
    }

    /// A group outside the grant is never sent, whatever its spelling and its place.
    #[test]
    fn a_target_outside_the_grant_is_never_sent(
        group in prop_oneof![Just("prod".to_owned()), "[a-z-]{1,12}", "[ -~]{1,12}", ".{1,6}"],
        how: u8,
        mask: u32,
        extra in prop_oneof![Just(String::new()), Just(",\"name\":\"x\"".to_owned()), Just(",\"group\":\"red-lab\"".to_owned()), Just(",\"Group\":\"red-lab\"".to_owned())],
    ) {
        prop_assume!(group != "red-lab" && group != "blue-lab");
        let json = json_body("/api/operations", &format!("{{\"group\":{}{extra}}}", spelled(&group, how)));
        prop_assert!(sent(&json).is_empty());
        let encoded = percent(&group, mask);
        for form in [format!("group={encoded}"), format!("group=red-lab&group={encoded}"), format!("group={encoded}&note=red-lab"), format!("{}={encoded}", percent("group", mask))] {
            prop_assert!(sent(&form_body("/api/tags", &form)).is_empty(), "{form}");
        }
        let deletion = request("DELETE", &format!("/api/groups/{encoded}"));
        prop_assert!(sent(&deletion).is_empty());
        let mut header = json_body("/api/run", "{}");
        header.headers.push(("x-group".to_owned(), group.into_bytes()));
        prop_assert!(sent(&header).is_empty());
    }

    /// Whatever the grant allows, what changes something is what the call named: in every place, spelling and list, read or written.
    #[test]
    fn nothing_is_changed_but_what_was_named(
        named in prop::sample::select(vec!["red-lab", "blue-lab"]),
        group in prop_oneof![Just("red-lab"), Just("blue-lab"), Just("prod")],
        how: u8,
        mask: u32,
    ) {
        let encoded = percent(group, mask);
        for (tool, request) in [
            ("lab_operate", json_body("/api/operations", &format!("{{\"group\":{}}}", spelled(group, how)))),
            ("lab_operate", request("DELETE", &format!("/api/groups/{encoded}"))),
            ("lab_tag", form_body("/api/tags", &format!("group={encoded}"))),
        ] {
            let call = Call::new(tool, json!({ "group": named }));
            let readings = Readings::fresh(&needs(&POLICY, &principal("local"), &call));
            let Decision::Permit(permit) = decide(&POLICY, &principal("local"), &call, &readings, NOW) else { panic!("{tool}") };
            if let Verdict::Send(checked) = Conduct::new(Arc::clone(&GATE), &permit, None).check(request) {
                prop_assert_eq!(&checked.targets()[&"group".parse().unwrap()], &[named.to_owned()]);
                prop_assert_eq!(group, named);
            }
        }
    }

    /// And one inside the grant is, in every spelling that has one reading: the property above is not empty.
    #[test]
    fn a_target_inside_the_grant_is_sent(mask: u32, how in 0_u8..4) {
        let operations = sent(&json_body("/api/operations", &format!("{{\"group\":{}}}", spelled("red-lab", how))));
        prop_assert_eq!(operations.len(), 1);
        prop_assert_eq!(&operations[0].targets()[&"group".parse().unwrap()], &["red-lab".to_owned()]);
        let tags = sent(&form_body("/api/tags", &format!("group={}", percent("red-lab", mask))));
        prop_assert_eq!(tags[0].body(), b"group=red-lab");
        let deleted = sent(&request("DELETE", &format!("/api/groups/{}", percent("red-lab", mask))));
        prop_assert_eq!(deleted[0].url(), "https://api.lab.test:8443/api/groups/red-lab");
    }

    /// What the gate read of a body is all an independent reader finds in what is sent.
    #[test]
    fn the_upstream_reads_what_the_gate_read(name in ".{0,12}", options in prop::collection::btree_map("[a-z\"\\\\\u{e9}]{1,4}", ".{0,4}", 0..4)) {
        let asked = json!({"options": options, "name": name, "group": "red-lab"});
        for checked in sent(&json_body("/api/operations", &asked.to_string())) {
            let read: Value = serde_json::from_slice(checked.body()).unwrap();
            prop_assert_eq!(&read, &asked);
        }
    }
}
