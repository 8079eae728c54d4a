//! Splunk's search language, without an index or a source: what `sigma convert -t splunk --without-pipeline` writes.
//!
//! `NOT` binds before `OR`, and `OR` before what stands next to each other. A regular expression is a command of its own behind the
//! search, so it can only be asked for besides everything else.

use super::{each, list, quoted};
use crate::{
    detection::{Node, Test},
    pattern::{Part, Pattern},
    value::{Regex, Value},
};

pub(super) fn query(tree: &Node, fields: &[String]) -> Result<String, String> {
    let mut commands = Vec::new();
    let search = besides(tree, &mut commands)?.unwrap_or_else(|| "*".to_owned());
    let mut query = search;
    for command in commands {
        query.push_str("\n| ");
        query.push_str(&command);
    }
    if !fields.is_empty() {
        for name in fields {
            if !is_plain(name) {
                return Err(format!("a column `{name}` in `fields`"));
            }
        }
        query.push_str(" | table ");
        query.push_str(&fields.join(","));
    }
    Ok(query)
}

/// What all has to be there: a search, and the commands behind it. Nothing where there are only commands.
fn besides(node: &Node, commands: &mut Vec<String>) -> Result<Option<String>, String> {
    match node {
        Node::All(nodes) => {
            let parts = nodes.iter().map(|node| besides(node, commands)).collect::<Result<Vec<_>, _>>()?;
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            Ok((!parts.is_empty()).then(|| parts.join(" ")))
        }
        Node::Test(Test { field: Some(field), value: Value::Regex(regex) }) => {
            commands.push(command(field, "=", regex)?);
            Ok(None)
        }
        Node::Not(inner) => match inner.as_ref() {
            Node::Test(Test { field: Some(field), value: Value::Regex(regex) }) => {
                commands.push(command(field, "!=", regex)?);
                Ok(None)
            }
            _ => expression(node).map(Some),
        },
        other => expression(other).map(Some),
    }
}

fn command(field: &str, sign: &str, regex: &Regex) -> Result<String, String> {
    if !is_plain(field) {
        return Err(format!("a regular expression of the field `{field}`"));
    }
    let flags = if regex.flags.is_empty() { String::new() } else { format!("(?{})", regex.flags) };
    Ok(format!("regex {field}{sign}\"{flags}{}\"", quoted(&regex.text)?))
}

fn expression(node: &Node) -> Result<String, String> {
    match node {
        Node::All(nodes) => Ok(nodes.iter().map(expression).collect::<Result<Vec<_>, _>>()?.join(" ")),
        Node::Any(nodes) => match list(nodes) {
            Some((field, values)) => {
                let values = values.into_iter().map(value).collect::<Result<Vec<_>, _>>()?;
                Ok(format!("{} IN ({})", name(field)?, values.join(", ")))
            }
            None => any(nodes),
        },
        Node::Not(inner) => {
            let text = expression(inner)?;
            let alone = match inner.as_ref() {
                Node::Test(Test { value: Value::OneOf(values), .. }) => values.len() == 1,
                // What is `NOT` by itself.
                Node::Test(Test { value: Value::Null | Value::Exists(false), .. }) => false,
                Node::Test(_) => true,
                _ => false,
            };
            Ok(if alone { format!("NOT {text}") } else { format!("NOT ({text})") })
        }
        Node::Test(Test { field: None, value: of }) => value(of),
        Node::Test(Test { field: Some(field), value: of }) => test(field, of),
    }
}

fn any(nodes: &[Node]) -> Result<String, String> {
    let part = |node: &Node| {
        let text = expression(node)?;
        Ok(if matches!(node, Node::All(_)) { format!("({text})") } else { text })
    };
    Ok(nodes.iter().map(part).collect::<Result<Vec<_>, String>>()?.join(" OR "))
}

fn test(field: &str, of: &Value) -> Result<String, String> {
    let quoted_name = name(field)?;
    Ok(match of {
        Value::Text(_) | Value::Number(_) => format!("{quoted_name}={}", value(of)?),
        Value::OneOf(patterns) => any(&each(Some(&field.to_owned()), patterns))?,
        Value::Bool(truth) => format!("{quoted_name}={truth}"),
        Value::Null | Value::Exists(false) => format!("NOT {quoted_name}=*"),
        Value::Exists(true) => format!("{quoted_name}=*"),
        Value::Network(network) => format!("{quoted_name}=\"{network}\""),
        Value::Compare(order, number) => format!("{quoted_name}{}{number}", order.sign()),
        Value::Regex(_) => return Err("a regular expression beside `or`, or in what is negated".to_owned()),
    })
}

fn value(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(pattern) => text(pattern),
        Value::Number(number) => Ok(number.clone()),
        _ => Err("a value without a field that is no text".to_owned()),
    }
}

fn text(pattern: &Pattern) -> Result<String, String> {
    let mut text = String::from("\"");
    for part in pattern.parts() {
        match part {
            Part::Many => text.push('*'),
            Part::One => return Err("the wildcard `?`: Splunk has none for one character".to_owned()),
            Part::Text(part) if part.contains('*') => {
                return Err("an asterisk that is no wildcard: Splunk cannot search for one".to_owned());
            }
            Part::Text(part) => text.push_str(&quoted(part)?),
        }
    }
    text.push('"');
    Ok(text)
}

fn is_plain(field: &str) -> bool {
    !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

fn name(field: &str) -> Result<String, String> {
    if is_plain(field) {
        Ok(field.to_owned())
    } else if field.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b' ')) {
        Ok(format!("\"{field}\""))
    } else {
        Err(format!("a field called `{field}`"))
    }
}
