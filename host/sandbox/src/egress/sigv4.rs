//! AWS Signature Version 4, over exactly what is sent: method, path, query, every header that is set here, body.
//!
//! After "Create a signed AWS API request" of the IAM user guide; held against the vectors that AWS published and against botocore.

use casemate_policy::egress::Checked;
use casemate_signing::{Timestamp, manifest::SigV4};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    secrets::{Secrets, UnusableSecret, authorize, put},
    supplied::Settings,
};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Add the signature of a request, and what it needs.
pub(super) fn sign(
    signed: &SigV4,
    request: &Checked,
    headers: &mut HeaderMap,
    secrets: &Secrets,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), UnusableSecret> {
    let get = |name| secrets.get(request.upstream(), name);
    let unusable = || UnusableSecret::new(&signed.secret_key);
    let fixed = |text: &str| HeaderValue::try_from(text).map_err(|_| unusable());
    let date = amz_date(now);
    let hash = hex(&Sha256::digest(request.body()));
    headers.insert(HeaderName::from_static("x-amz-date"), fixed(&date)?);
    headers.insert(HeaderName::from_static("x-amz-content-sha256"), fixed(&hash)?);
    if let Some(name) = &signed.session_token
        && let Some(token) = secrets.find(request.upstream(), name)
    {
        put(headers, "x-amz-security-token", token, name)?;
    }
    let (path, query) = target(request);
    let service = settings.text(&signed.service, request.upstream(), secrets).ok_or_else(unusable)?;
    let region = settings.text(&signed.region, request.upstream(), secrets).ok_or_else(unusable)?;
    let mut fields = vec![("host".to_owned(), host(request))];
    for (name, value) in headers.iter() {
        fields.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let canonical = canonical(&Parts { method: request.method().as_str(), path, query, fields, hash: &hash, service: &service });
    let scope = Scope { date: &date, region: &region, service: &service };
    let value = authorization(&canonical, &scope, get(&signed.access_key)?, get(&signed.secret_key)?);
    authorize(headers, &value, &signed.secret_key)
}

/// As the transport writes it: the port where it is not the scheme's own.
fn host(request: &Checked) -> String {
    let origin = request.origin();
    match origin.port() {
        port if port == origin.scheme().default_port() => origin.host_str(),
        port => format!("{}:{port}", origin.host_str()),
    }
}

/// Path and query as they are sent.
fn target(request: &Checked) -> (&str, &str) {
    let origin = request.origin().to_string();
    let target = request.url().strip_prefix(&origin).unwrap_or_default();
    target.split_once('?').unwrap_or((target, ""))
}

struct Parts<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    fields: Vec<(String, String)>,
    hash: &'a str,
    service: &'a str,
}

struct Canonical {
    text: Zeroizing<String>,
    signed_headers: String,
}

struct Scope<'a> {
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Scope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date.get(..8).unwrap_or_default(), self.region, self.service)
    }
}

fn canonical(parts: &Parts<'_>) -> Canonical {
    // S3 takes the path as it is sent; every other service escapes the escapes.
    let path = match parts.path {
        "" => "/".to_owned(),
        path if parts.service == "s3" => path.to_owned(),
        path => path.split('/').map(encode).collect::<Vec<_>>().join("/"),
    };
    let mut query: Vec<(&str, &str)> =
        parts.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    query.sort_unstable();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut fields: Vec<(String, String)> =
        parts.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), squeezed(value))).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, value) in fields {
        match lines.last_mut() {
            Some((last, values)) if *last == name => {
                values.push(',');
                values.push_str(&value);
            }
            _ => lines.push((name, value)),
        }
    }
    let signed_headers = lines.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let written: String = lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let text = format!("{}\n{path}\n{}\n{written}\n{signed_headers}\n{}", parts.method, query.join("&"), parts.hash);
    Canonical { text: Zeroizing::new(text), signed_headers }
}

fn authorization(canonical: &Canonical, scope: &Scope<'_>, access_key: &str, secret_key: &str) -> String {
    let digest = hex(&Sha256::digest(canonical.text.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{}\n{}\n{digest}", scope.date, scope.text());
    let start = Zeroizing::new(format!("AWS4{secret_key}"));
    let mut key = Zeroizing::new(start.as_bytes().to_vec());
    for part in [scope.date.get(..8).unwrap_or_default(), scope.region, scope.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    format!(
        "{ALGORITHM} Credential={access_key}/{}, SignedHeaders={}, Signature={signature}",
        scope.text(),
        canonical.signed_headers
    )
}

fn hmac(key: &[u8], bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(bytes);
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

/// `20150830T123600Z`
fn amz_date(now: Timestamp) -> String {
    let text = now.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

/// Everything but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    casemate_policy::egress::path_segment(text)
}

/// Without blanks around it, and one where there are several.
fn squeezed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const DATE: &str = "20150830T123600Z";

    fn signature(method: &str, path: &str, query: &str, more: &[(&str, &str)], body: &str, service: &str) -> String {
        let mut fields =
            vec![("Host".to_owned(), "example.amazonaws.com".to_owned()), ("X-Amz-Date".to_owned(), DATE.to_owned())];
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let hash = hex(&Sha256::digest(body));
        let canonical = canonical(&Parts { method, path, query, fields, hash: &hash, service });
        let value = authorization(&canonical, &Scope { date: DATE, region: "us-east-1", service }, ACCESS, SECRET);
        value.rsplit_once("Signature=").map(|(_, signature)| signature.to_owned()).unwrap_or_default()
    }

    /// From the test suite that AWS published for version 4 (`aws-sig-v4-test-suite`): request, signature.
    #[test]
    fn published_vectors() {
        let empty: &[(&str, &str)] = &[];
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        for (name, got, expected) in [
            (
                "get-vanilla",
                signature("GET", "/", "", empty, "", "service"),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                signature("GET", "/", "Param2=value2&Param1=value1", empty, "", "service"),
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-header-key-duplicate",
                signature(
                    "GET",
                    "/",
                    "",
                    &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
                    "",
                    "service",
                ),
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "get-header-value-trim",
                signature("GET", "/", "", &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")], "", "service"),
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                "get-utf8",
                signature("GET", "/ሴ", "", empty, "", "service"),
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            // Not of the suite: what botocore signs.
            (
                "escapes",
                signature("GET", "/a%20b/%E1%88%B4", "", empty, "", "service"),
                "e9d8665373fed7762b3e2e661f671155634544940c97a67fd5efade7ceb8c358",
            ),
            (
                "post-vanilla",
                signature("POST", "/", "", empty, "", "service"),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                signature("POST", "/", "", &[form], "Param1=value1", "service"),
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            assert_eq!(got, expected, "{name}");
        }
    }

    #[test]
    fn a_date_is_written_as_aws_does() {
        assert_eq!(amz_date(Timestamp::from_millis(1_440_938_160_123)), DATE);
    }
}
