//! XML from outside, as far as SOAP goes: elements, attributes, texts, and the five entities that XML has by itself.
//!
//! Document types, and with them every other entity, are refused, as are CDATA and processing instructions: no WinRM sends any. Names
//! are local names; what is looked for has one meaning in each answer.

/// How deep elements may lie in each other.
const MAX_DEPTH: usize = 24;
/// Elements of one answer.
const MAX_ELEMENTS: usize = 10_000;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// The texts directly in it, one behind the other.
    pub(crate) text: String,
    children: Vec<Element>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every element of that name in it, at any depth, in their order.
    pub(crate) fn all<'a>(&'a self, name: &str) -> Vec<&'a Element> {
        let mut found = Vec::new();
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            found.extend(child.all(name));
        }
        found
    }

    /// The first of them.
    pub(crate) fn first(&self, name: &str) -> Option<&Element> {
        self.all(name).into_iter().next()
    }
}

/// Read one document; nothing where it is none, or more than is taken.
pub(crate) fn read(text: &str) -> Option<Element> {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    if let Some(declared) = rest.strip_prefix("<?xml") {
        rest = declared.split_once("?>")?.1;
    }
    let (mut open, mut elements): (Vec<Element>, usize) = (Vec::new(), 0);
    let mut root = None;
    while !rest.is_empty() {
        let (before, tag) = rest.split_once('<').map_or((rest, None), |(before, tag)| (before, Some(tag)));
        match open.last_mut() {
            Some(element) => element.text.push_str(&plain(before)?),
            None if before.trim().is_empty() => {}
            None => return None,
        }
        let Some(tag) = tag else { break };
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        let (inner, behind) = tag.split_at(end(tag)?);
        rest = behind.strip_prefix('>')?;
        if let Some(name) = inner.strip_prefix('/') {
            let element = open.pop().filter(|element| element.name == local(name.trim_end()))?;
            close(element, &mut open, &mut root)?;
            continue;
        }
        let (inner, empty) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
        elements += 1;
        if elements > MAX_ELEMENTS || open.len() >= MAX_DEPTH || root.is_some() {
            return None;
        }
        let element = begun(inner)?;
        if empty { close(element, &mut open, &mut root)? } else { open.push(element) }
    }
    root.filter(|_| open.is_empty())
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Option<()> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return None,
    }
    Some(())
}

/// Where a tag ends; a `>` in quotes does not end it.
fn end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in tag.char_indices() {
        match (quote, letter) {
            (None, '>') => return Some(at),
            (None, '<') => return None,
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

/// `name a="b" c='d'`; a name begins with a letter, so that `!DOCTYPE`, `![CDATA[` and `?target` are none.
fn begun(inner: &str) -> Option<Element> {
    let at = inner.find(char::is_whitespace).unwrap_or(inner.len());
    let (name, mut rest) = inner.split_at(at);
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
    };
    if !is_name(name) {
        return None;
    }
    let mut element = Element { name: local(name).to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(element);
        }
        let (name, value) = rest.split_once('=')?;
        let name = name.trim_end();
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, behind) = value.get(1..)?.split_once(quote)?;
        if !is_name(name) {
            return None;
        }
        element.attributes.push((local(name).to_owned(), plain(value)?));
        rest = behind;
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// A text with its entities replaced.
fn plain(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, behind) = part.split_once(';')?;
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => match name.strip_prefix('#')? {
                digits if digits.starts_with('x') => number(digits.get(1..)?, 16)?,
                digits => number(digits, 10)?,
            },
        });
        plain.push_str(behind);
    }
    Some(plain)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_texts_are_read() {
        let root = read("\u{feff}<?xml version=\"1.0\"?>\n<s:A x:b='1 > 0' c=\"&lt;&#65;&#x42;\"><t:B>a&amp;</t:B><!-- <x> --><B/>tail</s:A>\n").unwrap();
        assert_eq!((root.name.as_str(), root.attribute("b"), root.attribute("c")), ("A", Some("1 > 0"), Some("<AB")));
        assert_eq!(root.all("B").iter().map(|element| element.text.as_str()).collect::<Vec<_>>(), ["a&", ""]);
        assert_eq!((root.text.as_str(), root.first("C")), ("tail", None));
    }

    #[test]
    fn what_is_no_soap_is_refused() {
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "</a>",
            "<a",
            "<a b>",
            "<a b=c/>",
            "<a b='c/>",
            "<a>&nbsp;</a>",
            "<a>&x</a>",
            "<a>&#xD800;</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<!DOCTYPE a SYSTEM \"http://169.254.169.254/\"><a/>",
            "<a><![CDATA[x]]></a>",
            "<a><?php x ?></a>",
            "<a><b </a>",
            "{\"a\": 1}",
            "<a/>tail",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_some() && read(&nested(MAX_DEPTH + 1)).is_none());
        assert!(read(&"<a>".repeat(100_000)).is_none());
        assert!(read(&format!("<r>{}</r>", "<a/>".repeat(MAX_ELEMENTS))).is_none());
    }
}
