//! Limits far above what a host gives by default.

use super::{Lint, Warnings};
use crate::manifest::Manifest;

/// A limit is far above the host's default from here on: what reading one service takes, several times over.
mod far {
    /// Three times the default.
    pub(super) const MEMORY_MIB: u64 = 48;
    /// A minute: nobody waits longer for an answer.
    pub(super) const DEADLINE_MS: u64 = 60_000;
    /// Four times the default.
    pub(super) const FUEL_MILLIONS: u64 = 20_000;
    /// Twice the default, which is more than a model can use.
    pub(super) const OUTPUT_KIB: u64 = 512;
    /// Twice the default: a crawler.
    pub(super) const REQUESTS: u64 = 16;
    /// Five times the default; a file of 4 MiB fits.
    pub(super) const REQUEST_KIB: u64 = 5 * 1024;
    /// Twice the default.
    pub(super) const RESPONSE_KIB: u64 = 8 * 1024;
}

pub(super) fn check(manifest: &Manifest, warnings: &mut Warnings) {
    let limits = &manifest.limits;
    for (name, value, far) in [
        ("memory_mib", limits.memory_mib, far::MEMORY_MIB),
        ("deadline_ms", limits.deadline_ms, far::DEADLINE_MS),
        ("fuel_millions", limits.fuel_millions, far::FUEL_MILLIONS),
        ("output_kib", limits.output_kib, far::OUTPUT_KIB),
        ("requests", limits.requests, far::REQUESTS),
        ("request_kib", limits.request_kib, far::REQUEST_KIB),
        ("response_kib", limits.response_kib, far::RESPONSE_KIB),
    ] {
        if let Some(value) = value.filter(|value| *value > far) {
            warnings.add(
                Lint::HighLimit,
                format!("limits.{name}"),
                format!("`{name}` is {value}, and most plugins do with less than {far}"),
            );
        }
    }
}
