//! Who may ask a browser to ask: the name that the console is reached by, where a request comes from, and what its answers allow.
//!
//! Cookies are not enough: a page at another port of this machine is of the same site, and a name that an attacker's server gives this
//! machine's address (DNS rebinding) is of the same origin.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{config::HttpSettings, mcp::http::LOOPBACK_HOSTS};

/// A request that is not looked at any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The name it was sent to.
    Host,
    /// The page it was sent from.
    Origin,
}

impl Refused {
    /// The word in the log.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Host => "console-host",
            Self::Origin => "console-origin",
        }
    }

    /// What a person reads.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Host => {
                "the console is not served under this name\nhelp: use the address that it printed, or add the name to `[http] hosts`"
            }
            Self::Origin => "this request was not made by a page of the console",
        }
    }
}

/// The one value of a header; none where it is absent, there twice, or no text.
pub(super) fn one(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether the request was sent to a name of this server, by a page that may send it.
pub(crate) fn check(method: &Method, headers: &HeaderMap, settings: &HttpSettings, secure: bool) -> Result<(), Refused> {
    let host = one(headers, header::HOST).filter(|host| is_ours(host, settings)).ok_or(Refused::Host)?;
    let reads = [Method::GET, Method::HEAD].contains(method);
    // Fetch metadata (W3C): what browsers say of themselves, and no page can make them say otherwise.
    if let Some(site) = headers.get("sec-fetch-site") {
        let word = |name: &'static str| one(headers, name).unwrap_or_default();
        let own = ["none", "same-origin"].iter().any(|own| site == own);
        let link = reads && word("sec-fetch-mode") == "navigate" && word("sec-fetch-dest") == "document";
        if !own && !link {
            return Err(Refused::Origin);
        }
    }
    // Browsers name the origin of every request that changes something.
    let origin = headers.contains_key(header::ORIGIN);
    let same = || one(headers, header::ORIGIN).is_some_and(|origin| is_same(origin, host, settings, secure));
    if (origin || !reads) && !same() {
        return Err(Refused::Origin);
    }
    Ok(())
}

fn is_ours(host: &str, settings: &HttpSettings) -> bool {
    let bare =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())).map_or(host, |(bare, _)| bare);
    let known = LOOPBACK_HOSTS.iter().copied().chain(settings.hosts.iter().map(String::as_str));
    known.into_iter().any(|known| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(bare))
}

/// Whether an origin is the host's own. Where a proxy does TLS for it, the browser sees `https` and the server does not.
fn is_same(origin: &str, host: &str, settings: &HttpSettings, secure: bool) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let fits = match scheme {
        "https" => secure || settings.plaintext,
        "http" => !secure,
        _ => false,
    };
    fits && authority.eq_ignore_ascii_case(host)
}

/// Nothing but the console's own files is loaded, nothing of it is kept, shown in another page, or passed on.
const HEADERS: [(HeaderName, &str); 9] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    // No other site is told of a page. `no-referrer` would have browsers send forms from the origin `null` (Fetch, "Origin" header).
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// The answer with what every answer of the console says.
pub(super) fn dressed(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ask(method: &Method, headers: &[(&str, &str)], settings: &HttpSettings, secure: bool) -> Result<(), Refused> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        check(method, &map, settings, secure)
    }

    fn plain(method: &Method, headers: &[(&str, &str)]) -> Result<(), Refused> {
        ask(method, headers, &HttpSettings::default(), false)
    }

    #[test]
    fn only_names_of_this_machine_and_of_the_operator_are_ours() {
        let named = HttpSettings { hosts: vec!["casemate.example".to_owned()], ..HttpSettings::default() };
        for host in ["127.0.0.1:8788", "localhost:1", "LOCALHOST", "[::1]:8788", "casemate.example", "casemate.example:443"] {
            assert_eq!(ask(&Method::GET, &[("host", host)], &named, false), Ok(()), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8788", "", "127.0.0.1@evil.example"] {
            assert_eq!(ask(&Method::GET, &[("host", host)], &named, false), Err(Refused::Host), "{host}");
        }
        assert_eq!(plain(&Method::GET, &[]), Err(Refused::Host));
        assert_eq!(plain(&Method::GET, &[("host", "localhost"), ("host", "localhost")]), Err(Refused::Host));
    }

    #[test]
    fn what_changes_something_comes_from_a_page_of_the_console() {
        let host = ("host", "127.0.0.1:8788");
        assert_eq!(plain(&Method::POST, &[host, ("origin", "http://127.0.0.1:8788")]), Ok(()));
        for origin in
            ["null", "http://127.0.0.1:9999", "http://localhost:8788", "https://127.0.0.1:8788", "http://evil.example", ""]
        {
            assert_eq!(plain(&Method::POST, &[host, ("origin", origin)]), Err(Refused::Origin), "{origin}");
        }
        assert_eq!(plain(&Method::POST, &[host]), Err(Refused::Origin));
        let own = ("origin", "http://127.0.0.1:8788");
        assert_eq!(plain(&Method::POST, &[host, own, own]), Err(Refused::Origin));
        for site in ["cross-site", "same-site"] {
            assert_eq!(plain(&Method::POST, &[host, own, ("sec-fetch-site", site)]), Err(Refused::Origin), "{site}");
        }
        assert_eq!(plain(&Method::POST, &[host, own, ("sec-fetch-site", "same-origin")]), Ok(()));
    }

    #[test]
    fn other_pages_may_link_to_the_console_and_not_show_it() {
        let from = |mode, dest| {
            [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]
        };
        assert_eq!(plain(&Method::GET, &from("navigate", "document")), Ok(()));
        for (mode, dest) in [("navigate", "iframe"), ("no-cors", "image"), ("cors", "empty"), ("no-cors", "script")] {
            assert_eq!(plain(&Method::GET, &from(mode, dest)), Err(Refused::Origin), "{mode} {dest}");
        }
        assert_eq!(plain(&Method::GET, &[("host", "localhost"), ("origin", "http://evil.example")]), Err(Refused::Origin));
    }

    #[test]
    fn behind_a_proxy_that_does_tls_the_browser_sees_https() {
        let headers = [("host", "c.example"), ("origin", "https://c.example")];
        let hosts = vec!["c.example".to_owned()];
        let proxied = HttpSettings { hosts: hosts.clone(), plaintext: true, ..HttpSettings::default() };
        assert_eq!(ask(&Method::POST, &headers, &proxied, false), Ok(()));
        let bare = HttpSettings { hosts, ..HttpSettings::default() };
        assert_eq!(ask(&Method::POST, &headers, &bare, false), Err(Refused::Origin));
        assert_eq!(ask(&Method::POST, &headers, &bare, true), Ok(()));
        let clear = [("host", "c.example"), ("origin", "http://c.example")];
        assert_eq!(ask(&Method::POST, &clear, &bare, true), Err(Refused::Origin));
    }
}
