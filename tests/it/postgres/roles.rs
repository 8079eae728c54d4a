//! Who is let in, and as whom: by SCRAM alone, and as nobody who reaches more than tables.

use serde_json::json;

use super::{Desk, query};
use crate::harness::Postgres;

const ORDERS: &str = "SELECT customer FROM public.orders";

/// The call ends without an answer, nothing of it was run, and the operator's log says this.
#[track_caller]
fn refused(desk: &Desk, part: &str) {
    desk.query(ORDERS, &["public.orders"]).silent(&[part, "Ada", "casemate_"]).ended("error", "unavailable", &[]);
    assert!(!desk.postgres.ran("customer"), "{}", desk.postgres.log());
    let audit = desk.audit();
    assert!(audit.contains(part), "`{part}` is not in {audit}");
}

#[test]
fn a_role_that_reaches_more_than_tables_is_refused() {
    for role in
        ["casemate_super", "casemate_files", "casemate_programs", "casemate_killer", "casemate_operator", "casemate_master"]
    {
        let desk = Desk::of(role);
        refused(&desk, "is a member of `");
    }
}

#[test]
fn a_server_that_does_not_ask_for_scram_is_refused() {
    for role in ["casemate_trusted", "casemate_clear", "casemate_md5"] {
        let desk = Desk::of(role);
        refused(&desk, "SCRAM-SHA-256");
        // Whoever asks for the password gets none.
        assert!(role == "casemate_trusted" || desk.postgres.authenticated() == 0, "{}", desk.postgres.log());
    }
}

#[test]
fn a_wrong_password_is_told_without_a_word_more() {
    let desk = Desk::beside("casemate_reader", |_| Postgres::start("another password"), |house| house);
    let wrong = desk.query(ORDERS, &["public.orders"]).silent(&["casemate_reader"]).ended("error", "unauthorized", &["password"]);
    let nobody = Desk::of("nobody_at_all").query(ORDERS, &["public.orders"]).ended("error", "unauthorized", &[]);
    assert_eq!(Desk::words(&wrong), Desk::words(&nobody), "a name that is known and one that is not look the same");
    assert_eq!(desk.postgres.authenticated(), 0);
}

#[test]
fn a_database_that_is_not_there_or_not_open_is_told() {
    let desk = Desk::new();
    for (database, reason) in [("nowhere", "not-found"), ("closed", "unauthorized")] {
        let mut arguments = query(ORDERS, &["public.orders"]);
        arguments["database"] = json!(database);
        desk.house.call_fresh("query", arguments).ended("error", reason, &[]);
    }
    assert!(!desk.postgres.ran("customer"));
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let desk = Desk::beside("casemate_reader", Postgres::start, |house| {
        // Nobody listens there.
        house.set("plugins.@.upstream.postgres.origin", "postgresql://127.0.0.1:1")
    });
    desk.query(ORDERS, &["public.orders"]).ended("error", "unavailable", &[]);
    let http = Desk::beside("casemate_reader", Postgres::start, |house| {
        let echo = house.upstreams().origin("echo").replace("http://", "postgresql://");
        house.set("plugins.@.upstream.postgres.origin", echo)
    });
    http.query(ORDERS, &["public.orders"]).ended("error", "unavailable", &[]);
}

#[test]
fn an_internal_address_needs_the_operators_word() {
    let desk = Desk::beside("casemate_reader", Postgres::start, |house| {
        house.set("plugins.@.upstream.postgres.allow_private", toml::Value::Array(Vec::new()))
    });
    desk.query(ORDERS, &["public.orders"]).silent(&["127.0.0.1"]).ended("error", "address-refused", &[]);
    assert_eq!(desk.postgres.authenticated(), 0);
}
