//! Limits of one call: the host's defaults, what the manifest asks for, and what the operator allows at most.

use std::time::Duration;

use casemate_signing::manifest;

/// Linear memory of a call that asked for nothing else.
const DEFAULT_MEMORY_MIB: u64 = 16;
/// Wall clock of a whole call, host calls included.
const DEFAULT_DEADLINE_MS: u64 = 20_000;
/// About half a second of straight-line wasm on the machines this was measured on: plenty for glue around requests. What computes
/// asks for more.
const DEFAULT_FUEL_MILLIONS: u64 = 5_000;
/// Enough for a long report; a model cannot use more.
const DEFAULT_OUTPUT_KIB: u64 = 256;
/// A tool that needs more is a crawler and should say so.
const DEFAULT_REQUESTS: u64 = 8;
const DEFAULT_REQUEST_KIB: u64 = 1024;
const DEFAULT_RESPONSE_KIB: u64 = 4096;

/// The most that any manifest can obtain, set by the operator of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maxima {
    /// MiB of linear memory; at most 64, the size of a pool slot.
    pub memory_mib: u64,
    /// Milliseconds for the whole call.
    pub deadline_ms: u64,
    /// Million units of fuel.
    pub fuel_millions: u64,
    /// KiB of output.
    pub output_kib: u64,
    /// Outgoing requests.
    pub requests: u64,
    /// KiB of one request's body.
    pub request_kib: u64,
    /// KiB of one response, after decompression.
    pub response_kib: u64,
}

impl Default for Maxima {
    fn default() -> Self {
        Self {
            memory_mib: 64,
            deadline_ms: 120_000,
            fuel_millions: 50_000,
            output_kib: 1024,
            requests: 32,
            request_kib: 8192,
            response_kib: 16_384,
        }
    }
}

/// What one call may use. Never zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory over all memories of the instance.
    pub memory_bytes: usize,
    /// Wall clock of the whole call.
    pub deadline: Duration,
    /// Units of fuel.
    pub fuel: u64,
    /// Bytes of output.
    pub output_bytes: usize,
    /// Outgoing requests.
    pub requests: u64,
    /// Bytes of one request's body.
    pub request_bytes: usize,
    /// Bytes of one response, after decompression.
    pub response_bytes: usize,
}

impl Limits {
    /// The manifest's wishes within the operator's maxima.
    pub fn effective(asked: &manifest::Limits, maxima: &Maxima) -> Self {
        let pick = |asked: Option<u64>, default: u64, most: u64| asked.unwrap_or(default).min(most).max(1);
        let kib = |value: u64| usize::try_from(value.saturating_mul(1024)).unwrap_or(usize::MAX);
        Self {
            memory_bytes: kib(pick(asked.memory_mib, DEFAULT_MEMORY_MIB, maxima.memory_mib).saturating_mul(1024))
                .min(crate::engine::MAX_MEMORY_BYTES),
            deadline: Duration::from_millis(pick(asked.deadline_ms, DEFAULT_DEADLINE_MS, maxima.deadline_ms)),
            fuel: pick(asked.fuel_millions, DEFAULT_FUEL_MILLIONS, maxima.fuel_millions).saturating_mul(1_000_000),
            output_bytes: kib(pick(asked.output_kib, DEFAULT_OUTPUT_KIB, maxima.output_kib)),
            requests: pick(asked.requests, DEFAULT_REQUESTS, maxima.requests),
            request_bytes: kib(pick(asked.request_kib, DEFAULT_REQUEST_KIB, maxima.request_kib)),
            response_bytes: kib(pick(asked.response_kib, DEFAULT_RESPONSE_KIB, maxima.response_kib)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_gets_the_defaults() {
        let limits = Limits::effective(&manifest::Limits::default(), &Maxima::default());
        assert_eq!(limits.memory_bytes, 16 << 20);
        assert_eq!(limits.deadline, Duration::from_secs(20));
        assert_eq!(limits.requests, 8);
    }

    #[test]
    fn a_manifest_cannot_exceed_the_operator() {
        let asked = manifest::Limits { memory_mib: Some(4096), requests: Some(1_000_000), ..Default::default() };
        let maxima = Maxima { memory_mib: 32, requests: 5, ..Default::default() };
        let limits = Limits::effective(&asked, &maxima);
        assert_eq!((limits.memory_bytes, limits.requests), (32 << 20, 5));
    }

    #[test]
    fn no_setting_exceeds_a_pool_slot() {
        let asked = manifest::Limits { memory_mib: Some(u64::MAX), ..Default::default() };
        let maxima = Maxima { memory_mib: u64::MAX, ..Default::default() };
        assert_eq!(Limits::effective(&asked, &maxima).memory_bytes, crate::engine::MAX_MEMORY_BYTES);
    }

    #[test]
    fn zero_is_never_unlimited() {
        let maxima = Maxima { requests: 0, output_kib: 0, ..Default::default() };
        let limits = Limits::effective(&manifest::Limits::default(), &maxima);
        assert_eq!((limits.requests, limits.output_bytes), (1, 1024));
    }
}
