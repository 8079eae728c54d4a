//! Environments: how much a publisher's key is trusted with.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a host runs. A key that serves only `dev` loads nothing in `prod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine: development keys are accepted.
    Dev,
    /// Rehearsal, against systems nobody depends on.
    Stage,
    /// The real thing.
    Prod,
}

/// A word that is no environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an environment\nhelp: use `dev`, `stage` or `prod`")]
pub struct UnknownEnvironment(String);

impl Environment {
    /// The word used in configuration, trust files and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Stage => "stage",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = UnknownEnvironment;
    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        match text {
            "dev" => Ok(Self::Dev),
            "stage" => Ok(Self::Stage),
            "prod" => Ok(Self::Prod),
            _ => Err(UnknownEnvironment(text.chars().take(40).collect())),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn words_go_both_ways() {
        for environment in [Environment::Dev, Environment::Stage, Environment::Prod] {
            assert_eq!(environment.to_string().parse::<Environment>().unwrap(), environment);
        }
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["", "PROD", "production", "dev ", "*"] {
            assert!(word.parse::<Environment>().is_err(), "{word}");
        }
    }
}
