//! Who is calling, once the server's identity step has established it.

use crate::name::shared_name;

shared_name!(
    /// A principal's id: `local`, `token:ci`, `oidc:sub:…`.
    PrincipalId, "principal", "it has 1 to 128 visible ASCII characters, without quotes and backticks",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'`')));

/// An authenticated caller. Only the server's identity step makes one: nothing a client sends names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    id: PrincipalId,
}

impl Principal {
    /// For the identity step, which has just authenticated this caller.
    pub fn new(id: PrincipalId) -> Self {
        Self { id }
    }

    /// Its id.
    pub fn id(&self) -> &PrincipalId {
        &self.id
    }
}
