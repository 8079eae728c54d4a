//! One test on one machine: a shell, one command in it, what that printed, and the end of both.

use std::{
    thread,
    time::{Duration, Instant},
};

use casemate_plugin::{
    Change, Context, Failure, Readable, Request, Response, SendError, clip_lines,
    field::{TechniqueId, Uuid},
    path,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue,
    script::{self, Action, Computer},
    wsman::{self, Answer, Id, Message, Output, WAIT},
    xml::Element,
};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "atomic";
/// How long output is asked for. WinRM answers at once where there is some, and after [`WAIT`] seconds where there is none: a test that
/// prints nothing is asked about the last time after 32 seconds, until 36.
const LONGEST: Duration = Duration::from_secs(34);
/// Between an answer with output and the next question, so that what is printed line by line is not asked for line by line.
const PAUSE: Duration = Duration::from_millis(1_300);
/// Questions for output, of which there is at most one in [`PAUSE`]; with what begins and ends a test, as many requests as a call may make.
const ASKED: usize = 28;
/// Characters of each stream that are shown.
const SHOWN: usize = 20_000;
/// Bytes of each stream that are kept until then.
const KEPT: usize = 1 << 20;
/// In a plan, where no machine was asked what it calls them.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// How long the machine has to make a shell, or to begin a command.
const PATIENCE: Duration = Duration::from_secs(7);

/// The one change that matters: a command that is begun runs, whoever hears of it.
fn change(action: Action) -> Change {
    let unknown = match action {
        Action::CheckPrerequisites => "the check may have run, or may still run; it begins no test",
        Action::Invoke => "the test may have run, or may still run; look at the machine, and clean up",
        Action::Cleanup => "the cleanup may have run, or may still run; look at the machine, and clean up again",
    };
    Change { service: "the machine", unknown, patience: PATIENCE }
}

/// Arguments of `check_prerequisites`, `invoke_test` and `cleanup_test`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The Windows computer's name, as the operator has set it
    host: Computer,
    /// The technique
    technique: TechniqueId,
    /// The test's id in the catalogue
    test: Uuid,
}

/// The operator's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The computer that the upstream is.
    computer: Computer,
}

/// What the machine said.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    host: String,
    technique: TechniqueId,
    test: Uuid,
    name: String,
    /// Whether it ended by itself; otherwise it was ended after some 36 seconds, and may have done a part
    finished: bool,
    /// PowerShell's exit code
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    /// What it printed, cut at 20,000 characters
    stdout: String,
    stderr: String,
    /// Whether there is a cleanup for it
    has_cleanup: bool,
}

pub(crate) fn run(action: Action, args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Arguments { host, technique, test } = args;
    let Settings { computer } = cx.settings()?;
    if host != computer {
        return Err(Failure::invalid_arguments(format!(
            "nothing was run: the operator has bound `{computer}`, and not `{host}`"
        )));
    }
    let known = catalogue::technique(cx, &technique)?.test(&test)?;
    if !known.runs_on("windows") || known.executor == "manual" {
        return Err(Failure::invalid_arguments("nothing was run: this test is not one that runs by itself on Windows"));
    }
    if action == Action::Cleanup && known.cleanup_command.is_empty() {
        return Err(Failure::invalid_arguments("nothing was run: this test has no cleanup"));
    }
    let session = Session { cx, action, computer: &computer, technique: &technique, test: &test };
    let output = session.run()?;
    if output.exit == Some(script::OTHER_MACHINE) && output.stdout.is_empty() {
        return Err(Failure::upstream(format!(
            "nothing was run: the machine there is another than `{computer}`; the operator has to look"
        )));
    }
    let shown = |bytes: &[u8]| clip_lines(&String::from_utf8_lossy(bytes), SHOWN);
    Ok(Report {
        host: computer.to_string(),
        name: known.name,
        finished: output.done,
        exit_code: output.exit,
        stdout: shown(&output.stdout),
        stderr: shown(&output.stderr),
        has_cleanup: !known.cleanup_command.is_empty(),
        technique,
        test,
    })
}

struct Session<'a> {
    cx: &'a Context,
    action: Action,
    computer: &'a Computer,
    technique: &'a TechniqueId,
    test: &'a Uuid,
}

/// What came back to a message.
enum Said {
    Answer(Element),
    /// Nothing was sent: what the manifest assumes in a plan.
    Assumed,
}

impl Session<'_> {
    fn run(&self) -> Result<Output, Failure> {
        let shell = match self.say("create", &Message::Create, |request| request) {
            Ok(Said::Answer(answer)) => wsman::shell(&answer)
                .ok_or_else(|| Failure::upstream("nothing was run: the machine made a shell and did not name it"))?,
            Ok(Said::Assumed) => NOBODY.parse()?,
            Err(Trouble::Refused(failure) | Trouble::Unsent(failure)) => return Err(failure),
            Err(Trouble::Unclear(why)) => return Err(Failure::upstream(format!("nothing was run: {why}"))),
        };
        let (command, planned) = self.begin(&shell)?;
        let output = if planned { Ok(Output::default()) } else { self.output(&shell, &command) };
        // What was printed is known by now or never, and a shell that nobody asks ends by itself.
        let ended = self.say("signal", &Message::Signal { shell: &shell, command: &command }, |request| request);
        let closed = self.say("delete", &Message::Delete { shell: &shell }, |request| request);
        let mut output = output?;
        if !output.done && (ended.is_err() || closed.is_err()) {
            return Err(change(self.action).unknown("it was still running, and the machine did not say that it ended it"));
        }
        output.stdout.truncate(KEPT);
        output.stderr.truncate(KEPT);
        Ok(output)
    }

    /// Begin the command. The host is told in words what is in it.
    fn begin(&self, shell: &Id) -> Result<(Id, bool), Failure> {
        let script = script::script(self.action, self.computer, self.technique, self.test);
        let encoded = script::encoded(&script);
        let message = Message::Command { shell, encoded: &encoded };
        let said = self.say(self.action.step(), &message, |request| {
            request.query("technique", self.technique).header("x-casemate-script", &script)
        });
        match said {
            Ok(Said::Answer(answer)) => {
                let command = wsman::command(&answer)
                    .ok_or_else(|| change(self.action).unknown("the machine took the command and did not name it"))?;
                Ok((command, false))
            }
            Ok(Said::Assumed) => Ok((NOBODY.parse()?, true)),
            Err(Trouble::Refused(failure) | Trouble::Unsent(failure)) => Err(failure),
            Err(Trouble::Unclear(why)) => Err(change(self.action).unknown(&why)),
        }
    }

    /// What the command prints, until it ends or nobody waits any longer.
    fn output(&self, shell: &Id, command: &Id) -> Result<Output, Failure> {
        let mut all = Output::default();
        let begun = Instant::now();
        for _ in 0..ASKED {
            if begun.elapsed() >= LONGEST {
                break;
            }
            let answer = match self.say("receive", &Message::Receive { shell, command }, |request| request) {
                Ok(Said::Answer(answer)) => answer,
                Ok(Said::Assumed) => return Err(change(self.action).unknown("the machine's answer makes no sense")),
                Err(Trouble::Refused(failure)) if failure.code().is_some_and(wsman::is_waiting) => continue,
                Err(Trouble::Refused(_) | Trouble::Unsent(_)) => {
                    return Err(change(self.action).unknown("the machine does not give out what the test prints"));
                }
                Err(Trouble::Unclear(why)) => return Err(change(self.action).unknown(&why)),
            };
            let output = wsman::output(&answer, command)
                .ok_or_else(|| change(self.action).unknown("the machine's answer makes no sense"))?;
            all.stdout.extend(output.stdout);
            all.stderr.extend(output.stderr);
            all.stdout.truncate(KEPT);
            all.stderr.truncate(KEPT);
            if output.done {
                return Ok(Output { done: true, exit: output.exit, ..all });
            }
            pause();
        }
        Ok(all)
    }

    fn say<'s>(
        &'s self,
        step: &str,
        message: &Message<'_>,
        with: impl FnOnce(Request<'s>) -> Request<'s>,
    ) -> Result<Said, Trouble> {
        let request = self.cx.upstream(UPSTREAM).post(path!("/wsman")).query("step", step).query("host", self.computer);
        let request = with(request).body("application/soap+xml; charset=utf-8", message.envelope(self.test).into_bytes());
        let patience = match message {
            Message::Create | Message::Command { .. } => PATIENCE,
            Message::Receive { .. } => Duration::from_secs(u64::from(WAIT) + 2),
            Message::Signal { .. } | Message::Delete { .. } => Duration::from_secs(4),
        };
        match request.timeout(patience).send() {
            Ok(answer) => understood(&answer),
            Err(SendError::TimedOut(_)) => Err(Trouble::Unclear("the machine did not answer in time".to_owned())),
            Err(SendError::Broken(_) | SendError::TooLarge(_)) => {
                Err(Trouble::Unclear("the machine's answer broke off".to_owned()))
            }
            Err(error @ (SendError::Refused | SendError::Unreachable(_) | SendError::Invalid(_) | SendError::Path(_))) => {
                Err(Trouble::Unsent(error.into()))
            }
        }
    }
}

/// In a native test there is nobody to wait for.
fn pause() {
    if cfg!(target_family = "wasm") {
        thread::sleep(PAUSE);
    }
}

/// Why there is no answer.
enum Trouble {
    /// The machine says no.
    Refused(Failure),
    /// Nothing reached it.
    Unsent(Failure),
    /// It may have done what it was asked.
    Unclear(String),
}

fn understood(answer: &Response) -> Result<Said, Trouble> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Assumed {
        assumed: bool,
    }
    let refused = |failure| Err(Trouble::Refused(failure));
    match answer.status() {
        401 => return refused(Failure::unauthorized("the machine refused the credentials; the operator has to look")),
        403 => return refused(Failure::unauthorized("the machine does not let this user do that")),
        404 | 405 | 411 | 415 => return refused(Failure::upstream("what is there is not WinRM; the operator has to look")),
        _ => {}
    }
    if serde_json::from_slice::<Assumed>(answer.bytes()).is_ok_and(|answer| answer.assumed) {
        return Ok(Said::Assumed);
    }
    match Answer::read(answer.status(), answer.bytes()) {
        Answer::Envelope(envelope) => Ok(Said::Answer(envelope)),
        Answer::Fault(code) => {
            let failure = match code.as_str() {
                "5" => Failure::unauthorized("the machine denies access to its shell"),
                _ => Failure::upstream(format!("the machine refused with the fault {code}")),
            };
            refused(failure.with_code(&code))
        }
        Answer::Nothing => {
            Err(Trouble::Unclear(format!("the machine answered with status {} and nothing of sense", answer.status())))
        }
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { host, technique, test, name, finished, exit_code, stdout, stderr, has_cleanup } = self;
        let how = match (finished, exit_code) {
            (true, Some(code)) => format!("ended with exit code {code}"),
            (true, None) => "ended".to_owned(),
            (false, _) => "was ended before it was done, and may have done a part".to_owned(),
        };
        let cleanup = if *has_cleanup { "; there is a cleanup for it" } else { "" };
        let mut text = format!("{technique} {name} ({test}) on {host} {how}{cleanup}");
        for (name, stream) in [("stdout", stdout), ("stderr", stderr)] {
            if !stream.trim().is_empty() {
                text.push_str(&format!("\n{name}:\n{stream}"));
            }
        }
        text
    }
}
