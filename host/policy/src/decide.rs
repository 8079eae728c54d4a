//! The decision: every layer's look at a call, under each grant that covers it, and what follows.
//!
//! Default deny: what no grant covers is denied before any layer looks, in the same words as a tool that does not exist.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use casemate_signing::{
    Environment,
    manifest::{ContractName, Effect, PluginId, ToolName},
};
use serde_json::Value;

use crate::{
    Call, Charge, GrantName, Layer, Mode, Outcome, Policy, Principal, Readings, Reason, ServedName, Timestamp, Verdict,
    layer::{Case, Finding, LAYERS, Objection},
    policy::PreparedTool,
    scope::GrantedScope,
    text::quote,
};

/// What follows from the layers' verdicts.
#[derive(Debug, Clone)]
pub enum Decision {
    /// It may happen, within what the permit says.
    Permit(Permit),
    /// Nothing is against it, and a person must agree first.
    Deferred(Deferred),
    /// It may not happen.
    Denied(Denied),
}

/// Proof that every layer passed one call under one grant. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    asked: Asked,
    charges: Arc<[Charge]>,
    scope: Arc<GrantedScope>,
    arguments_digest: String,
}

/// A call that waits for a person. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Deferred {
    asked: Asked,
    objection: Objection,
    arguments_digest: String,
}

/// What permits and deferrals know of the call they are about.
#[derive(Debug, Clone)]
struct Asked {
    principal: Principal,
    grant: GrantName,
    environment: Environment,
    tool: Arc<PreparedTool>,
    arguments: Arc<Value>,
    verdicts: Vec<Verdict>,
}

/// A call that may not happen. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Denied {
    principal: Principal,
    tool: String,
    /// The grant and tool whose layers said no; none where nothing covers the call.
    under: Option<(GrantName, Arc<PreparedTool>)>,
    layer: Layer,
    objection: Objection,
    verdicts: Vec<Verdict>,
    arguments_digest: Option<String>,
}

/// Decide one call.
///
/// Grants that cover the tool are tried in the order of their names. The first under which every layer passes
/// permits; else the first under which a person must agree defers; else the call is denied, with the answer of the
/// grant under which the fewest layers said no.
pub fn decide(policy: &Policy, principal: &Principal, call: &Call, readings: &Readings, now: Timestamp) -> Decision {
    let covers = policy.covering(principal, call.tool());
    if covers.is_empty() {
        return Decision::Denied(uncovered(policy, principal, call));
    }
    let well_formed = call.well_formed();
    let mut deferred = None;
    let mut denied: Option<(usize, Denied)> = None;
    for cover in covers {
        let case = Case { environment: policy.environment(), principal, cover, call, well_formed, readings, now };
        match judge(&case) {
            Judgement::Pass(asked) => match call.arguments_digest() {
                Some(arguments_digest) => {
                    let (charges, scope) = (Arc::clone(&cover.charges), Arc::clone(&cover.scope));
                    return Decision::Permit(Permit { asked, charges, scope, arguments_digest });
                }
                // Unreachable while the input layer stands, and closed if it ever does not.
                None => denied = Some((0, undigestible(&case, asked.verdicts))),
            },
            Judgement::Defer(asked, objection) => match call.arguments_digest() {
                Some(arguments_digest) => deferred = deferred.or(Some(Deferred { asked, objection, arguments_digest })),
                None => denied = Some((0, undigestible(&case, asked.verdicts))),
            },
            Judgement::Deny(count, refusal) => {
                if denied.as_ref().is_none_or(|(fewest, _)| count < *fewest) {
                    denied = Some((count, refusal));
                }
            }
        }
    }
    match (deferred, denied) {
        (Some(deferred), _) => Decision::Deferred(deferred),
        (None, Some((_, mut denied))) => {
            denied.arguments_digest = call.arguments_digest();
            Decision::Denied(denied)
        }
        (None, None) => Decision::Denied(uncovered(policy, principal, call)),
    }
}

enum Judgement {
    Pass(Asked),
    Defer(Asked, Objection),
    Deny(usize, Denied),
}

/// Ask every layer. The first no is the answer; the others are kept as verdicts.
fn judge(case: &Case<'_>) -> Judgement {
    let mut verdicts = Vec::with_capacity(LAYERS.len());
    let mut denial: Option<(Layer, Objection)> = None;
    let mut deferral: Option<Objection> = None;
    let mut denials = 0;
    for look in LAYERS {
        let finding = look.look(case);
        verdicts.push(finding.verdict(look.layer()));
        match finding {
            Finding::Pass(_) => {}
            Finding::Defer(objection) => deferral = deferral.or(Some(objection)),
            Finding::Deny(objection) => {
                denials += 1;
                denial = denial.or_else(|| Some((look.layer(), objection)));
            }
        }
    }
    match (denial, deferral) {
        (Some((layer, objection)), _) => Judgement::Deny(denials, refuse(case, layer, objection, verdicts)),
        (None, Some(objection)) => Judgement::Defer(asked(case, verdicts), objection),
        (None, None) => Judgement::Pass(asked(case, verdicts)),
    }
}

fn asked(case: &Case<'_>, verdicts: Vec<Verdict>) -> Asked {
    Asked {
        principal: case.principal.clone(),
        grant: case.cover.grant.clone(),
        environment: case.environment,
        tool: Arc::clone(&case.cover.tool),
        arguments: case.call.shared_arguments(),
        verdicts,
    }
}

fn refuse(case: &Case<'_>, layer: Layer, objection: Objection, verdicts: Vec<Verdict>) -> Denied {
    Denied {
        principal: case.principal.clone(),
        tool: case.call.tool().to_owned(),
        under: Some((case.cover.grant.clone(), Arc::clone(&case.cover.tool))),
        layer,
        objection,
        verdicts,
        arguments_digest: None,
    }
}

fn undigestible(case: &Case<'_>, verdicts: Vec<Verdict>) -> Denied {
    let objection = Objection {
        reason: Reason::ArgumentsInvalid,
        message: "the arguments have no canonical form".to_owned(),
        for_model: "correct the arguments and call again".to_owned(),
        for_operator: "the arguments cannot be written as RFC 8785 requires".to_owned(),
        retry_after_ms: None,
    };
    refuse(case, Layer::Input, objection, verdicts)
}

/// Nothing covers the call. Whether the tool exists shows in what the operator reads, and nowhere else.
fn uncovered(policy: &Policy, principal: &Principal, call: &Call) -> Denied {
    let shown = quote(call.tool(), 64);
    let known = policy.holds_any(principal);
    let (layer, objection) = if known {
        let for_operator = if policy.installed(call.tool()) {
            format!("{shown} is installed: add it to `tools` of a grant that `{}` holds", principal.id())
        } else {
            format!("no installed tool is called {shown}: `casemate list` shows the installed tools")
        };
        let objection = Objection {
            reason: Reason::UnknownTool,
            message: format!("there is no tool {shown}"),
            for_model: "use one of the tools in the list".to_owned(),
            for_operator,
            retry_after_ms: None,
        };
        (Layer::Catalog, objection)
    } else {
        let objection = Objection {
            reason: Reason::NoGrant,
            message: "nothing is granted to this caller".to_owned(),
            for_model: "ask the operator for a grant; retrying will not help".to_owned(),
            for_operator: format!("add `principals = [\"{}\"]` under a `[grants.NAME]`", principal.id()),
            retry_after_ms: None,
        };
        (Layer::Identity, objection)
    };
    let verdicts = LAYERS
        .iter()
        .map(|look| match look.layer() {
            Layer::Identity if known => {
                Verdict { layer: Layer::Identity, outcome: Outcome::Pass, note: Cow::Borrowed("the principal holds a grant") }
            }
            other if other == layer => {
                Verdict { layer, outcome: Outcome::Deny(objection.reason), note: Cow::Owned(objection.message.clone()) }
            }
            other => Verdict { layer: other, outcome: Outcome::NotReached, note: Cow::Borrowed("nothing to look at") },
        })
        .collect();
    Denied {
        principal: principal.clone(),
        tool: call.tool().to_owned(),
        under: None,
        layer,
        objection,
        verdicts,
        arguments_digest: call.arguments_digest(),
    }
}

/// The getters that a permit and a deferral share.
macro_rules! asked_getters {
    ($type:ident) => {
        impl $type {
            /// Who asked.
            pub fn principal(&self) -> &Principal {
                &self.asked.principal
            }

            /// Under which grant.
            pub fn grant(&self) -> &GrantName {
                &self.asked.grant
            }

            /// Where the host runs.
            pub fn environment(&self) -> Environment {
                self.asked.environment
            }

            /// The plugin.
            pub fn plugin(&self) -> &PluginId {
                &self.asked.tool.rule.plugin
            }

            /// The plugin's component digest, lower-case hex.
            pub fn digest(&self) -> &str {
                &self.asked.tool.rule.digest
            }

            /// The tool's name as clients see it.
            pub fn served(&self) -> &ServedName {
                &self.asked.tool.rule.served
            }

            /// The tool's name inside the plugin.
            pub fn tool(&self) -> &ToolName {
                &self.asked.tool.rule.tool
            }

            /// The worst the tool may do.
            pub fn effect(&self) -> Effect {
                self.asked.tool.rule.manifest_tool.effect
            }

            /// What every layer said.
            pub fn verdicts(&self) -> &[Verdict] {
                &self.asked.verdicts
            }

            /// The arguments every layer looked at: a JSON object.
            pub fn arguments(&self) -> &Value {
                &self.asked.arguments
            }

            /// Lower-case hex SHA-256 of the arguments' canonical form (RFC 8785).
            pub fn arguments_digest(&self) -> &str {
                &self.arguments_digest
            }
        }
    };
}

asked_getters!(Permit);
asked_getters!(Deferred);

/// The getters that a deferral and a denial share.
macro_rules! objection_getters {
    ($type:ident) => {
        impl $type {
            /// Why, as a stable word.
            pub fn reason(&self) -> Reason {
                self.objection.reason
            }

            /// What happened; may be shown to the caller.
            pub fn message(&self) -> &str {
                &self.objection.message
            }

            /// What the caller may do next; may be shown to the caller.
            pub fn for_model(&self) -> &str {
                &self.objection.for_model
            }

            /// What the operator would change. For logs, the audit and the operator's own terminal; never for the caller.
            pub fn for_operator(&self) -> &str {
                &self.objection.for_operator
            }
        }
    };
}

objection_getters!(Deferred);
objection_getters!(Denied);

impl Permit {
    /// Whether anything above `read` may be sent.
    pub fn mode(&self) -> Mode {
        self.asked.tool.rule.mode()
    }

    /// The worst a request of this run may do: `read` in a dry run, else the tool's effect.
    pub fn ceiling(&self) -> Effect {
        match self.mode() {
            Mode::Real => self.effect(),
            Mode::DryRun => Effect::Read,
        }
    }

    /// What the ledger must charge before the run.
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// The targets that the grant allows.
    pub fn scope(&self) -> &GrantedScope {
        &self.scope
    }

    /// The only request contracts this run may use.
    pub fn requests(&self) -> &BTreeSet<ContractName> {
        &self.asked.tool.rule.manifest_tool.requests
    }

    /// Whether repeating the call changes nothing more.
    pub fn idempotent(&self) -> bool {
        self.asked.tool.rule.manifest_tool.idempotent
    }
}

impl Denied {
    /// Who asked.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The tool as it was asked for: any text at all.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The layer whose no is the answer.
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// When trying again could help, in milliseconds from now.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.objection.retry_after_ms
    }

    /// What every layer said. Not for the caller.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// The grant under which it was denied; none where nothing covers the call. Not for the caller.
    pub fn grant(&self) -> Option<&GrantName> {
        self.under.as_ref().map(|(grant, _)| grant)
    }

    /// The tool that was meant; none where nothing covers the call. Not for the caller.
    pub fn served(&self) -> Option<&ServedName> {
        self.under.as_ref().map(|(_, tool)| &tool.rule.served)
    }

    /// The plugin's component digest; none where nothing covers the call. Not for the caller.
    pub fn digest(&self) -> Option<&str> {
        self.under.as_ref().map(|(_, tool)| tool.rule.digest.as_str())
    }

    /// Lower-case hex SHA-256 of the arguments' canonical form; none where they have none.
    pub fn arguments_digest(&self) -> Option<&str> {
        self.arguments_digest.as_deref()
    }
}
