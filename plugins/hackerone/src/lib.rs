//! HackerOne, as a hacker sees it: the reports that were submitted, and submitting another one.
//!
//! The tools are glue; each module holds one of them. A report that is submitted is read by people who are paid to read it and cannot be
//! taken back, so what has no weakness, no proof of concept or no impact in it is not even shown to whoever would have to agree.

mod api;
mod completeness;
mod field;
mod report;
mod reports;
mod submission;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the reports that this HackerOne account has submitted, newest first as HackerOne gives them, 50 at a time. Where a program or a
/// state is given, only those of it are listed; the answer says whether there is another page.
#[tool(effect = read, idempotent, title = "HackerOne reports")]
pub fn list_reports(args: reports::Arguments, cx: &Context) -> Result<reports::Listing, Failure> {
    reports::list(args, cx)
}

/// Show one report that this HackerOne account can see: its state, severity, weakness, program, dates and what it says.
#[tool(effect = read, idempotent, title = "HackerOne report")]
pub fn get_report(args: report::Arguments, cx: &Context) -> Result<report::Report, Failure> {
    report::get(args, cx)
}

/// Prepare a vulnerability report for a program. Nothing is sent by the call itself: it waits as an approval that shows a person the
/// whole report, and is submitted when it is agreed to and asked for again. The text has to name a CWE or CVE, has to have a section
/// with a proof of concept or steps to reproduce, and the impact has to be said. A submitted report cannot be taken back.
#[tool(effect = destructive, title = "Submit a HackerOne report")]
pub fn submit_report(args: submission::Arguments, cx: &Context) -> Result<submission::Submitted, Failure> {
    submission::submit(args, cx)
}

plugin!(list_reports, get_report, submit_report);
