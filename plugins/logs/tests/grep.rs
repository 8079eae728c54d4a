//! The same patterns over the same lines, here and by GNU `grep -E`: the same lines are found. Where they are not, it is written down here
//! and in the README.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod corpus;

use std::{fs, process::Command};

use casemate_logs::TOOLS;
use casemate_plugin::{Context, Failure};
use corpus::{Random, ascii, broken, generated, letters};
use serde_json::{Value, json};

/// Patterns that people search logs with, and such as try the syntax.
const WRITTEN: [&str; 96] = [
    "Failed password",
    "Failed password for (invalid user )?[a-z]+ from",
    "^Nov 22",
    "^Nov  2 ",
    "ssh2$",
    "^$",
    "^",
    "$",
    ".",
    "..",
    ".*",
    "x*",
    "(root|admin|ann)",
    "from 203\\.0\\.113\\.[0-9]+",
    "([0-9]{1,3}\\.){3}[0-9]{1,3}",
    "port [0-9]{5}",
    "port [0-9]{4,5} ",
    "[0-9]{6,}",
    "sshd\\[[0-9]+\\]:",
    "\\[error\\]",
    "\"(GET|POST) /[^ ]* HTTP/1\\.[01]\"",
    "\" [45][0-9][0-9] ",
    "\" 200 [0-9]+$",
    "(\\.\\./)+",
    "%2e%2e",
    "\\$\\{jndi:",
    "[[:digit:]]+ bytes",
    "[[:xdigit:]]{8}",
    "[[:space:]]{2}",
    "[^[:space:]]{30}",
    "[0-9a-f]{2}(:[0-9a-f]{2}){5}",
    "[A-Z][a-z]+ [0-9]",
    "[^a-z]root",
    "[]a]",
    "[^]a]",
    "[a-]",
    "[-a]",
    "[a^]",
    "[.*+?]",
    "[$]",
    "\\bssh",
    "ssh\\b",
    "\\broot\\b",
    "\\Broot",
    "\\<an",
    "nn\\>",
    "\\w+@\\w+",
    "\\W\\W\\W",
    "^\\w+ ",
    "\\s\\s",
    "\\S{40}",
    "a|b|c",
    "(a|b)*c",
    "(a*)*b",
    "(a+)+$",
    "((a)(b))?c",
    "(|x)y",
    "a{0}b",
    "a{2}",
    "a{2,}",
    "a{,2}b",
    "a{1,3}",
    "(ab){2}",
    "o{1}",
    "\\.",
    "\\*",
    "\\+",
    "\\?",
    "\\(",
    "\\)",
    "\\{",
    "\\}",
    "\\|",
    "\\^",
    "\\$",
    "\\\\",
    "\\/",
    "é",
    "ß",
    "日",
    "caf.",
    "caf[éè]",
    "[^é]$",
    "gr[oö].e",
    "日.語",
    "^.{5}$",
    "^.{1,9}$",
    "\\(.\\)",
    "=\"[^\"]*\"",
    "'[^']*'",
    "[[:blank:]]x",
    "^[^ ]+ [^ ]+ [^ ]+$",
    ":.*:.*:",
    "(^| )id( |$)",
    "-f",
    "--help",
];

/// What an answer holds of lines: as many as one may ask for.
const MAX_LINES: usize = 1000;

struct Lines {
    folder: tempfile::TempDir,
    context: Context,
}

impl Lines {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), bytes).unwrap();
        assert!(bytes.iter().filter(|byte| **byte == b'\n').count() < MAX_LINES);
        Self { folder, context: Context::scripted([]).with_source("log", bytes) }
    }

    /// Where the lines begin that grep finds.
    fn grep(&self, pattern: &str, ignore_case: bool, locale: &str) -> Vec<u64> {
        let mut command = Command::new("grep");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", locale).args(["-a", "-b", "-E"]);
        let output = command
            .args(ignore_case.then_some("-i"))
            .args(["-e", pattern, "--", "log"])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.code().is_some_and(|code| code < 2), "{pattern}: {}", String::from_utf8_lossy(&output.stderr));
        let number = |line: &[u8]| String::from_utf8_lossy(line.split(|byte| *byte == b':').next().unwrap()).parse().unwrap();
        output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(number).collect()
    }

    /// Where the lines begin that are found here.
    fn query(&self, pattern: &str, ignore_case: bool) -> Result<Vec<u64>, Failure> {
        let arguments = json!({ "log": "log", "pattern": pattern, "ignore_case": ignore_case, "max_lines": MAX_LINES });
        let outcome = casemate_plugin::testing::call(TOOLS, "query_logs", &arguments, &self.context)?;
        let report: Value = serde_json::from_str(&outcome.structured)?;
        assert_eq!(report["matched"], report["shown"], "{pattern}");
        Ok(report["lines"].as_array().unwrap().iter().map(|line| line["offset"].as_u64().unwrap()).collect())
    }

    /// Whether it is a pattern here; then both find the same.
    #[track_caller]
    fn agree(&self, pattern: &str, ignore_case: bool, locale: &str) -> bool {
        let ours = match self.query(pattern, ignore_case) {
            Ok(found) => found,
            Err(failure) => {
                assert!(failure.message().contains("too large"), "{pattern:?}: {failure}");
                return false;
            }
        };
        let theirs = self.grep(pattern, ignore_case, locale);
        let only = |some: &[u64], others: &[u64]| some.iter().filter(|line| !others.contains(line)).copied().collect::<Vec<_>>();
        let differ = [only(&ours, &theirs), only(&theirs, &ours)];
        assert!(
            ours == theirs,
            "{pattern:?}, ignoring case: {ignore_case}, {locale}: found only here and only by grep: {differ:?}"
        );
        true
    }

    /// Each of these patterns finds the same, and at least so many are patterns here.
    fn all_agree(&self, patterns: impl Iterator<Item = String>, cases: &[bool], locale: &str, at_least: usize) {
        let compared = patterns.flat_map(|pattern| cases.iter().map(move |case| (pattern.clone(), *case)));
        let agreed = compared.filter(|(pattern, ignore_case)| self.agree(pattern, *ignore_case, locale)).count();
        assert!(agreed >= at_least, "{agreed}");
    }
}

/// Bytes are characters to grep in this locale; so they are where there are no others.
#[test]
fn grep_finds_the_same_in_the_locale_c() {
    let lines = Lines::new(&ascii());
    let written = WRITTEN.iter().filter(|pattern| pattern.is_ascii()).map(|pattern| (*pattern).to_owned());
    let patterns = written.chain(generated(&mut Random::new(1), 300, false));
    lines.all_agree(patterns, &[false, true], "C", 700);
}

/// Where a word ends beside a letter that is not ASCII is a difference.
fn without_edges(seed: u64) -> impl Iterator<Item = String> {
    let written = WRITTEN.iter().map(|pattern| (*pattern).to_owned());
    let has_edge = |pattern: &String| ["\\b", "\\B", "\\<", "\\>"].iter().any(|edge| pattern.contains(edge));
    written.chain(generated(&mut Random::new(seed), 400, true)).filter(move |pattern| !has_edge(pattern))
}

#[test]
fn grep_finds_the_same_in_utf_8() {
    Lines::new(&letters()).all_agree(without_edges(2), &[false], "C.UTF-8", 200);
}

#[test]
fn grep_finds_the_same_in_bytes_that_are_no_text() {
    Lines::new(&broken()).all_agree(without_edges(3), &[false], "C.UTF-8", 200);
}

/// What the README says of them: grep's answer, and ours; `None` where the pattern is refused.
#[test]
fn the_differences_are_these() {
    for (pattern, line, ignore_case, grep, ours) in [
        ("(a)\\1", "aa", false, true, None),
        ("a{", "a{", false, true, None),
        ("*a", "a", false, true, None),
        ("\\`a", "a", false, true, Some(false)),
        ("^\\w+$", "e\u{301}", false, false, Some(true)),
        ("[[:alpha:]]", "é", false, true, Some(false)),
        ("[[:upper:]]", "É", false, true, Some(false)),
        ("é", "É", true, true, Some(false)),
        ("a$", "a\r", false, false, Some(true)),
        ("[a\\]b]", "a", false, false, Some(true)),
        ("[a&&b]", "&", false, true, Some(false)),
        ("\\d", "5", false, false, Some(true)),
        ("\\t", "\t", false, false, Some(true)),
        ("(?i)a", "A", false, false, Some(true)),
        ("[\\d]", "5", false, false, Some(true)),
        ("\\s", "\u{a0}", false, false, Some(true)),
        ("\\broot", "éroot", false, false, Some(true)),
    ] {
        let lines = Lines::new(format!("{line}\n").as_bytes());
        let found = lines.query(pattern, ignore_case).ok().map(|found| !found.is_empty());
        assert_eq!((!lines.grep(pattern, ignore_case, "C.UTF-8").is_empty(), found), (grep, ours), "{pattern:?} {line:?}");
    }
}
