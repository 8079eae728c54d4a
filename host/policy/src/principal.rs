//! Who is calling, once the server's identity step has established it.

use std::collections::BTreeSet;

use crate::{approval::RoleName, name::shared_name};

shared_name!(
    /// A principal's id: `local`, `token:ci`, `oidc:sub:…`, `oidc:client:…`. In a grant also `role:NAME`, which is nobody's id: it
    /// stands for everyone whose authentication says that they have the role.
    PrincipalId, "principal", "it has 1 to 128 visible ASCII characters, without quotes and backticks",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`')));
shared_name!(
    /// A scope of an access token, as RFC 6749 section 3.3 writes one. Not a target: those are a grant's `scope`.
    TokenScope, "token scope", "it has 1 to 128 visible ASCII characters, without `\"` and `\\`",
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\')));

/// How a grant names a role.
const ROLE: &str = "role:";

impl PrincipalId {
    /// Everyone who has this role.
    pub fn of_role(role: &RoleName) -> Option<Self> {
        format!("{ROLE}{role}").parse().ok()
    }

    /// Whether it stands for whoever has a role, and is no caller's.
    pub fn is_role(&self) -> bool {
        self.as_str().starts_with(ROLE)
    }
}

/// An authenticated caller. Only the server's identity step makes one: nothing a client sends names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    id: PrincipalId,
    roles: BTreeSet<RoleName>,
    scopes: Option<BTreeSet<TokenScope>>,
}

impl Principal {
    /// For the identity step, which has just authenticated this caller.
    pub fn new(id: PrincipalId) -> Self {
        Self { id, roles: BTreeSet::new(), scopes: None }
    }

    /// For a supposition: the caller of this id, or for `role:NAME` one whoever has the role.
    pub fn standing_for(id: PrincipalId) -> Self {
        let role = id.as_str().strip_prefix(ROLE).and_then(|role| role.parse().ok());
        Self::new(id).with_roles(role.into_iter().collect())
    }

    /// With roles that its authentication proves. They say which grants it holds, and nothing else.
    #[must_use]
    pub fn with_roles(self, roles: BTreeSet<RoleName>) -> Self {
        Self { roles, ..self }
    }

    /// With the scopes of the access token that it presented. Without any, it came in another way, to which scopes mean nothing.
    #[must_use]
    pub fn with_scopes(self, scopes: BTreeSet<TokenScope>) -> Self {
        Self { scopes: Some(scopes), ..self }
    }

    /// Its id.
    pub fn id(&self) -> &PrincipalId {
        &self.id
    }

    /// The roles that its authentication proves.
    pub fn roles(&self) -> &BTreeSet<RoleName> {
        &self.roles
    }

    /// The scopes of its access token; none where it came with none.
    pub fn scopes(&self) -> Option<&BTreeSet<TokenScope>> {
        self.scopes.as_ref()
    }

    /// Every name that a grant can call it by.
    pub fn names(&self) -> impl Iterator<Item = PrincipalId> {
        std::iter::once(self.id.clone()).filter(|id| !id.is_role()).chain(self.roles.iter().filter_map(PrincipalId::of_role))
    }
}
