//! Who it is that tells: the resource that all telemetry is of.

use casemate_signing::Environment;

/// Who tells.
#[derive(Debug, Clone)]
pub(super) struct Teller(Vec<(&'static str, String)>);

impl Teller {
    /// This process, in this environment. What tells it from others is random: it says nothing of the machine.
    pub(super) fn new(environment: Environment) -> Self {
        Self(vec![
            ("service.name", "casemate".to_owned()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", crate::house::call_id()),
            ("deployment.environment.name", environment.as_str().to_owned()),
        ])
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}
