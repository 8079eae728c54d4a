//! Changes: requests whose outcome somebody has to know.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Failure, Request, Response, SendError};

/// The code of a failure after which nobody knows what happened.
const UNKNOWN: &str = "outcome-unknown";

/// One change that an upstream is asked for, and what a person can do when its outcome is not known.
///
/// It is sent once. Whatever comes back that is neither a refusal nor what was asked for leaves the outcome unknown: an upstream need
/// not give up what its client has given up on.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Who is asked, as people call it: `Caldera`.
    pub service: &'static str,
    /// What may have happened, and how to find out.
    pub unknown: &'static str,
    /// How long the answer may take to begin.
    pub patience: Duration,
}

impl Change {
    /// Send the one request of the change. Where the upstream says no, `refused` says what that means.
    ///
    /// # Errors
    /// What `refused` says; what is wrong with a request that was not sent; that the outcome is not known.
    pub fn send<T: DeserializeOwned>(
        &self,
        request: Request<'_>,
        refused: impl FnOnce(&Response) -> Failure,
    ) -> Result<T, Failure> {
        let Self { service, .. } = self;
        let answer = match request.timeout(self.patience).send() {
            Ok(answer) if answer.status() >= 500 => return Err(self.unknown(&format!("{service} failed while it worked on it"))),
            Ok(answer) => answer,
            Err(SendError::TimedOut(_)) => return Err(self.unknown(&format!("{service} did not answer in time"))),
            Err(SendError::Broken(_) | SendError::TooLarge(_)) => {
                return Err(self.unknown(&format!("{service}'s answer broke off")));
            }
            // Nothing was sent.
            Err(error @ (SendError::Refused | SendError::Unreachable(_) | SendError::Invalid(_) | SendError::Path(_))) => {
                return Err(error.into());
            }
        };
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        answer.json().map_err(|_| self.unknown(&format!("{service} took it and gave an answer that cannot be read")))
    }

    /// Nobody knows what happened. No kind that invites another try.
    pub fn unknown(&self, why: &str) -> Failure {
        Failure::upstream(format!("outcome unknown: {why}; {}; do not call again before that is known", self.unknown))
            .with_code(UNKNOWN)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Context, FailureKind, path,
        testing::{Answer, ScriptedUpstream, answer, fault, post},
    };

    const PATIENCE: Duration = Duration::from_secs(10);
    const CHANGE: Change = Change { service: "Files", unknown: "a file may exist now", patience: PATIENCE };

    fn change(answer: Answer) -> Result<Value, Failure> {
        let files = ScriptedUpstream::new("files").expect(post("/files").json(json!({})).timeout(PATIENCE), answer);
        let cx = Context::scripted([&files]);
        CHANGE.send(cx.upstream("files").post(path!("/files")).json(&json!({})), Response::failure)
    }

    #[test]
    fn what_is_said_is_known() {
        assert_eq!(change(answer(201).json(&json!({ "id": 1 }))).unwrap(), json!({ "id": 1 }));
        for (status, kind) in [(404, FailureKind::NotFound), (403, FailureKind::Unauthorized), (302, FailureKind::Upstream)] {
            let failure = change(answer(status)).unwrap_err();
            assert_eq!((failure.kind(), failure.code()), (kind, None), "{status}");
        }
        assert_eq!(change(fault(SendError::Unreachable("files"))).unwrap_err().kind(), FailureKind::Unavailable);
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        for answer in [
            answer(500),
            answer(200).body("{"),
            fault(SendError::TimedOut("files")),
            fault(SendError::Broken("files")),
            fault(SendError::TooLarge("files")),
        ] {
            let failure = change(answer).unwrap_err();
            assert_eq!((failure.kind(), failure.code()), (FailureKind::Upstream, Some("outcome-unknown")));
            assert!(failure.message().contains("a file may exist now"), "{failure}");
        }
    }
}
