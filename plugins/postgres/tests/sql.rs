//! SQL: what people ask of tables is written in one form and fits the gate's pattern, and everything that does something else is refused
//! for a reason.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use casemate_postgres::{sql::Statement, tables, withheld::Withheld};
use regex::{Regex, RegexBuilder};

const MANIFEST: &str = include_str!("../plugin.toml");
const LEGITIMATE: &str = include_str!("corpus/sql-legitimate.txt");
const SENT: &str = include_str!("corpus/sql-sent.txt");
const ESCAPES: &str = include_str!("corpus/sql-escapes.txt");

/// The cases of a corpus: what is said of each, and its statement. `␀` stands for a NUL, and `<U+0085>` for that character.
fn cases(corpus: &'static str) -> Vec<(&'static str, String)> {
    let cases = corpus.trim_end_matches('\n').split("\n---\n");
    let cases =
        cases.map(|case| case.strip_prefix("# ").and_then(|case| case.split_once('\n')).unwrap_or_else(|| panic!("{case}")));
    cases.map(|(said, statement)| (said, named(statement.replace('␀', "\0")))).collect()
}

fn named(mut statement: String) -> String {
    while let Some((before, rest)) = statement.split_once("<U+") {
        let (code, after) = rest.split_once('>').unwrap();
        statement = format!("{before}{}{after}", char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
    }
    statement
}

/// What the gate holds a statement to.
fn pattern() -> Regex {
    let (_, rest) = MANIFEST.split_once("pattern = '''").unwrap();
    let (pattern, _) = rest.split_once("'''").unwrap();
    assert!(pattern.chars().count() <= 1_024, "{}", pattern.len());
    RegexBuilder::new(pattern).size_limit(1 << 20).build().unwrap()
}

fn read(statement: &str) -> Result<Statement, String> {
    Statement::read(statement, &Withheld::default()).map_err(|refused| refused.why)
}

#[test]
fn what_is_legitimate_is_written_in_one_form() {
    let cases = cases(LEGITIMATE);
    assert!(cases.len() >= 80, "{}", cases.len());
    let pattern = pattern();
    let mut sent = SENT.lines();
    let mut wrong = Vec::new();
    for (said, statement) in cases {
        let expected = sent.next().unwrap_or_default();
        match read(&statement) {
            Ok(read) if read.text() != expected => wrong.push(format!("{said}\n{expected}\n{}", read.text())),
            Ok(read) if !pattern.is_match(read.text()) => wrong.push(format!("{said}: the gate refuses\n{}", read.text())),
            Ok(read) => assert_eq!(self::read(read.text()), Ok(read), "{said}: it is read again as it is written"),
            Err(why) => wrong.push(format!("{said}: {why}\n{statement}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(sent.next(), None);
}

#[test]
fn what_does_something_else_is_refused_for_its_reason() {
    let cases = cases(ESCAPES);
    assert!(cases.len() >= 200, "{}", cases.len());
    let pattern = pattern();
    let mut wrong = Vec::new();
    for (why, statement) in &cases {
        match Statement::read(statement, &Withheld::default()) {
            Ok(read) => wrong.push(format!("{statement}\n  is sent as {}", read.text())),
            Err(refused) if !refused.why.contains(why) => wrong.push(format!("{statement}\n  {refused}\n  and not for `{why}`")),
            Err(refused) => assert!(refused.at <= statement.len(), "{statement}: {refused}"),
        }
        // What the gate would let through as it is is none of PostgreSQL's statements.
        let is_broken = ["parameters are", "no `$1`", "two strings stand", "is not seen", "a digit follows"].contains(why);
        assert!(is_broken || !pattern.is_match(statement), "{statement}");
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// An escape that is put into a statement that is legitimate is refused as well.
#[test]
fn an_escape_is_one_wherever_it_stands() {
    for (why, escape) in cases(ESCAPES) {
        // What opens or closes too much does it with what is around it.
        if ["is not closed", "was not opened"].contains(&why) {
            continue;
        }
        let Some(inner) = escape.strip_prefix("SELECT ") else { continue };
        for around in [
            "SELECT id, @",
            "SELECT 1 UNION SELECT @",
            "WITH a AS (SELECT @) SELECT 1",
            "SELECT (SELECT @)",
            "SELECT lower((SELECT @))",
        ] {
            let statement = around.replace('@', inner);
            assert!(read(&statement).is_err(), "{statement}");
        }
    }
}

/// Whatever a statement is made of, what is written fits the gate's pattern, is read again as itself, and has outside of quotes the words
/// of the list only.
#[test]
fn what_is_written_fits_the_gate() {
    let pattern = pattern();
    let words: Vec<String> = cases(LEGITIMATE)
        .into_iter()
        .chain(cases(ESCAPES))
        .flat_map(|(_, statement)| statement.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    // A linear congruential generator: the same statements every time.
    let (mut state, mut sent) = (0x2545_f491_4f6c_dd1d_u64, 0);
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..40_000 {
        let statement: Vec<&str> = (0..1 + next(7)).map(|_| words.get(next(words.len())).unwrap().as_str()).collect();
        let statement = format!("SELECT {}", statement.join(" "));
        let Ok(read) = read(&statement) else { continue };
        sent += 1;
        assert!(pattern.is_match(read.text()), "{statement}\n{}", read.text());
        assert_eq!(self::read(read.text()).as_ref(), Ok(&read), "{statement}");
        let bare = bare(read.text());
        for never in [";", "--", "/*", "\\", "$$", "INTO", "UPDATE", "SHARE", "INSERT", "DELETE", "MERGE", "pg_", "lo_", "reg"] {
            let is_word = |word: &str| if never.chars().all(char::is_alphabetic) { word == never } else { word.contains(never) };
            assert!(!bare.split(' ').filter(|word| !word.starts_with("regexp_")).any(is_word), "`{never}` in {}", read.text());
        }
    }
    assert!(sent > 3_000, "{sent}");
}

/// What stands outside of quotes.
fn bare(statement: &str) -> String {
    let mut quote = None;
    let keeps = |letter: &char| match (quote, *letter) {
        (None, '\'' | '"') => {
            quote = Some(*letter);
            false
        }
        (Some(open), letter) if letter == open => {
            quote = None;
            false
        }
        (open, _) => open.is_none(),
    };
    statement.chars().filter(keeps).collect()
}

/// What the gate refuses by itself, were the plugin to send it.
#[test]
fn the_gate_has_a_word_of_its_own() {
    let pattern = pattern();
    for statement in [
        r#"SELECT * INTO "public" . "x" FROM "public" . "users""#,
        r#"SELECT "id" FROM "public" . "users" FOR UPDATE"#,
        r#"WITH "x" AS ( DELETE FROM "public" . "users" ) SELECT 1"#,
        r#"SELECT 1 ; COMMIT"#,
        r#"SELECT 1 -- x"#,
        r#"SELECT 1 /* x */"#,
        r#"SELECT $$ x $$"#,
        r#"SELECT E'\x41'"#,
        r#"SELECT 'a\'"#,
        r#"SELECT U&'x'"#,
        r#"SELECT pg_read_file ( '/etc/passwd' )"#,
        r#"SELECT "pg_read_file" ( '/etc/passwd' )"#,
        r#"SELECT PG_READ_FILE ( '/etc/passwd' )"#,
        r#"SELECT "public" . "pay" ( 1 )"#,
        r#"SELECT "pay" ( "x" )"#,
        r#"SELECT lo_get ( 1 )"#,
        r#"SELECT query_to_xml ( 'x' )"#,
        r#"SELECT ts_stat ( 'x' )"#,
        r#"SELECT set_config ( 'a' , 'b' )"#,
        r#"SELECT to_regclass ( 'x' )"#,
        r#"SELECT 1 operator ( "public" . + ) 2"#,
        r#"SELECT 'x' ::regclass"#,
        r#"SELECT 'x' ::"regclass""#,
        r#"SELECT "regclass" 'x'"#,
        r#"SELECT id FROM orders"#,
        r#"EXPLAIN SELECT 1"#,
        r#"SELECT  1"#,
        r#"SELECT 1 "#,
        "SELECT 1\n",
        tables::LIST,
        tables::DESCRIBE,
    ] {
        assert!(!pattern.is_match(statement), "{statement}");
    }
    // The statements that are always the same are in the manifest word for word.
    for fixed in [tables::LIST, tables::DESCRIBE] {
        assert!(MANIFEST.contains(&format!("require.body.\"/statement\" = \"{fixed}\"")), "{fixed}");
    }
}

#[test]
fn statements_are_bounded() {
    let check = |statement: &str, why: &str| {
        let refused = read(statement).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    };
    let nested = |deep: usize| format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep));
    assert!(read(&nested(24)).is_ok());
    check(&nested(25), "deep");
    assert!(read(&format!("SELECT 1{}", ", 1".repeat(499))).is_ok());
    check(&format!("SELECT 1{}", ", 1".repeat(500)), "words and signs");
    check(&format!("SELECT '{}'", "a".repeat(4_096)), "bytes");
}

#[test]
fn parameters_are_counted() {
    let parameters = |statement: &str| read(statement).unwrap().parameters();
    assert_eq!((parameters("SELECT 1"), parameters("SELECT $1"), parameters("SELECT $2, $1, $2")), (0, 1, 2));
}

/// With columns kept back, a statement neither names them nor takes rows whole where their names would be lost.
#[test]
fn what_is_withheld_is_not_reached_by_another_name() {
    let withheld = Withheld::new(["password"]);
    let check = |statement: &str| Statement::read(statement, &withheld).map_err(|refused| refused.why);
    for fine in [
        "SELECT * FROM public.users",
        "SELECT u.*, o.id FROM public.users u JOIN public.orders o ON o.customer_id = u.id",
        "SELECT count(*), max(id) FROM public.users",
        "SELECT id * 2 FROM public.users WHERE name = 'password'",
        "TABLE public.users",
        "WITH a AS (SELECT id, name AS n FROM public.users) SELECT a.n, n FROM a",
        "SELECT id FROM public.users WHERE EXISTS (SELECT 1 FROM public.orders o WHERE o.id = users.id)",
        "SELECT u.id AS total FROM public.users u ORDER BY total",
        "SELECT o.rank, o.count FROM public.orders o",
    ] {
        assert!(check(fine).is_ok(), "{fine}: {:?}", check(fine));
    }
    for reaches in [
        "SELECT password FROM public.users",
        "SELECT u.PassWord FROM public.users u",
        "SELECT \"password\" FROM public.users",
        "SELECT id FROM public.users WHERE password LIKE 'a%'",
        "SELECT id FROM public.users ORDER BY password",
        "SELECT a.x FROM (SELECT password AS x FROM public.users) a",
        "SELECT 1 FROM public.users JOIN public.orders USING (password)",
        "SELECT a.x FROM (SELECT * FROM public.users) AS a (id, name, x)",
        "SELECT a.x FROM public.users AS a (id, name, x)",
        "WITH a (id, name, x) AS (SELECT * FROM public.users) SELECT x FROM a",
        "WITH a AS (SELECT * FROM public.users) SELECT id FROM a",
        "SELECT 1 AS id, 'a' AS name, 'b' AS x UNION SELECT * FROM public.users",
        "SELECT 1, 2, 3 UNION ALL SELECT u.* FROM public.users u",
        "SELECT * FROM public.users EXCEPT SELECT 1, 'a', 'b'",
        "SELECT u FROM public.users u",
        "SELECT users FROM public.users",
        "SELECT DISTINCT ON (id) u::text FROM public.users u",
        "SELECT ARRAY[u]::text FROM public.users u",
        "SELECT a.x FROM public.users u CROSS JOIN LATERAL (VALUES (u)) AS a",
        "SELECT u::text FROM public.users AS u",
        "SELECT u.*::text FROM public.users u",
        "SELECT row_to_json(u) FROM public.users u",
        "SELECT to_jsonb(u) ->> 'pass' FROM public.users u",
        "SELECT concat(u.*) FROM public.users u",
        "SELECT ROW(u.*)::text FROM public.users u",
        "SELECT (u.*)::text FROM public.users u",
        "SELECT count(u) FROM public.users u",
        "SELECT u.row_to_json FROM public.users u",
        "SELECT u.to_jsonb FROM public.users u",
        "SELECT u.concat FROM public.users u",
        "SELECT u.quote_literal FROM public.users u",
        "SELECT u.record_out FROM public.users u",
        "SELECT e.value FROM public.users u, jsonb_each_text(to_jsonb(u)) AS e",
        "SELECT array_agg(a) FROM (SELECT id FROM public.users) a",
        "SELECT 1 WHERE EXISTS (SELECT * FROM public.users WHERE id = 1)",
        "SELECT 1 FROM public.users u WHERE u.* IS NULL",
        "SELECT 1 FROM public.users u, public.users v WHERE u = v",
        "SELECT 1 FROM public.users u JOIN public.orders o ON u > o",
        "SELECT id FROM public.users u ORDER BY u",
        "SELECT 1 AS password FROM public.users",
    ] {
        assert!(check(reaches).is_err(), "{reaches}");
        assert!(!reaches.to_lowercase().contains("password") || check(reaches).unwrap_err().contains("keeps"), "{reaches}");
    }
}
