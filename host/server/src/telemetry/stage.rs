//! The stages of a call, as the pipeline names them.

/// A stage of `pipeline::pass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// An answer that the call brings from its client.
    Approval,
    /// Every layer's word.
    Policy,
    /// Waiting for a place in the sandbox.
    Place,
    /// What it costs, and what the caller has read.
    Ledger,
    /// The intent, written down.
    Intent,
    /// The plugin, with its requests; or the file, for a log source.
    Sandbox,
    /// What the plugin says, checked.
    Output,
    /// How it ended, written down.
    Outcome,
}

impl Stage {
    /// A word for programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Policy => "policy",
            Self::Place => "place",
            Self::Ledger => "ledger",
            Self::Intent => "intent",
            Self::Sandbox => "sandbox",
            Self::Output => "output",
            Self::Outcome => "outcome",
        }
    }
}
