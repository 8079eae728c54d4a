//! Where in the text of a `plugin.toml` something stands: from the loader's place, `upstream.server.request.list-agents.path`,
//! to a line that an author can open.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A place in a text, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// Characters, at least one; what goes on in the next line is left out.
    pub length: usize,
    /// The whole line.
    pub text: String,
}

impl Place {
    /// What `at` names, or the nearest thing around it that the text has; `None` where even its first key is missing.
    pub fn find(text: &str, at: &str) -> Option<Self> {
        let root = DeTable::parse(text).ok()?;
        in_table(root.get_ref(), at).map(|span| Self::of(text, span))
    }

    /// What stands in these bytes of the text.
    pub fn of(text: &str, span: Range<usize>) -> Self {
        let head = text.get(..span.start).unwrap_or(text);
        let start = head.rfind('\n').map_or(0, |feed| feed + 1);
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let before = head.get(start..).unwrap_or_default().chars().count();
        let marked = text.get(span).and_then(|marked| marked.lines().next()).unwrap_or_default().chars().count();
        Self { line: head.matches('\n').count() + 1, column: before + 1, length: marked.max(1), text: line.to_owned() }
    }
}

fn in_table(table: &DeTable<'_>, at: &str) -> Option<Range<usize>> {
    // A key may hold dots, so it is the longest that fits.
    let fitting = table.iter().filter_map(|(key, value)| Some((key, value, rest(at, key.get_ref())?)));
    let (_, value, rest) = fitting.max_by_key(|(key, ..)| key.get_ref().len())?;
    Some(in_value(value, rest))
}

fn in_value(value: &Spanned<DeValue<'_>>, at: &str) -> Range<usize> {
    let inside = match value.get_ref() {
        DeValue::Table(table) => in_table(table, at),
        DeValue::Array(items) => items.iter().find_map(|item| in_named(item, at)),
        _ => None,
    };
    inside.unwrap_or_else(|| value.span())
}

/// In an element of an array of tables, which is called by its `name`. What it lacks is pointed at by its name, since its header says
/// no more than its neighbours'.
fn in_named(item: &Spanned<DeValue<'_>>, at: &str) -> Option<Range<usize>> {
    let table = item.get_ref().as_table()?;
    let name = table.get("name")?;
    let rest = rest(at, name.get_ref().as_str()?)?;
    Some(in_table(table, rest).unwrap_or_else(|| name.span()))
}

/// What is left of `at` after its first key.
fn rest<'a>(at: &'a str, key: &str) -> Option<&'a str> {
    match at.strip_prefix(key)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TEXT: &str = r#"[plugin]
name = "größe"   # 2

[limits]
requests = 0

[[upstream.server.request]]
name = "list"
path = "/a"
query = { "a.b" = "x", a = "y" }

[[upstream.server.request]]
name = "list-all"
path = """
/b
"""

[tool.agents]
effect = "read"
"#;

    fn check(at: &str, line: usize, marked: &str) {
        let place = Place::find(TEXT, at).unwrap();
        let found: String = place.text.chars().skip(place.column - 1).take(place.length).collect();
        assert_eq!((place.line, found.as_str()), (line, marked), "{at}");
    }

    #[test]
    fn a_place_is_found() {
        check("plugin.name", 2, "\"größe\"");
        check("limits.requests", 5, "0");
        check("upstream.server.request.list.path", 9, "\"/a\"");
        check("upstream.server.request.list-all.path", 14, "\"\"\"");
        check("tool.agents.effect", 19, "\"read\"");
        check("upstream.server.request.list.query.a.b", 10, "\"x\"");
        check("upstream.server.request.list.query.a", 10, "\"y\"");
    }

    #[test]
    fn what_is_missing_is_pointed_at_by_what_is_around_it() {
        check("upstream.server.request.list.effect", 8, "\"list\"");
        check("upstream.server.request.list-all", 13, "\"list-all\"");
        check("upstream.server.request.other.path", 7, "[[upstream.server.request]]");
        check("tool.agents.scope", 18, "[tool.agents]");
        check("limits.memory_mib", 4, "[limits]");
        assert_eq!(Place::find(TEXT, "wit"), None);
        assert_eq!(Place::find(TEXT, "lim"), None);
        assert_eq!(Place::find("a = ", "a"), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]{}=\"'.a\u{e9}\\n ]{0,60}", at in "[a.\u{e9}]{0,9}", start in 0usize..70, end in 0usize..70) {
            let _ = (Place::find(&text, &at), Place::of(&text, start..end));
            for change in [0, 1, 2] {
                let text: String = TEXT.chars().enumerate().filter(|(index, _)| index % 70 != start + change).map(|(_, c)| c).collect();
                let _ = Place::find(&text, "upstream.server.request.list.query.a.b");
            }
        }
    }

    #[test]
    fn spans_at_the_edges_of_a_text() {
        let of = |text: &str, span| {
            let place = Place::of(text, span);
            (place.line, place.column, place.length, place.text)
        };
        assert_eq!(of("", 0..0), (1, 1, 1, String::new()));
        assert_eq!(of("a\nb", 3..3), (2, 2, 1, "b".to_owned()));
        assert_eq!(of("a\n", 2..2), (2, 1, 1, String::new()));
        assert_eq!(of("a\r\nb\r\n", 0..4), (1, 1, 1, "a".to_owned()));
    }
}
