//! A search as it was understood, and how it is written down again: every name and every value in double quotes.

use std::fmt::{self, Display, Formatter, Write as _};

/// What a log entry has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// `*`
    Any,
    /// All, `and`, or one of them, `or`.
    All(Vec<Self>),
    One(Vec<Self>),
    Not(Box<Self>),
    Group(Box<Self>),
    /// A test of a field; of the message where no field is named.
    Field(Option<String>, Test),
}

/// What a field's value has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// `*`: anything but nothing.
    Present,
    /// A word or a phrase, or with `*` behind it the beginning of one.
    Phrase(String, bool),
    /// `=`, `!=`, `~`, `!~`, `<`, `>=` and so on.
    Compared(&'static str, String, bool),
    /// `in("a", "b")`, `range("1", "2")`
    Function(&'static str, Vec<(String, bool)>),
    /// `range[1, 2)`: what opens it, its ends, and what closes it.
    Range(char, String, String, char),
}

/// A step after the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pipe {
    Filter(Filter),
    /// `fields`, `delete`
    Named(&'static str, Vec<String>),
    /// `rename`, `copy`
    Pairs(&'static str, Vec<(String, String)>),
    /// `limit`, `offset`
    Number(&'static str, u32),
    Sort {
        by: Vec<(String, bool)>,
        limit: Option<u32>,
    },
    Uniq {
        by: Vec<String>,
        limit: Option<u32>,
    },
    Top {
        count: Option<u32>,
        by: Vec<String>,
    },
    Stats {
        by: Vec<(String, Option<String>)>,
        what: Vec<Computed>,
    },
    /// `unpack_json`, `unpack_logfmt`
    Unpack(&'static str, Option<String>),
    Extract(String, Option<String>),
}

/// A value of many entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Computed {
    pub(super) function: &'static str,
    /// Of `quantile`.
    pub(super) number: Option<String>,
    pub(super) fields: Vec<String>,
    pub(super) name: Option<String>,
}

/// A text in double quotes, as Go reads it.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                letter => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

/// A value with `*` behind it, where it is a beginning.
struct Begun<'t>(&'t str, bool);

impl Display for Begun<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Quoted(self.0), if self.1 { "*" } else { "" })
    }
}

fn joined<T: Display>(things: impl IntoIterator<Item = T>, between: &str) -> String {
    things.into_iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(between)
}

fn quoted<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    joined(names.into_iter().map(|name| Quoted(name)), ", ")
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_char('*'),
            Self::All(filters) => f.write_str(&joined(filters, " and ")),
            Self::One(filters) => f.write_str(&joined(filters, " or ")),
            Self::Not(filter) => write!(f, "not {filter}"),
            Self::Group(filter) => write!(f, "({filter})"),
            Self::Field(None, test) => test.fmt(f),
            Self::Field(Some(name), test) => write!(f, "{}:{test}", Quoted(name)),
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_char('*'),
            Self::Phrase(text, begins) => Begun(text, *begins).fmt(f),
            Self::Compared(sign, text, begins) => write!(f, "{sign}{}", Begun(text, *begins)),
            Self::Function(name, values) => {
                write!(f, "{name}({})", joined(values.iter().map(|(text, begins)| Begun(text, *begins)), ", "))
            }
            Self::Range(opens, from, to, closes) => write!(f, "range{opens}{}, {}{closes}", Quoted(from), Quoted(to)),
        }
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let limited = |limit: &Option<u32>| limit.map(|limit| format!(" limit {limit}")).unwrap_or_default();
        match self {
            Self::Filter(filter) => write!(f, "filter {filter}"),
            Self::Named(pipe, names) => write!(f, "{pipe} {}", quoted(names)),
            Self::Pairs(pipe, pairs) => {
                let pairs = pairs.iter().map(|(from, to)| format!("{} as {}", Quoted(from), Quoted(to)));
                write!(f, "{pipe} {}", joined(pairs, ", "))
            }
            Self::Number(pipe, number) => write!(f, "{pipe} {number}"),
            Self::Sort { by, limit } => {
                let by = by.iter().map(|(name, down)| format!("{}{}", Quoted(name), if *down { " desc" } else { "" }));
                write!(f, "sort by ({}){}", joined(by, ", "), limited(limit))
            }
            Self::Uniq { by, limit } => write!(f, "uniq by ({}){}", quoted(by), limited(limit)),
            Self::Top { count, by } => {
                let count = count.map(|count| format!("{count} ")).unwrap_or_default();
                write!(f, "top {count}by ({})", quoted(by))
            }
            Self::Stats { by, what } => {
                f.write_str("stats ")?;
                if !by.is_empty() {
                    let by = by.iter().map(|(name, step)| match step {
                        Some(step) => format!("{}:{step}", Quoted(name)),
                        None => Quoted(name).to_string(),
                    });
                    write!(f, "by ({}) ", joined(by, ", "))?;
                }
                f.write_str(&joined(what, ", "))
            }
            Self::Unpack(pipe, None) => f.write_str(pipe),
            Self::Unpack(pipe, Some(field)) => write!(f, "{pipe} from {}", Quoted(field)),
            Self::Extract(pattern, None) => write!(f, "extract {}", Quoted(pattern)),
            Self::Extract(pattern, Some(field)) => write!(f, "extract {} from {}", Quoted(pattern), Quoted(field)),
        }
    }
}

impl Display for Computed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let arguments = self.number.iter().cloned().chain(self.fields.iter().map(|name| Quoted(name).to_string()));
        write!(f, "{}({})", self.function, joined(arguments, ", "))?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " as {}", Quoted(name)))
    }
}
