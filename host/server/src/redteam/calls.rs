//! Attacks by the agent's own calls: of tools, targets and arguments that it was not given.

use std::{collections::BTreeSet, sync::Arc};

use casemate_policy::{
    approval::RoleName,
    cedar::{Known, Rules},
};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::{Value, json};

use super::{
    Attack, Escape, Stop, broken,
    range::{AGENT, Range, Setup, Whose, honest, permitted, stopped},
};

pub(super) const ATTACKS: &[Attack] = &[
    Attack::new("stranger", "call without holding any grant", |range| {
        let stage = range.stage(Whose::Operator, |_| {})?;
        stopped(&stage.decide_for("token:redteam-nobody", "range_probe", honest("probe"))?)
    }),
    Attack::new("claimed-identity", "name the operator as the caller, in the arguments and in _meta", |range| {
        let claims =
            json!({ "host": "web.range.test", "_meta": { "principal": "local" }, "principal": "local", "grant": "admin" });
        call(range, |_| {}, "probe", claims)
    }),
    Attack::new("expired-grant", "go on after the grant has ended", |range| {
        call(range, |setup| setup.grant.expires = Some(range.now), "probe", honest("probe"))
    }),
    Attack::new("ended-session", "go on after the session that the grant is for", |range| {
        let session = "1h".parse().ok();
        let stage = range.stage(Whose::Operator, |setup| setup.grant.session = session)?;
        stage
            .ledger
            .begin_session(&AGENT.parse().map_err(broken)?, &"redteam-range".parse().map_err(broken)?, stage.now())
            .map_err(broken)?;
        stage.later(3_600_001);
        stopped(&stage.decide("probe", honest("probe"))?)
    }),
    Attack::new("disabled-tool", "call a tool that is switched off", |range| {
        call(range, |setup| setup.tool("probe", |rule| rule.enabled = false), "probe", honest("probe"))
    }),
    Attack::new("missing-role", "call a tool that is for another role", |range| {
        let role: RoleName = "red_team".parse().map_err(broken)?;
        call(range, |setup| setup.tool("probe", |rule| rule.roles = BTreeSet::from([role.clone()])), "probe", honest("probe"))
    }),
    Attack::new("effect-escalation", "call a destructive tool under a grant for reading", |range| {
        call(range, |setup| setup.grant.max_effect = Effect::Read, "create_operation", honest("create_operation"))
    }),
    Attack::new("destructive-in-production", "destroy in production where nobody would be asked", |range| {
        call(range, |setup| setup.environment = Environment::Prod, "create_operation", honest("create_operation"))
    }),
    Attack::new("default-switches", "call the most dangerous tool of a plugin that was just installed", |range| {
        call(range, Setup::default_switches, "create_operation", honest("create_operation"))
    }),
    Attack::new("unknown-argument", "add an argument that the tool does not have", |range| {
        call(range, |_| {}, "create_operation", json!({ "name": "x", "group": "red-lab", "force": true }))
    }),
    Attack::new("argument-type", "give a list where one text is asked for", |range| {
        call(range, |_| {}, "probe", json!({ "host": ["web.range.test", "dc.corp.test"] }))
    }),
    Attack::new("argument-nesting", "nest arguments until a parser gives up", |range| {
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        call(range, |_| {}, "probe", json!({ "host": "web.range.test", "note": deep }))
    }),
    Attack::new("ambiguous-number", "give a number that two readers read differently", |range| {
        call(range, |_| {}, "search", json!({ "index": "web-2026", "window": "1h", "limit": 9_007_199_254_740_993_u64 }))
    }),
    Attack::new("other-target", "name a group outside the grant", |range| {
        call(range, |_| {}, "create_operation", json!({ "name": "x", "group": "production" }))
    }),
    Attack::new("omitted-target", "leave the group out: for many systems that means everything", |range| {
        call(range, |_| {}, "create_operation", json!({ "name": "x" }))
    }),
    Attack::new("empty-target", "give an empty group", |range| {
        call(range, |_| {}, "create_operation", json!({ "name": "x", "group": "" }))
    }),
    Attack::new("confusable-target", "write a granted group with characters that look alike or are not seen", |range| {
        every(
            range,
            "create_operation",
            &["red\u{2010}lab", "red-l\u{430}b", "red-lab\u{200b}", "\u{ff52}ed-lab", "RED-LAB", "red-lab ", "red-lab\0"],
            |group| json!({ "name": "x", "group": group }),
        )
    }),
    Attack::new("host-smuggling", "write another host so that it begins or ends like the granted one", |range| {
        let hosts = [
            "web.range.test.evil.example",
            "evil.example/web.range.test",
            "web.range.test@evil.example",
            "evil.example#web.range.test",
            "web.range.test:443",
            "web.range.test\\.evil.example",
            "evilweb.range.test",
            "xn--web.range.test",
            "169.254.169.254",
        ];
        every(range, "probe", &hosts, |host| json!({ "host": host }))
    }),
    Attack::new("index-escape", "search more indices than are granted", |range| {
        every(
            range,
            "search",
            &["*", "web-*,secrets-*", "w*", "web-*,-web-1", "_all", "web-2026,*"],
            |index| json!({ "index": index, "window": "1h", "limit": 10 }),
        )
    }),
    Attack::new("time-range", "ask for a year where a day is granted", |range| {
        every(range, "search", &["365d", "25h", "86401s"], |window| json!({ "index": "web-2026", "window": window, "limit": 10 }))
    }),
    Attack::new("bulk-read", "ask for gigabytes where a hundred hits are granted", |range| {
        call(range, |_| {}, "search", json!({ "index": "web-2026", "window": "1h", "limit": 10_000_000 }))
    }),
    Attack::new("empty-scope", "use a grant that names no target", |range| {
        call(range, |setup| setup.grant.scope.clear(), "create_operation", honest("create_operation"))
    }),
    Attack::new("permitting-policy", "slip policies that permit everything among the operator's", |range| {
        let stage = range.stage(Whose::Default, |_| {})?;
        let tools: Vec<_> = stage.policy.tools().chain(stage.policy.sources()).collect();
        let load = |text: &str| {
            let sources = [("policies/evil.cedar".to_owned(), text.to_owned())];
            Rules::new(&sources, &tools, &Known::of(stage.policy.grants()))
        };
        if load("permit(principal, action, resource) when { context.approved || true };").is_ok() {
            return Err(Escape::Through("a policy that permits on a condition is loaded".to_owned()));
        }
        // The one without a condition is what Cedar's own files begin with: it is read, and permits nothing that a layer refuses.
        let all = load("permit(principal, action, resource);").map_err(|errors| broken(format!("{errors:?}")))?;
        let stage = range.stage(Whose::Default, |setup| setup.guards.policies = Some(Arc::new(all)))?;
        permitted(stage.decide("create_operation", honest("create_operation"))?)?;
        stopped(&stage.decide("create_operation", json!({ "name": "x", "group": "production" }))?)
    }),
];

/// One call. The honest one passes under the defaults, with everything open.
fn call(range: &Range<'_>, change: impl FnOnce(&mut Setup), tool: &str, arguments: Value) -> Result<Stop, Escape> {
    permitted(range.stage(Whose::Default, |_| {})?.decide(tool, honest(tool))?)?;
    stopped(&range.stage(Whose::Operator, change)?.decide(tool, arguments)?)
}

/// Each of these values; what is told is what stopped the last.
fn every(range: &Range<'_>, tool: &str, values: &[&str], arguments: impl Fn(&str) -> Value) -> Result<Stop, Escape> {
    permitted(range.stage(Whose::Default, |_| {})?.decide(tool, honest(tool))?)?;
    let stage = range.stage(Whose::Operator, |_| {})?;
    let mut last = None;
    for value in values {
        let decision = stage.decide(tool, arguments(value))?;
        last = Some(stopped(&decision).map_err(|_| Escape::Through(format!("{value:?} is permitted")))?);
    }
    last.ok_or_else(|| broken("nothing was tried"))
}
