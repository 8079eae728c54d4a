//! Keys and thresholds as they are typed: `release@dev=ci.pub`, `keyset=2`.

use std::{collections::BTreeSet, path::PathBuf, str::FromStr};

use casemate_signing::{Environment, UnknownEnvironment, keyset::Role};

/// Why a word is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidGiven {
    /// Not a role.
    #[error("`{0}` is not a role\nhelp: there are `keyset`, `release` and `revoke`")]
    Role(String),
    /// Not an environment.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// Not a threshold.
    #[error("`{0}` is not a threshold\nhelp: write keyset=2, release=1 or revoke=1")]
    Threshold(String),
    /// No file.
    #[error("there is no file in `{0}`\nhelp: write FILE, or ROLES@ENVIRONMENTS=FILE")]
    File(String),
}

/// `[ROLES][@ENVIRONMENTS]=FILE`, or FILE alone, which has every role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenKey {
    pub(super) roles: Vec<Role>,
    /// Where nothing is said, the command's own.
    pub(super) environments: BTreeSet<Environment>,
    pub(super) path: PathBuf,
}

impl FromStr for GivenKey {
    type Err = InvalidGiven;
    fn from_str(text: &str) -> Result<Self, InvalidGiven> {
        let (head, path) = text.split_once('=').unwrap_or(("", text));
        if path.is_empty() {
            return Err(InvalidGiven::File(text.to_owned()));
        }
        let (roles, environments) = head.split_once('@').map_or((head, None), |(roles, places)| (roles, Some(places)));
        let roles = if roles.is_empty() { Role::ALL.to_vec() } else { roles.split(',').map(role).collect::<Result<_, _>>()? };
        let environments = match environments {
            Some(places) => places.split(',').map(str::parse).collect::<Result<_, _>>()?,
            None => BTreeSet::new(),
        };
        Ok(Self { roles, environments, path: path.into() })
    }
}

/// `ROLE=N`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold {
    pub(super) role: Role,
    pub(super) count: u64,
}

impl FromStr for Threshold {
    type Err = InvalidGiven;
    fn from_str(text: &str) -> Result<Self, InvalidGiven> {
        let invalid = || InvalidGiven::Threshold(text.to_owned());
        let (name, count) = text.split_once('=').ok_or_else(invalid)?;
        Ok(Self { role: role(name)?, count: count.parse().map_err(|_| invalid())? })
    }
}

fn role(word: &str) -> Result<Role, InvalidGiven> {
    Role::ALL.into_iter().find(|role| role.as_str() == word).ok_or_else(|| InvalidGiven::Role(word.to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(text: &str, roles: &[Role], environments: &[Environment], path: &str) {
        let expected =
            GivenKey { roles: roles.to_vec(), environments: environments.iter().copied().collect(), path: path.into() };
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }

    #[test]
    fn a_key_has_the_roles_and_environments_it_is_given() {
        use Environment::{Dev, Prod, Stage};
        check("dana.pub", &Role::ALL, &[], "dana.pub");
        check("release=ci.pub", &[Role::Release], &[], "ci.pub");
        check("keyset,revoke@stage,prod=board.pub", &[Role::Keyset, Role::Revoke], &[Stage, Prod], "board.pub");
        check("@dev=dana.pub", &Role::ALL, &[Dev], "dana.pub");
        check("=a=b.pub", &Role::ALL, &[], "a=b.pub");
    }

    #[test]
    fn what_is_mistyped_is_named() {
        let refused = |text: &str| text.parse::<GivenKey>().unwrap_err();
        assert_eq!(refused("realease=ci.pub"), InvalidGiven::Role("realease".to_owned()));
        assert_eq!(refused("release,=ci.pub"), InvalidGiven::Role(String::new()));
        assert!(matches!(refused("release@production=ci.pub"), InvalidGiven::Environment(_)));
        assert!(matches!(refused("release@=ci.pub"), InvalidGiven::Environment(_)));
        assert_eq!(refused("release="), InvalidGiven::File("release=".to_owned()));
        assert_eq!(refused(""), InvalidGiven::File(String::new()));
        assert_eq!("keyset=2".parse(), Ok(Threshold { role: Role::Keyset, count: 2 }));
        for text in ["keyset", "keyset=", "keyset=-1", "keyset=two"] {
            assert_eq!(text.parse::<Threshold>(), Err(InvalidGiven::Threshold(text.to_owned())));
        }
        assert_eq!("all=2".parse::<Threshold>(), Err(InvalidGiven::Role("all".to_owned())));
    }
}
