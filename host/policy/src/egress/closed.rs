//! Closed bodies: nothing is there that the contract does not name.

use std::collections::BTreeSet;

use super::{
    contract::Contract,
    refusal::{Refusal, RefusalReason},
};
use crate::{json::Json, text::quote};

/// Hold a body against what its contract forbids and, where it is closed, against what it names.
pub(super) fn check(contract: &Contract, body: Option<&Json>) -> Result<(), Refusal> {
    let Some(body) = body else { return Ok(()) };
    let refused = |what: String| Refusal::new(RefusalReason::BodyNotAllowed, format!("contract `{}`: {what}", contract.name));
    // In any case: an upstream that does not tell case would read the forbidden key.
    if let Some(pointer) = contract.forbid_body.iter().find(|pointer| body.has_in_any_case(pointer)) {
        return Err(refused(format!("the body has `{pointer}`, which is forbidden")));
    }
    let Some(named) = &contract.closed else { return Ok(()) };
    unnamed(body, &mut String::new(), named)
        .map_or(Ok(()), |pointer| Err(refused(format!("the body is closed, and nothing names {} in it", quote(&pointer, 120)))))
}

/// The first place that is neither named, nor inside a named place, nor a container on the way to one.
fn unnamed(value: &Json, pointer: &mut String, named: &BTreeSet<String>) -> Option<String> {
    if named.contains(pointer.as_str()) {
        return None;
    }
    let leads_on = pointer.is_empty()
        || named.iter().any(|place| place.strip_prefix(pointer.as_str()).is_some_and(|rest| rest.starts_with('/')));
    let children: Vec<(String, &Json)> = match value {
        Json::Object(entries) if leads_on => {
            entries.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Json::Array(items) if leads_on => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => return Some(pointer.clone()),
    };
    for (token, child) in children {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&token);
        if let Some(place) = unnamed(child, pointer, named) {
            return Some(place);
        }
        pointer.truncate(length);
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::unnamed;
    use crate::json::Json;

    fn check(body: &str, named: &[&str], expected: Option<&str>) {
        let named = named.iter().map(|place| (*place).to_owned()).collect();
        let found = unnamed(&Json::parse(body.as_bytes()).unwrap(), &mut String::new(), &named);
        assert_eq!(found.as_deref(), expected, "{body}");
    }

    #[test]
    fn only_named_places_may_be_filled() {
        check(r#"{"a":1}"#, &["/a"], None);
        check(r#"{"a":{"b":[1,{"c":2}]}}"#, &["/a"], None);
        check(r#"{"a":{"b":1}}"#, &["/a/b"], None);
        check(r#"{"a":{"b":1},"d":1}"#, &["/a/b"], Some("/d"));
        check(r#"{"a":{"b":1,"c":1}}"#, &["/a/b"], Some("/a/c"));
        check(r#"{"a":1}"#, &["/a/b"], Some("/a"));
        check(r#"{"a":null}"#, &["/a/b"], Some("/a"));
        check(r#"{"ab":1}"#, &["/a"], Some("/ab"));
        check(r#"{"A":1}"#, &["/a"], Some("/A"));
        check(r#"{"a":[{"b":1}]}"#, &["/a/0/b"], None);
        check(r#"{"a":[{"b":1},{"b":1}]}"#, &["/a/0/b"], Some("/a/1"));
        check(r#"{"x/y":{"m~n":1}}"#, &["/x~1y/m~0n"], None);
        check(r#"{"x":{"y":1}}"#, &["/x~1y"], Some("/x"));
        check("[]", &["/a"], None);
        check("[1]", &["/a"], Some("/0"));
        check("1", &["/a"], Some(""));
        check("{}", &[], None);
    }
}
