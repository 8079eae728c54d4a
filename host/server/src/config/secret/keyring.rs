//! Secrets in the keyring of a desktop: the Secret Service of Linux (GNOME Keyring, KWallet, KeePassXC), or macOS's keychain.
//!
//! It is asked and never written to, and nobody is prompted: a keyring that is locked stays so, and that is said.

use std::time::Duration;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{SecretFault, text, waited};

/// An entry, by what those who store one name it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its service.
    pub(super) service: String,
    /// Its account.
    pub(super) account: String,
}

/// Why a keyring's entry cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringFault {
    /// There is no keyring to ask, or it does not answer.
    #[error(
        "cannot be asked: {0}\nhelp: a keyring is part of a desktop's session, and is found by DBUS_SESSION_BUS_ADDRESS; on a server, take file, credential or vault"
    )]
    Absent(String),
    /// It is there, and says nothing.
    #[error("is locked\nhelp: unlock it, as by logging in to the desktop; casemate never asks for its password")]
    Locked,
    /// It has no such entry.
    #[error("has no such entry\nhelp: secret-tool store --label=casemate service SERVICE account ACCOUNT")]
    NoEntry,
    /// It has several, and which is meant is not for the host to guess.
    #[error("has {0} entries of that name\nhelp: remove all but one, or give the one that is meant an account of its own")]
    Ambiguous(usize),
}

impl KeyringFault {
    /// Whether it says nothing of the entry, so that what was known of it may be true still.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Absent(_) | Self::Locked)
    }
}

/// Ask for it.
pub(super) fn read(entry: &Entry, patience: Duration) -> Result<SecretString, SecretFault> {
    let fault = |why| SecretFault::Keyring { service: entry.service.clone(), account: entry.account.clone(), why };
    let asked = waited(patience, desktop::ask(entry)).map_err(|why| fault(KeyringFault::Absent(why)))?;
    text(asked.map_err(fault)?)
}

#[cfg(not(target_os = "macos"))]
mod desktop {
    use std::collections::HashMap;

    use secret_service::{EncryptionType, Error, Item, SearchItemsResult, SecretService};

    use super::{Entry, KeyringFault, Zeroizing};

    /// What those who store entries call the account: `secret-tool` whatever it is told, libraries of many languages `username`.
    const ACCOUNT: [&str; 2] = ["account", "username"];

    /// What was found, each entry once.
    #[derive(Default)]
    struct Found<'a> {
        unlocked: Vec<Item<'a>>,
        locked: Vec<Item<'a>>,
    }

    /// The secret crosses the bus encrypted: whoever listens there reads none.
    pub(super) async fn ask(entry: &Entry) -> Result<Zeroizing<Vec<u8>>, KeyringFault> {
        let service = SecretService::connect(EncryptionType::Dh).await.map_err(fault)?;
        let mut found = Found::default();
        for account in ACCOUNT {
            let attributes = HashMap::from([("service", entry.service.as_str()), (account, entry.account.as_str())]);
            let SearchItemsResult { unlocked, locked } = service.search_items(attributes).await.map_err(fault)?;
            found.add(unlocked, locked);
        }
        match (found.unlocked.as_slice(), found.locked.len()) {
            ([], 0) => Err(KeyringFault::NoEntry),
            ([item], 0) => Ok(Zeroizing::new(item.get_secret().await.map_err(fault)?)),
            ([], 1) => Err(KeyringFault::Locked),
            (unlocked, locked) => Err(KeyringFault::Ambiguous(unlocked.len() + locked)),
        }
    }

    impl<'a> Found<'a> {
        /// One that has both names is still one.
        fn add(&mut self, unlocked: Vec<Item<'a>>, locked: Vec<Item<'a>>) {
            for (known, new) in [(&mut self.unlocked, unlocked), (&mut self.locked, locked)] {
                for item in new {
                    if !known.contains(&item) {
                        known.push(item);
                    }
                }
            }
        }
    }

    fn fault(error: Error) -> KeyringFault {
        match error {
            Error::Locked | Error::Prompt | Error::PromptDisconnected => KeyringFault::Locked,
            Error::NoResult => KeyringFault::NoEntry,
            Error::Unavailable => KeyringFault::Absent("no keyring answers on the session's bus".to_owned()),
            // A bus without a keyring says so in words of its own.
            other if other.to_string().contains("ServiceUnknown") => {
                KeyringFault::Absent("no keyring answers on the session's bus".to_owned())
            }
            other => KeyringFault::Absent(other.to_string().lines().next().unwrap_or_default().to_owned()),
        }
    }
}

#[cfg(target_os = "macos")]
mod desktop {
    use security_framework::{passwords::generic_password, passwords_options::PasswordOptions};

    use super::{Entry, KeyringFault, Zeroizing};

    /// `errSecItemNotFound`, and `errSecInteractionNotAllowed`: it is locked, and nobody can be asked.
    const NOT_FOUND: i32 = -25300;
    const NOT_ALLOWED: i32 = -25308;

    /// A service and an account are one entry there.
    pub(super) async fn ask(entry: &Entry) -> Result<Zeroizing<Vec<u8>>, KeyringFault> {
        let options = PasswordOptions::new_generic_password(&entry.service, &entry.account);
        let asked = tokio::task::spawn_blocking(move || generic_password(options).map(Zeroizing::new));
        let asked = asked.await.map_err(|_| KeyringFault::Absent("it broke off".to_owned()))?;
        asked.map_err(|error| match error.code() {
            NOT_FOUND => KeyringFault::NoEntry,
            NOT_ALLOWED => KeyringFault::Locked,
            _ => KeyringFault::Absent(error.to_string()),
        })
    }
}
