//! What a candidate asks for that the installed package did not: each difference of authority, and each changed word.
//!
//! A difference is [`Verdict::Narrowed`] only where it is proved that whatever the candidate allows the installed package
//! allowed too. Everything else is [`Verdict::Widened`]: what cannot be compared needs a person. A field that is added to the
//! manifest does not compile here before somebody says which it is.

mod authority;
mod contract;
mod found;
mod settings;
mod tool;

use crate::{
    approval::Approval,
    digest::Digest,
    manifest::{Manifest, ToolName},
    statement,
};

/// Every difference between two manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Differences of authority, in the manifest's order.
    pub authority: Vec<Change>,
    /// Words that are not the same, in the manifest's order.
    pub texts: Vec<TextChange>,
    /// Tools that the installed package does not have.
    pub added_tools: Vec<ToolName>,
    /// Tools that the candidate does not have.
    pub removed_tools: Vec<ToolName>,
    agreed: Approval,
    installed: Digest,
    candidate: Digest,
}

/// One difference of authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where in the manifest: `limits.memory_mib`, `upstream.server.request.replay.closed`.
    pub place: String,
    /// What stood there; none where there was nothing.
    pub before: Option<String>,
    /// What stands there; none where there is nothing.
    pub after: Option<String>,
    /// What it means.
    pub verdict: Verdict,
}

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may allow something that was not allowed.
    Widened,
    /// It allows nothing that was not allowed.
    Narrowed,
}

/// One text that differs: what a client or an operator reads, or a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextChange {
    /// Of which tool; none for what is said of the plugin.
    pub tool: Option<ToolName>,
    /// Which text: `title`, `description`, `input_schema`.
    pub field: &'static str,
    /// What it was; none where there was nothing.
    pub before: Option<String>,
    /// What it is; none where there is nothing.
    pub after: Option<String>,
}

impl Changes {
    /// Compare what is installed with what would replace it.
    pub fn between(installed: &Manifest, candidate: &Manifest) -> Self {
        let mut found = found::Found::default();
        authority::compare(installed, candidate, &mut found);
        Self {
            authority: found.authority,
            texts: found.texts,
            added_tools: only_in(candidate, installed),
            removed_tools: only_in(installed, candidate),
            agreed: Approval::of(installed),
            installed: statement::digest(installed),
            candidate: statement::digest(candidate),
        }
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.authority.is_empty() && self.texts.is_empty()
    }

    /// Whether anything may be allowed that was not.
    pub fn widens(&self) -> bool {
        self.authority.iter().any(|change| change.verdict == Verdict::Widened)
    }

    /// Whether a person has to agree: something was widened, a word changed, or there is a new tool.
    pub fn needs_consent(&self) -> bool {
        self.widens() || !self.texts.is_empty() || !self.added_tools.is_empty()
    }

    /// The proof that nobody has to be asked, for [`crate::highwater::HighWater::renew`].
    pub fn renewal(&self) -> Option<Renewal> {
        (!self.needs_consent()).then(|| Renewal {
            agreed: self.agreed.clone(),
            installed: self.installed,
            candidate: self.candidate,
        })
    }
}

/// Proof that a candidate asks for nothing that the installed package did not. Only [`Changes::renewal`] makes one, for the two
/// statements that were compared: their digests are in it, and it says nothing of any other pair.
///
/// ```compile_fail,E0451
/// fn forged(agreed: casemate_signing::approval::Approval, one: casemate_signing::Digest) -> casemate_signing::diff::Renewal {
///     casemate_signing::diff::Renewal { agreed, installed: one, candidate: one }
/// }
/// ```
#[derive(Debug)]
pub struct Renewal {
    agreed: Approval,
    installed: Digest,
    candidate: Digest,
}

impl Renewal {
    /// What agreeing to the installed package meant.
    pub(crate) fn agreed(&self) -> &Approval {
        &self.agreed
    }

    /// The digest of the installed package's statement.
    pub(crate) fn installed(&self) -> &Digest {
        &self.installed
    }

    /// The digest of the candidate's statement.
    pub(crate) fn candidate(&self) -> &Digest {
        &self.candidate
    }
}

fn only_in(one: &Manifest, other: &Manifest) -> Vec<ToolName> {
    one.tool.keys().filter(|name| !other.tool.contains_key(*name)).cloned().collect()
}

#[cfg(test)]
mod tests;
