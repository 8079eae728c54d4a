//! What may be another when a recorded request is sent again: nothing that proves who somebody is, or says where the request goes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{is_credential, url};
use crate::{Failure, leak};

crate::word! {
    /// A path without a query. Two slashes at its beginning would be a host to some servers.
    pub RequestPath, "a path that begins with one slash, without `?`, `#`, backslashes and spaces", 1..=2000,
    "^/([!\"$-.0->@-\\[\\]-~][!\"$->@-\\[\\]-~]*)?$",
    |text| text.starts_with('/') && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte)),
    str::to_owned
}

crate::word! {
    /// A parameter of a query.
    pub ParameterName, "a parameter's name: 1 to 100 letters, digits and -_.[]", 1..=100, "^[A-Za-z0-9_.\\[\\]-]{1,100}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte)), str::to_owned
}

crate::word! {
    /// The value of a header, or of a parameter of a query.
    pub Value, "up to 1000 visible ASCII characters and spaces", 0..=1000, "^[ -~]{0,1000}$",
    |text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), str::to_owned
}

/// A parameter of the query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Which one.
    pub name: ParameterName,
    /// Its new value.
    pub value: Value,
}

/// The headers that can be changed: none of them proves who somebody is, or says where the request goes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Headers {
    /// The media types that the client takes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<Value>,
    /// The languages that the client takes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept_language: Option<Value>,
    /// What the body is
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Value>,
    /// Answer only if it has changed since
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_modified_since: Option<Value>,
    /// Answer only if it is another version
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_none_match: Option<Value>,
    /// The site that asks
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Value>,
    /// The page that asks
    #[serde(default, skip_serializing_if = "Option::is_none")]
    referer: Option<Value>,
    /// The program that asks
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<Value>,
    /// How a script asks
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x_requested_with: Option<Value>,
}

impl Headers {
    /// Names and values of those that are to be changed.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let pairs = [
            ("accept", &self.accept),
            ("accept-language", &self.accept_language),
            ("content-type", &self.content_type),
            ("if-modified-since", &self.if_modified_since),
            ("if-none-match", &self.if_none_match),
            ("origin", &self.origin),
            ("referer", &self.referer),
            ("user-agent", &self.user_agent),
            ("x-requested-with", &self.x_requested_with),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?.as_str())))
    }
}

/// Everything that is to be another in one request.
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a> {
    /// The path; the query stays.
    pub path: Option<&'a RequestPath>,
    /// Parameters of the query; the others stay.
    pub query: &'a [Parameter],
    /// Headers; the others stay.
    pub headers: Option<&'a Headers>,
    /// The body.
    pub body: Option<&'a str>,
}

impl<'a> Changes<'a> {
    /// The parameters of the query, where nothing that is to be changed is a credential or holds one: a request is sent again as whoever
    /// sent it.
    ///
    /// # Errors
    /// Which one is.
    pub fn query(&self) -> Result<BTreeMap<&'a str, &'a str>, Failure> {
        let mut query = BTreeMap::new();
        for Parameter { name, value } in self.query {
            if is_credential(name.as_str()) {
                return Err(refusal(&format!("`{name}` is a credential, which stays as it was recorded")));
            }
            if query.insert(name.as_str(), value.as_str()).is_some() {
                return Err(refusal(&format!("`{name}` is there twice")));
            }
        }
        let headers = || self.headers.into_iter().flat_map(Headers::pairs);
        let texts = query.values().copied().chain(headers().map(|(_, value)| value));
        let texts = texts.chain(self.path.map(RequestPath::as_str)).chain(self.body);
        if let Some(what) = texts.into_iter().find_map(leak::found) {
            return Err(refusal(&format!(
                "what is to be changed holds {what}; a request is sent again with the credentials it had, and no others"
            )));
        }
        if headers().any(|(name, value)| name == "referer" && url(value) != value) {
            return Err(refusal("the referer holds a credential"));
        }
        Ok(query)
    }
}

fn refusal(why: &str) -> Failure {
    Failure::invalid_arguments(format!("nothing was sent: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_field as check;

    #[test]
    fn a_path_is_a_path_and_nothing_else() {
        let (longest, longer) = (format!("/{}", "x".repeat(1999)), format!("/{}", "x".repeat(2000)));
        check::<RequestPath>(
            &["/", "/a", "/a//b", "/a/../b", "/a%2f;x=1", "/\"<>'", &longest],
            &[
                "",
                "a",
                "//evil.example/x",
                "/a?b",
                "/a#b",
                "/\\evil",
                "/a\\b",
                "/a b",
                "/é",
                "/a\r\nX: y",
                "*",
                "http://x/",
                &longer,
            ],
            true,
        );
    }

    #[test]
    fn names_and_values_stay_on_their_line() {
        check::<ParameterName>(&["id", "user[0].name"], &["", "a b", "a=b", "a&b", "%69d", "é"], true);
        let long = "x".repeat(1001);
        check::<Value>(&["", "a b", "<script>"], &["a\r\nb", "a\tb", "é", "\u{7f}", &long], true);
    }
}
