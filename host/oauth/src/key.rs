//! The keys of an authorization server: a JWK Set (RFC 7517), of which only what can verify is kept.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::algorithm::{Algorithm, Public};

/// Keys of one set that are looked at: what is being replaced, what is used, what comes next, for each algorithm, many times over.
const MAX_KEYS: usize = 64;
/// Bytes of a key's name.
pub(crate) const MAX_KID: usize = 256;
/// RSA keys below this are within reach of those who can pay (NIST SP 800-131A).
const MIN_RSA_BITS: usize = 2048;
/// What verifying takes no more of than it should.
const MAX_RSA_BITS: usize = 8192;

/// What can verify an authorization server's tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
    left_out: usize,
}

/// One key, and the one algorithm that it verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) public: Public,
}

/// Why a document gives no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWK Set.
    #[error(
        "the authorization server's keys are not a JWK Set\nhelp: `keys` is an array of at most {MAX_KEYS} objects (RFC 7517)"
    )]
    Form,
    /// Nothing in it verifies.
    #[error(
        "the authorization server has no key that could verify a token; {left_out} were left out\nhelp: it needs one for RS256 of 2048 bits or more, ES256 or EdDSA, for signatures"
    )]
    None {
        /// Keys in the document.
        left_out: usize,
    },
    /// One name for two keys of one algorithm: which is meant cannot be known.
    #[error("the authorization server has two different keys of one name\nhelp: every key needs a `kid` of its own")]
    Repeated,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Entry>,
}

/// Tried as a key, and left out where it is none. Through `Value` a member that is there twice would go unseen.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Key(Box<Jwk>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Read a JWK Set. A key of another kind, for another use, or too weak is left out, as RFC 7517 section 5 wants it.
    ///
    /// # Errors
    /// [`KeySetError`]; then nothing is believed of the document.
    pub fn parse(document: &[u8], allowed: &[Algorithm]) -> Result<Self, KeySetError> {
        let set: Set = serde_json::from_slice(document).map_err(|_| KeySetError::Form)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeySetError::Form);
        }
        let mut keys: Vec<Key> = Vec::new();
        let mut left_out = 0;
        for jwk in set.keys {
            let key = match jwk {
                Entry::Key(jwk) => Key::of(*jwk).filter(|key| allowed.contains(&key.algorithm)),
                Entry::Other(_) => None,
            };
            let Some(key) = key else {
                left_out += 1;
                continue;
            };
            let same_name = |other: &&Key| other.kid == key.kid && other.kid.is_some();
            match keys.iter().find(same_name) {
                Some(other) if *other == key => {}
                Some(_) => return Err(KeySetError::Repeated),
                None => keys.push(key),
            }
        }
        if keys.is_empty() { Err(KeySetError::None { left_out }) } else { Ok(Self { keys, left_out }) }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none: then no token holds.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys of the document are of no use here.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The key that a token names; without a name the only one there is.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.keys.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let verifies = jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") || !verifies {
            return None;
        }
        if jwk.kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID) {
            return None;
        }
        let (algorithm, public) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => (Algorithm::Rs256, rsa(&jwk)?),
            ("EC", Some("P-256")) => (Algorithm::Es256, p256(&jwk)?),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, Public::Ed25519(sized(jwk.x.as_deref()?, 32)?)),
            _ => return None,
        };
        // RFC 9864 names the curve.
        let named = |alg: &str| alg == algorithm.as_str() || (alg == "Ed25519" && algorithm == Algorithm::EdDsa);
        if !jwk.alg.as_deref().is_none_or(named) {
            return None;
        }
        Some(Self { kid: jwk.kid, algorithm, public })
    }
}

fn rsa(jwk: &Jwk) -> Option<Public> {
    let number = |text: &Option<String>| decoded(text.as_deref()?).map(trimmed);
    let (n, e) = (number(&jwk.n)?, number(&jwk.e)?);
    let bits = n.len().checked_mul(8)?.checked_sub(usize::try_from(n.first()?.leading_zeros()).ok()?)?;
    ((MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && !e.is_empty()).then_some(Public::Rsa { n, e })
}

fn p256(jwk: &Jwk) -> Option<Public> {
    let (x, y) = (sized(jwk.x.as_deref()?, 32)?, sized(jwk.y.as_deref()?, 32)?);
    Some(Public::P256([vec![4], x, y].concat()))
}

fn sized(text: &str, bytes: usize) -> Option<Vec<u8>> {
    decoded(text).filter(|value| value.len() == bytes)
}

/// Some servers write a leading zero, which RFC 7518 section 2 forbids and `ring` refuses.
fn trimmed(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
