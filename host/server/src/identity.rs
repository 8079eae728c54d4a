//! Who is calling. The one place in the server that makes a principal.
//!
//! A principal comes from how the client reached the server: the process's own user on stdio, a bearer token on HTTP.
//! Nothing a client says in the protocol (its name, `_meta`, a session id) has a part in it.

use std::sync::{Arc, PoisonError, RwLock};

use casemate_policy::{Principal, PrincipalId, Timestamp};

use crate::token::{Refused, TokenFile};

/// The person who started the process and holds its standard streams.
#[must_use]
#[expect(clippy::expect_used, reason = "a constant; the test below calls this")]
pub fn local() -> Principal {
    let id: PrincipalId = "local".parse().expect("`local` is a principal id");
    Principal::new(id)
}

/// Knows the bearer tokens of the moment.
pub struct Identity {
    tokens: RwLock<Arc<TokenFile>>,
    clock: fn() -> Timestamp,
}

impl Identity {
    /// Knows `tokens`, and tells expired ones by `clock`.
    #[must_use]
    pub fn new(tokens: TokenFile, clock: fn() -> Timestamp) -> Self {
        Self { tokens: RwLock::new(Arc::new(tokens)), clock }
    }

    /// Knows `tokens` from now on, and no others: what is not among them is revoked.
    pub fn replace(&self, tokens: TokenFile) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }

    /// The principal that the bearer of `token` is.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the token was never issued, was revoked, or has expired.
    pub fn bearer(&self, token: &str) -> Result<Principal, Refused> {
        let tokens = Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner));
        let record = tokens.find(token, (self.clock)())?;
        Ok(Principal::new(record.principal().clone()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_policy::Timestamp;

    use super::Identity;
    use crate::token::{Refused, TokenFile};

    #[test]
    fn the_local_principal_has_an_id() {
        assert_eq!(super::local().id().as_str(), "local");
    }

    #[test]
    fn a_token_names_its_principal_until_it_is_replaced() {
        let mut file = TokenFile::default();
        let token = file.issue("ci".parse().unwrap(), Timestamp::from_millis(0), None).unwrap();
        let identity = Identity::new(file, || Timestamp::from_millis(1));
        assert_eq!(identity.bearer(token.reveal()).unwrap().id().as_str(), "token:ci");
        identity.replace(TokenFile::default());
        assert_eq!(identity.bearer(token.reveal()).unwrap_err(), Refused::Unknown);
    }

    #[test]
    fn an_expired_token_names_nobody() {
        let mut file = TokenFile::default();
        let expires = Timestamp::from_millis(10);
        let token = file.issue("ci".parse().unwrap(), Timestamp::from_millis(0), Some(expires)).unwrap();
        let identity = Identity::new(file, || Timestamp::from_millis(10));
        assert!(matches!(identity.bearer(token.reveal()).unwrap_err(), Refused::Expired { .. }));
    }
}
