//! Permits, deferrals and denials. Their fields are for [`super::decide`] to fill; everyone else reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::{
    Environment,
    manifest::{ContractName, Effect, PluginId, ToolName},
};
use serde_json::Value;

use crate::{
    ApprovalRule, Charge, GrantName, Layer, Mode, Principal, Reason, ServedName, Timestamp, ToolRule, Verdict,
    approval::{self, Agreed, ApprovalId, OpenApproval, Subject},
    breaker::Trip,
    egress::Plan,
    layer::Objection,
    policy::PreparedTool,
    scope::GrantedScope,
    session::SessionReading,
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
    pub(super) asked: Asked,
    pub(super) charges: Vec<Charge>,
    pub(super) scope: Arc<GrantedScope>,
    pub(super) arguments_digest: String,
    pub(super) mode: Mode,
    pub(super) agreed: Option<Agreed>,
    pub(super) ends: Option<Timestamp>,
    pub(super) max_result: Option<usize>,
}

/// A call that waits for a person. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Deferred {
    /// To plan it.
    pub(super) permit: Permit,
    /// The first.
    pub(super) objection: Objection,
    /// Every layer's.
    pub(super) why: Vec<String>,
    /// An approval of this very call that has not been given yet.
    pub(super) waiting: Option<ApprovalId>,
}

/// What permits and deferrals know of the call they are about.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) principal: Principal,
    pub(super) grant: GrantName,
    pub(super) environment: Environment,
    pub(super) tool: Arc<PreparedTool>,
    pub(super) arguments: Arc<Value>,
    pub(super) verdicts: Vec<Verdict>,
    /// What the session had read by then, where that was asked.
    pub(super) session: Option<SessionReading>,
}

/// A call that may not happen. Only [`decide`] makes one.
#[derive(Debug, Clone)]
pub struct Denied {
    pub(super) principal: Principal,
    pub(super) tool: String,
    /// The grant and tool whose layers said no; none where nothing covers the call.
    pub(super) under: Option<(GrantName, Arc<PreparedTool>)>,
    pub(super) layer: Layer,
    pub(super) objection: Objection,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) arguments_digest: Option<String>,
    pub(super) arguments: Arc<Value>,
    pub(super) session: Option<SessionReading>,
    pub(super) trip: Option<Trip>,
}

/// Every layer's word on a call under one grant.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Which grant.
    pub grant: GrantName,
    /// One of each layer, in the order they are reported.
    pub words: Vec<Word>,
}

/// One layer's word.
#[derive(Debug, Clone)]
pub struct Word {
    /// What it says.
    pub verdict: Verdict,
    /// Where it objects: what the caller may do next, and what the operator would change.
    pub remedies: Option<(String, String)>,
}

/// The getters that a permit and a deferral share.
macro_rules! asked_getters {
    ($type:ident) => {
        impl $type {
            /// Who asked.
            pub fn principal(&self) -> &Principal {
                &self.permit().asked.principal
            }

            /// Under which grant.
            pub fn grant(&self) -> &GrantName {
                &self.permit().asked.grant
            }

            /// Where the host runs.
            pub fn environment(&self) -> Environment {
                self.permit().asked.environment
            }

            /// The plugin.
            pub fn plugin(&self) -> &PluginId {
                &self.permit().asked.tool.rule.plugin
            }

            /// The plugin's component digest, lower-case hex.
            pub fn digest(&self) -> &str {
                &self.permit().asked.tool.rule.digest
            }

            /// The tool's name as clients see it.
            pub fn served(&self) -> &ServedName {
                &self.permit().asked.tool.rule.served
            }

            /// The tool's name inside the plugin.
            pub fn tool(&self) -> &ToolName {
                &self.permit().asked.tool.rule.tool
            }

            /// The worst the tool may do.
            pub fn effect(&self) -> Effect {
                self.permit().asked.tool.rule.manifest_tool.effect
            }

            /// What every layer said.
            pub fn verdicts(&self) -> &[Verdict] {
                &self.permit().asked.verdicts
            }

            /// The arguments every layer looked at: a JSON object.
            pub fn arguments(&self) -> &Value {
                &self.permit().asked.arguments
            }

            /// Lower-case hex SHA-256 of the arguments' canonical form (RFC 8785).
            pub fn arguments_digest(&self) -> &str {
                &self.permit().arguments_digest
            }

            /// What the arguments name, by dimension.
            pub fn targets(&self) -> BTreeMap<&str, Vec<String>> {
                self.permit().asked.tool.rule.targets(self.arguments())
            }

            /// What the session had read by then; none where nothing depends on it.
            pub fn session(&self) -> Option<&SessionReading> {
                self.permit().asked.session.as_ref()
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
    fn permit(&self) -> &Self {
        self
    }

    pub(crate) fn rule(&self) -> &ToolRule {
        &self.asked.tool.rule
    }

    /// Whether anything above `read` may be sent.
    pub fn mode(&self) -> Mode {
        self.mode
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

    /// The approval that the run uses up, if one is needed: the ledger takes it with the charges, and the gate holds the run to its plan.
    pub fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// When the grant ends, and the run with it.
    pub fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    /// The most bytes of the result, where the grant limits them.
    pub fn max_result(&self) -> Option<usize> {
        self.max_result
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

impl Deferred {
    /// To run the call dry, so that people see what they agree to. It sends nothing above `read`.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The same, to hand on.
    pub fn into_permit(self) -> Permit {
        self.permit
    }

    /// Every reason why a person must agree.
    pub fn why(&self) -> &[String] {
        &self.why
    }

    /// The approval of this very call that was asked for before and waits: then nothing needs to be planned again.
    pub fn waiting(&self) -> Option<&ApprovalId> {
        self.waiting.as_ref()
    }

    /// Who must agree.
    pub fn rule(&self) -> &ApprovalRule {
        &self.permit.asked.tool.rule.approval
    }

    /// Whether an approval is of this very call, and in time.
    pub fn is_about(&self, approval: &OpenApproval, now: Timestamp) -> bool {
        let (principal, rule, digest) = (self.principal().id(), self.permit.rule(), self.arguments_digest());
        let asked = approval::Asked::of(self.environment(), principal, self.grant(), rule, digest);
        approval.is_about(&asked, now)
    }

    /// Whether the person at the client may agree to this call by this approval: it is of the very call, and the operator lets them.
    pub fn asks_in_band(&self, approval: &OpenApproval, now: Timestamp) -> bool {
        self.is_about(approval, now) && self.rule().is_met_in_band(&approval.subject)
    }

    /// What people agree to: the call, with its arguments as they may be shown, and the plan of its dry run.
    pub fn subject(&self, arguments: Value, plan: &Plan, now: Timestamp) -> Subject {
        let rule = self.rule();
        let expires = now.plus_millis(rule.lasts.as_millis());
        Subject {
            environment: self.environment(),
            principal: self.principal().id().clone(),
            grant: self.grant().clone(),
            plugin: self.plugin().clone(),
            plugin_digest: self.digest().to_owned(),
            tool: self.served().clone(),
            arguments,
            arguments_digest: self.arguments_digest().to_owned(),
            plan: plan.to_json(),
            plan_digest: plan.digest(),
            why: self.why.clone(),
            quorum: rule.quorum.max(1),
            requested: now,
            expires: self.permit.ends.map_or(expires, |ends| ends.min(expires)),
        }
    }
}

impl Denied {
    /// What the arguments name, by dimension; nothing where no tool says what they mean.
    pub fn targets(&self) -> BTreeMap<&str, Vec<String>> {
        self.under.as_ref().map(|(_, tool)| tool.rule.targets(&self.arguments)).unwrap_or_default()
    }

    /// What the session had read by then; none where nothing depends on it.
    pub fn session(&self) -> Option<&SessionReading> {
        self.session.as_ref()
    }

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

    /// What makes the breaker open with this call, where that is the answer: then the principal is to be paused.
    pub fn trip(&self) -> Option<Trip> {
        self.trip
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
