//! A source's own address: `cases://open`, or a template of many, `cases://{id}`.

use std::collections::{BTreeMap, BTreeSet};

use casemate_signing::manifest::{ArgumentName, address};

/// An address, or a template (RFC 6570, level 1) whose variables are each all of what stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    text: String,
    variables: BTreeSet<ArgumentName>,
}

/// What a part of a template is.
enum Part<'a> {
    Said(&'a str),
    Variable(&'a str),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split('/').map(|part| match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => Part::Variable(name),
        None => Part::Said(part),
    })
}

impl OwnAddress {
    /// Read one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut variables = BTreeSet::new();
        let mut plain = Vec::new();
        for part in parts(text) {
            match part {
                Part::Said(said) => plain.push(said),
                Part::Variable(name) => {
                    if !variables
                        .insert(name.parse().map_err(|error: casemate_signing::manifest::InvalidName| error.to_string())?)
                    {
                        return Err(format!("`{{{name}}}` stands in it twice\nhelp: give each its own name"));
                    }
                    plain.push("x");
                }
            }
        }
        address::own(&plain.join("/")).map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), variables })
    }

    /// As clients are told it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands for a value in it.
    pub fn variables(&self) -> &BTreeSet<ArgumentName> {
        &self.variables
    }

    /// The values by which this is `uri`.
    pub fn values(&self, uri: &str) -> Option<BTreeMap<String, String>> {
        let mut values = BTreeMap::new();
        let mut given = uri.split('/');
        for part in parts(&self.text) {
            match (part, given.next()?) {
                (Part::Said(said), given) if said == given => {}
                (Part::Variable(name), given) if address::is_segment(given) => {
                    drop(values.insert(name.to_owned(), given.to_owned()))
                }
                _ => return None,
            }
        }
        given.next().is_none().then_some(values)
    }

    /// Whether some address is of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let agree = |pair: (Part<'_>, Part<'_>)| match pair {
            (Part::Said(one), Part::Said(other)) => one == other,
            (Part::Variable(_), Part::Said(said)) | (Part::Said(said), Part::Variable(_)) => address::is_segment(said),
            (Part::Variable(_), Part::Variable(_)) => true,
        };
        self.text.split('/').count() == other.text.split('/').count() && parts(&self.text).zip(parts(&other.text)).all(agree)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn address(text: &str) -> OwnAddress {
        OwnAddress::parse(text).unwrap()
    }

    #[test]
    fn values_are_found_and_lead_nowhere_else() {
        let template = address("test://template/{id}/data");
        assert_eq!(template.values("test://template/123/data"), Some(BTreeMap::from([("id".to_owned(), "123".to_owned())])));
        for uri in [
            "test://template/123",
            "test://template//data",
            "test://template/../data",
            "test://template/a/b/data",
            "test://template/.a/data",
            "test://template/%2e%2e/data",
            "test://template/a%2fb/data",
            "test://template/123/data/",
            "test://template/123/data?x",
            "test://template/{id}/data",
            "Test://template/123/data",
            "test://template/a b/data",
        ] {
            assert_eq!(template.values(uri), None, "{uri}");
        }
        assert_eq!(address("test://a").values("test://a"), Some(BTreeMap::new()));
    }

    #[test]
    fn a_template_that_is_none_is_refused() {
        for text in [
            "test://{}",
            "test://{a}/{a}",
            "test://{A}",
            "test://a{b}",
            "test://{a",
            "{a}://b",
            "test:{a}",
            "casemate://{a}",
            "file://{a}",
            "",
        ] {
            assert!(OwnAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn two_that_share_an_address_are_noticed() {
        for (one, other, expected) in [
            ("test://a", "test://a", true),
            ("test://a", "test://b", false),
            ("test://{x}", "test://b", true),
            ("test://{x}", "test://b/c", false),
            ("test://{x}/c", "test://b/{y}", true),
            ("test://{x}/c", "test://{x}/d", false),
            ("test://{x}", "other://b", false),
        ] {
            assert_eq!(address(one).overlaps(&address(other)), expected, "{one} {other}");
            assert_eq!(address(other).overlaps(&address(one)), expected, "{other} {one}");
        }
    }
}
