//! Who is asked, and for how much.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operator's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) source: Source,
    /// Whether CrowdSec has a machine that past alerts are read by.
    #[serde(default)]
    pub(crate) history: bool,
}

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    Crowdsec,
    Abuseipdb,
    CrowdsecCti,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crowdsec => "your CrowdSec",
            Self::Abuseipdb => "AbuseIPDB",
            Self::CrowdsecCti => "CrowdSec's CTI",
        })
    }
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The verdict.
    Glance,
    /// All there is, and perhaps what was.
    Whole { history: bool },
}

impl Depth {
    /// Whether the past is asked for.
    pub(crate) fn history(self) -> bool {
        matches!(self, Self::Whole { history: true })
    }
}
