//! Links: one command for one agent, what became of it, and what it printed.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure, FailureKind, clip, clip_lines, path,
    tolerant::{Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{api, field::OperationId};

/// Characters of what one command printed on each of its two outputs.
const PRINTED: usize = 4_000;
/// Bytes of a result in base64: all that an answer of 4 MiB can hold.
const RESULT: usize = 4 * 1024 * 1024;

/// One link, as Caldera sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Link {
    pub(crate) id: Verbatim<64>,
    pub(crate) paw: Verbatim<64>,
    pub(crate) ability: Object<Ability>,
    pub(crate) status: Number,
    host: Text<120>,
    command: Text<500>,
    cleanup: Number,
    decide: Text<30>,
    finish: Text<30>,
    /// The string `True` or `False`.
    output: Text<5>,
}

/// The ability of a link.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ability {
    pub(crate) ability_id: Verbatim<64>,
    name: Text<120>,
    technique_id: Text<20>,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Its agent has not reported a result yet
    Waiting,
    /// A person has to let it go on in Caldera
    Paused,
    /// The command ended with 0
    Succeeded,
    /// The command ended with another status
    Failed,
    /// The command took too long
    TimedOut,
    /// It will not run: thrown away, too visible, or the agent is not trusted
    NotRun,
}

impl Outcome {
    /// The meaning of a status; every other number is what a command ended with.
    fn of(status: Number) -> Self {
        match status.0 {
            Some(0) => Self::Succeeded,
            Some(124) => Self::TimedOut,
            Some(-1) => Self::Paused,
            Some(-2 | -4 | -5) => Self::NotRun,
            Some(-3) | None => Self::Waiting,
            Some(_) => Self::Failed,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for its agent",
            Self::Paused => "waiting for a person",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::NotRun => "not run",
        }
    }
}

/// One link, for people.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    link_id: String,
    pub(crate) paw: String,
    host: String,
    ability_id: String,
    pub(crate) ability: String,
    technique_id: String,
    /// On one line, cut at 500 characters
    command: String,
    pub(crate) outcome: Outcome,
    /// Whether it takes back what another one did
    cleanup: bool,
    /// When it was decided on
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
    /// When its result came
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    /// What it printed, where that was asked for and there is something
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Output>,
}

/// What a command printed. It comes from the machine it ran on, and whoever controls that.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<String>,
    /// Whether more was printed than is here
    cut: bool,
}

impl Link {
    /// Whether there is something printed to ask for.
    pub(crate) fn has_output(&self) -> bool {
        self.output.0.as_deref() == Some("True")
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::of(self.status)
    }

    pub(crate) fn shown(self, output: Option<Output>) -> Shown {
        let outcome = self.outcome();
        let Object(ability) = self.ability;
        Shown {
            link_id: clip(self.id.as_str(), 64),
            paw: clip(self.paw.as_str(), 64),
            host: self.host.0.unwrap_or_default(),
            ability_id: clip(ability.ability_id.as_str(), 64),
            ability: ability.name.0.unwrap_or_default(),
            technique_id: ability.technique_id.0.unwrap_or_default(),
            command: self.command.0.unwrap_or_default(),
            outcome,
            cleanup: self.cleanup.0 == Some(1),
            decided: self.decide.0,
            finished: self.finish.0,
            output,
        }
    }
}

/// `{"link": …, "result": base64}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    result: Verbatim<RESULT>,
}

/// What is inside the base64.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Printed {
    stdout: Verbatim<RESULT>,
    stderr: Verbatim<RESULT>,
    exit_code: Text<12>,
}

/// What a link printed; nothing where Caldera does not have it any more.
pub(crate) fn output(cx: &Context, operation: &OperationId, link: &str) -> Result<Option<Output>, Failure> {
    // A link whose id is no UUID is not Caldera's; the gate would end the whole call for it.
    let Ok(link) = link.parse::<OperationId>() else { return Ok(None) };
    let path = path!("/api/v2/operations/{}/links/{}/result", operation, link);
    let Object(Envelope { result }) = match api::get(cx, path, None, "link") {
        Err(failure) if failure.kind() == FailureKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok(read(result.as_str()))
}

/// A result as it is stored: base64 of JSON; of bare text where an older agent reported it.
fn read(result: &str) -> Option<Output> {
    let bytes = STANDARD.decode(result.trim()).ok().filter(|bytes| !bytes.is_empty())?;
    let text = String::from_utf8_lossy(&bytes);
    let printed = serde_json::from_slice::<Object<Printed>>(&bytes).map(|object| object.0);
    let (stdout, stderr, exit_code) = match &printed {
        Ok(printed) if text.trim_start().starts_with('{') => {
            (printed.stdout.as_str(), printed.stderr.as_str(), printed.exit_code.0.clone())
        }
        Ok(_) | Err(_) => (text.as_ref(), "", None),
    };
    let cut = [stdout, stderr].iter().any(|text| text.chars().count() > PRINTED);
    Some(Output { stdout: clip_lines(stdout, PRINTED), stderr: clip_lines(stderr, PRINTED), exit_code, cut })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn statuses_mean_what_caldera_means() {
        for (status, expected) in [
            (Some(-5), Outcome::NotRun),
            (Some(-4), Outcome::NotRun),
            (Some(-3), Outcome::Waiting),
            (Some(-2), Outcome::NotRun),
            (Some(-1), Outcome::Paused),
            (Some(0), Outcome::Succeeded),
            (Some(1), Outcome::Failed),
            (Some(124), Outcome::TimedOut),
            (Some(127), Outcome::Failed),
            (None, Outcome::Waiting),
        ] {
            assert_eq!(Outcome::of(Number(status)), expected, "{status:?}");
        }
    }

    #[test]
    fn results_are_decoded_and_bounded() {
        let packed = |value: &str| STANDARD.encode(value);
        let json = |stdout: &str| packed(&json!({ "stdout": stdout, "stderr": "e", "exit_code": "0" }).to_string());
        let found = read(&json("a\nb")).unwrap();
        assert_eq!((found.stdout.as_str(), found.stderr.as_str(), found.exit_code.as_deref()), ("a\nb", "e", Some("0")));
        assert!(!found.cut);
        let found = read(&json(&"x".repeat(PRINTED + 1))).unwrap();
        assert!(found.cut && found.stdout.chars().count() == PRINTED);
        assert_eq!(read(&packed("plain text")).unwrap().stdout, "plain text");
        assert_eq!(read(&packed("[1]")).unwrap().stdout, "[1]");
        assert_eq!(read(&packed("{\"stdout\": 7}")).unwrap().stdout, "");
        assert!(!read(&json("a\u{1b}[31m\u{202e}b")).unwrap().stdout.contains(['\u{1b}', '\u{202e}']));
        for nothing in ["", "not base64!", "===="] {
            assert!(read(nothing).is_none(), "{nothing}");
        }
    }
}
