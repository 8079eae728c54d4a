//! The data lake's long running queries: launched, asked for until they are done, and always deleted.
//!
//! Which machine holds a query is said by a header of the first answer, and has to be repeated with every later request. A query that nobody
//! asks for goes away after thirty seconds; a deleted one frees its place at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use casemate_plugin::{
    Context, Failure, Level, Request, Response, path,
    tolerant::{Number, Object, Verbatim},
};
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::{Id, QueryId},
    table::Found,
};

/// The header that says which machine holds a query.
const TAG: &str = "x-dataset-query-forward-tag";
/// How long one answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a query may take: less than the call, so that it can still be deleted.
const LONGEST: Duration = Duration::from_secs(35);
/// How often it is asked for at most: with launching and deleting, less than plugin.toml allows.
const MOST: u32 = 30;
/// Between two requests. SentinelOne takes three a second of one user.
const PAUSES: [Duration; 3] = [Duration::from_millis(400), Duration::from_millis(800), Duration::from_millis(1_500)];

/// What SentinelOne is asked. Without `tenant: false` and an account it looks at every account that the token can see, or at none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Launch<'a> {
    query_type: &'static str,
    tenant: bool,
    account_ids: [&'a str; 1],
    start_time: &'a str,
    end_time: &'a str,
    query_priority: &'static str,
    pq: PowerQuery<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PowerQuery<'a> {
    query: &'a str,
    result_type: &'static str,
}

impl<'a> Launch<'a> {
    pub(crate) fn new(account: &'a Id, (start_time, end_time): (&'a str, &'a str), query: &'a str) -> Self {
        Self {
            query_type: "PQ",
            tenant: false,
            account_ids: [account.as_str()],
            start_time,
            end_time,
            query_priority: "HIGH",
            pq: PowerQuery { query, result_type: "TABLE" },
        }
    }
}

/// How far a query is. What there is to do is called by two names.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct State {
    id: Verbatim<200>,
    steps_completed: Number,
    steps_total: Number,
    total_steps: Number,
    data: Object<Found>,
    error: Object<Trouble>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Trouble {
    message: Verbatim<10_000>,
}

impl State {
    fn read(answer: Response) -> Result<Self, Failure> {
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let state: Self = answer.json()?;
        match state.error.0.message.0 {
            Some(_) => Err(Failure::invalid_arguments(
                "SentinelOne does not accept the query, or gave it up; look at its fields and functions",
            )),
            None => Ok(state),
        }
    }

    fn is_done(&self) -> bool {
        let total = self.steps_total.0.or(self.total_steps.0).unwrap_or_default();
        total > 0 && self.steps_completed.0.unwrap_or_default() >= total
    }
}

/// A status that is no success. The texts beside it are not for us to pass on.
fn refused(answer: &Response) -> Failure {
    match answer.status() {
        400 => Failure::invalid_arguments("SentinelOne does not accept the query; look at its fields and functions"),
        _ => api::failure(answer),
    }
}

/// A query that was launched.
struct Running<'a> {
    cx: &'a Context,
    id: QueryId,
    tag: Option<String>,
}

/// Run a query to its end.
pub(crate) fn run(launch: &Launch<'_>, cx: &Context) -> Result<Found, Failure> {
    let begun = Instant::now();
    let answer = api::lake(cx).post(path!("/sdl/v2/api/queries")).json(launch).timeout(PATIENCE).send()?;
    let tag = answer.header(TAG).filter(|tag| is_tag(tag)).map(str::to_owned);
    let state = State::read(answer)?;
    let Ok(id) = state.id.as_str().parse() else {
        return Err(Failure::upstream("SentinelOne took the query and did not say what it is called; it ends by itself"));
    };
    let running = Running { cx, id, tag };
    let found = running.wait(state, begun);
    running.delete();
    found
}

/// As the contract has it; a query without one is asked for without one.
fn is_tag(tag: &str) -> bool {
    (1..=500).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Running<'_> {
    fn tagged<'r>(&self, request: Request<'r>) -> Request<'r> {
        match &self.tag {
            Some(tag) => request.header(TAG, tag),
            None => request,
        }
    }

    fn wait(&self, mut state: State, begun: Instant) -> Result<Found, Failure> {
        for turn in 0..MOST {
            if state.is_done() {
                return Ok(state.data.0);
            }
            if begun.elapsed() > LONGEST {
                break;
            }
            pause(turn);
            let seen = state.steps_completed.count().unwrap_or_default().min(999_999_999);
            let request = api::lake(self.cx).get(path!("/sdl/v2/api/queries/{}", self.id)).query("lastStepSeen", seen);
            state = State::read(self.tagged(request).timeout(PATIENCE).send()?)?;
            self.cx.progress(state.steps_completed.count().unwrap_or_default().into(), None, "steps of the query");
        }
        if state.is_done() {
            return Ok(state.data.0);
        }
        Err(Failure::unavailable("the query is not done in time; shorten the interval, or narrow its first filter"))
    }

    /// Free what it holds. It would go away by itself, so nobody has to know where that does not work.
    fn delete(&self) {
        let request = api::lake(self.cx).delete(path!("/sdl/v2/api/queries/{}", self.id));
        match self.tagged(request).timeout(PATIENCE).send() {
            Ok(answer) if answer.is_success() || answer.status() == 404 => {}
            Ok(answer) => self.cx.log(Level::Warn, format!("a query was not deleted (status {})", answer.status())),
            Err(error) => self.cx.log(Level::Warn, format!("a query was not deleted: {error}")),
        }
    }
}

/// In a native test there is nobody to wait for.
fn pause(turn: u32) {
    if cfg!(target_family = "wasm") {
        let turn = usize::try_from(turn).unwrap_or(usize::MAX);
        thread::sleep(PAUSES.get(turn).or(PAUSES.last()).copied().unwrap_or_default());
    }
}
