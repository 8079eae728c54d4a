//! Who is calling. The one place in the server that makes a principal.
//!
//! A principal comes from how the client reached the server: the process's own user on stdio; on HTTP a bearer token, which was made
//! here (`casemate token`) or by the operator's authorization server ([`oauth`]). So do its roles and scopes. Nothing a client says in
//! the protocol (its name, `_meta`, a session id) has a part in it, and a token goes no further than this.

pub mod keys;
pub mod oauth;
pub mod refusals;
pub(crate) mod tokens;
pub mod uses;

use std::sync::{Arc, PoisonError, RwLock};

use casemate_policy::{Principal, PrincipalId, Timestamp};

use self::{oauth::OAuth, refusals::Refusals, uses::Uses};
use crate::token::{self, PREFIX, TokenFile};

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
    uses: Option<Uses>,
    oauth: Option<OAuth>,
    refusals: Refusals,
}

/// Why a presented token opens nothing. None of these says anything that is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It would have to be one of ours, and is none, or not any more.
    #[error(transparent)]
    Ours(#[from] token::Refused),
    /// It would have to be the authorization server's, and proves nothing.
    #[error(transparent)]
    Theirs(#[from] casemate_oauth::Refused),
    /// Nothing can be said of it: the authorization server's keys are not known.
    #[error("the authorization server's keys are not known")]
    NoKeys,
}

impl Refused {
    /// A stable word for the log.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ours(token::Refused::Unknown) => "token-unknown",
            Self::Ours(token::Refused::Expired { .. }) => "token-expired",
            Self::Theirs(refused) => refused.code(),
            Self::NoKeys => "keys-unavailable",
        }
    }
}

impl Identity {
    /// Knows `tokens`, and tells expired ones by `clock`.
    #[must_use]
    pub fn new(tokens: TokenFile, clock: fn() -> Timestamp) -> Self {
        Self { tokens: RwLock::new(Arc::new(tokens)), clock, uses: None, oauth: None, refusals: Refusals::default() }
    }

    /// Believes an authorization server's tokens too.
    #[must_use]
    pub fn with_oauth(self, oauth: Option<OAuth>) -> Self {
        Self { oauth, ..self }
    }

    /// Remembers when each token made here was last used.
    #[must_use]
    pub fn with_uses(self, uses: Uses) -> Self {
        Self { uses: Some(uses), ..self }
    }

    /// Knows `tokens` from now on, and no others of ours: what is not among them is revoked.
    pub fn replace(&self, tokens: TokenFile) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }

    /// The authorization server, where the operator has named one.
    pub fn oauth(&self) -> Option<&OAuth> {
        self.oauth.as_ref()
    }

    /// Who was refused, to be written down.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The principal that the bearer of `token` is. What its beginning says decides who is asked: a token of ours never goes to the
    /// code that reads others', and the other way round.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the token was never issued, was revoked, has expired, or proves nothing.
    pub async fn bearer(&self, token: &str) -> Result<Principal, Refused> {
        match &self.oauth {
            Some(oauth) if !token.starts_with(PREFIX) => oauth.bearer(token, (self.clock)()).await,
            _ => self.ours(token),
        }
    }

    fn ours(&self, token: &str) -> Result<Principal, Refused> {
        let tokens = Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner));
        let now = (self.clock)();
        let record = tokens.find(token, now)?;
        if let Some(uses) = &self.uses {
            uses.note(record.name(), now);
        }
        Ok(Principal::new(record.principal().clone()).with_roles(record.roles().clone()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use casemate_policy::Timestamp;

    use super::{Identity, Refused};
    use crate::token::{self, TokenFile};

    #[test]
    fn the_local_principal_has_an_id() {
        assert_eq!(super::local().id().as_str(), "local");
    }

    #[tokio::test]
    async fn a_token_names_its_principal_until_it_is_replaced() {
        let mut file = TokenFile::default();
        let roles = BTreeSet::from(["soc".parse().unwrap()]);
        let token = file.issue_with("ci".parse().unwrap(), Timestamp::from_millis(0), None, roles.clone()).unwrap();
        let identity = Identity::new(file, || Timestamp::from_millis(1));
        let principal = identity.bearer(token.reveal()).await.unwrap();
        assert_eq!((principal.id().as_str(), principal.roles(), principal.scopes()), ("token:ci", &roles, None));
        identity.replace(TokenFile::default());
        assert_eq!(identity.bearer(token.reveal()).await.unwrap_err(), Refused::Ours(token::Refused::Unknown));
    }

    #[tokio::test]
    async fn an_expired_token_names_nobody() {
        let mut file = TokenFile::default();
        let expires = Timestamp::from_millis(10);
        let token = file.issue("ci".parse().unwrap(), Timestamp::from_millis(0), Some(expires)).unwrap();
        let identity = Identity::new(file, || Timestamp::from_millis(10));
        assert_eq!(identity.bearer(token.reveal()).await.unwrap_err().code(), "token-expired");
    }
}
