//! LogsQL: queries that people write are sent with the same meaning, and everything that reads elsewhere is refused for a reason.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use casemate_siem::{Refused, logsql, table::Redaction};

const LEGITIMATE: &str = include_str!("corpus/logsql-legitimate.txt");
/// What is sent for each of the legitimate ones, in their order.
const SENT: &str = include_str!("corpus/logsql-sent.txt");
const ESCAPES: &str = include_str!("corpus/logsql-escapes.txt");

/// The cases of a corpus: what is said of each, and its query. `␀` stands for a NUL.
fn cases(corpus: &'static str) -> Vec<(&'static str, String)> {
    let cases = corpus.split("\n---\n").filter(|case| !case.is_empty());
    let cases = cases.map(|case| case.strip_prefix("# ").and_then(|case| case.split_once('\n')).unwrap());
    cases.map(|(said, query)| (said, query.replace('␀', "\0"))).collect()
}

fn rebuild(query: &str) -> Result<String, Refused> {
    logsql::rebuild(query, &Redaction::new(["password"]))
}

#[test]
fn what_is_legitimate_is_sent_as_it_is_meant() {
    let (cases, written) = (cases(LEGITIMATE), SENT.lines().collect::<Vec<_>>());
    assert!(cases.len() >= 30 && cases.len() == written.len(), "{} {}", cases.len(), written.len());
    for ((said, query), written) in cases.into_iter().zip(written) {
        let sent = rebuild(&query).unwrap_or_else(|refused| panic!("{said}: {refused}\n{query}"));
        assert_eq!(sent, written, "{said}");
        assert_eq!(rebuild(&sent).unwrap(), sent, "{said}: it is read again as it is written");
    }
}

#[test]
fn what_reads_elsewhere_is_refused_for_its_reason() {
    let cases = cases(ESCAPES);
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for (why, query) in &cases {
        match rebuild(query) {
            Ok(sent) => wrong.push(format!("{query}\n  was sent as\n{sent}")),
            Err(refused) if !refused.why.contains(why) => wrong.push(format!("{query}\n  {refused}\n  and not for `{why}`")),
            Err(refused) => assert!(refused.at <= query.len(), "{query}: {refused}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Whatever is cut out of or put into a query, there is no query inside of what is sent, and nothing that speaks of streams and time.
#[test]
fn mutations_never_get_out() {
    let pieces = [
        "|",
        "(",
        ")",
        "\"",
        "'",
        "`",
        "\\",
        " | union (x)",
        "in(",
        ",",
        "{",
        "}",
        "_time:1y",
        "\n",
        "#",
        "-",
        "*",
        ":",
        "options(",
    ];
    let mut sent = 0;
    for (_, query) in cases(LEGITIMATE).into_iter().chain(cases(ESCAPES)) {
        for (turn, (at, _)) in query.char_indices().enumerate() {
            let (before, after) = query.split_at(at);
            let piece = pieces[turn % pieces.len()];
            let cut: String = after.chars().skip(1 + turn % 5).collect();
            for mutated in [format!("{before}{piece}{after}"), format!("{before}{cut}"), format!("{before}{piece}{cut}")] {
                let Ok(written) = rebuild(&mutated) else { continue };
                sent += 1;
                holds(&written, &mutated);
            }
        }
    }
    assert!(sent > 1_000, "{sent}");
}

fn holds(sent: &str, query: &str) {
    let (mut words, mut depth, mut letters) = (String::new(), 0, sent.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => loop {
                match letters.next().unwrap() {
                    '\\' => drop(letters.next()),
                    '"' => break,
                    _ => {}
                }
            },
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '|' => assert_eq!(depth, 0, "a query inside of a query: {query}\n{sent}"),
            _ => {}
        }
        words.push(if letter == '"' { '"' } else { letter });
    }
    assert!(!words.contains(['{', '}', '#', '\'', '`', '\\', '\n', ';']), "{query}\n{sent}");
    for word in words.split(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric()) {
        assert!(
            !["union", "join", "options", "stream_context", "_time", "_stream", "password"].contains(&word),
            "{query}\n{sent}"
        );
    }
}

#[test]
fn a_query_is_bounded() {
    assert!(rebuild(&"a ".repeat(900)).is_ok());
    for long in
        ["x".repeat(9_000), "a ".repeat(2_100), "* ".to_owned() + &"| limit 1 ".repeat(30), "!".repeat(60) + "a", "(".repeat(60)]
    {
        assert!(rebuild(&long).is_err(), "{}", &long[..20]);
    }
}
