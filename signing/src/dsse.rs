//! DSSE: the envelope, and the bytes that its signatures are over.
//!
//! See <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>. A signature covers the payload's type and
//! length too, so a payload signed as one thing cannot be shown as another. The envelope names no algorithm: the key
//! decides.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::key::SIGNATURE_BYTES;

/// Bytes of a payload. The manifest of a plugin with many tools has about a tenth.
pub const MAX_PAYLOAD: usize = 256 * 1024;
/// Signatures of an envelope.
pub const MAX_SIGNATURES: usize = 16;
/// Characters of a payload type or key id.
const MAX_WORD: usize = 256;

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not base64, or not the one way to write these bytes.
    #[error("`{0}` is not canonical base64")]
    NotBase64(&'static str),
    /// More than [`MAX_PAYLOAD`] bytes.
    #[error("the payload is larger than {MAX_PAYLOAD} bytes")]
    PayloadTooLarge,
    /// Too long a word.
    #[error("`{0}` is longer than {MAX_WORD} characters")]
    WordTooLong(&'static str),
    /// Nobody signed it.
    #[error("the envelope has no signature")]
    NoSignature,
    /// More than [`MAX_SIGNATURES`].
    #[error("the envelope has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// Not an Ed25519 signature.
    #[error("a signature does not have {SIGNATURE_BYTES} bytes")]
    SignatureLength,
}

/// A payload and who signed it. Nothing here is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The bytes that are signed.
    pub payload: Vec<u8>,
    /// At least one.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// A hint at the key. It is not signed, and nothing is decided by it.
    pub key_id: Option<String>,
    /// Over the [`pae`] of the envelope.
    pub bytes: [u8; SIGNATURE_BYTES],
}

/// What is signed: the pre-authentication encoding, version 1.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// What its signatures are over.
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// The envelope as JSON has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvelopeText {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<SignatureText>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureText {
    sig: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
}

impl TryFrom<&EnvelopeText> for Envelope {
    type Error = EnvelopeError;

    fn try_from(text: &EnvelopeText) -> Result<Self, EnvelopeError> {
        match text.signatures.len() {
            0 => return Err(EnvelopeError::NoSignature),
            1..=MAX_SIGNATURES => {}
            _ => return Err(EnvelopeError::TooManySignatures),
        }
        if text.payload_type.len() > MAX_WORD {
            return Err(EnvelopeError::WordTooLong("payloadType"));
        }
        // Four characters hold three bytes; decided before decoding.
        if text.payload.len() > MAX_PAYLOAD.div_ceil(3) * 4 {
            return Err(EnvelopeError::PayloadTooLarge);
        }
        let payload = STANDARD.decode(&text.payload).map_err(|_| EnvelopeError::NotBase64("payload"))?;
        if payload.len() > MAX_PAYLOAD {
            return Err(EnvelopeError::PayloadTooLarge);
        }
        let signatures = text.signatures.iter().map(Signature::try_from).collect::<Result<_, _>>()?;
        Ok(Self { payload_type: text.payload_type.clone(), payload, signatures })
    }
}

impl TryFrom<&SignatureText> for Signature {
    type Error = EnvelopeError;

    fn try_from(text: &SignatureText) -> Result<Self, EnvelopeError> {
        if text.keyid.as_ref().is_some_and(|key_id| key_id.len() > MAX_WORD) {
            return Err(EnvelopeError::WordTooLong("keyid"));
        }
        let bytes = STANDARD.decode(&text.sig).map_err(|_| EnvelopeError::NotBase64("sig"))?;
        let bytes = bytes.try_into().map_err(|_| EnvelopeError::SignatureLength)?;
        Ok(Self { key_id: text.keyid.clone(), bytes })
    }
}

impl From<&Envelope> for EnvelopeText {
    fn from(envelope: &Envelope) -> Self {
        let signature =
            |signature: &Signature| SignatureText { sig: STANDARD.encode(signature.bytes), keyid: signature.key_id.clone() };
        Self {
            payload: STANDARD.encode(&envelope.payload),
            payload_type: envelope.payload_type.clone(),
            signatures: envelope.signatures.iter().map(signature).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &str, signatures: &[&str]) -> EnvelopeText {
        let signatures = signatures.iter().map(|sig| SignatureText { sig: (*sig).to_owned(), keyid: None }).collect();
        EnvelopeText { payload: payload.to_owned(), payload_type: "t".to_owned(), signatures }
    }

    fn check(text: &EnvelopeText, expected: EnvelopeError) {
        assert_eq!(Envelope::try_from(text).err(), Some(expected));
    }

    #[test]
    fn the_example_of_the_specification() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), expected);
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
        assert_eq!(pae("é", b" "), "DSSEv1 2 é 1  ".as_bytes());
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        let sig = STANDARD.encode([1; SIGNATURE_BYTES]);
        assert!(Envelope::try_from(&text("YQ==", &[&sig])).is_ok());
        check(&text("YQ==", &[]), EnvelopeError::NoSignature);
        check(&text("YQ==", &[sig.as_str(); MAX_SIGNATURES + 1]), EnvelopeError::TooManySignatures);
        check(&text("YQ==", &["YQ=="]), EnvelopeError::SignatureLength);
        // No padding, too much, bits that mean nothing, the URL alphabet, spaces.
        for payload in ["YQ", "YQ=", "YQ===", "YR==", "Y-==", "YQ==\n", " YQ==", "YQ==YQ=="] {
            check(&text(payload, &[&sig]), EnvelopeError::NotBase64("payload"));
        }
        check(&text("YQ==", &["YR=="]), EnvelopeError::NotBase64("sig"));
        check(&text(&STANDARD.encode(vec![0; MAX_PAYLOAD + 1]), &[&sig]), EnvelopeError::PayloadTooLarge);
        assert!(Envelope::try_from(&text(&STANDARD.encode(vec![0; MAX_PAYLOAD]), &[&sig])).is_ok());
        let long = "x".repeat(MAX_WORD + 1);
        check(&EnvelopeText { payload_type: long.clone(), ..text("", &[&sig]) }, EnvelopeError::WordTooLong("payloadType"));
        let signatures = vec![SignatureText { sig, keyid: Some(long) }];
        check(&EnvelopeText { signatures, ..text("", &[]) }, EnvelopeError::WordTooLong("keyid"));
    }
}
