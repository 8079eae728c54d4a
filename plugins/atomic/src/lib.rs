//! Atomic Red Team: a catalogue of tests of ATT&CK techniques, and running one on a Windows machine through WinRM.
//!
//! What is run is one line of PowerShell, made of a technique's id and a test's id, both in the catalogue: there is no place in it for
//! anything else that a caller says. A command that was begun runs, whoever hears of it; whatever is not heard is said not to be known.

mod catalogue;
mod detail;
mod listing;
mod script;
mod session;
mod wsman;
mod xml;

use casemate_plugin::{Context, Failure, plugin, tool};

use crate::script::Action;

/// Find tests of Atomic Red Team in the catalogue that the operator bound, by technique, platform and words of their names. An answer has
/// 60 tests at most.
#[tool(effect = read, idempotent, title = "Find atomic tests")]
pub fn search_tests(args: listing::Arguments, cx: &Context) -> Result<listing::Found, Failure> {
    listing::search(args, cx)
}

/// Show one test: what it would run, with which arguments, what it needs, and how it is taken back.
#[tool(effect = read, idempotent, title = "Show an atomic test")]
pub fn show_test(args: detail::Arguments, cx: &Context) -> Result<detail::Shown, Failure> {
    detail::show(args, cx)
}

/// Check on a granted machine whether a test's prerequisites are there. It runs the checks of Invoke-AtomicTest, and gets nothing.
#[tool(effect = execute, title = "Check an atomic test's prerequisites")]
pub fn check_prerequisites(args: session::Arguments, cx: &Context) -> Result<session::Report, Failure> {
    session::run(Action::CheckPrerequisites, args, cx)
}

/// Run one test on a granted machine, for a granted technique, with its default arguments. It attacks that machine as the test's
/// description says, for 30 seconds at most. Clean up afterwards with cleanup_test.
#[tool(effect = destructive, title = "Run an atomic test")]
pub fn invoke_test(args: session::Arguments, cx: &Context) -> Result<session::Report, Failure> {
    session::run(Action::Invoke, args, cx)
}

/// Take back on a granted machine what a test left there, by the test's own cleanup.
#[tool(effect = execute, title = "Clean up after an atomic test")]
pub fn cleanup_test(args: session::Arguments, cx: &Context) -> Result<session::Report, Failure> {
    session::run(Action::Cleanup, args, cx)
}

plugin!(search_tests, show_test, check_prerequisites, invoke_test, cleanup_test);
