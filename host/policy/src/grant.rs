//! What the operator allows a principal.

use std::collections::{BTreeMap, BTreeSet};

use casemate_signing::manifest::{DimensionName, Effect};

use crate::{Budget, GrantName, PrincipalId, Timestamp, ToolPattern, Window, approval::RoleName};

/// `[grants.NAME]` of the operator's configuration. Everything that is not granted is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name; where several grants cover a call they are tried in the order of their names.
    pub name: GrantName,
    /// Who holds it.
    pub principals: BTreeSet<PrincipalId>,
    /// Which tools it covers.
    pub tools: Vec<ToolPattern>,
    /// The worst effect it allows.
    pub max_effect: Effect,
    /// The values allowed in each dimension; a dimension that is missing or empty allows no target at all.
    pub scope: BTreeMap<DimensionName, Vec<String>>,
    /// When it ends; from this moment on it allows nothing.
    pub expires: Option<Timestamp>,
    /// How long it lasts from a principal's first use of it on, until a person clears that session.
    pub session: Option<Window>,
    /// What its holders are while they use it.
    pub roles: BTreeSet<RoleName>,
    /// KiB of one result; a longer one is withheld.
    pub max_result_kib: Option<u64>,
    /// How much of it may be used in a window of time.
    pub budgets: Vec<Budget>,
}
