//! The host alone: a guest that has anything run, as a role that may write. What comes back is what the tables that it names hold, and
//! what is there stays as it is.

use serde_json::{Value, json};

use super::{Desk, body};
use crate::harness::Reply;

/// What stands in tables that the statements here do not name.
const CANARIES: [&str; 3] = ["canary of", "4711", "hash-of"];

fn desk() -> Desk {
    Desk::of_anything("casemate_writer", &[], |house, _| house)
}

impl Desk {
    /// The statement comes to nothing, with this status and code, and holds nothing that it does not name.
    #[track_caller]
    fn comes_to(&self, statement: &str, status: u16, code: &str) -> Reply {
        let reply = self.runs(statement, &["public.orders"]);
        let text = reply.text();
        let expected = [format!("{status} {{\"error\""), format!("\"code\":\"{code}\"")];
        assert!(expected.iter().all(|part| text.contains(part)), "{status} {code} of {statement}: {reply:#?}");
        reply.silent(&CANARIES)
    }

    /// What a statement finds.
    #[track_caller]
    fn finds(&self, statement: &str, tables: &[&str]) -> Value {
        let reply = self.runs(statement, tables).done(&["200 {"]);
        let text = reply.text();
        let (_, json) = text.split_once("200 ").unwrap();
        let mut found = serde_json::Deserializer::from_str(json).into_iter::<Value>();
        found.next().unwrap().unwrap()["rows"].clone()
    }
}

/// The host opens a session that nobody else's settings change, and one statement is run in it.
#[test]
pub(crate) fn any_statement() {
    let desk = desk();
    for (setting, value) in [
        ("transaction_read_only", "on"),
        ("default_transaction_read_only", "on"),
        ("transaction_isolation", "repeatable read"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("TimeZone", "UTC"),
        ("bytea_output", "hex"),
        ("statement_timeout", "10s"),
        ("application_name", "casemate"),
    ] {
        assert_eq!(desk.finds(&format!("SELECT current_setting('{setting}')"), &[])[0][0], value, "{setting}");
    }
    let path = desk.finds("SELECT current_setting('search_path')", &[]);
    assert!(["", "\"\""].contains(&path[0][0].as_str().unwrap()), "{path}");
    assert!(desk.finds("SELECT current_setting('DateStyle')", &[])[0][0].as_str().unwrap().starts_with("ISO"));
    assert_eq!(desk.finds("SELECT 1 + 1, NULL, 'é'", &[]), json!([["2", null, "é"]]));
    assert_eq!(desk.finds("SELECT count(*) FROM public.orders", &["public.orders"]), json!([["4"]]));
    desk.house.goes_on();
}

#[test]
fn what_finds_nothing_is_not_run() {
    let mut desk = desk();
    for statement in [
        "",
        ";",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "ROLLBACK AND CHAIN",
        "END",
        "SAVEPOINT s",
        "PREPARE TRANSACTION 'made'",
        "SET transaction_read_only = off",
        "SET TRANSACTION READ WRITE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION casemate_super",
        "RESET ALL",
        "DISCARD ALL",
        "DEALLOCATE ALL",
        "DO 'BEGIN INSERT INTO public.ledger VALUES (''written''); COMMIT; END'",
        "CALL public.proceed()",
        "INSERT INTO public.ledger VALUES ('written')",
        "UPDATE public.orders SET paid = true",
        "DELETE FROM public.orders",
        "TRUNCATE public.orders",
        "DROP TABLE public.orders",
        "CREATE TABLE public.made (a int)",
        "CREATE TABLE public.made AS SELECT 1",
        "CREATE TEMP TABLE made (a int)",
        "CREATE FUNCTION public.made() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT * INTO public.made FROM public.orders",
        "SELECT * INTO TEMP made FROM public.orders",
        "ALTER ROLE casemate_writer SUPERUSER",
        "GRANT ALL ON public.orders TO PUBLIC",
        "COPY public.ledger TO STDOUT",
        "COPY public.ledger FROM STDIN",
        "COPY public.ledger TO PROGRAM 'touch /tmp/made'",
        "COPY (SELECT 1) TO '/tmp/made'",
        "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM public.ledger",
        "CLOSE ALL",
        "PREPARE p AS SELECT * FROM public.ledger",
        "LISTEN channel",
        "NOTIFY channel, 'canary of a notification'",
        "UNLISTEN *",
        "LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE",
        "REFRESH MATERIALIZED VIEW public.order_days",
        "VACUUM",
        "ANALYZE public.orders",
        "CHECKPOINT",
        "LOAD 'plpgsql'",
        "CREATE DATABASE made",
    ] {
        desk.comes_to(statement, 400, "no-columns");
    }
    assert!(!desk.postgres.ran("asked"), "{}", desk.postgres.log());
    desk.postgres.is_unchanged();
}

#[test]
fn several_statements_are_none() {
    let mut desk = desk();
    for statement in [
        "SELECT 1; SELECT 2",
        "SELECT 1; COMMIT; DROP TABLE public.orders",
        "COMMIT; DROP TABLE public.orders",
        "SELECT 1;;DROP TABLE public.orders;",
        "SELECT 1; -- \nDROP TABLE public.orders",
    ] {
        desk.comes_to(statement, 400, "42601");
    }
    desk.postgres.is_unchanged();
}

#[test]
fn nothing_is_written() {
    let mut desk = desk();
    for statement in [
        "INSERT INTO public.orders (id, customer) VALUES (9, 'x') RETURNING id",
        "UPDATE public.orders SET paid = true RETURNING id",
        "DELETE FROM public.orders RETURNING *",
        "WITH gone AS (DELETE FROM public.orders RETURNING *) SELECT * FROM gone",
        "SELECT id FROM public.orders FOR UPDATE",
        "SELECT id FROM public.orders FOR KEY SHARE",
        "SELECT nextval('public.numbers')",
        "SELECT setval('public.numbers', 9)",
        "SELECT public.append()",
        "EXPLAIN ANALYZE DELETE FROM public.orders",
    ] {
        let reply = desk.comes_to(statement, 400, "25006");
        assert!(reply.text().contains("\"message\":\"\""), "what was begun has no words: {statement}: {reply:#?}");
    }
    // What a transaction that only reads may do, as far as it ends.
    for statement in [
        "EXPLAIN ANALYZE CREATE TABLE public.made AS SELECT 1",
        "EXPLAIN ANALYZE SELECT 1 INTO public.made",
        "CALL public.proceed_with(1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT txid_current()",
        "SELECT pg_notify('channel', 'text')",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT set_config('transaction_read_only', 'off', true), public.append()",
        "SELECT set_config('default_transaction_read_only', 'off', false), public.append()",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT set_config('session_replication_role', 'replica', false)",
        "EXECUTE asked",
        "FETCH ALL FROM asked",
        "EXPLAIN EXECUTE asked",
    ] {
        desk.runs(statement, &["public.orders", "public.ledger"]);
    }
    let off = desk.runs("SELECT set_config('transaction_read_only', 'off', true)", &[]);
    assert!(!off.text().contains("200 {"), "{off:#?}");
    desk.postgres.is_unchanged();
}

#[test]
fn no_row_of_what_is_not_named_is_handed_over() {
    let mut desk = desk();
    let denied = [
        "SELECT entry FROM public.ledger",
        "TABLE public.ledger",
        "SELECT id, (SELECT entry FROM public.ledger LIMIT 1) FROM public.orders",
        "SELECT id FROM public.orders WHERE EXISTS (SELECT 1 FROM public.ledger)",
        "SELECT customer FROM public.orders UNION ALL SELECT entry FROM public.ledger",
        "WITH l AS (TABLE public.ledger) SELECT entry FROM l",
        "SELECT 1 WHERE (SELECT count(*) FROM public.ledger) > 1",
        "SELECT entry FROM public.ledger LIMIT 0",
        "EXPLAIN SELECT entry FROM public.ledger",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT entry FROM public.ledger",
        // By a view, a part of what is read, and what is above it.
        "SELECT entry FROM public.entries",
        "SELECT count(*) FROM public.events",
        "SELECT count(*) FROM public.events_2025",
        "SELECT * FROM public.order_days",
        // By functions: the caller's, their owner's, and what the planner makes a part of the statement.
        "SELECT public.peek()",
        "SELECT * FROM public.peek()",
        "SELECT * FROM public.inlined()",
        "SELECT public.salary_of('canary of the salaries')",
        "SELECT id FROM public.orders WHERE public.salary_of('Grace') = 4712",
        "SELECT id FROM public.orders ORDER BY public.salary_of(customer)",
        "SELECT query_to_xml('SELECT * FROM public.ledger', true, false, '')",
        "SELECT table_to_xml('public.ledger', true, false, '')",
        "SELECT xmlserialize(CONTENT query_to_xml('TABLE public.ledger', true, true, '') AS text)",
        "SELECT ts_stat('SELECT to_tsvector(entry) FROM public.ledger')",
        "SELECT set_config('search_path', 'public', false), query_to_xml('SELECT * FROM ledger', true, false, '')",
        // By the catalog, which says what there is and what is in it.
        "SELECT relname FROM pg_class",
        "SELECT usename FROM pg_catalog.pg_user",
        "SELECT most_common_vals FROM pg_catalog.pg_stats",
        "SELECT table_name FROM information_schema.tables",
        "SELECT col_description('public.ledger'::regclass, 1)",
        "SELECT query FROM pg_catalog.pg_stat_activity",
    ];
    for statement in denied {
        desk.comes_to(statement, 403, "table-not-named");
    }
    // What there is to know is only that, and the name of what was read, for whoever may name it.
    desk.comes_to("TABLE public.ledger", 403, "table-not-named").done(&["public.ledger"]);
    // What is not the role's to read is said by the server before that.
    desk.comes_to("SELECT * FROM private.salaries", 403, "42501");
    desk.comes_to("SELECT schema_to_xml('private', true, false, '')", 403, "42501");
    // With their names, they are read.
    assert_eq!(desk.finds("SELECT count(*) FROM public.peek()", &["public.ledger"]), json!([["2"]]));
    assert_eq!(desk.finds("SELECT count(*) FROM public.events", &["public.events"]), json!([["2"]]));
    assert_eq!(desk.finds("SELECT count(*) FROM pg_class WHERE relname = 'orders'", &["pg_catalog.pg_class"]), json!([["1"]]));
    assert_eq!(desk.finds("SELECT count(*) FROM public.payroll", &["public.payroll"]), json!([["2"]]));
    desk.postgres.is_unchanged();
}

/// A function may undo the transaction that it read in, and with it the lock.
#[test]
fn a_read_that_is_undone_is_a_read() {
    let desk = desk();
    desk.comes_to("SELECT public.smuggle()", 403, "table-not-named");
    desk.comes_to("SELECT public.smuggle_by_place()", 403, "table-not-named");
    assert_eq!(desk.finds("SELECT public.smuggle()", &["public.ledger"]), json!([["canary of the ledger"]]));
}

#[test]
fn no_error_and_no_notice_says_what_was_read() {
    let desk = desk();
    for (statement, status, code) in [
        ("SELECT public.shout()", 400, "P0001"),
        ("SELECT CAST((SELECT entry FROM public.ledger LIMIT 1) AS int)", 403, "table-not-named"),
        ("SELECT CAST(query_to_xml('TABLE public.ledger', true, true, '')::text AS int)", 400, "22P02"),
        ("SELECT public.by_path()", 404, "42P01"),
        ("SELECT * FROM query_to_xml('SELECT salary FROM private.salaries', true, false, '')", 403, "42501"),
        ("SELECT pg_read_file('/etc/passwd')", 403, "42501"),
        ("SELECT pg_ls_dir('.')", 403, "42501"),
        ("SELECT lo_import('/etc/passwd')", 403, "42501"),
        ("SELECT 1 / (id - 1) FROM public.orders", 400, "22012"),
        ("SELECT customer::int FROM public.orders", 400, "22P02"),
    ] {
        let reply = desk.comes_to(statement, status, code).silent(&["root:", "Ada", "it says"]);
        if code != "table-not-named" {
            assert!(reply.text().contains("\"message\":\"\""), "{statement}: {reply:#?}");
        }
    }
    assert_eq!(desk.finds("SELECT public.mutter()", &[]), json!([["1"]]));
    desk.runs("SELECT public.mutter()", &[]).silent(&["canary"]);
    // Of a statement that is none, the server's words are of the statement.
    desk.comes_to("SELECT id FROM public.orders WHERE", 400, "42601").done(&["syntax error", "\"position\":"]);
    desk.comes_to("SELECT missing FROM public.orders", 400, "42703").done(&["missing", "\"position\":8"]);
    desk.comes_to("SELECT 1 FROM public.absent", 404, "42P01").done(&["absent"]);
    let absent = desk.runs("SELECT 1", &["public.absent"]);
    absent.done(&["404", "42P01", "public.absent"]);
}

/// A session ends with its statement: nothing of it is there for the next.
#[test]
fn nothing_of_a_session_is_left() {
    let desk = desk();
    for _ in 0..2 {
        assert_eq!(desk.finds("SELECT pg_try_advisory_lock(7)", &[]), json!([["t"]]));
        assert_eq!(desk.finds("SELECT set_config('casemate.kept', 'yes', false)", &[]), json!([["yes"]]));
        assert_eq!(desk.finds("SELECT current_setting('casemate.kept', true)", &[]), json!([[null]]));
    }
    // The time of a statement is what was said before it was read.
    let mut slow = body("SELECT set_config('statement_timeout', '0', false), pg_sleep(20)", &[]);
    slow["milliseconds"] = json!(500);
    desk.send(&slow).done(&["504", "57014"]);
}

#[test]
fn what_a_request_may_ask_for_has_bounds() {
    let desk = desk();
    let honest = body("SELECT n FROM public.many", &["public.many"]);
    let with = |name: &str, value: Value| {
        let mut other = honest.clone();
        other[name] = value;
        other
    };
    let without = |name: &str| {
        let mut other = honest.clone();
        other.as_object_mut().unwrap().remove(name);
        other
    };
    let many = |count: usize, value: Value| json!(vec![value; count]);
    let faulty = [
        without("statement"),
        without("parameters"),
        without("tables"),
        without("rows"),
        without("milliseconds"),
        with("other", json!(1)),
        with("statement", json!(null)),
        with("statement", json!(["SELECT 1"])),
        with("statement", json!("SELECT 1\0")),
        with("parameters", json!([1])),
        with("parameters", json!(["a\0"])),
        with("parameters", json!({})),
        with("parameters", many(65, json!("x"))),
        with("tables", many(65, json!("public.many"))),
        with("tables", json!(["many"])),
        with("tables", json!([".many"])),
        with("tables", json!(["public."])),
        with("tables", json!([""])),
        with("tables", json!(["public.many\0"])),
        with("tables", json!([null])),
        with("tables", json!("public.many")),
        with("rows", json!(0)),
        with("rows", json!(10_001)),
        with("rows", json!(-1)),
        with("rows", json!(1.5)),
        with("rows", json!("1")),
        with("rows", json!(4_294_967_297_i64)),
        with("milliseconds", json!(99)),
        with("milliseconds", json!(60_001)),
        with("milliseconds", json!(null)),
        json!([]),
        json!("SELECT 1"),
    ];
    for faulty in faulty {
        let reply = desk.send(&faulty);
        let refused = reply.decision() == "denied" || reply.text().contains("\"code\":\"invalid-request\"");
        assert!(refused, "{faulty}: {reply:#?}");
    }
    let twice = honest.to_string().replacen('{', "{\"statement\":\"SELECT 1\",", 1);
    for body in [twice.as_str(), "", "{", "null", "SELECT 1"] {
        let reply = desk.house.call_fresh("run", json!({ "database": "shop", "body": body }));
        let refused = reply.decision() == "denied" || reply.text().contains("\"code\":\"invalid-request\"");
        assert!(refused, "{body}: {reply:#?}");
    }
    assert_eq!(desk.postgres.authenticated(), 0, "nobody asked the server");

    let whole = desk.send(&with("rows", json!(10_000))).done(&["200 {", "\"more\":false"]);
    assert!(whole.text().contains("[\"2500\"]"));
    desk.send(&with("rows", json!(2_500))).done(&["\"more\":false"]);
    desk.send(&with("rows", json!(2_499))).done(&["\"more\":true"]);
    // As many values as the statement has places, and of their types.
    let mut given = with("statement", json!("SELECT n FROM public.many WHERE n = $1 OR n = $2"));
    given["parameters"] = json!(["7", null]);
    desk.send(&given).done(&["200 {", "[[\"7\"]]"]);
    for parameters in [json!([]), json!(["7"]), json!(["7", null, "x"]), json!(["x", null])] {
        given["parameters"] = parameters;
        desk.send(&given).done(&["400", "\"message\":\"\""]);
    }
}

#[test]
fn an_answer_that_is_too_large_ends_the_call() {
    let desk = Desk::of_anything("casemate_reader", &[("response_kib", 64), ("deadline_ms", 5_000)], |house, _| house);
    for statement in [
        "SELECT repeat('x', 100000)",
        "SELECT repeat('x', 300000000)",
        "SELECT a.words FROM public.essays AS a, generate_series(1, 10)",
        "SELECT repeat('x', 1000) FROM generate_series(1, 10000)",
    ] {
        let mut asked = body(statement, &["public.essays"]);
        asked["rows"] = json!(10_000);
        desk.send(&asked).limited("response_kib", "64 KiB");
    }
    let mut slow = body("SELECT pg_sleep(30)", &[]);
    slow["milliseconds"] = json!(60_000);
    desk.send(&slow).limited("deadline_ms", "5000 ms");
    desk.house.goes_on();
}

#[test]
fn the_database_is_one_segment_of_the_path() {
    let desk = desk();
    for database in ["shop/other", "shop?options=-c%20x", "%2e%2e", "shop%00", "SHOP", ""] {
        let asked = body("SELECT 1", &[]).to_string();
        let reply = desk.house.call_fresh("run", json!({ "database": database, "body": asked }));
        assert!(reply.is_error() && reply.decision() == "denied", "{database}: {reply:#?}");
    }
    assert_eq!(desk.postgres.authenticated(), 0);
}
