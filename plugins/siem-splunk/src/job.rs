//! A search from its beginning to its end: begun, waited for, read, and ended whatever came of it.

use std::{
    thread,
    time::{Duration, Instant},
};

use casemate_plugin::{
    Context, Failure, Level, path,
    tolerant::{Few, Flag, Number, Object, Text, Verbatim},
};
use serde::Deserialize;

use crate::{
    api,
    field::SearchId,
    found::{Found, Page},
    search::Search,
};

/// Before each look at a search; the last again and again.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
];
/// Looks at a search; with what begins, reads and ends it, as many requests as a call may make.
const LOOKS: usize = 21;
/// A search that takes longer is ended. Splunk finalizes it by itself at about the same time (`max_time`).
const LONGEST: Duration = Duration::from_secs(45);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Begun {
    sid: Verbatim<80>,
}

/// `{"entry": [{"content": {…}}]}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Looked {
    entry: Few<Object<Entry>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    content: Object<State>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct State {
    dispatch_state: Text<20>,
    is_done: Flag,
    is_failed: Flag,
    is_finalized: Flag,
    event_count: Number,
    scan_count: Number,
}

/// A search that was begun.
struct Job<'a> {
    cx: &'a Context,
    id: SearchId,
}

/// Run a search to its end.
pub(crate) fn run(search: Search, cx: &Context) -> Result<Found, Failure> {
    let job = Job::begin(&search, cx)?;
    let found = job.wait().and_then(|state| {
        let page = job.results(search.rows + 1)?;
        Ok(Found::new(page, search, state.event_count.count(), state.is_finalized.0.unwrap_or_default()))
    });
    job.end();
    found
}

impl<'a> Job<'a> {
    fn begin(search: &Search, cx: &'a Context) -> Result<Self, Failure> {
        let (from, to) = (search.from.as_unix().to_string(), search.to.as_unix().to_string());
        let form = [
            ("search", search.text.as_str()),
            ("earliest_time", &from),
            ("latest_time", &to),
            ("exec_mode", "normal"),
            ("search_mode", "normal"),
            ("output_mode", "json"),
            ("max_count", "501"),
            ("max_time", "45"),
            ("auto_cancel", "60"),
            ("timeout", "60"),
            ("preview", "0"),
        ];
        let Begun { sid } = api::read(api::splunk(cx).post(path!("/services/search/v2/jobs")).form(form))?;
        match sid.as_str().parse() {
            Ok(id) => Ok(Self { cx, id }),
            Err(_) => Err(Failure::upstream("Splunk took the search and did not say what it is called; it ends by itself")),
        }
    }

    /// Until it is done, or has failed, or takes too long.
    fn wait(&self) -> Result<State, Failure> {
        let begun = Instant::now();
        for look in 0..LOOKS {
            pause(look);
            let request = api::splunk(self.cx).get(path!("/services/search/v2/jobs/{}", self.id)).query("output_mode", "json");
            let Looked { entry } = api::read(request)?;
            let Object(Entry { content: Object(state) }) = entry.0.into_iter().next().unwrap_or_default();
            if state.is_failed.0 == Some(true) || state.dispatch_state.0.as_deref() == Some("FAILED") {
                let why = "Splunk could not run the query as it is written; look at the arguments of its commands and functions";
                return Err(Failure::invalid_arguments(why).with_code("search-failed"));
            }
            if state.is_done.0 == Some(true) {
                return Ok(state);
            }
            self.cx.progress(state.scan_count.count().unwrap_or_default().into(), None, "events were looked at");
            if begun.elapsed() > LONGEST {
                break;
            }
        }
        Err(Failure::unavailable("the search is not done in time; narrow its window, or what it searches for"))
    }

    fn results(&self, rows: u32) -> Result<Page, Failure> {
        let request = api::splunk(self.cx).get(path!("/services/search/v2/jobs/{}/results", self.id));
        api::read(request.query("output_mode", "json").query("count", rows))
    }

    /// Free what it holds. It would go away by itself, so nobody has to know where that does not work.
    fn end(&self) {
        let request = api::splunk(self.cx).post(path!("/services/search/v2/jobs/{}/control", self.id));
        if let Err(failure) = api::tell(request.form([("action", "cancel"), ("output_mode", "json")])) {
            self.cx.log(Level::Warn, format!("a search was not ended: {failure}"));
        }
    }
}

/// In a native test there is nobody to wait for.
fn pause(look: usize) {
    if cfg!(target_family = "wasm") {
        thread::sleep(PAUSES.get(look).or(PAUSES.last()).copied().unwrap_or_default());
    }
}
