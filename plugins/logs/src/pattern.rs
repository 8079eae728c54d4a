//! Patterns: regular expressions that take time in proportion to what they are held against, whatever they say.
//!
//! The syntax is that of crate `regex`. Nothing here goes back in a line: a lazy DFA reads each byte once.

mod plain;

use std::borrow::Cow;

use casemate_plugin::{
    Failure,
    field::{InvalidField, TextVisitor},
};
use regex_automata::{
    Input,
    hybrid::dfa::{Cache, Config, DFA},
    nfa::thompson,
};
use regex_syntax::{ast::parse::ParserBuilder, hir::translate::TranslatorBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// Characters of a pattern.
const MAX_CHARACTERS: usize = 256;
/// Groups in groups; a person does not follow ten.
const MAX_DEPTH: u32 = 50;
/// Bytes of a compiled pattern. What it costs to read one byte of a log is bounded by this.
const MAX_COMPILED: usize = 512 << 10;
/// Bytes of states that the DFA remembers; it forgets and goes on when they are used up.
const MAX_CACHE: usize = 4 << 20;

/// The text of a pattern.
#[derive(Debug, Clone)]
pub(crate) struct Expression(String);

impl Expression {
    const EXPECTED: &'static str = "a regular expression of 1 to 256 characters, without control characters";

    fn read(text: &str) -> Result<Self, InvalidField> {
        let fits = (1..=MAX_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidField::new(Self::EXPECTED)) }
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor { expected: Self::EXPECTED, read: Self::read })
    }
}

impl JsonSchema for Expression {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS, "pattern": "^[^\\u0000-\\u001f\\u007f]*$" })
    }
}

/// A compiled pattern, with what it remembers from one line to the next.
#[derive(Debug)]
pub(crate) struct Pattern {
    dfa: DFA,
    cache: Cache,
}

impl Pattern {
    /// Compile one. With `ignore_case`, ASCII letters match in either case.
    ///
    /// # Errors
    /// When it is no regular expression, or too large a one.
    pub(crate) fn compile(expression: &Expression, ignore_case: bool) -> Result<Self, Failure> {
        let text = expression.0.as_str();
        let no = |why: &dyn std::fmt::Display| Failure::invalid_arguments(format!("the pattern is no regular expression: {why}"));
        let mut parser = ParserBuilder::new().nest_limit(MAX_DEPTH).empty_min_range(true).build();
        let mut ast = parser.parse(text).map_err(|error| no(error.kind()))?;
        plain::plain(&mut ast, ignore_case);
        let mut translator = TranslatorBuilder::new().utf8(false).build();
        let hir = translator.translate(text, &ast).map_err(|error| no(error.kind()))?;

        let too_large = |_| Failure::invalid_arguments("the pattern is too large once its repetitions are written out");
        let compiler = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_COMPILED));
        let nfa = thompson::Compiler::new().configure(compiler).build_from_hir(&hir).map_err(too_large)?;
        let dfa = DFA::builder().configure(Config::new().cache_capacity(MAX_CACHE)).build_from_nfa(nfa);
        let dfa = dfa.map_err(|_| Failure::invalid_arguments("the pattern is too large"))?;
        Ok(Self { cache: dfa.create_cache(), dfa })
    }

    /// Where the first match in a line is known to be one, if there is a match.
    pub(crate) fn find(&mut self, line: &[u8]) -> Option<usize> {
        let found = self.dfa.try_search_fwd(&mut self.cache, &Input::new(line).earliest(true));
        // It gives up on nothing: it was told of no byte and of no effort that would be too much.
        found.ok().flatten().map(|found| found.offset())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn compiled(text: &str, ignore_case: bool) -> Result<Pattern, Failure> {
        Pattern::compile(&Expression::read(text).unwrap(), ignore_case)
    }

    #[track_caller]
    fn check(text: &str, ignore_case: bool, matches: &[&str], others: &[&str]) {
        let mut pattern = compiled(text, ignore_case).unwrap();
        for (lines, expected) in [(matches, true), (others, false)] {
            for line in lines {
                assert_eq!(pattern.find(line.as_bytes()).is_some(), expected, "{text:?} {line:?}");
            }
        }
    }

    #[test]
    fn an_expression_is_short_and_has_no_control_characters() {
        for bad in ["", "a\nb", "\u{0}", "\u{9b}", &"x".repeat(257)] {
            assert!(Expression::read(bad).is_err(), "{bad:?}");
        }
        assert!(Expression::read(&"é".repeat(256)).is_ok());
    }

    #[test]
    fn what_people_write_works() {
        check(
            "Failed password for (invalid user )?[a-z]+ from",
            false,
            &["Failed password for root from"],
            &["Failed password for 1"],
        );
        check(r"\b(10|172)\.\d{1,3}\.", false, &["from 10.2."], &["from 110.2.", "10x2."]);
        check("^$", false, &[""], &[" "]);
        check("a{,2}b$", false, &["aab", "b"], &["ba"]);
        check(r"\<root\>", false, &["for root from", "root", "éroot"], &["chroot", "roots"]);
        check(r"a\Bb\B", false, &["abc"], &["ab"]);
        check(r"\w+é", false, &["caféé"], &["é"]);
        check("a.c", false, &["aéc", "a\u{0}c"], &["ac"]);
    }

    #[test]
    fn case_is_ignored_where_that_is_said() {
        for (text, ignore_case) in
            [("fail[a-c]d", true), ("(?i)fail[a-c]d", false), ("(?i:fail[A-C]d)", false), ("fail[^d-z]d", true)]
        {
            check(text, ignore_case, &["FAILAd", "failbD"], &["failed"]);
        }
        check("(?i:a)b", false, &["Ab"], &["AB"]);
        check("((?i)a)b", false, &["Ab"], &["AB"]);
        check("(?-i:a)b", true, &["aB"], &["Ab"]);
        check("(?-i)a", true, &["a"], &["A"]);
        check("[[:upper:]]", true, &["a"], &["1"]);
        check("[^a]", true, &["b"], &["A", "a", "Aa"]);
        check("[[a-z]&&[^x]]", true, &["Y"], &["X", "x"]);
        check("é", true, &["é"], &["É"]);
        check("(?i)k", false, &["K"], &["\u{212a}"]);
    }

    #[test]
    fn a_match_is_found_where_it_is() {
        let mut pattern = compiled("b+", false).unwrap();
        assert_eq!(pattern.find(b"aabbb"), Some(3));
        let mut pattern = compiled(r"\bb", false).unwrap();
        assert_eq!(pattern.find("é b".as_bytes()), Some(4));
    }

    #[test]
    fn bytes_that_are_no_text_match_no_character() {
        let mut dot = compiled("^a.b$", false).unwrap();
        assert_eq!(dot.find(b"a\xffb"), None);
        let mut around = compiled("b$", false).unwrap();
        assert!(around.find(b"a\xffb").is_some());
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused() {
        for (text, why) in [
            ("(", "unclosed group"),
            ("*", "repetition operator missing expression"),
            (r"(a)\1", "backreferences are not supported"),
            ("(?=a)", "look-around"),
            ("[z-a]", "invalid character class range"),
        ] {
            let failure = compiled(text, false).unwrap_err();
            assert!(failure.message().contains(why), "{text}: {failure}");
        }
        for text in ["((a{1000}){1000}){1000}", r"\w{1000}", &"(".repeat(100)] {
            assert!(compiled(text, false).is_err(), "{text}");
        }
    }

    /// Each of these takes exponential time where a machine goes back.
    #[test]
    fn a_pattern_that_is_written_to_take_long_does_not() {
        let line = "a".repeat(50_000);
        let began = std::time::Instant::now();
        for text in ["(a+)+$b", "(a|a)*b", "(a|aa)+b", "(.*a){12}b", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
            assert_eq!(compiled(text, false).unwrap().find(line.as_bytes()), None, "{text}");
        }
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
