//! Texts to match, with wildcards: `*` for any characters, `?` for one, and `\` before either where it stands for itself.

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `*`
    Many,
    /// `?`
    One,
}

/// A text with wildcards. No two texts are next to each other, and none is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

impl Pattern {
    /// As the specification has it: a backslash that is before neither a wildcard nor a backslash is a backslash.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '*' => pattern.0.push(Part::Many),
                '?' => pattern.0.push(Part::One),
                '\\' => pattern.push(letters.next_if(|next| matches!(next, '*' | '?' | '\\')).unwrap_or('\\')),
                other => pattern.push(other),
            }
        }
        pattern
    }

    /// A text without wildcards.
    pub(crate) fn plain(text: String) -> Self {
        Self(if text.is_empty() { Vec::new() } else { vec![Part::Text(text)] })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    fn push(&mut self, letter: char) {
        match self.0.last_mut() {
            Some(Part::Text(text)) => text.push(letter),
            _ => self.0.push(Part::Text(letter.to_string())),
        }
    }

    /// The text, if it has no wildcards.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// With anything before it.
    pub(crate) fn ending(mut self) -> Self {
        if self.0.first() != Some(&Part::Many) {
            self.0.insert(0, Part::Many);
        }
        self
    }

    /// With anything behind it.
    pub(crate) fn beginning(mut self) -> Self {
        if self.0.last() != Some(&Part::Many) {
            self.0.push(Part::Many);
        }
        self
    }

    /// The same with each `-` and `/` that begins an option as any of the dashes that Windows takes there; nothing where these are more
    /// than `most`.
    pub(crate) fn windash(&self, most: usize) -> Option<Vec<Self>> {
        let mut all = vec![Self::default()];
        for part in &self.0 {
            let Part::Text(text) = part else {
                all.iter_mut().for_each(|one| one.0.push(part.clone()));
                continue;
            };
            // Letters beyond ASCII are letters, but for the dashes among them.
            let is_word = |letter: Option<char>| {
                letter.is_some_and(|letter| {
                    letter.is_ascii_alphanumeric() || letter == '_' || !letter.is_ascii() && !DASHES.contains(&letter)
                })
            };
            let mut before = None;
            let mut letters = text.chars().peekable();
            while let Some(letter) = letters.next() {
                if matches!(letter, '-' | '/') && !is_word(before) && is_word(letters.peek().copied()) {
                    if all.len() * DASHES.len() > most {
                        return None;
                    }
                    let with = |one: Self| {
                        DASHES.map(|dash| {
                            let mut one = one.clone();
                            one.push(dash);
                            one
                        })
                    };
                    all = all.into_iter().flat_map(with).collect();
                } else {
                    all.iter_mut().for_each(|one| one.push(letter));
                }
                before = Some(letter);
            }
        }
        Some(all)
    }
}

/// What begins an option: hyphen, slash, en dash, em dash, horizontal bar.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn wildcards_are_wildcards_unless_escaped() {
        for (written, parts) in [
            ("", vec![]),
            ("abc", vec![text("abc")]),
            (r"*\cmd.exe", vec![Part::Many, text(r"\cmd.exe")]),
            (r"C:\\Windows\\*", vec![text(r"C:\Windows\"), Part::Many]),
            (r"a\*b\?c", vec![text("a*b?c")]),
            (r"a?b", vec![text("a"), Part::One, text("b")]),
            (r"\\*", vec![text(r"\"), Part::Many]),
            (r"\", vec![text(r"\")]),
            (r"\a", vec![text(r"\a")]),
        ] {
            assert_eq!(Pattern::parse(written).parts(), parts, "{written}");
        }
    }

    #[test]
    fn what_is_there_already_is_not_added() {
        assert_eq!(Pattern::parse("*a*").beginning().ending(), Pattern::parse("*a*"));
        assert_eq!(Pattern::parse("a").beginning().ending(), Pattern::parse("*a*"));
        assert_eq!(Pattern::parse("").ending().beginning(), Pattern::parse("*"));
    }

    #[test]
    fn a_dash_is_any_dash_where_an_option_begins() {
        let count = |text: &str| Pattern::parse(text).windash(25).map(|all| all.len());
        for (text, expected) in [
            ("-enc", Some(5)),
            ("a-b", Some(1)),
            (" -a /b", Some(25)),
            ("--x", Some(5)),
            ("- x", Some(1)),
            ("-a -b -c", None),
            ("*-a*", Some(5)),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
        assert_eq!(Pattern::parse("-a").windash(5).unwrap_or_default().get(1), Some(&Pattern::parse("/a")));
    }
}
