//! VictoriaLogs' HTTP API: how it is asked, and what its statuses mean.

use casemate_plugin::{Context, Failure, Response, path};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "siem-victorialogs";
/// After which the server gives up: before the call has to end.
pub(crate) const TIMEOUT: &str = "25s";

/// Ask, as a tenant: its `AccountID` and its `ProjectID`.
pub(crate) fn query<'f>(
    cx: &Context,
    tenant: (&str, &str),
    form: impl IntoIterator<Item = (&'f str, &'f str)>,
) -> Result<Response, Failure> {
    let (account, project) = tenant;
    let request = cx.upstream(UPSTREAM).post(path!("/select/logsql/query"));
    let answer = request.header("accountid", account).header("projectid", project).form(form).send()?;
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    // Nothing found is an empty answer, so that it is one of VictoriaLogs' is said by its type alone.
    let kind = answer.header("content-type").unwrap_or_default();
    if ["application/stream+json", "application/x-ndjson"].iter().any(|known| kind.starts_with(known)) {
        Ok(answer)
    } else {
        Err(Failure::upstream("what answered does not send JSON lines; is it VictoriaLogs?"))
    }
}

/// A status that is no success, in words. What it says besides quotes the query, and is not for us to pass on.
fn failure(answer: &Response) -> Failure {
    match answer.status() {
        400 | 422 => Failure::invalid_arguments("VictoriaLogs cannot read this query, or it took too long"),
        401 => Failure::unauthorized("VictoriaLogs refused the user or the password; the operator has to look at them"),
        403 => Failure::unauthorized("this user may not query VictoriaLogs"),
        404 => Failure::upstream("there is no VictoriaLogs here; the operator has to look at the origin"),
        429 => Failure::rate_limited("VictoriaLogs wants fewer searches"),
        502 => Failure::unavailable("a part of VictoriaLogs' storage cannot be reached, so it does not answer at all"),
        500..=599 => Failure::unavailable(format!("VictoriaLogs is out of order or busy (status {})", answer.status())),
        status => Failure::upstream(format!("VictoriaLogs answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}
