//! What a query is made of, and the one way in which each piece is written.

/// A piece of a search expression, of an eval expression, or of a command's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A word or a sign of the grammar itself: `AND`, `BY`, `+`.
    Word(&'static str),
    /// Between the elements of a list.
    Comma,
    /// A word that is searched for, or a number: nothing in it means anything to Splunk but `*`.
    Plain(String),
    /// What stands between two quotes, as it is written there: every `"` in it has a backslash before it.
    Quoted(String),
    /// A field by a name without blanks, or in single quotes where an eval expression names another.
    Field(String),
    /// `field=value`, as one word.
    Compare(String, &'static str, Box<Piece>),
    /// `name=value`, an option of a command.
    Setting(&'static str, Box<Piece>),
    /// `name(…)`
    Call(String, Vec<Piece>),
    /// `(…)`
    Group(Vec<Piece>),
    /// `-field`: a sign that belongs to what follows.
    Signed(char, Box<Piece>),
}

/// Pieces with blanks between them.
pub(super) fn written(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        if !text.is_empty() && *piece != Piece::Comma {
            text.push(' ');
        }
        piece.write(&mut text);
    }
    text
}

impl Piece {
    fn write(&self, text: &mut String) {
        match self {
            Self::Word(word) => text.push_str(word),
            Self::Comma => text.push(','),
            Self::Plain(word) | Self::Field(word) => text.push_str(word),
            Self::Quoted(inner) => {
                text.push('"');
                text.push_str(inner);
                text.push('"');
            }
            Self::Compare(field, sign, value) => {
                text.push_str(field);
                text.push_str(sign);
                value.write(text);
            }
            Self::Setting(name, value) => {
                text.push_str(name);
                text.push('=');
                value.write(text);
            }
            Self::Call(name, inside) => {
                text.push_str(name);
                Self::parentheses(inside, text);
            }
            Self::Group(inside) => Self::parentheses(inside, text),
            Self::Signed(sign, piece) => {
                text.push(*sign);
                piece.write(text);
            }
        }
    }

    fn parentheses(inside: &[Self], text: &mut String) {
        text.push('(');
        text.push_str(&written(inside));
        text.push(')');
    }
}
