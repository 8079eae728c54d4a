//! YAML from outside, read into a tree that cannot grow beyond its text.
//!
//! One document of mappings, lists and scalars. Anchors, aliases, merge keys, tags and keys that stand twice are refused where they are
//! met, before anything is expanded; so is what is too deep or has too many parts. A scalar stays the text that it is: whether `no` is
//! a word or `false` depends on the version of YAML, and is for the reader of the tree to say.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// How deep lists and mappings may lie in each other.
const MAX_DEPTH: usize = 24;
/// Scalars, lists and mappings of one document.
const MAX_NODES: usize = 20_000;

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yaml {
    /// A text.
    Scalar(Scalar),
    /// Values, in their order.
    List(Vec<Yaml>),
    /// Keys and values, in their order. No key stands twice.
    Map(Vec<(String, Yaml)>),
}

/// A scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// What it says, without quotes and escapes.
    pub text: String,
    /// Whether it stands without quotes, so that it may be a number, a truth or nothing.
    pub plain: bool,
}

/// Why a document was not read. Nothing of it is in the words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct YamlError {
    line: usize,
    what: &'static str,
}

/// Read one document.
///
/// # Errors
/// When it is not YAML, or more than a tree of bounded size.
pub fn read(text: &str) -> Result<Yaml, YamlError> {
    let mut reader = Reader { open: Vec::new(), root: None, nodes: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| YamlError { line: error.marker().line(), what: "this is not YAML" })?;
        reader.take(event).map_err(|what| YamlError { line: span.start.line(), what })?;
    }
    reader.root.ok_or(YamlError { line: 1, what: "there is nothing" })
}

/// The documents of a text that holds many, each to be read by itself: one that is wrong spoils no other. They are what is between lines
/// of `---`, and never only white space.
pub fn documents(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let next = move || {
        let all = rest?;
        let mut at = 0;
        for line in all.split_inclusive('\n') {
            if line.trim_end() == "---" {
                let (document, behind) = all.split_at(at);
                rest = behind.get(line.len()..);
                return Some(document);
            }
            at += line.len();
        }
        rest.take()
    };
    std::iter::from_fn(next).filter(|document| !document.trim().is_empty())
}

impl Yaml {
    /// What a mapping has under a key.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// What a mapping has; nothing of anything else.
    pub fn entries(&self) -> &[(String, Yaml)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    /// What is in a list; nothing of anything else.
    pub fn items(&self) -> &[Yaml] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text of a scalar that is not nothing.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(scalar) if !scalar.is_null() => Some(&scalar.text),
            _ => None,
        }
    }
}

impl Scalar {
    /// Whether it is nothing: `~`, `null`, or not there.
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// A list or a mapping that has not ended.
enum Open {
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>, Option<String>),
}

struct Reader {
    open: Vec<Open>,
    root: Option<Yaml>,
    nodes: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::Alias(_) => Err("an alias is not followed: write out what it stands for"),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) if anchor > 0 => {
                Err("an anchor is not taken: write out what it stands for")
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                Err("a tag is not taken")
            }
            Event::Scalar(text, style, _, None) => {
                self.add(Yaml::Scalar(Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }))
            }
            Event::SequenceStart(..) => self.begin(Open::List(Vec::new())),
            Event::MappingStart(..) => self.begin(Open::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items)) => self.add(Yaml::List(items)),
                Some(Open::Map(entries, _)) => self.add(Yaml::Map(entries)),
                None => Err("this is not YAML"),
            },
            Event::DocumentStart(_) if self.root.is_some() => Err("there is a second document"),
            Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => Ok(()),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err("this is nested too deep");
        }
        if let Some(Open::Map(_, None)) = self.open.last() {
            return Err("a key is a text");
        }
        self.open.push(open);
        Ok(())
    }

    fn add(&mut self, node: Yaml) -> Result<(), &'static str> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err("this has too many parts");
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map(entries, key)) => match (key.take(), node) {
                (Some(key), node) => entries.push((key, node)),
                (None, Yaml::Scalar(scalar)) if scalar.plain && scalar.text == "<<" => return Err("a merge key is not taken"),
                (None, Yaml::Scalar(scalar)) if entries.iter().any(|(known, _)| *known == scalar.text) => {
                    return Err("a key stands twice");
                }
                (None, Yaml::Scalar(scalar)) => *key = Some(scalar.text),
                (None, _) => return Err("a key is a text"),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn a_document_is_a_tree_of_texts() {
        let tree = read("a: 1\nb:\n  - \"no\"\n  - no\n  - |\n    x\n    y\nc: {d: ~, e: null, f: ''}\n").unwrap();
        assert_eq!(tree.get("a").and_then(Yaml::text), Some("1"));
        let plain: Vec<_> = tree
            .get("b")
            .unwrap()
            .items()
            .iter()
            .map(|item| (item.text(), matches!(item, Yaml::Scalar(it) if it.plain)))
            .collect();
        assert_eq!(plain, [(Some("no"), false), (Some("no"), true), (Some("x\ny\n"), false)]);
        let texts: Vec<_> = tree.get("c").unwrap().entries().iter().map(|(key, value)| (key.as_str(), value.text())).collect();
        assert_eq!(texts, [("d", None), ("e", None), ("f", Some(""))]);
        assert!(tree.get("z").is_none() && read("- a").unwrap().get("a").is_none() && tree.items().is_empty());
    }

    #[test]
    fn nothing_is_expanded() {
        let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
        for (text, part) in [
            (bomb, "line 1: an anchor"),
            ("a: &x 1", "an anchor"),
            ("a: {<<: {b: 1}}", "a merge key"),
            ("a: !!python/object/apply:os.system [id]", "a tag"),
            ("a: !x 1", "a tag"),
            ("a: !!binary aGk=", "a tag"),
            ("a: 1\nb: 2\na: 3", "line 3: a key stands twice"),
            ("{\"a\": 1, a: 2}", "a key stands twice"),
            ("[a]: b", "a key is a text"),
            ("{a: b}: c", "a key is a text"),
            ("a: 1\n---\nb: 2\n", "a second document"),
            ("", "there is nothing"),
            ("# only a comment\n", "there is nothing"),
            ("a: [", "not YAML"),
            ("a: b: c", "not YAML"),
            ("a: *x", "not YAML"),
        ] {
            let why = refused(text);
            assert!(why.contains(part), "{text}: {why}");
        }
        assert!(!refused("secret: [hunter2").contains("hunter2"));
    }

    #[test]
    fn documents_are_between_lines() {
        let all = |text: &'static str| documents(text).map(str::trim).collect::<Vec<_>>();
        assert_eq!(all("---\na: 1\n---\r\nb: '---'\n\n---\n---  \nc: --- x"), ["a: 1", "b: '---'", "c: --- x"]);
        assert_eq!(all("a: 1"), ["a: 1"]);
        assert!(all("").is_empty() && all("---\n---").is_empty());
    }

    #[test]
    fn depth_and_size_are_bounded() {
        for (open, close) in [("[", "]"), ("{a: ", "}")] {
            assert!(read(&format!("{}1{}", open.repeat(MAX_DEPTH), close.repeat(MAX_DEPTH))).is_ok());
            let deep = format!("{}1{}", open.repeat(MAX_DEPTH + 1), close.repeat(MAX_DEPTH + 1));
            assert!(refused(&deep).contains("nested too deep"));
            assert!(read(&open.repeat(100_000)).is_err());
        }
        let dashes = "- ".repeat(200);
        assert!(refused(&dashes).contains("nested too deep"));
        assert!(refused(&"- a\n".repeat(MAX_NODES + 1)).contains("too many parts"));
    }
}
