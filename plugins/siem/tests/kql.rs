//! KQL: queries that people and pySigma write are sent with the same meaning, and everything that reads elsewhere is refused for a reason.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use casemate_plugin::Timestamp;
use casemate_siem::{
    Refused,
    kql::{Search, Table},
    table::Redaction,
};

const LEGITIMATE: &str = include_str!("corpus/kql-legitimate.txt");
const ESCAPES: &str = include_str!("corpus/kql-escapes.txt");
/// What is sent for each of the legitimate ones, in their order. Kusto's own parser reads it in tests/interop.
const SENT: &str = include_str!("corpus/kql-sent.txt");
/// 2026-11-22T00:00:00Z
const NOW: i64 = 1_795_305_600;
const DAY: i64 = 86_400;
const HEAD: &str = "| where TimeGenerated between (datetime(2026-11-15T00:00:00Z) .. datetime(2026-11-22T00:00:00Z))";

/// The cases of a corpus: what is said of each, and its query. `␀` stands for a NUL.
fn cases(corpus: &'static str) -> Vec<(&'static str, String)> {
    let cases = corpus.split("\n---\n").filter(|case| !case.is_empty());
    cases
        .map(|case| case.strip_prefix("# ").and_then(|case| case.split_once('\n')).unwrap())
        .map(|(said, query)| (said, query.replace('␀', "\0")))
        .collect()
}

fn rebuild(table: &str, query: &str, redacted: &[&str]) -> Result<String, Refused> {
    let redacted: Vec<String> = redacted.iter().map(|&name| name.to_owned()).collect();
    let window = (Timestamp::from_unix(NOW - 7 * DAY).unwrap(), Timestamp::from_unix(NOW).unwrap());
    let redaction = Redaction::new(&redacted);
    let table: Table = table.parse().unwrap();
    Search { table: &table, window, rows: 101, redaction: &redaction, redacted: &redacted, now: NOW }.rebuild(query)
}

/// The table that a query of the corpus begins with.
fn table(query: &str) -> &str {
    let word = query.split(|letter: char| letter.is_whitespace() || letter == '|').next().unwrap();
    if word.is_empty() || word == "where" { "SecurityEvent" } else { word }
}

#[test]
fn what_is_legitimate_is_sent_as_it_is_meant() {
    let cases = cases(LEGITIMATE);
    assert!(cases.len() >= 80, "{}", cases.len());
    assert!(cases.iter().filter(|(said, _)| !said.starts_with("by hand")).count() >= 30);
    let written: Vec<&str> = SENT.split("\n---\n").collect();
    assert_eq!(written.len(), cases.len() + 1);
    for ((said, query), written) in cases.into_iter().zip(written) {
        let table = table(&query);
        let sent = rebuild(table, &query, &[]).unwrap_or_else(|refused| panic!("{said}: {refused}\n{query}"));
        let body = sent.strip_prefix(&format!("{table}\n{HEAD}")).unwrap().strip_suffix("\n| take 101").unwrap();
        assert_eq!(rebuild(table, body, &[]).unwrap(), sent, "{said}: it is read again as it is written");
        assert_eq!(sent, written, "{said}");
        assert_eq!(plain(body.trim_start_matches('\n')), plain(operators(table, &query)), "{said}");
    }
}

fn operators<'q>(table: &str, query: &'q str) -> &'q str {
    query.strip_prefix(table).unwrap_or(query).trim_start_matches(|letter: char| letter.is_whitespace())
}

/// A query without what may be written in several ways: blanks outside of texts, quotes, and names that operators have besides.
fn plain(query: &str) -> String {
    let mut plain = String::new();
    let mut letters = query.trim_start_matches("| ").chars().peekable();
    while let Some(letter) = letters.next() {
        let verbatim = letter == '@';
        let quote = if verbatim { letters.next().unwrap() } else { letter };
        if !matches!(quote, '"' | '\'') {
            if !letter.is_whitespace() {
                plain.push(letter);
            }
            continue;
        }
        plain.push('‹');
        while let Some(letter) = letters.next() {
            match letter {
                '\\' if !verbatim => plain.extend(letters.next()),
                letter if letter == quote => break,
                letter => plain.push(letter),
            }
        }
        plain.push('›');
    }
    format!("|{plain}").replace("|orderby", "|sortby").replace("|limit", "|take")
}

#[test]
fn what_reads_elsewhere_is_refused_for_its_reason() {
    let cases = cases(ESCAPES);
    assert!(cases.len() >= 120, "{}", cases.len());
    let mut wrong = Vec::new();
    for (why, query) in &cases {
        match rebuild("SecurityEvent", query, &["Password"]) {
            Ok(sent) => wrong.push(format!("{query}\n  was sent as\n{sent}")),
            Err(refused) if !refused.why.contains(why) => wrong.push(format!("{query}\n  {refused}\n  and not for `{why}`")),
            Err(refused) => assert!(refused.at <= query.len(), "{query}: {refused}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Each escape, behind a query that is legitimate, is refused as well.
#[test]
fn an_escape_behind_something_legitimate_is_one() {
    for (_, escape) in cases(ESCAPES) {
        let operators = escape.strip_prefix("SecurityEvent").unwrap_or(&escape).trim_start();
        let query = format!("SecurityEvent | where EventID == 4624 | {}", operators.strip_prefix('|').unwrap_or(operators));
        assert!(rebuild("SecurityEvent", &query, &["Password"]).is_err(), "{query}");
    }
}

/// Whatever is cut out of, doubled in or put into a query, what is sent reads the one table, in the window, and ends with `take`.
#[test]
fn mutations_never_get_out() {
    let mut sent = 0;
    let pieces = [
        "|",
        "(",
        ")",
        "\"",
        "'",
        "@\"",
        "\\",
        "union Secrets",
        "Secrets",
        ",",
        "[",
        "]",
        "in (Secrets)",
        "\n",
        "//",
        ";",
        "-",
        "toscalar(",
    ];
    for (_, query) in cases(LEGITIMATE).into_iter().chain(cases(ESCAPES)) {
        let places: Vec<usize> = query.char_indices().map(|(at, _)| at).step_by(3).collect();
        for (turn, at) in places.into_iter().enumerate() {
            let (before, after) = query.split_at(at);
            let piece = pieces[turn % pieces.len()];
            let cut: String = after.chars().skip(1 + turn % 5).collect();
            for mutated in [format!("{before}{piece}{after}"), format!("{before}{cut}"), format!("{before}{piece}{cut}")] {
                let table = table(&query);
                let Ok(table) = table.parse::<Table>() else { continue };
                let Ok(written) = rebuild(table.as_str(), &mutated, &["Password"]) else { continue };
                sent += 1;
                holds(&written, table.as_str(), &mutated);
            }
        }
    }
    assert!(sent > 1_000, "{sent}");
}

/// What is sent has one operator of the list on each line, no bar outside of a text, and nothing that reads a table.
fn holds(sent: &str, table: &str, query: &str) {
    let mut lines = sent.lines();
    assert_eq!(lines.next(), Some(table), "{query}");
    assert_eq!(lines.next(), Some(HEAD), "{query}");
    assert_eq!(lines.next(), Some("| extend Password = \"[redacted]\""), "{query}");
    assert_eq!(sent.lines().last(), Some("| take 101"), "{query}");
    for line in lines {
        let words = without_texts(line.strip_prefix("| ").unwrap_or_else(|| panic!("{query}\n{sent}")));
        assert!(!words.contains(['|', ';', '`', '\'', '$', '#']) && !words.contains("//"), "{query}\n{line}");
        for word in words.split(|letter: char| letter != '_' && letter != '-' && !letter.is_ascii_alphanumeric()) {
            let elsewhere = [
                "union",
                "join",
                "lookup",
                "toscalar",
                "table",
                "workspace",
                "externaldata",
                "evaluate",
                "invoke",
                "let",
                "Password",
            ];
            assert!(!elsewhere.contains(&word), "{query}\n{line}");
        }
    }
}

fn without_texts(line: &str) -> String {
    let mut rest = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter != '"' {
            rest.push(letter);
            continue;
        }
        loop {
            match letters.next().expect("a text has an end on its line") {
                '\\' => drop(letters.next()),
                '"' => break,
                _ => {}
            }
        }
    }
    rest
}

#[test]
fn what_is_sent_begins_with_the_window_and_ends_with_the_limit() {
    assert_eq!(rebuild("Heartbeat", "", &[]).unwrap(), format!("Heartbeat\n{HEAD}\n| take 101"));
    assert_eq!(
        rebuild("Heartbeat", "where a==1|project b=tolower(c),d|order by d", &["Secret", "Key"]).unwrap(),
        format!(
            "Heartbeat\n{HEAD}\n| extend Secret = \"[redacted]\"\n| extend Key = \"[redacted]\"\n| where a == 1\n| project b = tolower(c), d\n| sort by d\n| take 101"
        ),
    );
    let texts = rebuild("T", r#"where a in ('"', @'C:\', "\u202e\t")"#, &[]).unwrap();
    assert!(texts.contains(r#"| where a in ("\"", "C:\\", "\u202e\t")"#), "{texts}");
}

#[test]
fn a_table_is_a_plain_name() {
    for name in ["", "a b", "T|x", "['T']", "workspace('x').T", "T*", "*", "_T", "1T", "T;", "Täble", "a-b", "a.b"] {
        assert!(name.parse::<Table>().is_err(), "{name}");
    }
    for name in ["union", "search", "print", "externaldata", "find"] {
        assert!(rebuild(name, "", &[]).is_err(), "{name}");
    }
}

#[test]
fn a_query_is_bounded() {
    assert!(rebuild("T", &format!("where a in ({}1)", "1, ".repeat(900)), &[]).is_ok());
    for long in [
        format!("where a == \"{}\"", "x".repeat(9_000)),
        format!("where a in ({}1)", "1, ".repeat(1_100)),
        "where a | ".repeat(30) + "count",
        format!("where a == {}", "dynamic(".to_owned() + &"[".repeat(60) + &"]".repeat(60) + ")"),
        format!("where a{}", ".b".repeat(60)),
        format!("where {}a{}", "not(".repeat(60), ")".repeat(60)),
        format!("where {}1", "-".repeat(60)),
    ] {
        assert!(rebuild("T", &long, &[]).is_err(), "{}", &long[..20]);
    }
    assert!(rebuild("T", &format!("where {}a", "a or ".repeat(600)), &[]).is_ok());
}
