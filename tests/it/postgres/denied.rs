//! What is not granted is not read: neither by its name nor by any way around it.

use serde_json::json;

use super::{Desk, query};

/// What stands in tables that nobody granted.
const CANARIES: [&str; 4] = ["canary of", "4711", "hash-of", "written"];

#[test]
fn what_is_outside_the_grant_reaches_nobody() {
    let desk = Desk::new();
    let call = |tool: &str, arguments| desk.house.call_fresh(tool, arguments);
    for tables in
        [&["public.ledger"][..], &["public.orders", "public.ledger"], &["archive.old_orders"], &["pg_catalog.pg_authid"]]
    {
        let reply = call("query", query("SELECT 1 FROM public.orders", tables));
        assert!(reply.decision() == "denied" && reply.reason() == "out-of-scope", "{tables:?}: {reply:#?}");
    }
    let mut elsewhere = query("SELECT id FROM public.orders", &["public.orders"]);
    elsewhere["database"] = json!("postgres");
    call("query", elsewhere).ended("denied", "out-of-scope", &[]);
    for schema in ["archive", "private", "pg_catalog", "information_schema", "PUBLIC"] {
        let reply = call("list_tables", json!({ "database": "shop", "schema": schema }));
        assert!(reply.is_error() && reply.silent(&["salaries"]).decision() == "denied", "{schema}");
    }
    for table in ["public.ledger", "pg_catalog.pg_authid", "ledger", "public.", ".", "public.orders,public.ledger"] {
        let reply = call("describe_table", json!({ "database": "shop", "table": table }));
        assert!(reply.is_error() && reply.decision() == "denied", "{table}: {reply:#?}");
    }
    assert_eq!(desk.postgres.authenticated(), 0, "nobody asked the server");
}

#[test]
fn a_statement_that_reads_what_it_does_not_name_gives_no_row() {
    let mut desk = Desk::new();
    for sql in [
        "SELECT entry FROM public.ledger",
        "SELECT o.id, l.entry FROM public.orders AS o CROSS JOIN public.ledger AS l",
        "SELECT (SELECT entry FROM public.ledger LIMIT 1) FROM public.orders",
        "SELECT id FROM public.orders WHERE EXISTS (SELECT 1 FROM public.ledger)",
        "SELECT customer FROM public.orders UNION ALL SELECT entry FROM public.ledger",
        "WITH l AS (SELECT entry FROM public.ledger) SELECT entry FROM l",
        "TABLE public.ledger",
        "SELECT customer FROM public.orders ORDER BY (SELECT count(*) FROM public.ledger)",
        // A view of what the role can read, and nobody granted.
        "SELECT entry FROM public.entries",
        "SELECT rolname FROM pg_catalog.pg_roles",
        "SELECT rolname FROM pg_roles",
        "SELECT relname FROM pg_class",
        "SELECT table_name FROM information_schema.tables",
        "SELECT customer FROM public.orders UNION ALL SELECT relname FROM pg_catalog.pg_class",
        "SELECT most_common_vals FROM pg_catalog.pg_stats",
        "SELECT query FROM pg_catalog.pg_stat_activity",
        "SELECT name FROM public.payroll",
    ] {
        let reply = desk.query(sql, &["public.orders"]).silent(&CANARIES);
        assert!(reply.is_error() && reply.decision() == "error", "{sql}: {reply:#?}");
    }
    // Told with what helps, where it was the host that looked.
    let reply = desk.query("SELECT customer FROM public.orders UNION SELECT entry FROM public.ledger", &["public.orders"]);
    reply.ended("error", "invalid-arguments", &["`tables`"]);
    assert!(!desk.postgres.ran("ledger") && !desk.postgres.ran("\"pg_roles\""), "{}", desk.postgres.log());
    // One is granted to Casemate, and not to the role.
    desk.query("SELECT salary FROM private.salaries", &["private.salaries"]).silent(&CANARIES).ended(
        "error",
        "unauthorized",
        &["grant"],
    );
    desk.query("SELECT password_hash FROM public.people", &["public.people"]).silent(&CANARIES).ended(
        "error",
        "unauthorized",
        &["grant"],
    );
    desk.query("SELECT id FROM public.absent", &["public.absent"]).ended("error", "not-found", &["schema"]);
    desk.query("SELECT id FROM orders", &["public.orders"]).ended("error", "not-found", &["public.orders"]);
    desk.postgres.is_unchanged();
}

#[test]
fn no_function_is_a_way_around() {
    let mut desk = Desk::new();
    for sql in [
        "SELECT public.salary_of('canary of the salaries') FROM public.orders",
        "SELECT public.peek()",
        "SELECT * FROM public.peek()",
        "SELECT * FROM public.inlined()",
        "SELECT \"public\".\"peek\"()",
        "SELECT public.shout()",
        "SELECT public.append()",
        "SELECT query_to_xml('SELECT * FROM public.ledger', true, false, '') FROM public.orders",
        "SELECT table_to_xml('public.ledger', true, false, '')",
        "SELECT database_to_xml(true, false, '')",
        "SELECT pg_catalog.query_to_xml('TABLE public.ledger', true, false, '')",
        "SELECT ts_stat('SELECT to_tsvector(entry) FROM public.ledger')",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_get(1)",
        "SELECT pg_sleep(60) FROM public.orders",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT current_setting('data_directory')",
        "SELECT nextval('public.numbers')",
        "SELECT pg_terminate_backend(1)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_notify('channel', 'text')",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
        "SELECT repeat('x', 1000000000)",
        "SELECT 'private.salaries'::regclass",
        "SELECT CAST('private.salaries' AS regclass)",
        "SELECT public.orders.* FROM public.orders OPERATOR(public.+) 1",
        "SELECT pg_get_viewdef(1)",
        "SELECT has_table_privilege('private.salaries', 'SELECT')",
        "SELECT version()",
        "SELECT dblink('', '')",
    ] {
        let reply = desk.query(sql, &["public.orders"]).silent(&CANARIES);
        assert!(reply.is_error(), "{sql}: {reply:#?}");
    }
    assert!(!desk.postgres.ran("asked"), "{}", desk.postgres.log());
    desk.postgres.is_unchanged();
}

#[test]
fn nothing_is_written_and_nothing_but_one_statement_is_run() {
    let mut desk = Desk::of("casemate_writer");
    for sql in [
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE public.orders",
        "COMMIT; DROP TABLE public.orders",
        "SELECT 1 FROM public.orders; COMMIT; DROP TABLE public.orders; --",
        "DELETE FROM public.orders",
        "INSERT INTO public.orders (id, customer) VALUES (9, 'x') RETURNING id",
        "UPDATE public.orders SET paid = true",
        "TRUNCATE public.orders",
        "DROP TABLE public.orders",
        "CREATE TABLE public.made (a int)",
        "SELECT * INTO public.made FROM public.orders",
        "SELECT id INTO TEMP made FROM public.orders",
        "WITH gone AS (DELETE FROM public.orders RETURNING *) SELECT * FROM gone",
        "WITH new AS (INSERT INTO public.ledger VALUES ('written') RETURNING *) SELECT * FROM new",
        "SELECT id FROM public.orders FOR UPDATE",
        "SELECT id FROM public.orders FOR NO KEY UPDATE SKIP LOCKED",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "DO $$ BEGIN DELETE FROM public.orders; END $$",
        "CALL public.proceed()",
        "COPY public.orders TO PROGRAM 'id'",
        "COPY public.ledger TO STDOUT",
        "EXPLAIN ANALYZE DELETE FROM public.orders",
        "LISTEN channel",
        "VACUUM public.orders",
        "PREPARE p AS SELECT 1",
        "DECLARE c CURSOR FOR SELECT 1",
        "GRANT ALL ON public.orders TO PUBLIC",
        "SELECT 1 /* comment */ FROM public.orders",
        "SELECT 1 -- comment",
        "SELECT $$text$$",
        "SELECT E'\\x41'",
        "SELECT U&'\\0041'",
        "SELECT 'a\\'",
        "SELECT \u{0}",
        "",
        " ; ",
    ] {
        let reply = desk.query(sql, &["public.orders"]).silent(&CANARIES);
        assert!(reply.is_error(), "{sql}: {reply:#?}");
    }
    // What stands in quotes is no statement.
    assert_eq!(
        desk.rows("SELECT 'COMMIT; DROP TABLE public.orders' FROM public.orders LIMIT 1", &["public.orders"])[0][0],
        "COMMIT; DROP TABLE public.orders"
    );
    desk.postgres.is_unchanged();
}

/// What a server says of a statement helps to write it; a value is in none of it.
#[test]
fn faults_of_a_statement_are_told() {
    let desk = Desk::new();
    for (sql, reason, part) in [
        ("SELECT id FROM public.orders WHERE", "invalid-arguments", ""),
        ("SELECT nothing FROM public.orders", "invalid-arguments", "column"),
        ("SELECT id + customer FROM public.orders", "invalid-arguments", ""),
        ("SELECT customer, sum(id) FROM public.orders", "invalid-arguments", "GROUP BY"),
        ("SELECT 1 / (id - 1) FROM public.orders", "invalid-arguments", ""),
        ("SELECT customer::int FROM public.orders", "invalid-arguments", ""),
        ("SELECT (SELECT id FROM public.orders) FROM public.orders", "invalid-arguments", ""),
    ] {
        desk.query(sql, &["public.orders"]).silent(&["Grace", "\"Ada\""]).ended("error", reason, &[part]);
    }
    let slow = "SELECT count(*) FROM public.many AS a, public.many AS b, public.many AS c, public.many AS d";
    desk.query(slow, &["public.many"]).ended("error", "unavailable", &["10 seconds"]);
    let large = "SELECT a.words FROM public.essays AS a, public.many AS b, public.many AS c";
    let mut arguments = query(large, &["public.essays", "public.many"]);
    arguments["limit"] = json!(1000);
    let reply = desk.house.call_fresh("query", arguments);
    assert!(reply.is_error() || reply.structured()["more"] == json!(true), "{reply:#?}");
    desk.query("SELECT 1 FROM public.orders", &["public.orders"]).done(&[]);
}
