//! The query API of Log Analytics, version 1: what its statuses and errors mean.

use casemate_plugin::{Context, Failure, Response, Upstream};
use serde_json::Value;

use crate::answer::Answer;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "siem-sentinel";
/// Seconds after which the service gives up: before the call has to end.
pub(crate) const PREFER: &str = "wait=50";
/// Bytes of an error that are read.
const ERROR: usize = 64 << 10;
/// Errors inside of one another.
const DEPTH: usize = 4;

pub(crate) fn sentinel(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// What was found, or why there is nothing. `sent` is the query.
pub(crate) fn read(answer: Response, sent: &str) -> Result<Answer, Failure> {
    if !answer.is_success() {
        return Err(failure(&answer, sent));
    }
    let answer: Answer = answer.json()?;
    match answer.fault() {
        Some(code) => Err(Failure::upstream("Sentinel broke the search off and found nothing").with_code(code)),
        None => Ok(answer),
    }
}

/// A status that is no success, in words.
fn failure(answer: &Response, sent: &str) -> Failure {
    let error = Error::of(answer);
    match answer.status() {
        400 => Failure::invalid_arguments(match error.unknown(sent) {
            Some(name) => format!("Sentinel knows no `{name}` in this table or behind what is before it"),
            None if error.is("SyntaxError") => "Sentinel cannot read this query".to_owned(),
            None => "Sentinel does not accept this query: a column, a type or the number of arguments may be wrong".to_owned(),
        }),
        401 => Failure::unauthorized("Sentinel refused the app's token; the operator has to look at its client id and secret"),
        403 => {
            Failure::unauthorized("the app may not read this workspace; the operator has to give it Log Analytics Reader there")
        }
        404 => Failure::not_found("Sentinel does not know this workspace"),
        429 => Failure::rate_limited("Sentinel wants fewer searches"),
        504 => Failure::unavailable("Sentinel did not find the end of the search in time; ask for less, or for a shorter window"),
        500..=599 => Failure::unavailable(format!("Sentinel is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("Sentinel answered with status {status}")),
    }
    .with_code(error.code())
    .with_retry_after(answer.retry_after())
}

/// `{"error": {"code": "BadArgumentError", "innererror": {"code": "SemanticError", "innererror": {…}}}}`: outermost first. The texts are not
/// for us to pass on; which name is unknown is, where it is one that was sent.
struct Error(Vec<(String, String)>);

impl Error {
    fn of(answer: &Response) -> Self {
        let bytes = answer.bytes();
        let whole: Value = if bytes.len() > ERROR { Value::Null } else { serde_json::from_slice(bytes).unwrap_or_default() };
        let mut errors = Vec::new();
        let mut next = whole.get("error");
        while let Some(error) = next.filter(|_| errors.len() < DEPTH) {
            let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            errors.push((text("code"), text("message")));
            next = error.get("innererror");
        }
        Self(errors)
    }

    /// The outermost code. Codes of the engine inside are numbers.
    fn code(&self) -> &str {
        self.0.first().map(|(code, _)| code.as_str()).unwrap_or_default()
    }

    fn is(&self, code: &str) -> bool {
        self.0.iter().any(|(known, _)| known == code)
    }

    /// `Failed to resolve … named 'Foo'`, where there is a word `Foo` in the query.
    fn unknown(&self, sent: &str) -> Option<String> {
        let is_word = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
        let message = self.0.iter().map(|(_, message)| message).find(|message| message.contains("named '"))?;
        let name = message.split("named '").nth(1)?.split('\'').next()?;
        sent.split(|letter| !is_word(letter)).find(|word| *word == name && !word.is_empty()).map(str::to_owned)
    }
}
