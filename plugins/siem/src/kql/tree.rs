//! A search as it was understood, and how it is written down again: one operator to a line, every text in double quotes.

use std::fmt::{self, Display, Formatter, Write as _};

/// One step of a search.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operator {
    Where(Expression),
    /// `project`, `extend`, `distinct`: columns, some with a name of their own.
    Columns(&'static str, Vec<Column>),
    /// `project-away`, `project-keep`, `project-reorder`: columns by name, in which `*` stands for anything.
    Named(&'static str, Vec<String>),
    /// `new = old`
    Rename(Vec<(String, String)>),
    Summarize {
        what: Vec<Column>,
        by: Vec<Column>,
    },
    Sort(Vec<Order>),
    Top(u32, Order),
    /// `take`, `sample`
    Rows(&'static str, u32),
    Count,
    Expand {
        what: Vec<(Column, Option<&'static str>)>,
        limit: Option<u32>,
    },
    Parse {
        operator: &'static str,
        what: Expression,
        pattern: Vec<Piece>,
    },
}

/// A value, perhaps with a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: Option<String>,
    pub(super) value: Expression,
}

/// What rows are sorted by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) by: Expression,
    /// `asc`, `desc`
    pub(super) direction: Option<&'static str>,
    /// `first`, `last`
    pub(super) nulls: Option<&'static str>,
}

/// A part of what `parse` looks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Any,
    Text(String),
    Column(String, Option<&'static str>),
}

/// A value, or how it is had.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Literal(Literal),
    Column(String),
    /// `*`: every column, or in an aggregate the row's others.
    Every,
    /// `typeof(…)`
    Type(&'static str),
    Call(String, Vec<Self>),
    Member(Box<Self>, String),
    Element(Box<Self>, Literal),
    Negative(Box<Self>),
    Group(Box<Self>),
    /// `a or b or c`: operators of one rank, and what follows each.
    Chain(Box<Self>, Vec<(&'static str, Self)>),
    /// `a in (…)`
    List(Box<Self>, &'static str, Vec<Literal>),
    /// `a between (b .. c)`
    Between(Box<Self>, &'static str, Box<Self>, Box<Self>),
}

/// A value that is written out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    /// A number or a span of time as it was written.
    Number(String),
    /// `true`, `false`, `null`
    Word(&'static str),
    /// `datetime(…)`, `int(…)`
    Typed(&'static str, String),
    /// `dynamic(…)`
    Dynamic(Box<Json>),
}

/// What a dynamic literal holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Value(Literal),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Things with something between them.
fn joined<T: Display>(f: &mut Formatter<'_>, things: impl IntoIterator<Item = T>) -> fmt::Result {
    for (at, thing) in things.into_iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        thing.fmt(f)?;
    }
    Ok(())
}

/// A text in double quotes. No character in it ends the line, and none that is not seen is in it.
struct Quoted<'t>(&'t str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // Texts are read without escapes for what lies beyond four digits; no character that is not seen is read there.
                hidden if casemate_plugin::is_hidden(hidden) => write!(f, "\\u{:04x}", u32::from(hidden))?,
                letter => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Where(condition) => write!(f, "where {condition}"),
            Self::Columns(operator, columns) => {
                write!(f, "{operator} ")?;
                joined(f, columns)
            }
            Self::Named(operator, names) => {
                write!(f, "{operator} ")?;
                joined(f, names)
            }
            Self::Rename(pairs) => {
                f.write_str("project-rename ")?;
                joined(f, pairs.iter().map(|(new, old)| format!("{new} = {old}")))
            }
            Self::Summarize { what, by } => {
                f.write_str("summarize ")?;
                joined(f, what)?;
                if !by.is_empty() {
                    f.write_str(if what.is_empty() { "by " } else { " by " })?;
                    joined(f, by)?;
                }
                Ok(())
            }
            Self::Sort(orders) => {
                f.write_str("sort by ")?;
                joined(f, orders)
            }
            Self::Top(count, order) => write!(f, "top {count} by {order}"),
            Self::Rows(operator, count) => write!(f, "{operator} {count}"),
            Self::Count => f.write_str("count"),
            Self::Expand { what, limit } => {
                f.write_str("mv-expand ")?;
                joined(
                    f,
                    what.iter().map(|(column, kind)| match kind {
                        Some(kind) => format!("{column} to typeof({kind})"),
                        None => column.to_string(),
                    }),
                )?;
                limit.map_or(Ok(()), |limit| write!(f, " limit {limit}"))
            }
            Self::Parse { operator, what, pattern } => {
                write!(f, "{operator} {what} with")?;
                pattern.iter().try_for_each(|piece| match piece {
                    Piece::Any => f.write_str(" *"),
                    Piece::Text(text) => write!(f, " {}", Quoted(text)),
                    Piece::Column(name, None) => write!(f, " {name}"),
                    Piece::Column(name, Some(kind)) => write!(f, " {name}:{kind}"),
                })
            }
        }
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} = {}", self.value),
            None => self.value.fmt(f),
        }
    }
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.by.fmt(f)?;
        self.direction.map_or(Ok(()), |direction| write!(f, " {direction}"))?;
        self.nulls.map_or(Ok(()), |nulls| write!(f, " nulls {nulls}"))
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::Column(name) => f.write_str(name),
            Self::Every => f.write_str("*"),
            Self::Type(name) => write!(f, "typeof({name})"),
            Self::Call(function, arguments) => {
                write!(f, "{function}(")?;
                joined(f, arguments)?;
                f.write_char(')')
            }
            Self::Member(of, name) => write!(f, "{of}.{name}"),
            Self::Element(of, at) => write!(f, "{of}[{at}]"),
            Self::Negative(value) => write!(f, "-{value}"),
            Self::Group(value) => write!(f, "({value})"),
            Self::Chain(first, rest) => {
                first.fmt(f)?;
                rest.iter().try_for_each(|(operator, value)| write!(f, " {operator} {value}"))
            }
            Self::List(value, operator, list) => {
                write!(f, "{value} {operator} (")?;
                joined(f, list)?;
                f.write_char(')')
            }
            Self::Between(value, operator, from, to) => write!(f, "{value} {operator} ({from} .. {to})"),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Number(number) => f.write_str(number),
            Self::Word(word) => f.write_str(word),
            Self::Typed(kind, content) => write!(f, "{kind}({content})"),
            Self::Dynamic(json) => write!(f, "dynamic({json})"),
        }
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Array(values) => {
                f.write_char('[')?;
                joined(f, values)?;
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                joined(f, members.iter().map(|(name, value)| format!("{}: {value}", Quoted(name))))?;
                f.write_char('}')
            }
        }
    }
}
