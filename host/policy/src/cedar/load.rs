//! From files to policies: each alone, before any of them is held against the tools.
//!
//! What comes out are `forbid`s. The one `permit` that is accepted, the one without any condition, is gone.

use std::{collections::BTreeMap, sync::Arc};

use cedar_policy::{ActionConstraint, Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint, Template};

use super::{
    fault::{RulesError, RulesFault, nearest, place},
    rule::Rule,
    source::{Place, Source, Token, tokens},
};
use crate::text::is_hidden;

/// Bytes of one file.
const MAX_FILE: usize = 256 * 1024;
/// Tokens of one policy: a set may be long.
const MAX_TOKENS: usize = 16_384;
/// Operators of one policy. Each may be inside the next, and the parser's stack goes as deep; a thread's 2 MiB end at 600.
const MAX_OPERATORS: usize = 256;
/// Brackets inside one another.
const MAX_DEPTH: usize = 32;
/// Characters of a text that is told.
const MAX_TOLD: usize = 300;
/// Characters of an id.
const MAX_ID: usize = 64;

const ANNOTATIONS: [&str; 3] = ["id", "message", "remedy"];

/// A policy that was read.
pub(super) struct Loaded {
    pub(super) policy: Policy,
    pub(super) rule: Arc<Rule>,
    /// Which of the files it is in.
    pub(super) source: usize,
    /// Its first byte there.
    pub(super) start: usize,
    /// Its own text.
    pub(super) text: String,
}

/// Read every file.
pub(super) fn load(sources: &[Source<'_>]) -> (Vec<Loaded>, Vec<RulesError>) {
    let mut reader = Reader::default();
    for (number, source) in sources.iter().enumerate() {
        if reader.is_readable(source) {
            reader.read(number, source);
        }
    }
    (reader.loaded, reader.errors)
}

#[derive(Default)]
struct Reader {
    loaded: Vec<Loaded>,
    errors: Vec<RulesError>,
    ids: BTreeMap<String, Place>,
}

impl Reader {
    fn refuse(&mut self, place: Place, fault: RulesFault) {
        self.errors.push(RulesError::new(place, fault));
    }

    /// Whether a parser may see a file: what is too long or too deep for it, or shown otherwise than it is, it may not.
    fn is_readable(&mut self, source: &Source<'_>) -> bool {
        let before = self.errors.len();
        if source.text.len() > MAX_FILE {
            self.refuse(source.place(0), RulesFault::TooLarge { what: "the file", unit: "bytes", max: MAX_FILE });
            return false;
        }
        for (at, character) in source.text.char_indices().filter(|(_, character)| *character != '\r' && is_hidden(*character)) {
            self.refuse(source.place(at), RulesFault::Hidden { shown: format!("\\u{{{:x}}}", u32::from(character)) });
        }
        let (mut depth, mut count, mut operators) = (0_usize, 0_usize, 0_usize);
        for (at, token) in tokens(source.text) {
            count += 1;
            match token {
                Token::Mark('(' | '{') => depth += 1,
                Token::Mark('[') => (depth, operators) = (depth + 1, operators + 1),
                Token::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
                Token::Mark('&' | '|' | '+' | '-' | '*' | '.') | Token::Word("if") => operators += 1,
                Token::Mark(';') => (count, operators) = (0, 0),
                _ => {}
            }
            let too = [
                ("tokens", count > MAX_TOKENS, MAX_TOKENS),
                ("operators", operators > MAX_OPERATORS, MAX_OPERATORS),
                ("levels", depth > MAX_DEPTH, MAX_DEPTH),
            ];
            if let Some((unit, _, max)) = too.into_iter().find(|(_, too, _)| *too) {
                self.refuse(source.place(at), RulesFault::TooLarge { what: "the policy", unit, max });
                return false;
            }
        }
        self.errors.len() == before
    }

    fn read(&mut self, number: usize, source: &Source<'_>) {
        let set: PolicySet = match source.text.parse() {
            Ok(set) => set,
            Err(errors) => {
                for error in errors.iter() {
                    self.refuse(place(error, source, 0).0, RulesFault::syntax(error));
                }
                return;
            }
        };
        let mut end = 0;
        // The parser numbers policies and templates together, in the order they stand in.
        for count in 0..set.num_of_policies() + set.num_of_templates() {
            let id = PolicyId::new(format!("policy{count}"));
            let policy = set.policy(&id);
            let text =
                policy.and_then(Policy::to_cedar).or_else(|| set.template(&id).map(Template::to_cedar)).unwrap_or_default();
            let rest = source.text.get(end..).unwrap_or_default();
            let start = end + tokens(rest).next().map_or(0, |(at, _)| at);
            end = start + text.len();
            match policy {
                Some(policy) => self.policy(policy, number, source, start, text),
                None => self.refuse(source.place(start), RulesFault::Template),
            }
        }
    }

    fn policy(&mut self, policy: &Policy, number: usize, source: &Source<'_>, start: usize, text: String) {
        let before = self.errors.len();
        let place = source.place(start);
        let rule = self.rule(policy, &place);
        if policy.effect() == Effect::Permit && !is_unconditional(policy) {
            self.refuse(place, RulesFault::Permit);
        }
        if self.errors.len() == before && policy.effect() == Effect::Forbid {
            let policy = policy.new_id(PolicyId::new(self.loaded.len().to_string()));
            self.loaded.push(Loaded { policy, rule: Arc::new(rule), source: number, start, text });
        }
    }

    /// How it is told of.
    fn rule(&mut self, policy: &Policy, place: &Place) -> Rule {
        for (name, text) in policy.annotations() {
            if !ANNOTATIONS.contains(&name) {
                let near = nearest(name, ANNOTATIONS);
                self.refuse(place.clone(), RulesFault::Annotation { name: name.to_owned(), near });
            } else if let Some(rule) = untold(name, text) {
                self.refuse(place.clone(), RulesFault::AnnotationText { name: name.to_owned(), rule });
            }
        }
        let annotation = |name| policy.annotation(name).map(str::to_owned);
        let short = format!("{}:{}", place.file(), place.line());
        let given = annotation("id");
        // Two on one line are told apart by their columns.
        let unnamed = || if self.ids.contains_key(&short) { place.to_string() } else { short };
        let id = given.clone().unwrap_or_else(unnamed);
        match self.ids.get(&id).cloned() {
            Some(first) => self.refuse(place.clone(), RulesFault::DuplicateId { id: id.clone(), first }),
            None => drop(self.ids.insert(id.clone(), place.clone())),
        }
        Rule { id, place: place.clone(), message: annotation("message"), remedy: annotation("remedy") }
    }
}

/// What an annotation's text must be, if it is not.
fn untold(name: &str, text: &str) -> Option<&'static str> {
    let fits_id = |text: &str| {
        text.len() <= MAX_ID
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && matches!(byte, b'_' | b'.' | b'-'))
    };
    if text.trim().is_empty() {
        Some("write a text in it")
    } else if name == "id" && !fits_id(text) {
        Some("an id has at most 64 letters, digits, `_`, `.` and `-`, and begins with a letter or digit")
    } else if text.chars().count() > MAX_TOLD || text.chars().any(|c| matches!(c, '\n' | '\t') || is_hidden(c)) {
        Some("it is one line of at most 300 visible characters")
    } else {
        None
    }
}

/// `permit(principal, action, resource);`: people begin their files with it. It is what the host says itself.
fn is_unconditional(policy: &Policy) -> bool {
    policy.principal_constraint() == PrincipalConstraint::Any
        && policy.action_constraint() == ActionConstraint::Any
        && policy.resource_constraint() == ResourceConstraint::Any
        && !policy.has_non_scope_constraint()
}
