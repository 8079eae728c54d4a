//! Path templates, compiled: literal segments, and parameters that fill a whole segment.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{contract::ContractFault, contract::Miss, path::PathText, percent, requires::compile_pattern};

/// A contract's path.
#[derive(Debug)]
pub(super) struct Template {
    segments: Vec<Segment>,
    trailing_slash: bool,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter(String, Regex),
}

impl Template {
    /// Literal segments, and parameters that fill a whole segment and have a pattern each.
    pub(super) fn compile(template: &str, patterns: &BTreeMap<String, String>) -> Result<Self, ContractFault> {
        let fault = || ContractFault::Path(template.to_owned());
        let rest = template.strip_prefix('/').ok_or_else(fault)?;
        if rest.is_empty() {
            let root = Self { segments: Vec::new(), trailing_slash: true };
            return patterns.keys().next().map_or(Ok(root), |unused| Err(ContractFault::Parameter(unused.clone())));
        }
        let (rest, trailing_slash) = rest.strip_suffix('/').map_or((rest, false), |rest| (rest, true));
        let mut segments = Vec::new();
        let mut seen = BTreeSet::new();
        for text in rest.split('/') {
            if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                let pattern =
                    patterns.get(name).filter(|_| seen.insert(name)).ok_or_else(|| ContractFault::Parameter(name.to_owned()))?;
                segments.push(Segment::Parameter(name.to_owned(), compile_pattern(pattern)?));
            } else {
                // RFC 3986 `pchar`, without `%` and `;`: such a literal decodes to itself and has one reading.
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&b));
                if !plain || text.is_empty() || text == "." || text == ".." {
                    return Err(fault());
                }
                segments.push(Segment::Literal(text.to_owned()));
            }
        }
        match patterns.keys().find(|name| !seen.contains(name.as_str())) {
            Some(unused) => Err(ContractFault::Parameter(unused.clone())),
            None => Ok(Self { segments, trailing_slash }),
        }
    }

    /// The one path that fits, as it is sent; none where there are parameters.
    pub(super) fn literal(&self) -> Option<String> {
        let mut path = String::new();
        for segment in &self.segments {
            let Segment::Literal(literal) = segment else { return None };
            path.push('/');
            percent::encode(literal, &mut path);
        }
        if self.trailing_slash {
            path.push('/');
        }
        Some(path)
    }

    /// How far a path that fits has come, for [`Miss`].
    pub(super) fn rank(&self) -> usize {
        2 + self.segments.len()
    }

    /// Whether a path is one of these.
    pub(super) fn matches(&self, path: &PathText) -> Result<(), Miss> {
        if path.trailing_slash() != self.trailing_slash || path.segments().len() != self.segments.len() {
            return Err(Miss(1, "the path differs".to_owned()));
        }
        for (depth, (segment, text)) in self.segments.iter().zip(path.segments()).enumerate() {
            match segment {
                Segment::Literal(literal) if literal != text => return Err(Miss(2 + depth, "the path differs".to_owned())),
                Segment::Parameter(name, pattern) if !pattern.is_match(text) => {
                    return Err(Miss(2 + depth, format!("the path parameter `{name}` does not match its pattern")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The names of its parameters, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name, _) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// The parameters of a path that [`Self::matches`], decoded.
    pub(super) fn parameters<'p>(&self, path: &'p PathText) -> impl Iterator<Item = (&str, &'p str)> {
        self.segments.iter().zip(path.segments()).filter_map(|(segment, text)| match segment {
            Segment::Parameter(name, _) => Some((name.as_str(), text.as_str())),
            Segment::Literal(_) => None,
        })
    }

    /// The path that is sent: literals as the contract writes them, parameters canonically encoded.
    pub(super) fn write(&self, path: &PathText) -> String {
        let mut out = String::new();
        for (segment, text) in self.segments.iter().zip(path.segments()) {
            out.push('/');
            match segment {
                Segment::Literal(literal) => out.push_str(literal),
                Segment::Parameter(..) => percent::encode(text, &mut out),
            }
        }
        if self.trailing_slash {
            out.push('/');
        }
        out
    }
}
