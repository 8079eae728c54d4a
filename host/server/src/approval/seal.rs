//! What goes out with a question and comes back with its answer: a note that only this host can write, about one call.
//!
//! The client keeps it and may do with it what it likes. It holds no secret, and says which approval was asked about and what that is an
//! approval of. The call that brings it back has to be the very call: who makes it, where, which tool and with which arguments are part of what
//! is authenticated. Grant, plugin, plan and expiry are in the subject's digest. That it is used once is the ledger's doing.

use std::time::Duration;

use casemate_policy::{
    Call, PrincipalId, Timestamp,
    approval::{ApprovalId, Subject},
};
use casemate_signing::Environment;
use rmcp::model::{RequestStateCodec, RequestStateError, SealOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::exit::Failure;

/// Closes and opens the notes. It is made of the host's key, so a restart changes nothing.
pub(crate) struct Seal(RequestStateCodec);

/// What a note says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    approval: String,
    subject: String,
}

/// Why a note is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// This host did not write it, or not for this call.
    Forged,
    /// It did, and the time is over.
    Expired,
}

impl Seal {
    /// From the host's key.
    ///
    /// # Errors
    /// Never: the key that is made of it has the length that is asked for.
    pub(crate) fn of(host: &[u8]) -> Result<Self, Failure> {
        let key = Sha256::new_with_prefix(b"casemate request state key v1\0").chain_update(host).finalize();
        RequestStateCodec::try_new(key.to_vec()).map(Self).map_err(|error| Failure::failed(error.to_string()))
    }

    /// A note about this subject, good until the subject expires; none where it has no digest.
    pub(super) fn close(&self, subject: &Subject, now: Timestamp) -> Option<String> {
        let note = Note { approval: subject.id()?.to_string(), subject: subject.digest()? };
        let bound = bound(subject.environment, &subject.principal, subject.tool.as_str(), &subject.arguments_digest);
        let options = SealOptions::new().associated_data(&bound).ttl(Duration::from_millis(subject.expires.since(now)));
        self.0.seal_json_with(&note, &options).ok()
    }

    /// What a note says, if it was written for this call of this caller.
    pub(crate) fn open(
        &self,
        note: &str,
        environment: Environment,
        principal: &PrincipalId,
        call: &Call,
    ) -> Result<Note, Broken> {
        let digest = call.arguments_digest().ok_or(Broken::Forged)?;
        self.0.open_json_with(note, &bound(environment, principal, call.tool(), &digest)).map_err(|error| match error {
            RequestStateError::Expired => Broken::Expired,
            _ => Broken::Forged,
        })
    }
}

impl Note {
    /// Which approval was asked about.
    pub(crate) fn approval(&self) -> Option<ApprovalId> {
        self.approval.parse().ok()
    }

    /// The digest of what it is an approval of.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}

/// The call, in one form that no other call has.
fn bound(environment: Environment, principal: &PrincipalId, tool: &str, arguments_digest: &str) -> Vec<u8> {
    json!([environment.as_str(), principal.as_str(), tool, arguments_digest]).to_string().into_bytes()
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn call() -> Call {
        Call::new("caldera_create_operation", json!({ "group": "red-lab" }))
    }

    /// Its time is the codec's own, which is the machine's.
    fn subject(expires: Timestamp) -> Subject {
        Subject {
            environment: Environment::Prod,
            principal: "token:ci".parse().unwrap(),
            grant: "red-team".parse().unwrap(),
            plugin: "casemate/caldera".parse().unwrap(),
            plugin_digest: "ab".repeat(32),
            tool: call().tool().parse().unwrap(),
            arguments: call().arguments().clone(),
            arguments_digest: call().arguments_digest().unwrap(),
            plan: json!({ "requests": [] }),
            plan_digest: "cd".repeat(32),
            why: Vec::new(),
            quorum: 1,
            requested: NOW,
            expires,
        }
    }

    fn seal(host: u8) -> Seal {
        Seal::of(&[host; 32]).unwrap()
    }

    fn opened(note: &str, environment: Environment, principal: &str, call: &Call) -> Result<String, Broken> {
        seal(1).open(note, environment, &principal.parse().unwrap(), call).map(|note| note.subject().to_owned())
    }

    #[test]
    fn a_note_opens_for_the_call_it_was_written_for_and_no_other() {
        let subject = subject(NOW.plus_millis(3_600_000));
        let note = seal(1).close(&subject, NOW).unwrap();
        let check = |environment, principal, call: &Call, expected| {
            assert_eq!(opened(&note, environment, principal, call), expected, "{environment} {principal} {call:?}");
        };
        check(Environment::Prod, "token:ci", &call(), Ok(subject.digest().unwrap()));
        check(Environment::Stage, "token:ci", &call(), Err(Broken::Forged));
        check(Environment::Prod, "token:cj", &call(), Err(Broken::Forged));
        check(Environment::Prod, "token:ci", &Call::new("caldera_other", call().arguments().clone()), Err(Broken::Forged));
        check(Environment::Prod, "token:ci", &Call::new(call().tool(), json!({ "group": "other" })), Err(Broken::Forged));
    }

    #[test]
    fn a_changed_note_does_not_open() {
        let note = seal(1).close(&subject(NOW.plus_millis(3_600_000)), NOW).unwrap();
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(opened(&changed, Environment::Prod, "token:ci", &call()), Err(Broken::Forged), "{changed}");
        }
        for other in ["", ".", "rs1..", &note[..note.len() - 1], &format!("{note}.")] {
            assert_eq!(opened(other, Environment::Prod, "token:ci", &call()), Err(Broken::Forged), "{other}");
        }
    }

    #[test]
    fn another_host_or_a_late_day_does_not_open_it() {
        let foreign = seal(2).close(&subject(NOW.plus_millis(3_600_000)), NOW).unwrap();
        assert_eq!(opened(&foreign, Environment::Prod, "token:ci", &call()), Err(Broken::Forged));
        let late = seal(1).close(&subject(NOW), NOW).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(opened(&late, Environment::Prod, "token:ci", &call()), Err(Broken::Expired));
    }
}
