//! Ed25519 keys: read strictly, used strictly, and never printed.
//!
//! A [`PublicKey`] exists only if its encoding is canonical and it lies in the prime-order group, so that no signature
//! means something to one verifier and nothing to the next ("Taming the many EdDSAs", Chalkias et al., 2020). Private
//! keys are wiped when dropped and have neither `Debug` nor `Clone`.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use ed25519_dalek::{
    Signer as _, SigningKey, VerifyingKey,
    pkcs8::{ALGORITHM_OID, KeypairBytes, PublicKeyBytes},
};
use pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, Document, EncodePrivateKey as _, EncodePublicKey as _, LineEnding,
    ObjectIdentifier, SubjectPublicKeyInfoRef,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::digest::Digest;

/// Bytes of a raw public key.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// The largest key file that is read. An encrypted key has about 400 bytes.
pub const MAX_KEY_FILE: usize = 16 * 1024;

const ENCRYPTED_LABEL: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Why a key is refused. No error carries key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// More than [`MAX_KEY_FILE`] bytes.
    #[error("the key file is larger than {MAX_KEY_FILE} bytes")]
    TooLarge,
    /// Not an Ed25519 public key in PEM.
    #[error("not an Ed25519 public key\nhelp: it is a PEM file that begins with `-----BEGIN PUBLIC KEY-----`")]
    NotAPublicKey,
    /// A public key of another algorithm; there is one, so none can be confused with another.
    #[error("the public key is of {0}, and only Ed25519 keys are enrolled\nhelp: `casemate key new` makes one")]
    OtherAlgorithm(String),
    /// Not an Ed25519 private key in PEM.
    #[error("not an Ed25519 private key\nhelp: it is a PKCS#8 PEM file; `casemate key new` makes one")]
    NotAPrivateKey,
    /// The 32 bytes are no point of the curve.
    #[error("the public key is not a point of the curve")]
    NotAPoint,
    /// Another encoding of the same point.
    #[error("the public key is not encoded canonically")]
    NotCanonical,
    /// A signature by it would say nothing about the message.
    #[error("the public key is weak: it has small order")]
    Weak,
    /// A point with a component of small order.
    #[error("the public key is not in the prime-order group")]
    Torsion,
    /// The file states a public key that does not belong to its private key.
    #[error("the public key in the file does not belong to its private key")]
    Mismatch,
    /// The file is encrypted.
    #[error("the private key is encrypted\nhelp: give its passphrase")]
    PassphraseNeeded,
    /// The passphrase does not open the file.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The system gave no randomness, or encoding failed.
    #[error("the system could not make a key")]
    System,
}

impl KeyError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "key-too-large",
            Self::NotAPublicKey => "key-not-public",
            Self::OtherAlgorithm(_) => "key-other-algorithm",
            Self::NotAPrivateKey => "key-not-private",
            Self::NotAPoint => "key-not-a-point",
            Self::NotCanonical => "key-not-canonical",
            Self::Weak => "key-weak",
            Self::Torsion => "key-torsion",
            Self::Mismatch => "key-mismatch",
            Self::PassphraseNeeded => "key-passphrase-needed",
            Self::WrongPassphrase => "key-passphrase-wrong",
            Self::EmptyPassphrase => "key-passphrase-empty",
            Self::System => "key-system",
        }
    }
}

/// The signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct InvalidSignature;

/// A public key fit to be enrolled.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From 32 raw bytes.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::Torsion);
        }
        Ok(Self(key))
    }

    /// From SPKI PEM (RFC 8410), `-----BEGIN PUBLIC KEY-----`.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > MAX_KEY_FILE {
            return Err(KeyError::TooLarge);
        }
        let key = PublicKeyBytes::from_public_key_pem(pem.trim()).map_err(|_| why_not(pem.trim()))?;
        Self::from_bytes(&key.to_bytes())
    }

    /// From the 32 raw bytes in base64, as trust files and keysets have them.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text).map_err(|_| KeyError::NotAPublicKey)?;
        Self::from_bytes(&bytes.try_into().map_err(|_| KeyError::NotAPublicKey)?)
    }

    /// As SPKI PEM.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        PublicKeyBytes(self.0.to_bytes()).to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::System)
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        self.0.as_bytes()
    }

    /// What people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.0.as_bytes()).into())
    }

    /// Check a signature, without cofactor and without weak points: dalek's `verify_strict`.
    pub fn verify_strict(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Result<(), InvalidSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).map_err(|_| InvalidSignature)
    }
}

/// A PEM file that is no Ed25519 public key: of what else, if it says.
fn why_not(pem: &str) -> KeyError {
    let document = Document::from_public_key_pem(pem);
    let algorithm = document.as_ref().ok().and_then(|document| document.decode_msg::<SubjectPublicKeyInfoRef<'_>>().ok());
    match algorithm.map(|info| info.algorithm.oid).filter(|oid| *oid != ALGORITHM_OID) {
        Some(oid) => KeyError::OtherAlgorithm(algorithm_name(&oid)),
        None => KeyError::NotAPublicKey,
    }
}

fn algorithm_name(oid: &ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.2.840.10045.2.1" => "ECDSA".to_owned(),
        "1.2.840.113549.1.1.1" => "RSA".to_owned(),
        "1.3.101.110" => "X25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        other => format!("the algorithm {other}"),
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

/// A private key. Wiped when dropped.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// A new key from the system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyError::System)?;
        Ok(Self::from_seed(&seed))
    }

    /// From the 32-byte seed of RFC 8032, which the caller wipes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Whether a PEM text is an encrypted private key.
    pub fn needs_passphrase(pem: &str) -> bool {
        pem.trim_start().starts_with(ENCRYPTED_LABEL)
    }

    /// From PKCS#8 PEM; encrypted (PBES2 with scrypt or PBKDF2-HMAC-SHA-2, and AES-CBC) if a passphrase is given.
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        if pem.len() > MAX_KEY_FILE {
            return Err(KeyError::TooLarge);
        }
        let pem = pem.trim();
        let pair = match (Self::needs_passphrase(pem), passphrase) {
            (true, None) => return Err(KeyError::PassphraseNeeded),
            (true, Some(passphrase)) => {
                KeypairBytes::from_pkcs8_encrypted_pem(pem, passphrase).map_err(|_| KeyError::WrongPassphrase)?
            }
            (false, _) => KeypairBytes::from_pkcs8_pem(pem).map_err(|_| KeyError::NotAPrivateKey)?,
        };
        let key = Self::from_seed(&pair.secret_key);
        match &pair.public_key {
            Some(public) if public.as_ref() != key.0.verifying_key().as_bytes() => Err(KeyError::Mismatch),
            _ => Ok(key),
        }
    }

    /// As encrypted PKCS#8 PEM (PBES2: scrypt, AES-256-CBC).
    pub fn to_encrypted_pem(&self, passphrase: &str) -> Result<Zeroizing<String>, KeyError> {
        if passphrase.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        self.pair().to_pkcs8_encrypted_pem(passphrase, LineEnding::LF).map_err(|_| KeyError::System)
    }

    /// As PKCS#8 PEM that anyone who reads the file can sign with. For development keys.
    pub fn danger_to_plain_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.pair().to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::System)
    }

    /// Version 1 of the format, without the public key, which is the only one OpenSSL 3.0 reads.
    fn pair(&self) -> KeypairBytes {
        KeypairBytes { secret_key: self.0.to_bytes(), public_key: None }
    }

    /// Its public key.
    pub fn public_key(&self) -> PublicKey {
        // Made from a clamped scalar, so it is canonical and in the prime-order group (RFC 8032, section 5.1.5).
        PublicKey(self.0.verifying_key())
    }

    /// Sign a message.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

/// `SHA256:` and the unpadded base64 of the SHA-256 of the raw public key, as ssh prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a document's payload, so that people compare one form of everything they enrol.
    pub(crate) fn of(payload: &[u8]) -> Self {
        Self::from_digest(&Digest::of(payload))
    }

    /// A digest in the form that people compare.
    pub(crate) fn from_digest(digest: &Digest) -> Self {
        Self(*digest.as_bytes())
    }
}

/// Text that is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a key fingerprint\nhelp: it has the form `SHA256:` and 43 characters of base64")]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let encoded = text.strip_prefix("SHA256:").ok_or(InvalidFingerprint)?;
        let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| InvalidFingerprint)?;
        bytes.try_into().map(Self).map_err(|_| InvalidFingerprint)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;
    fn try_from(text: String) -> Result<Self, InvalidFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
