//! The signed payload: an in-toto Statement (v1) about one component, whose predicate is the manifest.
//!
//! See <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>. A statement has one spelling, the one
//! [`to_bytes`] writes: another text with the same meaning is refused, so no two readers can disagree about it.

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    manifest::{Manifest, PREDICATE_TYPE},
    strict_json::{self, StrictJsonError},
};

/// What the envelope says its payload is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What the payload says it is.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Why a payload is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not strict JSON.
    #[error("the statement is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// A field is unknown, missing or of the wrong kind.
    #[error("the statement does not have the fields of a manifest: {0}")]
    Shape(String),
    /// Not an in-toto statement.
    #[error("the statement's type is not `{STATEMENT_TYPE}`")]
    Type,
    /// Not a Casemate manifest.
    #[error("the predicate's type is not `{PREDICATE_TYPE}`")]
    PredicateType,
    /// A statement is about one component.
    #[error("the statement has {0} subjects, and one is expected")]
    Subjects(usize),
    /// Subject and manifest name different plugins.
    #[error("the subject's name is not the manifest's `publisher/name`")]
    SubjectName,
    /// Subject and manifest name different bytes.
    #[error("the subject's digest is not the manifest's component")]
    SubjectDigest,
    /// The same meaning, written in another way.
    #[error("the statement is not written as `casemate pack` writes it")]
    Spelling,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement<M> {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: M,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    sha256: String,
}

/// The bytes that are signed: compact JSON, fields in the order of the types, so the same manifest gives the same bytes.
pub fn to_bytes(manifest: &Manifest) -> Vec<u8> {
    let statement = Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: manifest.id().to_string(),
            digest: SubjectDigest { sha256: manifest.component.sha256.clone() },
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: manifest,
    };
    serde_json::json!(statement).to_string().into_bytes()
}

/// The digest of the bytes that are signed. As a statement has one spelling, this is the digest of what was signed wherever the manifest
/// came from [`parse`].
pub fn digest(manifest: &Manifest) -> Digest {
    Digest::of(&to_bytes(manifest))
}

/// Read a statement. Its manifest's fields are right one by one; [`crate::manifest::check`] sees to the rest.
pub fn parse(payload: &[u8]) -> Result<Manifest, StatementError> {
    let value = strict_json::parse(payload)?;
    let statement: Statement<Manifest> =
        serde_json::from_value(value).map_err(|error| StatementError::Shape(shorten(&error.to_string())))?;
    if statement.kind != STATEMENT_TYPE {
        return Err(StatementError::Type);
    }
    if statement.predicate_type != PREDICATE_TYPE {
        return Err(StatementError::PredicateType);
    }
    let [subject] = statement.subject.as_slice() else {
        return Err(StatementError::Subjects(statement.subject.len()));
    };
    let manifest = statement.predicate;
    if subject.name != manifest.id().to_string() {
        return Err(StatementError::SubjectName);
    }
    if subject.digest.sha256 != manifest.component.sha256 {
        return Err(StatementError::SubjectDigest);
    }
    if to_bytes(&manifest) != payload {
        return Err(StatementError::Spelling);
    }
    Ok(manifest)
}

/// As much of a parser's message as an operator needs; it can quote the payload.
fn shorten(message: &str) -> String {
    message.chars().filter(|c| !crate::manifest::text::is_hidden(*c)).take(200).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn manifest() -> Manifest {
        serde_json::from_str(include_str!("../tests/data/manifest.json")).unwrap()
    }

    fn statement() -> Value {
        serde_json::from_slice(&to_bytes(&manifest())).unwrap()
    }

    fn check(place: &str, value: Value, expected: StatementError) {
        let mut statement = statement();
        let (parent, key) = place.rsplit_once('/').unwrap();
        match statement.pointer_mut(parent).unwrap() {
            Value::Array(items) => items.push(value),
            object => object[key] = value,
        }
        assert_eq!(parse(statement.to_string().as_bytes()), Err(expected), "{place}");
    }

    #[test]
    fn what_is_written_is_read_back_and_written_alike() {
        let bytes = to_bytes(&manifest());
        assert_eq!(parse(&bytes), Ok(manifest()));
        assert_eq!(to_bytes(&parse(&bytes).unwrap()), bytes);
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        check("/_type", json!("https://in-toto.io/Statement/v0.1"), StatementError::Type);
        check("/predicateType", json!("https://slsa.dev/provenance/v1"), StatementError::PredicateType);
        check("/subject", json!([]), StatementError::Subjects(0));
        check("/subject/-", json!({ "name": "a/b", "digest": { "sha256": "" } }), StatementError::Subjects(2));
        check("/subject/0/name", json!("acme/other"), StatementError::SubjectName);
        check("/subject/0/digest/sha256", json!("00"), StatementError::SubjectDigest);
        check("/predicate/settings", json!(null), StatementError::Spelling);
        check("/predicate/sbom", json!(null), StatementError::Spelling);
        check("/predicate/build", json!({ "packer": "casemate 0.1.0", "rustc": null }), StatementError::Spelling);
        check("/predicate/imports/-", json!("wasi:http/outgoing-handler@0.2.6"), StatementError::Spelling);
        // serde takes a list for a struct; the spelling does not.
        check("/predicate/component", json!([manifest().component.sha256, 64]), StatementError::Spelling);
        for (place, value) in [
            ("/extra", json!(1)),
            ("/subject/0/uri", json!("x")),
            ("/subject/0/digest/sha512", json!("x")),
            ("/predicate/extra", json!(1)),
            ("/predicate/sbom", json!([])),
            ("/predicate/build", json!({})),
            ("/predicate/build", json!({ "packer": "casemate 0.1.0", "host": "x" })),
            ("/predicate/plugin/name", json!("UPPER")),
            ("/predicate/plugin/version", json!("1")),
            ("/predicate/plugin/release", json!(-1)),
        ] {
            let mut changed = statement();
            let (parent, key) = place.rsplit_once('/').unwrap();
            changed.pointer_mut(parent).unwrap()[key] = value;
            let refused = parse(changed.to_string().as_bytes());
            assert!(matches!(refused, Err(StatementError::Shape(_))), "{place}: {refused:?}");
        }
        assert!(matches!(parse(b"{\"a\":1,\"a\":1}"), Err(StatementError::Json(_))));
        assert_eq!(parse(format!(" {}", statement()).as_bytes()), Err(StatementError::Spelling));
    }

    proptest! {
        #[test]
        fn never_panics_on_changed_bytes(at in 0usize..8000, byte in any::<u8>()) {
            let mut bytes = to_bytes(&manifest());
            let at = at % bytes.len();
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
            let _ = parse(&bytes);
        }
    }
}
