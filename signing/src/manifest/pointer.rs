//! JSON Pointers (RFC 6901), parsed once.

use std::fmt;

/// A parsed pointer: the reference tokens, unescaped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<String>);

/// Text that is not a JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a JSON Pointer\nhelp: it is `/` before each key, with `~0` for `~` and `~1` for `/` (RFC 6901)")]
pub struct InvalidPointer(String);

impl Pointer {
    /// Parse a pointer to something inside a value: the empty pointer, which means the whole, is not one.
    pub fn parse(text: &str) -> Result<Self, InvalidPointer> {
        let invalid = || InvalidPointer(text.chars().take(80).collect());
        let rest = text.strip_prefix('/').ok_or_else(invalid)?;
        rest.split('/').map(|token| unescape(token).ok_or_else(invalid)).collect::<Result<_, _>>().map(Self)
    }

    /// The reference tokens, unescaped; never empty.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// Whether `other` is this place or somewhere inside it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(c) = characters.next() {
        out.push(match c {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c if c.is_control() => return None,
            c => c,
        });
    }
    Some(out)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_unescaped() {
        for (text, tokens) in [("/a", vec!["a"]), ("/a~1b/~01/0", vec!["a/b", "~1", "0"]), ("/", vec![""])] {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.tokens(), tokens, "{text}");
            assert_eq!(pointer.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "a", "a/b", "#/a", "/~", "/~2", "/a~", "/a\nb", "$.a"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_covers_what_is_inside_it() {
        let at = |text| Pointer::parse(text).unwrap();
        assert!(at("/a").covers(&at("/a/b")) && at("/a").covers(&at("/a")));
        assert!(!at("/a/b").covers(&at("/a")) && !at("/a").covers(&at("/ab")));
    }
}
