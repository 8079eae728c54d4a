//! Request headers: a short allowlist, the contract's own, and nothing that frames, routes or authenticates.

use std::collections::BTreeMap;

use super::{
    contract::Contract,
    refusal::{Refusal, RefusalReason},
};
use crate::text::quote;

/// Bytes of one value. Some servers cut at 4 KiB.
const MAX_VALUE: usize = 4096;

/// What any request may carry.
const ALLOWED: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// What only the host sets, whatever a contract says: framing (RFC 9112), hop-by-hop fields (RFC 9110, section 7.6.1),
/// credentials, the trace (W3C Trace Context), and the fields by which proxies and frameworks replace method, path, host or client
/// address.
const RESERVED: [&str; 38] = [
    "accept-encoding",
    "authorization",
    "client-ip",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "via",
    "x-client-ip",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "content-location",
];

/// Whether a contract may not name a header.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || ["x-forwarded-", "sec-", "proxy-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Lower-case name to value; each name once.
pub(super) type Headers = BTreeMap<String, String>;

/// Read headers: every name once, every name and value with one reading.
///
/// `content-length` must be the body's and is then dropped, as is `accept-encoding`: the host sets both itself.
pub(super) fn read(headers: &[(String, Vec<u8>)], body: &[u8]) -> Result<Headers, Refusal> {
    let mut read = Headers::new();
    for (name, value) in headers {
        let malformed = |why| Refusal::new(RefusalReason::HeaderMalformed, format!("the header {} {why}", quote(name, 80)));
        if !is_name(name) {
            return Err(malformed("has no valid name"));
        }
        let value = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.len() <= MAX_VALUE && text.bytes().all(|b| (b' '..=b'~').contains(&b)) && text.trim() == *text)
            .ok_or_else(|| malformed("has a value that is not plain visible ASCII, or is too long"))?;
        if read.insert(name.to_ascii_lowercase(), value.to_owned()).is_some() {
            return Err(malformed("is there twice"));
        }
    }
    if let Some(length) = read.remove("content-length")
        && length != body.len().to_string()
    {
        return Err(Refusal::new(RefusalReason::HeaderMalformed, "`content-length` is not the length of the body"));
    }
    read.remove("accept-encoding");
    if let Some(name) = read.keys().find(|name| is_reserved(name)) {
        return Err(Refusal::new(RefusalReason::HeaderForbidden, format!("only the host sets the header `{name}`")));
    }
    Ok(read)
}

/// RFC 9110 `token`, without `_`, which CGI and nginx take for `-`.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Every header is one of the allowlist's or the contract's, with a value the contract allows, and none is the credential's.
pub(super) fn check(contract: &Contract, headers: &Headers) -> Result<(), Refusal> {
    for (name, value) in headers {
        if contract.credential_headers.contains(name) {
            return Err(Refusal::new(
                RefusalReason::HeaderForbidden,
                format!("only the host sets the credential header `{name}`"),
            ));
        }
        let fits = match contract.headers.get(name) {
            Some(pattern) => pattern.is_match(value),
            None => ALLOWED.contains(&name.as_str()),
        };
        if !fits {
            return Err(Refusal::new(
                RefusalReason::HeaderNotAllowed,
                format!("contract `{}` does not allow the header {} with this value", contract.name, quote(name, 80)),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{RefusalReason, is_reserved, read};

    fn refused(headers: &[(&str, &[u8])]) -> RefusalReason {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        read(&headers, b"body").unwrap_err().reason()
    }

    #[test]
    fn what_the_host_sets_is_taken_out() {
        let headers = [("Accept", "a/b"), ("content-length", "4"), ("accept-encoding", "identity")];
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let read = read(&headers, b"body").unwrap();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [("accept".to_owned(), "a/b".to_owned())]);
    }

    #[test]
    fn smuggled_headers_are_refused() {
        assert_eq!(refused(&[("accept", b"a\r\nhost: evil.example")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept", b"a\nb")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept", b"a\0")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept", b"\xc3\xa9")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept", b" a")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept", b"a"), ("ACCEPT", b"b")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept\r\nhost", b"a")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("accept ", b"a")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("x_forwarded_for", b"a")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("", b"a")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("content-length", b"5")]), RefusalReason::HeaderMalformed);
        assert_eq!(refused(&[("content-length", b"04")]), RefusalReason::HeaderMalformed);
        for name in [
            "Host",
            "AUTHORIZATION",
            "cookie",
            "Transfer-Encoding",
            "connection",
            "x-forwarded-host",
            "X-HTTP-Method-Override",
            "sec-fetch-site",
            "TraceParent",
            "tracestate",
        ] {
            assert_eq!(refused(&[(name, b"a")]), RefusalReason::HeaderForbidden, "{name}");
            assert!(is_reserved(&name.to_ascii_lowercase()));
        }
    }
}
