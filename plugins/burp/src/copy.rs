//! A recorded request, made into what Burp is told to send.
//!
//! Burp's extension writes what it is given anew before it sends it: line ends, and in some versions `\r` and `\n`, written out, which it
//! makes line ends. So what it is given is only what every version leaves as it is, and a message of one length and one host.

use casemate_plugin::{
    Context, Failure, clip, clip_lines,
    field::{List, Passage, Whole},
    traffic::{self, Changes, Headers, HostName, Parameter, RequestPath},
};
use serde_json::{Value, json};

use crate::{
    api::{self, Page},
    item,
};

/// The number of a recorded request.
pub(crate) type Number = Whole<0, 1_000_000>;
/// A port.
pub(crate) type Port = Whole<1, 65_535>;
/// A body that takes another one's place.
pub(crate) type NewBody = Passage<16_384>;

/// Characters of what a plan shows of a copy: all of it, since what is recorded has 5,000 at most.
const SHOWN: usize = 40_000;

/// What a copy is made of, and where it is to go.
pub(crate) struct Wanted<'a> {
    pub(crate) number: Number,
    pub(crate) host: &'a HostName,
    pub(crate) port: Port,
    pub(crate) https: bool,
    pub(crate) path: Option<&'a RequestPath>,
    pub(crate) query: &'a List<Parameter, 8>,
    pub(crate) headers: Option<&'a Headers>,
    pub(crate) body: Option<&'a NewBody>,
}

/// What Burp is told to send.
pub(crate) struct Copy {
    pub(crate) content: String,
    /// What it is, in a few words.
    pub(crate) words: String,
    target: Value,
}

impl Copy {
    /// The arguments that every tool of Burp's takes a request by, and one more.
    pub(crate) fn arguments(&self, besides: Option<(&str, String)>) -> Value {
        let mut arguments = self.target.clone();
        if let Some(arguments) = arguments.as_object_mut() {
            arguments.insert("content".to_owned(), self.content.as_str().into());
            arguments.extend(besides.map(|(name, value)| (name.to_owned(), value.into())));
        }
        arguments
    }

    /// All of it, without the credentials that stay in it.
    pub(crate) fn shown(&self) -> String {
        clip_lines(&format!("{}\n\n{}", self.words, traffic::message(self.content.as_bytes())), SHOWN)
    }
}

/// The copy of a recorded request, if it is one that goes there.
pub(crate) fn copy(cx: &Context, wanted: &Wanted<'_>) -> Result<Copy, Failure> {
    let Wanted { number, host, port, https, path, query, headers, body } = wanted;
    let body = body.map(|body| body.as_str().replace('\n', "\r\n"));
    let changes = Changes { path: *path, query: query.as_slice(), headers: *headers, body: body.as_deref() };
    changes.query()?;
    let port = u32::try_from(port.number()).unwrap_or_default();
    let recorded = as_http1(recorded(cx, *number)?);
    names(&recorded, (host.as_str(), port), *https)?;
    let (bytes, words) = traffic::copy(recorded.as_bytes(), (host.as_str(), port), changes)?;
    let content = String::from_utf8(bytes).map_err(|_| refusal("it is not text"))?;
    settled(&content).map_err(refusal)?;
    let scheme = if *https { "https" } else { "http" };
    let words = format!("{words} to {scheme}://{host}:{port}, copy of {}", number.number());
    Ok(Copy { content, words, target: json!({ "targetHostname": host, "targetPort": port, "usesHttps": https }) })
}

/// What Burp has recorded under this number.
fn recorded(cx: &Context, number: Number) -> Result<String, Failure> {
    let text = api::list(cx, "get_proxy_http_history", &Page::of(number))?;
    match item::items(&text).as_slice() {
        [item] => match item::member(item, "request") {
            Some((_, true)) => Err(refusal("it is longer than the 5,000 characters that Burp's extension shows of it")),
            Some((request, false)) => Ok(request),
            None => Err(Failure::upstream("nothing was sent: Burp answered with something that is no recorded request")),
        },
        [] => Err(Failure::not_found("Burp has no request of this number in the project that is open")),
        _ => Err(Failure::upstream("nothing was sent: Burp answered with other requests than the one that was asked for")),
    }
}

/// Burp writes what went over HTTP/2 down as if it had gone over HTTP/1.1, but for the version.
fn as_http1(recorded: String) -> String {
    match recorded.split_once(" HTTP/2\r\n") {
        Some((line, rest)) if !line.contains('\n') => format!("{line} HTTP/1.1\r\n{rest}"),
        _ => recorded,
    }
}

/// Whether the request names this place. Burp's history does not say where a request went, only whom it named; without a port, that is
/// the scheme's own.
fn names(recorded: &str, (host, port): (&str, u32), https: bool) -> Result<(), Failure> {
    let (head, _) = traffic::parts(recorded.as_bytes());
    let head = String::from_utf8_lossy(head);
    let is_host = |line: &'_ &str| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("host:"));
    let named: Vec<&str> = head.lines().filter(is_host).filter_map(|line| line.get(5..)).map(str::trim).collect();
    let [named] = named.as_slice() else { return Err(refusal("it has no `Host`, or several")) };
    let (name, named_port) = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
        Some((name, _)) => (name, None),
        None => (*named, Some(if https { 443 } else { 80 })),
    };
    if name.eq_ignore_ascii_case(host) && named_port == Some(port) {
        return Ok(());
    }
    let default = if named.contains(':') { String::new() } else { format!(":{}", if https { 443 } else { 80 }) };
    Err(Failure::invalid_arguments(format!(
        "nothing was sent: this request names `{}{default}`, and a copy can be sent there only",
        clip(named, 200)
    )))
}

/// That Burp sends this as it is, and a server reads one request in it.
fn settled(content: &str) -> Result<(), &'static str> {
    let Some((head, body)) = content.split_once("\r\n\r\n") else { return Err("its head does not end") };
    // In how many bytes Burp sends another letter, its settings say.
    if !content.is_ascii() {
        return Err("it has letters beyond ASCII");
    }
    let mut lines = head.split("\r\n");
    if head.contains('\\') || !head.split("\r\n").all(|line| line.bytes().all(|byte| (b' '..=b'~').contains(&byte))) {
        return Err("its head has a backslash, a tab, or what is not seen");
    }
    let body_lines = body.replace("\r\n", "");
    if body_lines.contains(['\r', '\n']) || body.contains("\\r") || body.contains("\\n") {
        return Err("its body has `\\r`, `\\n` or line ends that some versions of Burp's extension would write anew");
    }
    match lines.next().unwrap_or_default().split(' ').collect::<Vec<_>>().as_slice() {
        [method, _, "HTTP/1.1" | "HTTP/1.0"] if method.bytes().all(|byte| byte.is_ascii_uppercase()) => {}
        _ => return Err("its first line is none of HTTP/1.1"),
    }
    let headers: Vec<(String, &str)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim())).collect();
    if headers.iter().any(|(name, _)| name == "transfer-encoding") {
        return Err("it has a `Transfer-Encoding`");
    }
    let lengths: Vec<&str> = headers.iter().filter(|(name, _)| name == "content-length").map(|(_, value)| *value).collect();
    match lengths.as_slice() {
        [] if body.is_empty() => Ok(()),
        [length] if *length == body.len().to_string() => Ok(()),
        _ => Err("its body is not as long as it says"),
    }
}

fn refusal(why: &'static str) -> Failure {
    Failure::invalid_arguments(format!("nothing was sent: this request cannot be sent again here; {why}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const GET: &str = "GET /a?b=1 HTTP/1.1\r\nHost: app.test\r\nCookie: a=b\r\n\r\n";
    const POST: &str = "POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 6\r\n\r\na=\r\nb=";

    #[test]
    fn what_burp_leaves_as_it_is_is_settled() {
        for content in
            [GET, POST, &GET.replace("1.1", "1.0"), &POST.replace("a=\r\nb=", "\t\0{}\\\""), &POST.replace(" 6", "  6 ")]
        {
            assert_eq!(settled(content), Ok(()), "{content}");
        }
    }

    /// Each of these would be another request when Burp sends it, or two.
    #[test]
    fn what_burp_or_a_server_reads_in_two_ways_is_refused() {
        for (content, why) in [
            (GET.replace("a=b", "a=\\r\\nHost: evil.example"), "a backslash"),
            (GET.replace("/a?", "/a\\n?"), "a backslash"),
            (GET.replace("a=b", "a=\\134"), "a backslash"),
            (GET.replace("a=b", "a=\tb"), "a backslash, a tab"),
            (GET.replace("a=b", "a=\u{7f}"), "not seen"),
            (GET.replace("a=b", "a\nHost: evil.example"), "not seen"),
            (GET.replace("a=b", "a\rHost: evil.example"), "not seen"),
            (GET.replace("a=b", "ä"), "beyond ASCII"),
            (POST.replace("a=\r\nb=", "a=äbc"), "beyond ASCII"),
            (POST.replace("a=\r\nb=", "a=\nb=c"), "line ends"),
            (POST.replace("a=\r\nb=", "a=\rb=c"), "line ends"),
            (POST.replace("a=\r\nb=", "a=\\nbc"), "line ends"),
            (POST.replace("a=\r\nb=", "a=\\rbc"), "line ends"),
            (POST.replace(" 6", " 5"), "as long as it says"),
            (POST.replace(" 6", " 7"), "as long as it says"),
            (POST.replace(" 6", " +6"), "as long as it says"),
            (POST.replace(" 6", " 6, 6"), "as long as it says"),
            (POST.replace("6\r\n", "6\r\ncontent-length: 6\r\n"), "as long as it says"),
            (POST.replace("Content-Length: 6", "Accept: x"), "as long as it says"),
            (format!("{GET}GET /b HTTP/1.1\r\nHost: app.test\r\n\r\n"), "as long as it says"),
            (POST.replace("Content-Length: 6", "TRANSFER-encoding: chunked"), "Transfer-Encoding"),
            (GET.replace("HTTP/1.1", "HTTP/2"), "first line"),
            (GET.replace("GET", "get"), "first line"),
            (GET.replace("/a", "/a b"), "first line"),
            (GET.trim_end().to_owned(), "does not end"),
            (String::new(), "does not end"),
        ] {
            let refused = settled(&content).unwrap_err();
            assert!(refused.contains(why), "{content}: {refused}");
        }
    }

    #[test]
    fn a_request_names_one_place() {
        for (host, place, https) in [
            ("app.test", ("app.test", 443), true),
            ("app.test", ("app.test", 80), false),
            ("APP.test:8443", ("app.test", 8443), true),
            ("  app.test:80 ", ("app.test", 80), true),
        ] {
            assert!(names(&GET.replace("app.test", host), place, https).is_ok(), "{host}");
        }
        for (host, place, https, why) in [
            ("app.test", ("app.test", 80), true, "names `app.test:443`"),
            ("app.test", ("app.test", 443), false, "names `app.test:80`"),
            ("app.test:8443", ("app.test", 443), true, "names `app.test:8443`"),
            ("bank.example", ("app.test", 443), true, "names `bank.example:443`"),
            ("app.test@bank.example", ("app.test", 443), true, "names `app.test@"),
            ("app.test:443@bank.example", ("app.test", 443), true, "names `app.test:443@"),
            ("app.test:", ("app.test", 443), true, "names `app.test:`"),
            ("app.test:99999", ("app.test", 443), true, "names"),
            ("app.test:+443", ("app.test", 443), true, "names"),
            ("app.test.", ("app.test", 443), true, "names"),
            ("app.test, bank.example", ("app.test", 443), true, "names"),
            ("[::1]", ("app.test", 443), true, "names"),
            ("", ("app.test", 443), true, "names"),
            ("app.test\r\nHOST: bank.example", ("app.test", 443), true, "or several"),
            ("app.test\nhost:app.test", ("app.test", 443), true, "or several"),
        ] {
            let refused = names(&GET.replace("app.test", host), place, https).unwrap_err();
            assert!(refused.message().contains(why), "{host}: {refused}");
        }
        assert!(names(&GET.replace("Host", "X-Host"), ("app.test", 443), true).is_err());
    }

    #[test]
    fn http2_is_written_down_as_http1() {
        let two = GET.replace("HTTP/1.1", "HTTP/2");
        assert_eq!(as_http1(two), GET);
        for other in [GET, &GET.replace("a=b", "x HTTP/2"), &GET.replace("HTTP/1.1", "HTTP/2.0"), ""] {
            assert_eq!(as_http1(other.to_owned()), *other);
        }
    }
}
