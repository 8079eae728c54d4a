//! What policies know of a value: its type in Cedar, the words it may be, and how a JSON value becomes it.
//!
//! What Cedar cannot say without loss is not there at all: a policy that names it does not load. Nothing is rounded, cut
//! or guessed; a value that does not fit its kind is no value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use cedar_policy::RestrictedExpression;
use serde_json::Value;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `String`.
    Text(Words),
    /// `Long`.
    Whole,
    /// `Bool`.
    Flag,
    /// `datetime`.
    Moment,
    /// `Set`.
    List(Box<Kind>),
    /// A record.
    Record(Record),
}

/// What a text may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    /// Anything.
    Any,
    /// One of these.
    Of(BTreeSet<String>),
    /// A JSON Pointer to an argument of the tool.
    Pointer,
}

/// A record's attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record(pub(super) BTreeMap<String, Field>);

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// Whether it must be there.
    pub(super) required: bool,
    /// Whether `null` may stand for its absence.
    pub(super) nullable: bool,
}

/// A value that does not fit its kind. It says where, and never what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the argument at `{at}` {fault}")]
pub(super) struct Misfit {
    at: String,
    fault: &'static str,
}

impl Misfit {
    pub(super) fn new(fault: &'static str) -> Self {
        Self { at: String::new(), fault }
    }

    pub(super) fn inside(mut self, key: &str) -> Self {
        self.at.insert_str(0, key);
        self.at.insert(0, '/');
        self
    }
}

impl Field {
    /// One that is always there.
    pub(super) fn always(kind: Kind) -> Self {
        Self { kind, required: true, nullable: false }
    }

    /// Whether a policy must ask with `has` first.
    pub(super) fn optional(&self) -> bool {
        !self.required || self.nullable
    }
}

impl Kind {
    /// Any text.
    pub(super) const TEXT: Self = Self::Text(Words::Any);

    /// One of these texts.
    pub(super) fn one_of<T: ToString>(words: impl IntoIterator<Item = T>) -> Self {
        Self::Text(Words::Of(words.into_iter().map(|word| word.to_string()).collect()))
    }

    /// A set.
    pub(super) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// A value as Cedar takes it.
    pub(super) fn express(&self, value: &Value) -> Result<RestrictedExpression, Misfit> {
        match (self, value) {
            (Self::Text(_), Value::String(text)) => Ok(RestrictedExpression::new_string(text.clone())),
            (Self::Text(_), _) => Err(Misfit::new("is not a text")),
            (Self::Whole, value) => {
                whole(value).map(RestrictedExpression::new_long).ok_or_else(|| Misfit::new("is not a whole number of 64 bits"))
            }
            (Self::Flag, Value::Bool(flag)) => Ok(RestrictedExpression::new_bool(*flag)),
            (Self::Flag, _) => Err(Misfit::new("is neither true nor false")),
            (Self::List(kind), Value::Array(items)) => {
                let items: Result<Vec<_>, _> = items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| kind.express(item).map_err(|m| m.inside(&at.to_string())))
                    .collect();
                Ok(RestrictedExpression::new_set(items?))
            }
            (Self::List(_), _) => Err(Misfit::new("is not a list")),
            (Self::Record(record), value) => record.express(value),
            // No argument is a moment: only the host makes one.
            (Self::Moment, _) => Err(Misfit::new("is not a moment")),
        }
    }

    /// As it is written in a schema.
    pub(super) fn write(&self, out: &mut String, indent: usize) {
        match self {
            Self::Text(_) => out.push_str("String"),
            Self::Whole => out.push_str("Long"),
            Self::Flag => out.push_str("Bool"),
            Self::Moment => out.push_str("datetime"),
            Self::List(kind) => {
                out.push_str("Set<");
                kind.write(out, indent);
                out.push('>');
            }
            Self::Record(record) => record.write(out, indent),
        }
    }

    /// The words it may be, or that its elements may be.
    fn words(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Text(Words::Of(words)) => Some(words),
            Self::List(kind) => kind.words(),
            _ => None,
        }
    }
}

/// JSON has one kind of number: `5.0` is as whole as `5`.
fn whole(value: &Value) -> Option<i64> {
    /// Up to here a double holds every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|_| !value.is_u64())?;
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}

impl Record {
    /// An object as Cedar takes it: of what policies know, everything; of the rest, nothing.
    pub(super) fn express(&self, value: &Value) -> Result<RestrictedExpression, Misfit> {
        let object = value.as_object().ok_or_else(|| Misfit::new("is not an object"))?;
        let mut attributes = Vec::with_capacity(self.0.len());
        for (name, field) in &self.0 {
            match object.get(name) {
                None if field.required => return Err(Misfit::new("is missing").inside(name)),
                None => {}
                Some(Value::Null) if field.nullable => {}
                Some(value) => attributes.push((name.clone(), field.kind.express(value).map_err(|m| m.inside(name))?)),
            }
        }
        RestrictedExpression::new_record(attributes).map_err(|_| Misfit::new("names an attribute twice"))
    }

    /// As it is written in a schema, each attribute on a line, with the words it may be behind it.
    pub(super) fn write(&self, out: &mut String, indent: usize) {
        if self.0.is_empty() {
            out.push_str("{}");
            return;
        }
        out.push_str("{\n");
        for (name, field) in &self.0 {
            // Names and words are a plugin's: `{:?}` leaves no quotation mark and no line end in them.
            let _ = write!(out, "{:indent$}  {name:?}{}: ", "", if field.optional() { "?" } else { "" });
            field.kind.write(out, indent + 2);
            out.push(',');
            if let Some(words) = field.kind.words() {
                let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                let _ = write!(out, " // {}", if words.is_empty() { "nothing yet".to_owned() } else { words.join(", ") });
            }
            out.push('\n');
        }
        let _ = write!(out, "{:indent$}}}", "");
    }
}
