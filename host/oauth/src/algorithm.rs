//! The signature algorithms that there are here. What is not one of them has no name.

use std::{fmt, str::FromStr};

use ring::signature;

/// An asymmetric signature algorithm of RFC 7518 or RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 8192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// An algorithm that no token is verified by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an algorithm that tokens are verified by\nhelp: RS256, ES256 and EdDSA are", .0.escape_debug())]
pub struct UnknownAlgorithm(String);

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether `signature` is one of `message` by the public key, in the form that JWS gives both: the point of a curve, `R || S`.
    pub(crate) fn verifies(self, public: &Public, message: &[u8], signature: &[u8]) -> bool {
        match (self, public) {
            (Self::Rs256, Public::Rsa { n, e }) => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Self::Es256, Public::P256(point)) => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::EdDsa, Public::Ed25519(point)) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature).is_ok()
            }
            (Self::Rs256 | Self::Es256 | Self::EdDsa, _) => false,
        }
    }
}

/// A public key's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed, as SEC 1 has it.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Exactly as it is written: `rs256` is another name, and nobody's.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let unknown = || UnknownAlgorithm(text.chars().take(40).collect());
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or_else(unknown)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
