//! The signature file: a Sigstore bundle (v0.3) around one DSSE envelope, signed with a key the operator enrolled.
//!
//! See <https://docs.sigstore.dev/about/bundle/>. Certificates, transparency log entries and timestamps are refused
//! rather than ignored: what is not checked here must not look as if it were. A file holds one bundle, or several over
//! byte-identical payloads, one a line: a signature for each.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    dsse::{Envelope, EnvelopeError, EnvelopeText, MAX_SIGNATURES, Signature, pae},
    key::{Fingerprint, InvalidFingerprint, InvalidSignature, PrivateKey, PublicKey, SIGNATURE_BYTES},
    statement::PAYLOAD_TYPE,
    strict_json::{self, StrictJsonError},
};

/// Bytes of a signature file.
pub const MAX_BUNDLE: usize = 1024 * 1024;
/// Bundles of a signature file, one for each who signed; as many as an envelope has signatures.
pub const MAX_BUNDLES: usize = MAX_SIGNATURES;
/// The one version.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Why a signature file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// More than [`MAX_BUNDLE`] bytes.
    #[error("the bundle is larger than {MAX_BUNDLE} bytes")]
    TooLarge,
    /// More than [`MAX_BUNDLES`].
    #[error("the file holds more than {MAX_BUNDLES} bundles")]
    TooMany,
    /// Signatures of different things.
    #[error("the bundles in the file are not over the same payload")]
    Payloads,
    /// Not strict JSON.
    #[error("the bundle is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// JSON of another shape.
    #[error("the bundle does not have the fields of a Sigstore bundle signed with a key")]
    Shape,
    /// Another format or version.
    #[error("the bundle's media type is not `{MEDIA_TYPE}`")]
    MediaType,
    /// What it carries would have to be checked against a log or an authority.
    #[error("the bundle carries `{0}`, which is not checked here\nhelp: sign with an enrolled key")]
    Unchecked(&'static str),
    /// The hint is not a fingerprint.
    #[error("the bundle's key hint is not a key fingerprint")]
    Hint(#[from] InvalidFingerprint),
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A Sigstore bundle's envelope has one signature.
    #[error("the bundle's envelope has more than one signature")]
    SeveralSignatures,
    /// Envelope and bundle point at different keys.
    #[error("the envelope's key id is not the bundle's key hint")]
    KeyId,
    /// Not an in-toto statement.
    #[error("the payload type is not `{PAYLOAD_TYPE}`")]
    PayloadType,
}

/// One signature over one payload. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    hint: Fingerprint,
    payload: Vec<u8>,
    signature: Signature,
}

impl Bundle {
    /// Sign `payload`, the exact bytes of a statement.
    pub fn sign(payload: Vec<u8>, key: &PrivateKey) -> Self {
        let hint = key.public_key().fingerprint();
        let bytes = key.sign(&pae(PAYLOAD_TYPE, &payload));
        Self { hint, payload, signature: Signature { key_id: Some(hint.to_string()), bytes } }
    }

    /// A signature over `payload`, as [`PAYLOAD_TYPE`], that somebody else made with the private half of `key`.
    pub fn signed(payload: Vec<u8>, key: &PublicKey, bytes: [u8; SIGNATURE_BYTES]) -> Result<Self, InvalidSignature> {
        key.verify_strict(&pae(PAYLOAD_TYPE, &payload), &bytes)?;
        let hint = key.fingerprint();
        Ok(Self { hint, payload, signature: Signature { key_id: Some(hint.to_string()), bytes } })
    }

    /// Read one bundle.
    pub fn parse(file: &[u8]) -> Result<Self, BundleError> {
        if file.len() > MAX_BUNDLE {
            return Err(BundleError::TooLarge);
        }
        let value = strict_json::parse(file)?;
        let text: BundleText = serde_json::from_value(value.clone()).map_err(|_| BundleError::Shape)?;
        text.into_bundle(&value)
    }

    /// As it is written to a file: one line, without a line feed at its end.
    pub fn to_json(&self) -> String {
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: self.payload.clone(),
            signatures: vec![self.signature.clone()],
        };
        let text = BundleText {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: Some(KeyHint { hint: self.hint.to_string() }),
                certificate: None,
                x509_certificate_chain: None,
                tlog_entries: None,
                timestamp_verification_data: None,
            },
            dsse_envelope: EnvelopeText::from(&envelope),
        };
        serde_json::json!(text).to_string()
    }

    /// Which key is said to have signed.
    pub fn hint(&self) -> &Fingerprint {
        &self.hint
    }

    /// The signature, over [`Bundle::signed_bytes`].
    pub fn signature(&self) -> &[u8; crate::key::SIGNATURE_BYTES] {
        &self.signature.bytes
    }

    /// The exact bytes of the statement. Whoever reads them before the signature is verified believes nothing in them.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What was signed, including the payload's type.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(PAYLOAD_TYPE, &self.payload)
    }

    /// The payload, for after the signature is verified.
    pub(crate) fn into_payload(self) -> Vec<u8> {
        self.payload
    }
}

/// Read a signature file: one bundle, or one a line. There is at least one, and all are over one payload.
pub fn parse_all(file: &[u8]) -> Result<Vec<Bundle>, BundleError> {
    if file.len() > MAX_BUNDLE {
        return Err(BundleError::TooLarge);
    }
    let lines: Vec<&[u8]> = file.strip_suffix(b"\n").unwrap_or(file).split(|byte| *byte == b'\n').collect();
    // Other tools break the lines of a bundle, so one bundle is not always one line; several are.
    let bundles = match Bundle::parse(file) {
        Err(BundleError::Json(StrictJsonError::TrailingBytes { line, .. })) if line > 1 => {
            if lines.len() > MAX_BUNDLES {
                return Err(BundleError::TooMany);
            }
            lines.into_iter().map(Bundle::parse).collect::<Result<Vec<_>, _>>()?
        }
        single => vec![single?],
    };
    let same = bundles.iter().zip(bundles.iter().skip(1)).all(|(one, two)| one.payload == two.payload);
    if same { Ok(bundles) } else { Err(BundleError::Payloads) }
}

/// A signature file: each bundle on a line of its own.
pub fn to_lines(bundles: &[Bundle]) -> String {
    bundles.iter().map(|bundle| bundle.to_json() + "\n").collect()
}

/// The bundle as JSON has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BundleText {
    media_type: String,
    verification_material: Material,
    dsse_envelope: EnvelopeText,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyHint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<Value>,
    /// Other tools write an empty list where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tlog_entries: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyHint {
    hint: String,
}

impl BundleText {
    fn into_bundle(self, read: &Value) -> Result<Bundle, BundleError> {
        // What was understood is all there was: serde would also take a list for an object, or `null` for nothing.
        if serde_json::json!(self) != *read {
            return Err(BundleError::Shape);
        }
        if self.media_type != MEDIA_TYPE {
            return Err(BundleError::MediaType);
        }
        let material = self.verification_material;
        for (name, carried) in [
            ("certificate", material.certificate.is_some()),
            ("x509CertificateChain", material.x509_certificate_chain.is_some()),
            ("tlogEntries", material.tlog_entries.is_some_and(|entries| !entries.is_empty())),
            ("timestampVerificationData", material.timestamp_verification_data.is_some()),
        ] {
            if carried {
                return Err(BundleError::Unchecked(name));
            }
        }
        let hint: Fingerprint = material.public_key.ok_or(BundleError::Shape)?.hint.parse()?;
        let envelope = Envelope::try_from(&self.dsse_envelope)?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(BundleError::PayloadType);
        }
        let [signature] = <[Signature; 1]>::try_from(envelope.signatures).map_err(|_| BundleError::SeveralSignatures)?;
        // Sigstore's own tools leave the key id out or empty.
        if signature.key_id.as_ref().is_some_and(|key_id| !key_id.is_empty() && *key_id != hint.to_string()) {
            return Err(BundleError::KeyId);
        }
        Ok(Bundle { hint, payload: envelope.payload, signature })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn bundle() -> Bundle {
        Bundle::sign(b"{}".to_vec(), &PrivateKey::from_seed(&[7; 32]))
    }

    /// A bundle with one change.
    fn check(place: &str, value: Value, expected: BundleError) {
        let mut json: Value = serde_json::from_str(&bundle().to_json()).unwrap();
        let (parent, key) = place.rsplit_once('/').unwrap();
        match json.pointer_mut(parent).unwrap() {
            Value::Array(items) => items.push(value),
            object => object[key] = value,
        }
        assert_eq!(Bundle::parse(json.to_string().as_bytes()), Err(expected), "{place}");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = bundle().to_json();
        assert_eq!(Bundle::parse(text.as_bytes()), Ok(bundle()));
        assert!(!text.contains(['\n', ' ']));
    }

    #[test]
    fn a_signature_that_another_made_is_verified_first() {
        let key = PrivateKey::from_seed(&[7; 32]);
        let made = *bundle().signature();
        assert_eq!(Bundle::signed(b"{}".to_vec(), &key.public_key(), made), Ok(bundle()));
        let stranger = PrivateKey::from_seed(&[8; 32]).public_key();
        assert_eq!(Bundle::signed(b"{}".to_vec(), &stranger, made), Err(InvalidSignature));
        assert_eq!(Bundle::signed(b"{ }".to_vec(), &key.public_key(), made), Err(InvalidSignature));
        // Over the payload alone, without its type.
        assert_eq!(Bundle::signed(b"{}".to_vec(), &key.public_key(), key.sign(b"{}")), Err(InvalidSignature));
    }

    #[test]
    fn what_other_tools_leave_empty_is_accepted() {
        let mut json: Value = serde_json::from_str(&bundle().to_json()).unwrap();
        json["verificationMaterial"]["tlogEntries"] = json!([]);
        json["dsseEnvelope"]["signatures"][0]["keyid"] = json!("");
        assert_eq!(Bundle::parse(format!("{json:#}\n").as_bytes()).unwrap().signed_bytes(), bundle().signed_bytes());
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        let other = PrivateKey::from_seed(&[8; 32]).public_key().fingerprint().to_string();
        let signature = json!({ "sig": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0; 64]) });
        check("/mediaType", json!("application/vnd.dev.sigstore.bundle+json;version=0.2"), BundleError::MediaType);
        check("/extra", json!(1), BundleError::Shape);
        check("/verificationMaterial/extra", json!(1), BundleError::Shape);
        check("/verificationMaterial/publicKey", json!(null), BundleError::Shape);
        check("/verificationMaterial/publicKey", json!([other]), BundleError::Shape);
        check("/verificationMaterial/publicKey/rawBytes", json!("AA=="), BundleError::Shape);
        check("/verificationMaterial/publicKey/hint", json!("key 1"), BundleError::Hint(InvalidFingerprint));
        check("/verificationMaterial/publicKey/hint", json!(other), BundleError::KeyId);
        check("/verificationMaterial/certificate", json!({ "rawBytes": "AA==" }), BundleError::Unchecked("certificate"));
        check("/verificationMaterial/x509CertificateChain", json!({}), BundleError::Unchecked("x509CertificateChain"));
        check("/verificationMaterial/tlogEntries", json!([{}]), BundleError::Unchecked("tlogEntries"));
        check("/verificationMaterial/timestampVerificationData", json!({}), BundleError::Unchecked("timestampVerificationData"));
        check("/dsseEnvelope/payloadType", json!("application/json"), BundleError::PayloadType);
        check("/dsseEnvelope/payload", json!("e30"), BundleError::Envelope(EnvelopeError::NotBase64("payload")));
        check("/dsseEnvelope/signatures/-", signature, BundleError::SeveralSignatures);
        check("/dsseEnvelope/signatures", json!([]), BundleError::Envelope(EnvelopeError::NoSignature));
        check("/dsseEnvelope/signatures/0/keyid", json!(other), BundleError::KeyId);
        check("/dsseEnvelope/signatures/0/cert", json!("x"), BundleError::Shape);
    }

    fn bundles(seeds: impl IntoIterator<Item = u8>) -> Vec<Bundle> {
        seeds.into_iter().map(|seed| Bundle::sign(b"{}".to_vec(), &PrivateKey::from_seed(&[seed; 32]))).collect()
    }

    #[test]
    fn a_file_holds_one_bundle_or_one_a_line() {
        for count in 1..=16 {
            let all = bundles(0..count);
            assert_eq!(parse_all(to_lines(&all).as_bytes()), Ok(all.clone()));
            assert_eq!(parse_all(to_lines(&all).trim_end().as_bytes()), Ok(all));
        }
        let pretty = format!("{:#}\n", serde_json::from_str::<Value>(&bundle().to_json()).unwrap());
        assert_eq!(parse_all(pretty.as_bytes()), Ok(vec![bundle()]));
        assert_eq!(parse_all(to_lines(&bundles(0..17)).as_bytes()), Err(BundleError::TooMany));
        let other = Bundle::sign(b"{} ".to_vec(), &PrivateKey::from_seed(&[8; 32]));
        assert_eq!(parse_all(to_lines(&[bundle(), other]).as_bytes()), Err(BundleError::Payloads));
        assert_eq!(parse_all(&vec![b' '; MAX_BUNDLE + 1]), Err(BundleError::TooLarge));
        let line = bundle().to_json();
        for text in ["", "\n", "\n\n", &format!("{line}\n\n{line}\n"), &format!("{line}\nx\n")] {
            assert!(matches!(parse_all(text.as_bytes()), Err(BundleError::Json(_))), "{text}");
        }
        assert_eq!(parse_all(format!("{line}\n{{}}\n").as_bytes()), Err(BundleError::Shape));
        assert!(parse_all(format!("{pretty}{pretty}").as_bytes()).is_err(), "several bundles are a line each");
    }

    #[test]
    fn a_bundle_is_one_json_value() {
        let text = bundle().to_json();
        assert!(matches!(Bundle::parse(format!("{text}\n{text}\n").as_bytes()), Err(BundleError::Json(_))));
        assert!(matches!(Bundle::parse(format!("{text}x").as_bytes()), Err(BundleError::Json(_))));
        assert!(matches!(Bundle::parse(b""), Err(BundleError::Json(_))));
        assert_eq!(Bundle::parse(b"[]"), Err(BundleError::Shape));
        assert_eq!(Bundle::parse(&vec![b' '; MAX_BUNDLE + 1]), Err(BundleError::TooLarge));
        let twice = text.replacen("{\"hint\"", "{\"hint\":\"x\",\"hint\"", 1);
        assert!(matches!(Bundle::parse(twice.as_bytes()), Err(BundleError::Json(StrictJsonError::DuplicateKey { .. }))));
    }
}
