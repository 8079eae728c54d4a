//! Dry run: for real, or planned only. It never says no; it lowers what the run may send, and the egress gate holds to it.

use super::{Case, Finding, Look};
use crate::{Layer, Mode};

pub(super) struct DryRun;

impl Look for DryRun {
    fn layer(&self) -> Layer {
        Layer::DryRun
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        match case.rule().mode() {
            Mode::Real => Finding::pass("for real"),
            Mode::DryRun => Finding::pass("planned only: nothing above `read` is sent"),
        }
    }
}
