//! The revisions of the protocol, and which of them are served.

use rmcp::model::ProtocolVersion;
use serde::Deserialize;

/// The revisions that can be served, oldest first.
static REVISIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// A revision, as an operator writes it: the oldest that is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Revision {
    /// With `initialize`, and everything after it.
    #[default]
    #[serde(rename = "2025-06-18")]
    June2025,
    /// With `initialize`, and everything after it.
    #[serde(rename = "2025-11-25")]
    November2025,
    /// Without `initialize`: every request says who asks.
    #[serde(rename = "2026-07-28")]
    July2026,
}

impl Revision {
    /// From this one on.
    pub(super) fn and_later(self) -> &'static [ProtocolVersion] {
        let before = match self {
            Self::June2025 => 0,
            Self::November2025 => 1,
            Self::July2026 => 2,
        };
        REVISIONS.get(before..).unwrap_or_default()
    }

    /// What `initialize` answers a client whose revision is not served; where none with `initialize` is, one that says so.
    pub(super) fn for_initialize(self) -> ProtocolVersion {
        if self == Self::July2026 { ProtocolVersion::V_2026_07_28 } else { ProtocolVersion::LATEST_WITH_INITIALIZE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_is_not_served() {
        let served = |oldest: Revision| oldest.and_later().iter().map(ProtocolVersion::as_str).collect::<Vec<_>>();
        assert_eq!(served(Revision::default()), ["2025-06-18", "2025-11-25", "2026-07-28"]);
        assert_eq!(served(Revision::November2025), ["2025-11-25", "2026-07-28"]);
        assert_eq!(served(Revision::July2026), ["2026-07-28"]);
    }
}
