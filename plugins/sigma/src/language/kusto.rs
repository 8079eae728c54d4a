//! Kusto's query language, as the predicate of a `where`: what `sigma convert -t kusto --without-pipeline` writes.
//!
//! Texts are compared without case, as Sigma has it. There are no wildcards: a text begins, ends or contains. Strings are never null.

use super::{each, list, quoted};
use crate::{
    detection::{Node, Test},
    pattern::{Part, Pattern},
    value::{Regex, Value},
};

pub(super) fn query(tree: &Node) -> Result<String, String> {
    expression(tree)
}

fn expression(node: &Node) -> Result<String, String> {
    match node {
        Node::All(nodes) => joined(nodes, " and "),
        Node::Any(nodes) => match list(nodes) {
            Some((field, values)) => any_of(field, &values),
            None => joined(nodes, " or "),
        },
        Node::Not(inner) => {
            let text = expression(inner)?;
            Ok(if matches!(inner.as_ref(), Node::Test(_)) { format!("not({text})") } else { format!("not(({text}))") })
        }
        Node::Test(Test { field: None, .. }) => Err("a value without a field".to_owned()),
        Node::Test(Test { field: Some(field), value }) => test(field, value),
    }
}

fn joined(nodes: &[Node], word: &str) -> Result<String, String> {
    let part = |node: &Node| {
        let text = expression(node)?;
        let alone = match node {
            Node::Test(Test { value: Value::OneOf(_), .. }) => word == " or ",
            Node::Test(_) => true,
            _ => false,
        };
        Ok(if alone { text } else { format!("({text})") })
    };
    Ok(nodes.iter().map(part).collect::<Result<Vec<_>, String>>()?.join(word))
}

/// Whole texts in a list, and each with a wildcard behind it.
fn any_of(field: &str, values: &[&Value]) -> Result<String, String> {
    let column = name(field)?;
    let (mut whole, mut numbers, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        match value {
            Value::Text(pattern) => match pattern.text() {
                Some(text) => whole.push(format!("\"{}\"", quoted(text)?)),
                None => others.push(matched(column, pattern)?),
            },
            Value::Number(number) => numbers.push(number.clone()),
            _ => return Err("a list of other values than texts and numbers".to_owned()),
        }
    }
    // A column has one type.
    if !numbers.is_empty() {
        return match whole.is_empty() && others.is_empty() {
            true => Ok(format!("{column} in ({})", numbers.join(", "))),
            false => Err("numbers and texts in one list".to_owned()),
        };
    }
    if !whole.is_empty() {
        others.insert(0, format!("{column} in~ ({})", whole.join(", ")));
    }
    Ok(others.join(" or "))
}

fn test(field: &str, value: &Value) -> Result<String, String> {
    let column = name(field)?;
    Ok(match value {
        Value::Text(pattern) => matched(column, pattern)?,
        Value::OneOf(patterns) => joined(&each(Some(&field.to_owned()), patterns), " or ")?,
        Value::Number(number) => format!("{column} == {number}"),
        Value::Bool(truth) => format!("{column} == {truth}"),
        Value::Exists(true) => format!("isnotempty({column})"),
        Value::Null | Value::Exists(false) => format!("isempty({column})"),
        Value::Compare(order, number) => format!("{column} {} {number}", order.sign()),
        Value::Network(network) => {
            let network = network.to_string();
            if network.contains(':') {
                return Err("a network of IPv6".to_owned());
            }
            format!("ipv4_is_in_range({column}, \"{network}\")")
        }
        Value::Regex(regex) => expressed(column, regex)?,
    })
}

fn matched(column: &str, pattern: &Pattern) -> Result<String, String> {
    let (operator, text) = match pattern.parts() {
        [] => ("=~", ""),
        [Part::Text(text)] => ("=~", text.as_str()),
        [Part::Text(text), Part::Many] => ("startswith", text.as_str()),
        [Part::Many, Part::Text(text)] => ("endswith", text.as_str()),
        [Part::Many, Part::Text(text), Part::Many] => ("contains", text.as_str()),
        [Part::Many] => return Ok(format!("isnotempty({column})")),
        _ => return Err("a wildcard inside a value, or `?`".to_owned()),
    };
    Ok(format!("{column} {operator} \"{}\"", quoted(text)?))
}

/// RE2 has no groups that look around, and none that are looked back at.
fn expressed(column: &str, regex: &Regex) -> Result<String, String> {
    let mut letters = regex.text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\\' && letters.next().is_some_and(|next| matches!(next, '1'..='9' | 'k')) {
            return Err("a regular expression that refers back to a group".to_owned());
        }
    }
    if ["(?=", "(?!", "(?<=", "(?<!", "(?>", "(?("].iter().any(|group| regex.text.contains(group)) {
        return Err("a regular expression that looks around".to_owned());
    }
    let flags = if regex.flags.is_empty() { String::new() } else { format!("(?{})", regex.flags) };
    Ok(format!("{column} matches regex \"{flags}{}\"", quoted(&regex.text)?))
}

fn name(field: &str) -> Result<&str, String> {
    let letters = field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if letters && field.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        Ok(field)
    } else {
        Err(format!("a field called `{field}`: it is no name of a column"))
    }
}
