//! The range: a made-up plugin among the operator's, under the operator's own rules, and a ledger that ends with the run.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use casemate_ledger::{Ledger, Observation, Receipt};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Budget, Call, Decision, Deferred, Grant, GrantName, Guards, Measure, Mode, Outcome, Permit,
    Policy, Principal, PrincipalId, ServedName, Timestamp, ToolRule,
    approval::{ApprovalId, Approver, Approvers, Said, Statement, Subject, Vote},
    cedar::{Known, Rules, RulesError},
    decide,
    egress::{Conduct, Gate, HeldPlan, Outgoing, Verdict},
    needs,
    session::Values,
};
use casemate_signing::{
    Environment,
    digest::Digest,
    key::PrivateKey,
    manifest::{Effect, Label, Manifest},
    trust::TrustStore,
};
use serde_json::{Value, json};

use super::{Escape, Stop, broken};
use crate::house::Rulebook;

/// Who attacks: a principal of no configuration.
pub(super) const AGENT: &str = "token:redteam-agent";
const GRANT: &str = "redteam-range";
/// An empty component.
pub(super) const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
/// Everything that upstreams may answer in one call.
const MOST_BYTES: u64 = 1 << 20;

/// What attacks are made on.
pub(crate) struct Range<'a> {
    pub(super) book: &'a Rulebook,
    pub(super) manifest: Manifest,
    /// Whom the operator trusts.
    pub(super) trust: TrustStore,
    /// The operator's own policies, held against the range's tools besides the operator's.
    policies: Option<Arc<Rules>>,
    /// Why they are not among the rules that are attacked, where they are not.
    pub(super) left_out: Option<String>,
    /// Whether the attack at hand has met anything that the operator wrote.
    pub(super) met: Cell<bool>,
    /// For ledgers that outlive their process.
    pub(super) folder: PathBuf,
    pub(super) now: Timestamp,
}

/// Whose rules an attack meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The defaults: under these an honest call shows that the attack would work if nothing stopped it.
    Default,
    /// The operator's.
    Operator,
}

/// What an operator would have written about the range. It begins wide open: everything is on, for real, and nobody is asked.
pub(super) struct Setup {
    pub(super) environment: Environment,
    pub(super) grant: Grant,
    pub(super) tools: Vec<ToolRule>,
    pub(super) guards: Guards,
}

impl Setup {
    /// Another rule for one tool.
    pub(super) fn tool(&mut self, name: &str, change: impl Fn(&mut ToolRule)) {
        self.tools.iter_mut().filter(|rule| rule.tool.as_str() == name).for_each(change);
    }

    /// Somebody has to agree to calls of this tool.
    pub(super) fn ask(&mut self, tool: &str, quorum: u32) {
        self.tool(tool, |rule| rule.approval = ApprovalRule { quorum, ..ApprovalRule::of(ApprovalMode::Operator) });
    }

    /// So many calls in an hour.
    pub(super) fn calls(&mut self, calls: u32) {
        self.budget(Measure::Calls(calls), &[]);
    }

    /// So much of something in an hour, counted over these tools.
    pub(super) fn budget(&mut self, measure: Measure, tools: &[&str]) {
        let tools = tools.iter().filter_map(|tool| format!("range_{tool}").parse().ok()).collect();
        let per = "1h".parse();
        self.grant.budgets.extend(per.ok().map(|per| Budget { tools, effect: None, measure, per }));
    }

    /// As where the operator says nothing of the tools.
    pub(super) fn default_switches(&mut self) {
        for rule in &mut self.tools {
            let effect = rule.manifest_tool.effect;
            rule.enabled = casemate_policy::default_enabled(effect);
            rule.dry_run = casemate_policy::default_dry_run(effect);
            rule.approval = casemate_policy::default_approval(effect);
        }
    }
}

impl<'a> Range<'a> {
    /// The range among the operator's plugins.
    pub(super) fn new(book: &'a Rulebook, trust: TrustStore, folder: PathBuf, now: Timestamp) -> Result<Self, serde_json::Error> {
        let mut manifest: Value = serde_json::from_str(include_str!("range.json"))?;
        if let Some(digest) = manifest.pointer_mut("/component/sha256") {
            *digest = Digest::of(&COMPONENT).to_hex().into();
        }
        let manifest = serde_json::from_value(manifest)?;
        let mut range = Self { book, manifest, trust, policies: None, left_out: None, met: Cell::new(false), folder, now };
        match range.rules() {
            Ok(rules) => range.policies = rules,
            Err(why) => range.left_out = Some(why),
        }
        Ok(range)
    }

    fn rules(&self) -> Result<Option<Arc<Rules>>, String> {
        let policies = &self.book.config.policies;
        if policies.is_empty() {
            return Ok(None);
        }
        let mut setup = Setup {
            environment: self.book.policy.environment(),
            grant: self.grant().map_err(|_| "the range has no grant".to_owned())?,
            tools: self.tools(),
            guards: Guards::default(),
        };
        // Whatever windows attacks budget by, policies may ask about.
        setup.calls(1);
        let tools: Vec<&ToolRule> =
            setup.tools.iter().chain(self.book.policy.tools()).chain(self.book.policy.sources()).collect();
        let known = Known::of(self.book.policy.grants().chain([&setup.grant]));
        let rules = Rules::new(policies, &tools, &known);
        let told = |errors: Vec<RulesError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        rules.map(|rules| Some(Arc::new(rules))).map_err(told)
    }

    /// Set the range up under somebody's rules.
    pub(super) fn stage(&self, whose: Whose, change: impl FnOnce(&mut Setup)) -> Result<Stage, Escape> {
        let ledger = Ledger::in_memory().map_err(broken)?;
        self.stage_on(ledger, whose, change)
    }

    /// The same on a ledger that is there already.
    pub(super) fn stage_on(&self, ledger: Ledger, whose: Whose, change: impl FnOnce(&mut Setup)) -> Result<Stage, Escape> {
        let (environment, mut guards) = match whose {
            Whose::Default => (Environment::Dev, Guards::default()),
            Whose::Operator => {
                let policies = self.policies.clone();
                (self.book.policy.environment(), Guards { policies, ..self.book.policy.guards().clone() })
            }
        };
        self.met.set(self.met.get() || whose == Whose::Operator);
        guards.approvers = approvers()?;
        let mut setup = Setup { environment, grant: self.grant()?, tools: self.tools(), guards };
        change(&mut setup);
        let Setup { environment, grant, tools, guards } = setup;
        let policy = Policy::new(environment, vec![grant], tools, guards).map_err(|errors| broken(format!("{errors:?}")))?;
        let gate = Arc::new(Gate::new(&self.manifest, &BTreeMap::new()).map_err(broken)?);
        Ok(Stage { policy, ledger, gate, now: Cell::new(self.now) })
    }

    fn grant(&self) -> Result<Grant, Escape> {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let scope = [
            ("group", values(&["red-lab", "blue-lab"])),
            ("target", values(&["web.range.test"])),
            ("index", values(&["web-*"])),
            ("window", values(&["1d"])),
            ("limit", values(&["100"])),
        ];
        Ok(Grant {
            name: GRANT.parse().map_err(broken)?,
            principals: BTreeSet::from([AGENT.parse().map_err(broken)?]),
            tools: vec!["range_*".parse().map_err(broken)?],
            max_effect: Effect::Destructive,
            scope: scope.into_iter().filter_map(|(name, values)| Some((name.parse().ok()?, values))).collect(),
            expires: None,
            session: None,
            roles: BTreeSet::new(),
            max_result_kib: None,
            budgets: Vec::new(),
        })
    }

    fn tools(&self) -> Vec<ToolRule> {
        let manifest = &self.manifest;
        let dimensions = Arc::new(manifest.scope.iter().map(|(name, dimension)| (name.clone(), dimension.kind)).collect());
        let rule = |(name, tool): (&casemate_signing::manifest::ToolName, &casemate_signing::manifest::Tool)| {
            Some(ToolRule {
                served: ServedName::of(&manifest.plugin.name, name).ok()?,
                plugin: manifest.id(),
                digest: manifest.component.sha256.clone(),
                tool: name.clone(),
                manifest_tool: Arc::new(tool.clone()),
                dimensions: Arc::clone(&dimensions),
                pinned: true,
                enabled: true,
                dry_run: false,
                approval: ApprovalRule::of(ApprovalMode::None),
                roles: BTreeSet::new(),
            })
        };
        manifest.tool.iter().filter_map(rule).collect()
    }

    /// What the operator wrote.
    pub(super) fn own(&self) -> &Policy {
        self.met.set(true);
        &self.book.policy
    }
}

/// Two people on duty, and one who acts for the agent itself. The operator's own approvers are not asked: nobody has their keys.
fn approvers() -> Result<Approvers, Escape> {
    let agent = [AGENT.parse().map_err(broken)?];
    let people = [("redteam-ann", &[] as &[PrincipalId]), ("redteam-bob", &[]), ("redteam-agent", &agent)];
    let people = people.into_iter().filter_map(|(name, principals)| {
        Some(Approver {
            name: name.parse().ok()?,
            key: key_of(name).public_key(),
            principals: principals.iter().cloned().collect(),
            roles: BTreeSet::new(),
        })
    });
    Approvers::new(people).map_err(broken)
}

/// A key that opens nothing outside the range.
pub(super) fn key_of(name: &str) -> PrivateKey {
    let digest = Digest::of(format!("casemate red team: {name}").as_bytes());
    PrivateKey::from_seed(digest.as_bytes())
}

/// The range, set up: what a host would do for one caller, step by step.
pub(super) struct Stage {
    pub(super) policy: Policy,
    pub(super) ledger: Ledger,
    gate: Arc<Gate>,
    now: Cell<Timestamp>,
}

impl Stage {
    pub(super) fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// Let time pass.
    pub(super) fn later(&self, millis: u64) {
        self.now.set(self.now().plus_millis(millis));
    }

    /// What is decided of a call of the agent, with what the ledger knows.
    pub(super) fn decide(&self, tool: &str, arguments: Value) -> Result<Decision, Escape> {
        self.decide_for(AGENT, &format!("range_{tool}"), arguments)
    }

    /// The same of anybody's call of any tool.
    pub(super) fn decide_for(&self, principal: &str, tool: &str, arguments: Value) -> Result<Decision, Escape> {
        let (principal, call) = (Principal::new(principal.parse().map_err(broken)?), Call::new(tool, arguments));
        let needs = needs(&self.policy, &principal, &call);
        let readings = self.ledger.readings(&needs, self.policy.guards().session, self.now()).map_err(broken)?;
        Ok(decide(&self.policy, &principal, &call, &readings, self.now()))
    }

    /// A permit for an honest call.
    pub(super) fn permit(&self, tool: &str) -> Result<Permit, Escape> {
        permitted(self.decide(tool, honest(tool))?)
    }

    pub(super) fn charge(&self, permit: &Permit) -> Result<Receipt, String> {
        self.ledger.charge(permit, MOST_BYTES, self.now()).map_err(|error| error.to_string())
    }

    /// The same, where it is honest.
    pub(super) fn spend(&self, permit: &Permit) -> Result<(), Escape> {
        self.charge(permit).map(drop).map_err(Escape::Broken)
    }

    /// A run of the plugin, perhaps held to a plan.
    pub(super) fn run(&self, permit: &Permit, held: Option<HeldPlan>) -> Conduct {
        Conduct::new(Arc::clone(&self.gate), permit, held)
    }

    /// An honest call that waits for people: it is planned, charged for that, and asked for.
    pub(super) fn request(&self, tool: &str) -> Result<(ApprovalId, Subject), Escape> {
        let deferred = deferred(self.decide(tool, honest(tool))?)?;
        let mut run = self.run(deferred.permit(), None);
        let plan = match run.check(create(&json!({ "name": "drill", "group": "red-lab", "state": "paused" }).to_string())) {
            Verdict::End(plan) => plan,
            other => return Err(broken(format!("an honest call has no plan: {other:?}"))),
        };
        let receipt = self.charge(deferred.permit()).map_err(Escape::Broken)?;
        let subject = deferred.subject(deferred.arguments().clone(), &plan, self.now());
        let id = self.ledger.request(&subject, receipt).map_err(broken)?;
        Ok((id, subject))
    }

    /// Somebody agrees, with their own key.
    pub(super) fn approve(&self, who: &str, id: &ApprovalId, subject: &Subject) -> Result<(), Escape> {
        let (statement, vote) = signed(who, who, Said::Approve, subject, self.now())?;
        self.ledger.vote(id, &statement, &vote, self.now()).map_err(broken)
    }

    /// The agent reads a result of a tool.
    pub(super) fn read(&self, tool: &str, labels: &[&str], said: &Value, shown: &str) -> Result<(), Escape> {
        let labels: Vec<Label> = labels.iter().filter_map(|label| label.parse().ok()).collect();
        let (mut says, mut shows) = (Values::default(), Values::default());
        says.add(said);
        shows.text(shown);
        let observation = Observation {
            principal: &AGENT.parse::<PrincipalId>().map_err(broken)?,
            grant: &GRANT.parse::<GrantName>().map_err(broken)?,
            tool: &format!("range_{tool}").parse::<ServedName>().map_err(broken)?,
            labels: &labels.iter().collect::<Vec<_>>(),
            said: &says,
            shown: &shows,
            audit_id: "redteam",
        };
        self.ledger.observe(&observation, self.policy.guards().session, self.now()).map_err(broken)
    }
}

/// What somebody says of a subject, signed with somebody's key.
pub(super) fn signed(
    signer: &str,
    person: &str,
    said: Said,
    subject: &Subject,
    at: Timestamp,
) -> Result<(Statement, Vote), Escape> {
    let statement =
        Statement { approver: person.parse().map_err(broken)?, said, reason: String::new(), at, subject: subject.clone() };
    let payload = statement.payload().ok_or_else(|| broken("a statement has no form"))?;
    let signature = key_of(signer).sign(&Statement::to_sign(&payload));
    Ok((statement, Vote { payload, signature, delegation: None }))
}

/// The plan that was agreed to, as the ledger keeps it.
pub(super) fn held(permit: &Permit) -> Result<HeldPlan, Escape> {
    let agreed = permit.agreed().ok_or_else(|| broken("nobody agreed"))?;
    HeldPlan::read(&agreed.plan.plan.to_string(), &agreed.plan.plan_digest).map_err(broken)
}

pub(super) fn permitted(decision: Decision) -> Result<Permit, Escape> {
    match decision {
        Decision::Permit(permit) if permit.mode() == Mode::Real => Ok(permit),
        other => Err(broken(format!("an honest call is not permitted: {}", told(&other)))),
    }
}

pub(super) fn deferred(decision: Decision) -> Result<Deferred, Escape> {
    match decision {
        Decision::Deferred(deferred) => Ok(deferred),
        other => Err(broken(format!("an honest call does not wait: {}", told(&other)))),
    }
}

fn told(decision: &Decision) -> String {
    match stopped(decision) {
        Ok(stop) => format!("{}: {}", stop.by, stop.said),
        Err(_) => "it is permitted".to_owned(),
    }
}

/// What stopped a call: every layer that objects, the one that counts first.
pub(super) fn stopped(decision: &Decision) -> Result<Stop, Escape> {
    let (first, said, verdicts) = match decision {
        Decision::Permit(permit) if permit.mode() == Mode::Real => {
            return Err(Escape::Through(format!("the call is permitted under grant `{}`", permit.grant())));
        }
        Decision::Permit(permit) => {
            return Ok(Stop::by("dry-run", "planned", format!("under grant `{}` it only plans", permit.grant())));
        }
        Decision::Deferred(deferred) => (None, deferred.message().to_owned(), deferred.verdicts()),
        Decision::Denied(denied) => (Some(denied.layer()), denied.message().to_owned(), denied.verdicts()),
    };
    let objecting = verdicts.iter().filter(|verdict| verdict.outcome.reason().is_some());
    let mut objecting: Vec<_> = objecting.collect();
    // What denies counts before what asks.
    objecting.sort_by_key(|verdict| (Some(verdict.layer) != first, !matches!(verdict.outcome, Outcome::Deny(_))));
    let mut layers = objecting.iter().map(|verdict| verdict.layer.as_str());
    let by = layers.next().unwrap_or("catalog");
    let code = objecting.first().and_then(|verdict| verdict.outcome.reason()).map_or("", |reason| reason.code());
    Ok(Stop { by, code: code.to_owned(), also: layers.collect(), said })
}

/// What stopped a request.
pub(super) fn unsent(verdict: Verdict) -> Result<Stop, Escape> {
    match verdict {
        Verdict::Refuse(refusal) => Ok(Stop::by("egress", refusal.reason().code(), refusal.for_operator())),
        Verdict::End(_) | Verdict::Assume(..) => Ok(Stop::by("dry-run", "planned", "the request was not sent, but planned")),
        Verdict::Send(checked) => Err(Escape::Through(format!("the request left for {}", checked.url()))),
    }
}

/// A request that must be let out: without that, refusing its like shows nothing.
pub(super) fn sent(verdict: Verdict) -> Result<(), Escape> {
    match verdict {
        Verdict::Send(_) => Ok(()),
        other => Err(broken(format!("an honest request is not sent: {other:?}"))),
    }
}

/// Arguments that nothing is wrong with.
pub(super) fn honest(tool: &str) -> Value {
    match tool {
        "search" => json!({ "index": "web-2026", "window": "1h", "limit": 10 }),
        "get_secret" => json!({ "name": "deploy" }),
        "send_message" => json!({ "text": "done" }),
        "probe" => json!({ "host": "web.range.test" }),
        "execute" => json!({ "group": "red-lab", "paw": "agent1", "ability": "0a" }),
        "create_operation" => json!({ "name": "drill", "group": "red-lab" }),
        _ => json!({}),
    }
}

/// A request of the plugin.
pub(super) fn request(method: &str, path_and_query: &str) -> Outgoing {
    Outgoing {
        method: method.to_owned(),
        scheme: "https".to_owned(),
        authority: "api.range.invalid".to_owned(),
        path_and_query: path_and_query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(super) fn post(path: &str, body: &str) -> Outgoing {
    Outgoing {
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        body: body.as_bytes().to_vec(),
        ..request("POST", path)
    }
}

/// The request that creates an operation, with any body.
pub(super) fn create(body: &str) -> Outgoing {
    post("/operations", body)
}
