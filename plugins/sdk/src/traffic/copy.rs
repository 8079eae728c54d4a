//! A recorded request, made into what is sent again.

use super::{Changes, Headers, RequestPath, decoded, parts, url};
use crate::{Failure, text::clip};

crate::word! {
    /// Where a recorded request went: a name or an IPv4 address, in lower case.
    pub HostName, "a host name or an IPv4 address, in lower case", 1..=253, "^[a-z0-9._-]{1,253}$",
    |text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)), str::to_owned
}

/// The bytes to send, where `host` and `port` are where the connection goes, and how they are called in front of people.
///
/// # Errors
/// When it is no request to there: its first line or its `Host` names somebody else, or it has several.
pub fn copy(raw: &[u8], (host, port): (&str, u32), changes: Changes<'_>) -> Result<(Vec<u8>, String), Failure> {
    let query = changes.query()?;
    let (head, body) = parts(raw);
    let Ok(head) = std::str::from_utf8(head) else { return Err(refusal("its head is not text")) };
    // To some servers it is the end of a line, and what is behind it another header.
    if head.lines().any(|line| line.contains('\r')) {
        return Err(refusal("its head has half of the end of a line"));
    }
    let mut lines = head.lines();
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = first.as_slice() else { return Err(refusal("its first line is none of HTTP/1.1")) };
    // `GET http://elsewhere/ HTTP/1.1` names a host, and so may `GET //elsewhere/ HTTP/1.1`.
    if !target.starts_with('/') || target.starts_with("//") {
        return Err(refusal("its first line names a host"));
    }
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => headers.push((name, value.trim())),
            _ => return Err(refusal("one of its headers is none")),
        }
    }
    let named: Vec<&str> =
        headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| *value).collect();
    let with_port = format!("{host}:{port}");
    match named.as_slice() {
        [one] if one.eq_ignore_ascii_case(host) || one.eq_ignore_ascii_case(&with_port) => {}
        [_] => return Err(refusal("its `Host` names another host than it went to")),
        _ => return Err(refusal("it has no `Host`, or several")),
    }
    if changes.body.is_some() && !["POST", "PUT", "PATCH", "DELETE"].contains(method) && body.is_empty() {
        return Err(refusal("it is a request without a body"));
    }

    let (path, old_query) = target.split_once('?').map_or((*target, None), |(path, query)| (path, Some(query)));
    let path = changes.path.map_or(path, RequestPath::as_str);
    let pairs = replaced(old_query.unwrap_or_default(), &query);
    let target = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{pairs}") };
    let mut text = format!("{method} {target} {version}\r\n");
    let new: Vec<(&str, &str)> = changes.headers.into_iter().flat_map(Headers::pairs).collect();
    // How long the old body was. What a server reads behind the end of a body is another request to it.
    let framing: &[&str] = if changes.body.is_some() { &["content-length", "transfer-encoding"] } else { &[] };
    let is_new = |name: &str| new.iter().map(|(other, _)| other).chain(framing).any(|other| other.eq_ignore_ascii_case(name));
    for (name, value) in headers.into_iter().filter(|(name, _)| !is_new(name)).chain(new.iter().copied()) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = changes.body {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(changes.body.map_or(body, str::as_bytes));
    Ok((bytes, clip(&format!("{method} {}", url(&target)), 200)))
}

/// The query with these parameters replaced where they are, in whatever letters they are written, or put behind the others.
fn replaced(old: &str, new: &std::collections::BTreeMap<&str, &str>) -> String {
    let mut left = new.clone();
    let mut pairs = Vec::new();
    for pair in old.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let plain = decoded(name);
        match new.get(plain.as_str()) {
            Some(value) => {
                if left.remove(plain.as_str()).is_some() {
                    pairs.push(format!("{name}={}", encoded(value)));
                }
            }
            None => pairs.push(pair.to_owned()),
        }
    }
    pairs.extend(left.into_iter().map(|(name, value)| format!("{name}={}", encoded(value))));
    pairs.join("&")
}

/// As a value of a query: what would end it or begin another thing is percent-encoded.
fn encoded(value: &str) -> String {
    let one = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-._~!$'()*,;:@/?=<>".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    value.bytes().map(one).collect()
}

fn refusal(why: &str) -> Failure {
    Failure::invalid_arguments(format!("nothing was sent: this request cannot be replayed here; {why}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{testing::check_field as check, traffic::Parameter};

    const TO: (&str, u32) = ("app.test", 8443);
    const RAW: &str = "POST /a?id=1&key=s3cr3t&id=9 HTTP/1.1\r\nHost: app.test:8443\r\nCookie: a=b\r\nAccept: x\r\n\r\nold";
    const NONE: Changes<'static> = Changes { path: None, query: &[], headers: None, body: None };

    fn refused(raw: &str) -> String {
        copy(raw.as_bytes(), TO, NONE).unwrap_err().message().to_owned()
    }

    #[test]
    fn a_host_is_a_name_and_nothing_else() {
        check::<HostName>(&["app.test", "127.0.0.1", "a_b"], &["", "App.test", "app.test:80", "a/b", "[::1]", "é", "a b"], true);
    }

    #[test]
    fn nothing_is_changed_but_what_was_asked_for() {
        assert_eq!(copy(RAW.as_bytes(), TO, NONE).unwrap(), (RAW.as_bytes().to_vec(), "POST /a?id=1&key=‹redacted›&id=9".into()));
        let path: RequestPath = "/b".parse().unwrap();
        let query: Vec<Parameter> =
            serde_json::from_value(json!([{ "name": "id", "value": "2&x=#\r" }, { "name": "new", "value": "é" }]))
                .unwrap_or_default();
        assert!(query.is_empty(), "neither of these is a value");
        let query: Vec<Parameter> =
            serde_json::from_value(json!([{ "name": "id", "value": "2&x=# %" }, { "name": "n", "value": "" }])).unwrap();
        let headers: Headers = serde_json::from_value(json!({ "accept": "y", "origin": "https://app.test" })).unwrap();
        let changes = Changes { path: Some(&path), query: &query, headers: Some(&headers), body: Some("new") };
        let (bytes, _) = copy(RAW.as_bytes(), TO, changes).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "POST /b?id=2%26x=%23%20%25&key=s3cr3t&n= HTTP/1.1\r\nHost: app.test:8443\r\nCookie: a=b\r\naccept: y\r\norigin: https://app.test\r\ncontent-length: 3\r\n\r\nnew"
        );
    }

    /// A server reads `%69d` as `id`, and `%74oken` as `token`.
    #[test]
    fn a_parameter_is_the_same_in_whatever_letters_it_is_written() {
        let raw = RAW.replace("/a?id=1&key=s3cr3t&id=9", "/a?%69d=1&%74oken=s3cr3t&i%64=9&x[%5D=2&%69d");
        let changed = |name: &str| {
            let query: Vec<Parameter> = serde_json::from_value(json!([{ "name": name, "value": "7" }])).unwrap();
            let (bytes, words) = copy(raw.as_bytes(), TO, Changes { query: &query, ..NONE })?;
            assert!(!words.contains("s3cr3t"), "{words}");
            Ok::<_, Failure>(String::from_utf8(bytes).unwrap().lines().next().unwrap().to_owned())
        };
        assert_eq!(changed("id").unwrap(), "POST /a?%69d=7&%74oken=s3cr3t&x[%5D=2 HTTP/1.1");
        assert_eq!(changed("x[]").unwrap(), "POST /a?%69d=1&%74oken=s3cr3t&i%64=9&x[%5D=7&%69d HTTP/1.1");
        assert!(changed("token").unwrap_err().message().contains("`token` is a credential"));
        for name in ["%74oken", "tok%65n", "%2574oken", "t\u{f8}ken", "token=", "a&token"] {
            let query: Result<Parameter, _> = serde_json::from_value(json!({ "name": name, "value": "7" }));
            assert!(query.is_err(), "{name}");
        }
    }

    /// Of a length that is recorded, the rest of a longer body would be a request of its own.
    #[test]
    fn a_changed_body_is_as_long_as_it_is() {
        let to = |framing: &str| RAW.replace("Accept: x", framing);
        let body = "a=1GET /admin HTTP/1.1\r\nHost: app.test\r\n\r\n";
        let same = "POST /a?id=1&key=s3cr3t&id=9 HTTP/1.1\r\nHost: app.test:8443\r\nCookie: a=b\r\n";
        for framing in [
            "Content-Length: 3",
            "content-length: 3\r\nCONTENT-LENGTH: 3",
            "Transfer-Encoding: chunked",
            "TRANSFER-encoding: x\r\nContent-Length: 3",
        ] {
            let (bytes, _) = copy(to(framing).as_bytes(), TO, Changes { body: Some(body), ..NONE }).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), format!("{same}content-length: 42\r\n\r\n{body}"), "{framing}");
            // What stays is sent as it was.
            assert_eq!(copy(to(framing).as_bytes(), TO, NONE).unwrap().0, to(framing).as_bytes());
        }
        let (bytes, _) = copy(to("Content-Length: 3").as_bytes(), TO, Changes { body: Some(""), ..NONE }).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("{same}content-length: 0\r\n\r\n"));
    }

    #[test]
    fn a_request_that_names_another_host_is_not_sent() {
        for (raw, why) in [
            (RAW.replace("Host: app.test:8443", "Host: bank.example"), "another host"),
            (RAW.replace("Host: app.test:8443", "Host: app.test:80"), "another host"),
            (RAW.replace("Cookie", "host"), "several"),
            (RAW.replace("Host", "X-Host"), "no `Host`"),
            (RAW.replace(" /a", " http://bank.example/a"), "names a host"),
            (RAW.replace(" /a", " //bank.example/a"), "names a host"),
            (RAW.replace(" /a", " bank.example:443"), "names a host"),
            (RAW.replace("Accept: x", " Accept: x"), "is none"),
            (RAW.replace("Accept: x", "Host : bank.example"), "is none"),
            (RAW.replace("Accept: x", "Accept: x\rHost: bank.example"), "half of the end of a line"),
            (RAW.replace(" HTTP/1.1", " HTTP/1.1\rHost: bank.example"), "half of the end of a line"),
            (RAW.replace(" HTTP/1.1", ""), "first line"),
            (String::new(), "first line"),
        ] {
            assert!(refused(&raw).contains(why), "{raw}: {}", refused(&raw));
        }
        let host = RAW.replace("app.test:8443", "APP.test");
        assert!(copy(host.as_bytes(), TO, NONE).is_ok());
        assert!(copy(b"\xff /", TO, NONE).is_err());
        let get = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
        assert!(copy(get.as_bytes(), TO, Changes { body: Some("x"), ..NONE }).is_err());
    }
}
