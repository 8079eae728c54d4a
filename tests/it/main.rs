//! Casemate from outside: the built program, signed packages, a real MCP client over stdio, and upstreams that record what reached them.
//!
//! Nothing in here knows the host's insides. A test says what a guest does and asserts what the client was told, what reached the
//! upstream, and that the next call is served; [`harness`] adds to every test, as it ends, that no secret is anywhere and that the
//! audit log verifies.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod approvals;
mod arguments;
mod atomic;
mod audit_log;
mod authors;
mod budgets;
mod burp;
mod caido;
mod caldera;
mod cli;
mod client_rules;
mod composition;
mod conduct;
mod console;
mod details;
mod firewall;
mod foretold;
mod forwarding;
mod github;
mod grants;
mod guests;
mod hackerone;
mod halfway;
mod harness;
mod ip_reputation;
mod isolation;
mod layers;
mod lifecycle;
mod limacharlie;
mod live;
mod logs;
mod made_of;
mod misp;
mod mitmproxy;
mod names;
mod oauth;
mod operator_rules;
mod pages;
mod postgres;
mod posture;
mod recording;
mod redteam;
mod revocation_lists;
mod screened;
mod secrets;
mod sentinelone;
mod setup;
mod shodan;
mod siem;
mod sigma;
mod signing;
mod slack;
mod stdout;
mod stopping;
mod stratus;
mod surface;
mod tampering;
mod telemetry;
mod terminal;
mod threats;
mod top;
mod transport;
