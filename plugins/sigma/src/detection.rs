//! Detections: what a rule looks for, as a tree of tests of fields.

use casemate_plugin::yaml::Yaml;

use crate::{
    condition::{self, Condition},
    finding::Findings,
    value::{Modifiers, Plain, Value},
};

/// Tests of one query. `all of them` a few times over is a small rule and a large query.
const MOST: usize = 1_000;

/// A field and what it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    /// None where the value may be anywhere in the event.
    pub(crate) field: Option<String>,
    pub(crate) value: Value,
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

impl Node {
    /// One stands for itself.
    fn of(mut nodes: Vec<Node>, all: bool) -> Self {
        match nodes.len() {
            1 => nodes.swap_remove(0),
            _ if all => Self::All(nodes),
            _ => Self::Any(nodes),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().map(Self::size).sum(),
            Self::Not(node) => node.size(),
            Self::Test(Test { value: Value::OneOf(values), .. }) => values.len(),
            Self::Test(_) => 1,
        }
    }
}

/// The part `detection` of a rule.
#[derive(Debug, Default)]
pub(crate) struct Detection {
    /// Names, and what they stand for; nothing where that cannot be said.
    selections: Vec<(String, Option<Node>)>,
    condition: Option<Condition>,
    /// What is correct, and not supported here.
    unsupported: Vec<String>,
}

impl Detection {
    pub(crate) fn read(detection: &Yaml, findings: &mut Findings) -> Self {
        let mut read = Self::default();
        if detection.entries().is_empty() {
            findings.error("detection", "it is no mapping of selections");
            return read;
        }
        for (name, part) in detection.entries() {
            match name.as_str() {
                "condition" => read.condition = condition(part, &mut read.unsupported, findings),
                "timeframe" => read.unsupported.push("`timeframe`, which belongs to correlations".to_owned()),
                _ => {
                    let mut reader = Reader { at: format!("detection.{name}"), findings, unsupported: &mut read.unsupported };
                    let node = reader.selection(part, 0);
                    read.selections.push((name.clone(), node));
                }
            }
        }
        if detection.get("condition").is_none() {
            findings.error("detection.condition", "there is none");
        }
        read.names(findings);
        read
    }

    /// Whether condition and selections know each other.
    fn names(&self, findings: &mut Findings) {
        let Some(condition) = &self.condition else { return };
        let selections: Vec<&str> = self.selections.iter().map(|(name, _)| name.as_str()).collect();
        let meant = condition.names(&selections);
        for name in &meant {
            if !selections.contains(name) {
                findings.error("detection.condition", format!("there is no selection `{name}`"));
            }
        }
        for pattern in condition.patterns() {
            if condition::matching(pattern, &selections).is_empty() {
                findings.error("detection.condition", format!("no selection is called `{pattern}`"));
            }
        }
        for name in selections.iter().filter(|name| !meant.contains(name)) {
            findings.warning(format!("detection.{name}"), "the condition does not use it");
        }
    }

    /// The whole as one tree.
    ///
    /// # Errors
    /// What of it is not supported here, or that it is too large. The rule has no error.
    pub(crate) fn tree(&self) -> Result<Node, String> {
        if let Some(unsupported) = self.unsupported.first() {
            return Err(unsupported.clone());
        }
        let condition = self.condition.as_ref().ok_or("there is no condition")?;
        let mut left = MOST;
        self.node(condition, &mut left)
    }

    fn node(&self, condition: &Condition, left: &mut usize) -> Result<Node, String> {
        let list =
            |parts: &[Condition], left: &mut usize| parts.iter().map(|part| self.node(part, left)).collect::<Result<_, _>>();
        Ok(match condition {
            Condition::All(parts) => Node::All(list(parts, left)?),
            Condition::Any(parts) => Node::Any(list(parts, left)?),
            Condition::Not(part) => Node::Not(Box::new(self.node(part, left)?)),
            Condition::Selection(name) => self.selection(name, left)?,
            Condition::Of { all, pattern } => {
                let names: Vec<&str> = self.selections.iter().map(|(name, _)| name.as_str()).collect();
                let nodes = condition::matching(pattern, &names).into_iter().map(|name| self.selection(name, left));
                Node::of(nodes.collect::<Result<_, _>>()?, *all)
            }
        })
    }

    fn selection(&self, name: &str, left: &mut usize) -> Result<Node, String> {
        let found = self.selections.iter().find(|(known, _)| known == name);
        let node = found.and_then(|(_, node)| node.as_ref()).ok_or_else(|| format!("there is no selection `{name}`"))?;
        *left = left.checked_sub(node.size()).ok_or_else(|| format!("it holds fields against more than {MOST} values"))?;
        Ok(node.clone())
    }
}

fn condition(part: &Yaml, unsupported: &mut Vec<String>, findings: &mut Findings) -> Option<Condition> {
    let text = match part {
        Yaml::List(items) if items.len() > 1 => {
            unsupported.push("several conditions: make a rule of each".to_owned());
            items.first()?.text()
        }
        Yaml::List(items) => items.first().and_then(Yaml::text),
        other => other.text(),
    };
    let Some(text) = text else {
        findings.error("detection.condition", "it is no text");
        return None;
    };
    Condition::parse(text).map_err(|fault| findings.error("detection.condition", fault.to_string())).ok()
}

struct Reader<'a> {
    at: String,
    findings: &'a mut Findings,
    unsupported: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn fault<T>(&mut self, message: impl Into<String>) -> Option<T> {
        self.findings.error(self.at.clone(), message);
        None
    }

    /// A mapping means all of its fields; a list means any of what it holds; values alone may be anywhere.
    fn selection(&mut self, part: &Yaml, depth: usize) -> Option<Node> {
        match part {
            Yaml::Map(entries) if entries.is_empty() => self.fault("it is empty"),
            Yaml::Map(entries) => {
                let nodes: Vec<Option<Node>> = entries.iter().map(|(key, values)| self.item(key, values)).collect();
                Some(Node::of(nodes.into_iter().collect::<Option<_>>()?, true))
            }
            Yaml::Scalar(_) => self.item("", part),
            Yaml::List(items) if items.iter().all(|item| matches!(item, Yaml::Scalar(_))) => self.item("", part),
            Yaml::List(_) if depth > 0 => self.fault("lists in lists mean nothing"),
            Yaml::List(items) => {
                let nodes: Vec<Option<Node>> = items.iter().map(|item| self.selection(item, depth + 1)).collect();
                Some(Node::of(nodes.into_iter().collect::<Option<_>>()?, false))
            }
        }
    }

    /// `Field|modifier|modifier: values`
    fn item(&mut self, key: &str, values: &Yaml) -> Option<Node> {
        let outer = self.at.clone();
        if !key.is_empty() {
            self.at = format!("{outer}.{key}");
        }
        let node = self.tests(key, values);
        self.at = outer;
        node
    }

    fn tests(&mut self, key: &str, values: &Yaml) -> Option<Node> {
        let mut words = key.split('|');
        let field = words.next().filter(|field| !field.is_empty()).map(str::to_owned);
        let modifiers = match Modifiers::parse(&words.collect::<Vec<_>>()) {
            Ok(modifiers) => modifiers,
            Err((fault, true)) => {
                self.unsupported.push(format!("{}: {fault}", self.at));
                return None;
            }
            Err((fault, false)) => return self.fault(fault),
        };
        let one = std::slice::from_ref(values);
        let list = match values {
            Yaml::List(items) => items.as_slice(),
            _ => one,
        };
        if list.is_empty() {
            return self.fault("there is no value");
        }
        if modifiers.all && list.len() == 1 {
            self.findings.warning(self.at.clone(), "`all` of one value is that value");
        }
        let mut nodes = Vec::new();
        for value in list {
            let Yaml::Scalar(scalar) = value else { return self.fault("a value is a text, a number, true, false or null") };
            let value = Plain::of(scalar).and_then(|plain| modifiers.apply(&plain));
            match value {
                Ok(value) if field.is_none() && !matches!(value, Value::Text(_) | Value::Number(_)) => {
                    return self.fault("without a field, a value is a text or a number");
                }
                Ok(value) => nodes.push(Node::Test(Test { field: field.clone(), value })),
                Err(fault) => return self.fault(fault),
            }
        }
        Some(Node::of(nodes, modifiers.all))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use casemate_plugin::yaml;

    fn tree(text: &str) -> Result<Node, String> {
        let mut findings = Findings::default();
        let detection = Detection::read(&yaml::read(text).unwrap(), &mut findings);
        match findings.first_error() {
            Some(error) => Err(error),
            None => detection.tree(),
        }
    }

    #[test]
    fn selections_are_what_the_specification_says() {
        let Node::All(nodes) = tree("s: {A: 1, B: [2, 3]}\ncondition: s").unwrap() else { panic!() };
        assert!(matches!(nodes.as_slice(), [Node::Test(_), Node::Any(any)] if any.len() == 2));
        let Node::Any(nodes) = tree("s: [{A: 1}, {B: 2, C: 3}]\ncondition: s").unwrap() else { panic!() };
        assert!(matches!(nodes.as_slice(), [Node::Test(_), Node::All(_)]));
        assert!(matches!(tree("s: {'A|contains|all': [x, y]}\ncondition: s").unwrap(), Node::All(nodes) if nodes.len() == 2));
        assert!(matches!(tree("s: [word, 5]\ncondition: s").unwrap(), Node::Any(nodes) if nodes.len() == 2));
        assert!(matches!(tree("s: {A: 1}\nt: {B: 1}\ncondition: all of them").unwrap(), Node::All(_)));
        assert!(matches!(tree("s: {A: null}\ncondition: s").unwrap(), Node::Test(Test { value: Value::Null, .. })));
    }

    #[test]
    fn what_means_nothing_is_an_error_and_what_is_not_supported_is_named() {
        for (text, part) in [
            ("[a]", "no mapping"),
            ("s: {A: 1}", "detection.condition: there is none"),
            ("s: {A: 1}\ncondition: t", "no selection `t`"),
            ("s: {A: 1}\ncondition: 1 of filter_*", "no selection is called `filter_*`"),
            ("s: {}\ncondition: s", "detection.s: it is empty"),
            ("s: {A: []}\ncondition: s", "no value"),
            ("s: {A: [[1]]}\ncondition: s", "a value is"),
            ("s: [[{A: 1}]]\ncondition: s", "lists in lists"),
            ("s: {A: no}\ncondition: s", "put quotes"),
            ("s: {'A|contians': x}\ncondition: s", "no such modifier"),
            ("s: {'|re': x}\ncondition: s", "without a field"),
            ("s: {A: 1}\ncondition: {a: b}", "it is no text"),
            ("s: {A: 1}\ncondition: s | count() > 5", "aggregations"),
            ("s: {'A|cased': x}\ncondition: s", "`cased` is not supported"),
            ("s: {A: 1}\ncondition: [s, not s]", "several conditions"),
            ("s: {A: 1}\ntimeframe: 5m\ncondition: s", "`timeframe`"),
        ] {
            let why = tree(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn a_small_rule_is_no_large_query() {
        let values: Vec<String> = (0..200).map(|at| format!("v{at}")).collect();
        let text = format!("s: {{A: [{}]}}\ncondition: {}", values.join(", "), ["s"; 6].join(" and "));
        assert!(tree(&text).unwrap_err().contains("more than 1000 values"));
    }
}
