//! Patterns: globs over names, and anchored regular expressions.

use casemate_signing::manifest::pattern::compiled;

/// Whether `text` is covered by `glob`, in which `*` stands for any run of characters. Linear space, no backtracking
/// beyond the last star. A `*` in `text` is a character like any other that only a star covers, so the same
/// function answers whether one glob covers everything another glob covers.
pub(crate) fn glob(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(read) {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&wanted) if wanted == byte => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((star_at, star_read)) = star else { return false };
                star = Some((star_at, star_read + 1));
                (at, read) = (star_at + 1, star_read + 1);
            }
        }
    }
    glob.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

/// Compile a manifest's pattern so that it must cover the whole text, whatever its own anchors bind to:
/// `^a|b$` alone would let `ab` through on either side.
pub(crate) fn anchored(pattern: &str) -> Result<regex::Regex, regex::Error> {
    // On its own first: `a)|(b` is no pattern, and only the brackets around it would make it one.
    regex_syntax::parse(pattern).map_err(|error| regex::Error::Syntax(error.to_string()))?;
    compiled(&format!(r"\A(?:{pattern})\z"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{anchored, glob};

    #[test]
    fn globs() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abc"), ("a*c", "ac"), ("*b*", "abc"), ("sec*", "secur*"), ("*", "*"), ("a*b*c", "aXbYbZc")]
        {
            assert!(glob(pattern, text), "{pattern} should cover {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", ""), ("a*c", "abd"), ("secur*", "sec*"), ("abc", "a*c"), ("a", "A"), ("a*", "*a")]
        {
            assert!(!glob(pattern, text), "{pattern} should not cover {text}");
        }
    }

    #[test]
    fn a_hostile_glob_does_not_take_long() {
        assert!(!glob(&"*a".repeat(32), &"a".repeat(31)));
        assert!(!glob(&format!("{}b", "*a".repeat(31)), &"a".repeat(20_000)));
    }

    #[test]
    fn patterns_cover_the_whole_text() {
        let pattern = anchored("^a|b$").unwrap();
        assert!(pattern.is_match("a") && pattern.is_match("b"));
        for text in ["ab", "xb", "a\n", "a\nb", "", "ax"] {
            assert!(!pattern.is_match(text), "{text:?}");
        }
        assert!(!anchored("(?m)^a$").unwrap().is_match("a\nb"));
        assert!(anchored("a)|(b").is_err(), "brackets cannot be closed from inside");
        assert!(anchored("(?x)a # comment").is_err() || !anchored("(?x)a # comment").unwrap().is_match("ab"));
        assert!(anchored("(\\w{1000}){1000}").is_err(), "a compile bomb is refused");
    }
}
