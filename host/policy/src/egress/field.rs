//! `name=value` pairs, as in queries and form bodies: decoded once, each name at most once, written in one form.

use std::collections::HashSet;

use super::percent::{self, PercentFault};

/// Pairs in one query or form. Servers cut off at a thousand or so, each at its own number.
const MAX_FIELDS: usize = 256;

/// Decoded pairs, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

/// Why pairs are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldFault {
    /// An empty pair, as in `a=1&&b=2`.
    #[error("it has an empty pair")]
    Empty,
    /// A pair without `=`, which some servers skip.
    #[error("it has a name without `=`")]
    NoEquals,
    /// An empty name, or one that some servers rewrite.
    #[error("it has a name that is empty or not of visible ASCII characters")]
    Name,
    /// A name twice, in one or several spellings.
    #[error("it has a name twice, or in two spellings")]
    Duplicate,
    /// Too many pairs.
    #[error("it has more than {MAX_FIELDS} pairs")]
    TooMany,
    /// Not decodable.
    #[error("it has {0}")]
    Encoding(#[from] PercentFault),
}

impl Fields {
    /// Split at `&`, then decode each side once; `+` is a space, as every form reader has it.
    pub(crate) fn parse(raw: &str) -> Result<Self, FieldFault> {
        if raw.is_empty() {
            return Ok(Self::default());
        }
        let mut fields = Vec::new();
        for pair in raw.split('&') {
            if pair.is_empty() {
                return Err(FieldFault::Empty);
            }
            if fields.len() == MAX_FIELDS {
                return Err(FieldFault::TooMany);
            }
            let (name, value) = pair.split_once('=').ok_or(FieldFault::NoEquals)?;
            let (name, value) = (percent::decode(name, true)?, percent::decode(value, true)?);
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(FieldFault::Name);
            }
            if value.contains('\0') {
                return Err(FieldFault::Encoding(PercentFault::Control));
            }
            fields.push((name, value));
        }
        refuse_twins(&fields)?;
        Ok(Self(fields))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Written again: what is sent.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::new();
        for (name, value) in self.iter() {
            if !out.is_empty() {
                out.push('&');
            }
            percent::encode(name, &mut out);
            out.push('=');
            percent::encode(value, &mut out);
        }
        out
    }
}

/// Refuse names that some server takes for one: in any case; with `.` for `_`, which PHP rewrites; and `a` beside
/// `a[…]`, where PHP and Rails let the last win.
fn refuse_twins(fields: &[(String, String)]) -> Result<(), FieldFault> {
    let fold = |name: &str| name.to_ascii_lowercase().replace('.', "_");
    let mut names = HashSet::new();
    for (name, _) in fields {
        if !names.insert(fold(name)) {
            return Err(FieldFault::Duplicate);
        }
    }
    let shadowed = fields.iter().any(|(name, _)| name.split_once('[').is_some_and(|(base, _)| names.contains(&fold(base))));
    if shadowed { Err(FieldFault::Duplicate) } else { Ok(()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{FieldFault, Fields};

    #[test]
    fn fields_are_rewritten_in_one_spelling() {
        for (raw, sent) in [
            ("", ""),
            ("a=1", "a=1"),
            ("a=b+c%2Bd&e=", "a=b%20c%2Bd&e="),
            ("page[number]=2&page[size]=10", "page%5Bnumber%5D=2&page%5Bsize%5D=10"),
            ("q=a=b;c", "q=a%3Db%3Bc"),
            ("q=%25", "q=%25"),
            ("q=a%0Ab", "q=a%0Ab"),
        ] {
            assert_eq!(Fields::parse(raw).unwrap().encode(), sent);
        }
    }

    #[test]
    fn what_two_servers_read_differently_is_refused() {
        for raw in
            ["a=1&a=2", "a=1&A=2", "a=1&%61=2", "a.b=1&a_b=2", "group=a&group[]=b", "group[]=a&group=b", "group[]=a&group[]=b"]
        {
            assert_eq!(Fields::parse(raw), Err(FieldFault::Duplicate), "{raw}");
        }
        for raw in ["&", "a=1&", "&a=1", "a=1&&b=2"] {
            assert_eq!(Fields::parse(raw), Err(FieldFault::Empty), "{raw}");
        }
        assert_eq!(Fields::parse("a"), Err(FieldFault::NoEquals));
        assert_eq!(Fields::parse("a;b=1&c"), Err(FieldFault::NoEquals));
        for raw in ["=1", "+a=1", "a%20b=1", "a%00=1", "%C3%A9=1", "a%0A=1"] {
            assert_eq!(Fields::parse(raw), Err(FieldFault::Name), "{raw}");
        }
        for raw in ["a=%", "a=%ff", "a=\u{e9}", "a=#", "a=b c", "a=%00"] {
            assert!(matches!(Fields::parse(raw), Err(FieldFault::Encoding(_))), "{raw}");
        }
        let many: Vec<String> = (0..300).map(|n| format!("a{n}=1")).collect();
        assert_eq!(Fields::parse(&many.join("&")), Err(FieldFault::TooMany));
    }
}
