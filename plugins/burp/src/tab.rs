//! Putting a copy of a recorded request where people work on it: into a tab of Burp's Repeater. It sends nothing.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Readable,
    field::{Line, List},
    leak,
    traffic::{Headers, HostName, Parameter, RequestPath},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    copy::{self, NewBody, Number, Port, Wanted},
    replay::yes,
};

const TAB: Change = Change {
    service: "Burp",
    unknown: "there may be a tab in Burp's Repeater, which has sent nothing",
    patience: Duration::from_secs(20),
};

/// Arguments of `create_repeater_tab`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The number that get_proxy_history gave
    number: Number,
    /// The host that it names. A copy cannot be for another one
    host: HostName,
    /// The port that it names; without one, 443, or 80 where https is false. A copy cannot be for another one
    port: Port,
    /// What the tab is called, behind `casemate: `
    title: Line<60>,
    /// Whether it goes over TLS, as it does where this is left out
    #[serde(default = "yes")]
    https: bool,
    /// Another path; the query stays
    #[serde(default)]
    path: Option<RequestPath>,
    /// Parameters of the query that get another value; the others stay. None that is a credential
    #[serde(default)]
    query: List<Parameter, 8>,
    /// Headers that get another value; the others stay. No backslashes
    #[serde(default)]
    headers: Option<Headers>,
    /// Another body, of a POST, PUT, PATCH or DELETE. ASCII; its lines end with CRLF
    #[serde(default)]
    body: Option<NewBody>,
}

/// The tab that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The recorded request that a copy is of
    copy_of: Number,
    tab: String,
    /// What is in it, in a few words
    request: String,
}

pub(crate) fn create(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Arguments { number, host, port, title, https, path, query, headers, body } = &args;
    if let Some(what) = leak::found(title.as_str()) {
        return Err(Failure::invalid_arguments(format!("nothing was sent: the title holds {what}")));
    }
    let (number, port, https) = (*number, *port, *https);
    let (path, headers, body) = (path.as_ref(), headers.as_ref(), body.as_ref());
    let copy = copy::copy(cx, &Wanted { number, host, port, https, path, query, headers, body })?;
    let tab = format!("casemate: {title}");
    let arguments = copy.arguments(Some(("tabName", tab.clone())));
    api::change(cx, TAB, "create_repeater_tab", &arguments, &copy.shown())?;
    Ok(Report { copy_of: number, tab, request: copy.words })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { tab, request, .. } = self;
        format!("`{tab}` is a tab of Burp's Repeater: {request}; nothing was sent")
    }
}
