//! Signed documents about trust: a DSSE envelope of several signatures around one canonical JSON payload.
//!
//! Keysets and revocation lists are documents. The payload's type is part of what is signed, so one kind cannot be shown as
//! the other, nor as a package's statement. Key ids are hints, and nothing is decided by them: what counts is which of the
//! keys that may sign has signed.

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    dsse::{Envelope, EnvelopeError, EnvelopeText, MAX_SIGNATURES, Signature, pae},
    key::{Fingerprint, PrivateKey, PublicKey},
    strict_json::{self, StrictJsonError},
};

/// Bytes of a document's file: the largest payload in base64, and its signatures.
pub const MAX_DOCUMENT: usize = 512 * 1024;

/// Why a document is refused before its fields are looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_DOCUMENT`] bytes.
    #[error("the document is larger than {MAX_DOCUMENT} bytes")]
    TooLarge,
    /// The envelope is not strict JSON.
    #[error("the document is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// The envelope has other fields.
    #[error("the document does not have the fields of a DSSE envelope")]
    Shape,
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed as something else.
    #[error("the payload type is not `{0}`\nhelp: it is another kind of document")]
    PayloadType(&'static str),
    /// The payload is not strict JSON.
    #[error("the payload is not strict JSON: {0}")]
    Payload(StrictJsonError),
    /// A field of the payload is unknown, missing or of the wrong kind.
    #[error("the payload does not have the fields of its type: {0}")]
    Fields(String),
    /// The same meaning, written in another way.
    #[error("the payload is not in its one canonical spelling")]
    Spelling,
    /// The same signature twice.
    #[error("the document already holds this signature")]
    AlreadySigned,
}

/// A payload and its signatures. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    payload_type: &'static str,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

impl Document {
    /// A document that nobody signed yet. It is not written before [`Document::add_signature`].
    pub(crate) fn unsigned(payload_type: &'static str, payload: Vec<u8>) -> Self {
        Self { payload_type, payload, signatures: Vec::new() }
    }

    /// Read a document of one type.
    pub(crate) fn parse(file: &[u8], payload_type: &'static str) -> Result<Self, DocumentError> {
        if file.len() > MAX_DOCUMENT {
            return Err(DocumentError::TooLarge);
        }
        let value = strict_json::parse(file)?;
        let text: EnvelopeText = serde_json::from_value(value.clone()).map_err(|_| DocumentError::Shape)?;
        // What was understood is all there was: serde would also take a list for an object, or `null` for nothing.
        if serde_json::json!(text) != value {
            return Err(DocumentError::Shape);
        }
        let envelope = Envelope::try_from(&text)?;
        if envelope.payload_type != payload_type {
            return Err(DocumentError::PayloadType(payload_type));
        }
        Ok(Self { payload_type, payload: envelope.payload, signatures: envelope.signatures })
    }

    /// The bytes that are signed, together with their type.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Who is said to have signed, as far as the signatures say.
    pub fn hints(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().filter_map(|signature| signature.key_id.as_deref())
    }

    /// Add a signature that [`sign`] made. Whether it verifies is for who reads the document.
    pub fn add_signature(&mut self, signature: Signature) -> Result<(), DocumentError> {
        if self.signatures.iter().any(|other| other.bytes == signature.bytes) {
            return Err(DocumentError::AlreadySigned);
        }
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(DocumentError::Envelope(EnvelopeError::TooManySignatures));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// As it is written to a file: one line, without a line feed at its end.
    pub fn to_json(&self) -> String {
        let envelope = Envelope {
            payload_type: self.payload_type.to_owned(),
            payload: self.payload.clone(),
            signatures: self.signatures.clone(),
        };
        serde_json::json!(EnvelopeText::from(&envelope)).to_string()
    }

    /// Which of the keys that may sign have signed. A key counts once, however often it signed and whatever it is called.
    pub(crate) fn signers<'k>(&self, keys: impl IntoIterator<Item = &'k PublicKey>) -> BTreeSet<Fingerprint> {
        let message = pae(self.payload_type, &self.payload);
        let signed = |key: &PublicKey| self.signatures.iter().any(|one| key.verify_strict(&message, &one.bytes).is_ok());
        keys.into_iter().filter(|key| signed(key)).map(PublicKey::fingerprint).collect()
    }
}

/// Sign a payload as one type of document.
pub(crate) fn sign(payload_type: &str, payload: &[u8], key: &PrivateKey) -> Signature {
    Signature { key_id: Some(key.public_key().fingerprint().to_string()), bytes: key.sign(&pae(payload_type, payload)) }
}

/// A payload in its one spelling: compact JSON, fields in the order of the type.
pub(crate) fn to_payload<T: Serialize>(fields: &T) -> Vec<u8> {
    serde_json::json!(fields).to_string().into_bytes()
}

/// Read a payload that is in its one spelling.
pub(crate) fn fields<T: Serialize + DeserializeOwned>(payload: &[u8]) -> Result<T, DocumentError> {
    let value = strict_json::parse(payload).map_err(DocumentError::Payload)?;
    let fields: T = serde_json::from_value(value).map_err(|error| DocumentError::Fields(shorten(&error.to_string())))?;
    if to_payload(&fields) == payload { Ok(fields) } else { Err(DocumentError::Spelling) }
}

/// As much of a parser's message as an operator needs; it can quote the payload.
fn shorten(message: &str) -> String {
    message.chars().filter(|c| !crate::manifest::text::is_hidden(*c)).take(200).collect()
}

/// A moment in a document: RFC 3339 in UTC with milliseconds, which is one spelling of it.
pub(crate) mod moment {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::time::Timestamp;

    pub(crate) fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(moment)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
