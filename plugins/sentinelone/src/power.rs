//! PowerQueries: what is read of one, and the query that is sent, which is written anew from that.
//!
//! Nothing of the caller's text is passed on. A text that does not read as what is known here, with the commands, functions and operators
//! that [`words`] names, is refused with its place and the reason. What is written has one spelling:
//!
//! - the site's filter is the first stage's first condition, and the caller's filter is its second, both in parentheses: no `or` gets past it;
//! - a pipe stands between two stages and nowhere else, so there is no subquery;
//! - a text holds a backslash only as two, and never its own quote: it ends where it ends, whether or not a backslash escapes;
//! - the last stage is a limit.

mod reader;
mod token;
mod words;

use std::fmt;

use crate::field::Id;

/// Where something is in the caller's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

/// Why a query is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    at: Place,
    why: String,
}

impl Fault {
    fn new(at: Place, why: impl Into<String>) -> Self {
        Self { at, why: why.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at: Place { line, column }, why } = self;
        write!(f, "line {line}, column {column}: {why}")
    }
}

/// What was read of a query, in the one spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// The condition before the first pipe.
    filter: Option<String>,
    /// What stands behind each pipe.
    stages: Vec<String>,
}

impl Query {
    /// Read a query.
    ///
    /// # Errors
    /// Where it goes beyond what is known here, and how.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        reader::read(token::read(text)?)
    }

    /// The query that is sent: of this site, and at most so many rows.
    pub(crate) fn within(&self, site: &Id, rows: i64) -> String {
        let mut text = format!("(site.id = '{site}')");
        if let Some(filter) = &self.filter {
            text.push_str(" and (");
            text.push_str(filter);
            text.push(')');
        }
        for stage in &self.stages {
            text.push_str(" | ");
            text.push_str(stage);
        }
        text.push_str(&format!(" | limit {rows}"));
        text
    }

    /// What the caller wrote, in the one spelling.
    pub(crate) fn own(&self) -> String {
        let filter = self.filter.as_deref().unwrap_or_default();
        self.stages.iter().fold(filter.to_owned(), |text, stage| format!("{text} | {stage}"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use regex::Regex;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Deserialize)]
    struct Legitimate {
        query: String,
        sent: String,
    }

    #[derive(Deserialize)]
    struct Escape {
        query: String,
        refused: String,
        /// Whether the gate alone would refuse it, put between the site's filter and a limit as it is.
        gate: bool,
    }

    fn corpus<T: DeserializeOwned>(name: &str) -> Vec<T> {
        let file = format!("{}/tests/powerquery/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// What the gate demands of a query.
    fn gate() -> Regex {
        let line = include_str!("../plugin.toml").lines().find(|line| line.starts_with("require.body.\"/pq/query\"")).unwrap();
        Regex::new(line.split("'''").nth(1).unwrap()).unwrap()
    }

    fn site() -> Id {
        "7".parse().unwrap()
    }

    #[test]
    fn what_analysts_ask_is_sent_and_passes_the_gate() {
        let (corpus, gate) = (corpus::<Legitimate>("legitimate"), gate());
        assert!(corpus.len() >= 40);
        for Legitimate { query, sent } in corpus {
            let read = Query::read(&query).unwrap();
            assert_eq!(read.within(&site(), 100), sent, "{query}");
            assert!(gate.is_match(&sent), "{sent}");
            // What is written reads as the same again.
            assert_eq!(Query::read(&read.own()).unwrap(), read, "{query}");
        }
    }

    #[test]
    fn what_leads_out_of_the_site_is_refused_with_its_place() {
        let (corpus, gate) = (corpus::<Escape>("escapes"), gate());
        assert!(corpus.len() >= 40);
        for Escape { query, refused, gate: by_the_gate } in corpus {
            assert_eq!(Query::read(&query).unwrap_err().to_string(), refused, "{query}");
            let (first, rest) = query.split_once('|').map_or((query.as_str(), None), |(first, rest)| (first, Some(rest)));
            let filter = if first.trim().is_empty() { String::new() } else { format!(" and ({})", first.trim()) };
            let rest = rest.map(|rest| format!(" | {}", rest.trim())).unwrap_or_default();
            assert_eq!(gate.is_match(&format!("(site.id = '7'){filter}{rest} | limit 100")), !by_the_gate, "{query}");
        }
    }

    /// A plugin that put the site elsewhere, or left a stage of its own in, would not get past the gate.
    #[test]
    fn the_gate_demands_the_site_first_and_the_limit_last() {
        let gate = gate();
        assert!(gate.is_match("(site.id = '7') | limit 1000"));
        for query in [
            "",
            "a = 1 | limit 10",
            "(site.id = '7')",
            "(site.id = '7') | limit 1001",
            "(site.id = '7') | limit 0",
            "(site.id = '7') | limit 10 | nolimit",
            "(site.id = '7') or (a = 1) | limit 10",
            "(site.id = '7') and a = 1 or b = 2 | limit 10",
            "(site.id = '7') and (a = 1) or (b = 2) | limit 10",
            "(site.id = '7') and (a = 1)) or ((b = 2) | limit 10",
            "(site.id = '7' or true) | limit 10",
            "(site.id = *) | limit 10",
            "(site.id != '7') | limit 10",
            "(site.id = '7') | union (a = 1) | limit 10",
            "(site.id = '7') | filter a in (b = 1 | columns a) | limit 10",
            "(site.id = '7') | columns a // | limit 10",
            "(site.id = '7') and (a = 'x\\' or 'y') | limit 10",
            "(site.id = '7') | columns a\n| savelookup 'x' | limit 10",
            "| union (a = 1) | limit 10",
            "x (site.id = '7') | limit 10",
        ] {
            assert!(!gate.is_match(query), "{query}");
        }
    }

    /// Whatever is read, in whatever pieces of queries are put together: what is sent passes the gate, so its pipes are where they belong.
    #[test]
    fn no_pieces_make_a_query_that_the_gate_would_refuse() {
        const PIECES: [&str; 40] = [
            "a.b",
            "=",
            "'x'",
            "\"y'\"",
            "'\\\\'",
            "(",
            ")",
            "|",
            "filter",
            "columns",
            "group",
            "let",
            "sort",
            "limit",
            "parse",
            "from",
            "by",
            "and",
            "or",
            "not",
            "!",
            "*",
            "contains",
            "in",
            "matches:anycase",
            "count",
            "lower",
            "1",
            "2_0.5",
            ",",
            "-",
            "+",
            "/",
            "?",
            ":",
            "union",
            "#ip",
            "\n",
            "// c\n",
            "||",
        ];
        let gate = gate();
        // A linear congruential generator (Knuth, MMIX): the same pieces every time.
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or_default() % below
        };
        let (mut read, mut all) = (0, 0);
        while all < 60_000 {
            let count = 1 + random(9);
            let query: Vec<&str> = (0..count).filter_map(|_| PIECES.get(random(PIECES.len())).copied()).collect();
            let query = query.join(" ");
            all += 1;
            if let Ok(found) = Query::read(&query) {
                read += 1;
                let sent = found.within(&site(), 100);
                assert!(gate.is_match(&sent), "{query}\n{sent}");
                assert_eq!(Query::read(&found.own()).unwrap(), found, "{query}");
            }
        }
        assert!(read > 500, "{read} of {all} were queries");
    }

    #[test]
    fn what_is_long_or_deep_ends() {
        for text in [
            "(".repeat(4_000),
            "not ".repeat(900) + "a",
            "- ".repeat(2_000),
            "a ? b : ".repeat(500) + "c",
            "| filter a ".repeat(300),
            "a ".repeat(2_000),
            "'".repeat(3_999),
            format!("a contains '{}'", "x".repeat(1_001)),
            format!("{} = 1", "a".repeat(121)),
            "9".repeat(4_000),
        ] {
            // Some of it is a query, none of it is a panic.
            drop(Query::read(&text));
        }
        for (text, part) in [
            ("| filter a ".repeat(21), "more than 20 stages"),
            ("| let x = ".to_owned() + &"a ? b : ".repeat(21) + "c", "more than 20 choices"),
            ("| filter ((((( a )))))".to_owned(), "more than 4 deep"),
            (format!("a contains '{}'", "x".repeat(1_001)), "longer than 1000 bytes"),
        ] {
            assert!(Query::read(&text).unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
