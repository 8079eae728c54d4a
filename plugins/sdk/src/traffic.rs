//! HTTP messages that somebody else exchanged, as a reader may see them: without the credentials in them.
//!
//! A credential is known by where it is (a cookie, `Authorization`), by what it is called (`access_token`, `password`), or by its own
//! form ([`leak`]). What is none of these stays, so what is left is still somebody's traffic, and for few eyes.

mod change;
mod copy;

pub use change::{Changes, Headers, Parameter, ParameterName, RequestPath, Value};
pub use copy::{HostName, copy};

use crate::leak;

/// What stands where a credential was.
pub const REDACTED: &str = "‹redacted›";

/// Parts of a name, without `-`, `_` and `.`, that only a credential's name has.
const PARTS: [&str; 20] = [
    "accesskey",
    "apikey",
    "assertion",
    "authoriz",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "passphrase",
    "passw",
    "privatekey",
    "pwd",
    "secret",
    "sessid",
    "session",
    "signature",
    "token",
    "xauth",
    "xsrf",
];

/// Names of credentials that are too short to be looked for inside others.
const NAMES: [&str; 6] = ["auth", "key", "otp", "pin", "sid", "sig"];

/// Whether what has this name is a credential: a header, a parameter of a query or form, a member of an object.
pub fn is_credential(name: &str) -> bool {
    let letters = name.chars().filter(|letter| !"-_.[]".contains(*letter)).map(|letter| letter.to_ascii_lowercase());
    let plain: String = letters.collect();
    NAMES.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part))
}

/// The value of a header. Of a cookie its name stays, of `Set-Cookie` its attributes, of `Authorization` its scheme.
pub fn header(name: &str, value: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "cookie" => value.split(';').map(cookie).collect::<Vec<_>>().join("; "),
        "set-cookie" => match value.split_once(';') {
            Some((pair, attributes)) => format!("{};{attributes}", cookie(pair)),
            None => cookie(value),
        },
        "authorization" | "proxy-authorization" => match value.split_once(' ') {
            Some((scheme, _)) if !is_credential_itself(scheme) => format!("{scheme} {REDACTED}"),
            _ => REDACTED.to_owned(),
        },
        name if is_credential(name) => REDACTED.to_owned(),
        "location" | "content-location" | "referer" | "origin" => url(value),
        _ => text(value),
    }
}

/// `name=value`, without the value.
fn cookie(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) => format!("{}={REDACTED}", name.trim()),
        None => REDACTED.to_owned(),
    }
}

/// A URL, or a path with its query.
pub fn url(url: &str) -> String {
    let (place, rest) = match url.split_once('?') {
        Some((place, rest)) => (place, Some(rest)),
        None => (url, None),
    };
    let place = match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
            let host = authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("{REDACTED}@{host}"));
            format!("{scheme}://{host}{}", segments(path))
        }
        None => segments(place),
    };
    let shown = match rest {
        Some(rest) => match rest.split_once('#') {
            Some((query, _)) => format!("{place}?{}#{REDACTED}", pairs(query, true)),
            None => format!("{place}?{}", pairs(rest, true)),
        },
        // A fragment is where some flows put their tokens.
        None => match place.split_once('#') {
            Some((place, _)) => format!("{place}#{REDACTED}"),
            None => place,
        },
    };
    // Such as one behind a comma.
    if is_credential_itself(&shown) { REDACTED.to_owned() } else { shown }
}

fn segments(path: &str) -> String {
    let shown = path.split('/').map(|segment| if is_credential_itself(segment) { REDACTED } else { segment });
    shown.collect::<Vec<_>>().join("/")
}

/// `a=1&b=2`, as in a query or a form. In a query, `code` is what a login hands out.
fn pairs(text: &str, query: bool) -> String {
    let one = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => {
            let plain = decoded(name);
            if is_credential(&plain) || query && plain == "code" || is_credential_itself(&decoded(value)) {
                format!("{name}={REDACTED}")
            } else {
                pair.to_owned()
            }
        }
        None if is_credential_itself(&decoded(pair)) => REDACTED.to_owned(),
        None => pair.to_owned(),
    };
    text.split('&').map(one).collect::<Vec<_>>().join("&")
}

/// What is percent-encoded, read once.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = || {
            let mut ahead = rest.clone();
            let (high, low) = (char::from(ahead.next()?).to_digit(16)?, char::from(ahead.next()?).to_digit(16)?);
            u8::try_from(high * 16 + low).ok()
        };
        match (byte, digits()) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest.nth(1);
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_credential_itself(text: &str) -> bool {
    leak::found(text).is_some()
}

/// A body, where it is text of one piece; nothing for the rest, such as pictures and `multipart/form-data`.
pub fn body(content_type: &str, bytes: &[u8]) -> Option<String> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let content = std::str::from_utf8(bytes).ok()?;
    let is_text = media_type.is_empty()
        || media_type.starts_with("text/")
        || ["json", "xml", "javascript", "graphql", "yaml"].iter().any(|kind| media_type.ends_with(kind));
    match media_type.as_str() {
        "application/x-www-form-urlencoded" => Some(pairs(content, false)),
        _ if is_text => Some(text(content)),
        _ => None,
    }
}

/// A whole message, as it was on the wire or as a proxy writes it down: its first line, its headers, and its body, where [`body`] shows it.
pub fn message(raw: &[u8]) -> String {
    let (head, rest) = parts(raw);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut out = first_line(lines.next().unwrap_or_default());
    let mut content_type = "";
    for line in lines {
        out.push('\n');
        match line.split_once(':') {
            Some((name, value)) => {
                let value = value.trim();
                if name.eq_ignore_ascii_case("content-type") {
                    content_type = value;
                }
                out.push_str(&format!("{name}: {}", header(name, value)));
            }
            // No header; folded, perhaps.
            None => out.push_str(REDACTED),
        }
    }
    if !rest.is_empty() {
        out.push_str("\n\n");
        out.push_str(&body(content_type, rest).unwrap_or_else(|| format!("({} bytes that are not shown)", rest.len())));
    }
    out
}

/// The head of a message without the empty line behind it, and its body.
pub fn parts(raw: &[u8]) -> (&[u8], &[u8]) {
    let end = |line: &[u8]| raw.windows(line.len()).position(|window| window == line).map(|at| (at, at + line.len()));
    let first = [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten().min();
    let (head, rest) = first.unwrap_or((raw.len(), raw.len()));
    (raw.get(..head).unwrap_or_default(), raw.get(rest..).unwrap_or_default())
}

/// `GET /path?query HTTP/1.1`; a status line as it is.
fn first_line(line: &str) -> String {
    match line.split_once(' ') {
        Some((method, rest)) if !method.starts_with("HTTP/") => match rest.rsplit_once(' ') {
            Some((target, version)) => format!("{method} {} {version}", url(target)),
            None => format!("{method} {}", url(rest)),
        },
        _ => line.to_owned(),
    }
}

/// Text of any form. Where a credential's name is followed by `=` or `:`, what comes next is taken out: a quoted text, a list or object
/// to its end, or a word. So is what an element of XML holds that is called like one, words that have a credential's own form, and
/// private keys.
pub fn text(text: &str) -> String {
    let text = without_keys(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    let mut follows = Follows::Nothing;
    // The name of the tag that is being read, where it is a credential's.
    let mut element = "";
    let last_closing = text.as_bytes().windows(2).rposition(|pair| pair == b"</").unwrap_or_default();
    // How much is left behind what was last looked at as a URL.
    let mut behind_url = text.len();
    while let Some(letter) = rest.chars().next() {
        if is_gap(letter) {
            let taken = match follows {
                Follows::Value => value_length(rest),
                _ => 0,
            };
            if taken > 0 {
                out.push_str(REDACTED);
                follows = Follows::Nothing;
                rest = rest.get(taken..).unwrap_or_default();
                continue;
            }
            follows = follows.after(letter);
            let closes = letter == '>' && !out.ends_with('/');
            out.push(letter);
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            if letter == '<' {
                let end = rest.find(|letter| is_gap(letter) && letter != ':').unwrap_or(rest.len());
                element = rest.get(..end).filter(|name| is_credential(local(name))).unwrap_or_default();
            } else if closes && !element.is_empty() {
                if text.len() - rest.len() > last_closing {
                    follows = Follows::Value;
                } else {
                    let end = rest.find(&format!("</{element}>")).unwrap_or(rest.len());
                    out.push_str(if end == 0 { "" } else { REDACTED });
                    rest = rest.get(end..).unwrap_or_default();
                }
                element = "";
            }
            continue;
        }
        let end = rest.find(is_gap).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // A URL is one word, however many gaps it has.
        if rest.len() <= behind_url {
            let whole = rest.find(|letter: char| letter.is_whitespace() || "\"'<>`".contains(letter)).unwrap_or(rest.len());
            let (url, behind) = rest.split_at_checked(whole).unwrap_or((word, behind));
            behind_url = behind.len();
            if url.contains("://") && is_credential_itself(url) {
                out.push_str(&self::url(url));
                follows = Follows::Nothing;
                rest = behind;
                continue;
            }
        }
        let plain = if out.ends_with('\\') { behind_escape(word) } else { word };
        match follows {
            // `Bearer` and its like say what kind of credential follows.
            Follows::Value if ["basic", "bearer"].contains(&plain.to_ascii_lowercase().as_str()) => out.push_str(word),
            Follows::Value => {
                out.push_str(REDACTED);
                follows = Follows::Nothing;
            }
            // `<input name="csrf_token" value="…">`
            Follows::Name if ["value", "content"].contains(&plain) => out.push_str(word),
            _ if is_credential_itself(word) || is_credential_itself(plain) => {
                out.push_str(REDACTED);
                follows = Follows::Nothing;
            }
            _ => {
                out.push_str(word);
                follows = if is_credential(word) || is_credential(plain) { Follows::Name } else { Follows::Nothing };
            }
        }
        rest = behind;
    }
    out
}

/// What the words so far lead to expect.
#[derive(Clone, Copy)]
enum Follows {
    Nothing,
    /// A name was read.
    Name,
    /// A name and `=` or `:` were read.
    Value,
}

impl Follows {
    fn after(self, gap: char) -> Self {
        match (self, gap) {
            (Self::Name | Self::Value, '=' | ':') => Self::Value,
            (Self::Name | Self::Value, ' ' | '\t' | '"' | '\'' | '\\') => self,
            _ => Self::Nothing,
        }
    }
}

/// What separates words. Tokens are made of what does not.
fn is_gap(letter: char) -> bool {
    letter.is_whitespace() || "=:\"'<>`()|,;&?{}[]\\/".contains(letter)
}

/// A word behind `\`, without what belongs to that: `n`, or `u000a`.
fn behind_escape(word: &str) -> &str {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = word.strip_prefix('u').and_then(|rest| rest.split_at_checked(4)).filter(|(digits, _)| is_hex(digits));
    number.map(|(_, rest)| rest).or_else(|| word.strip_prefix(['b', 'f', 'n', 'r', 't'])).unwrap_or(word)
}

/// An element's name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

/// How long the quoted text, list or object is that begins here; 0 where none does.
fn value_length(text: &str) -> usize {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted_length(text, quote),
        Some('[' | '{') => {
            let mut depth = 0_usize;
            let mut at = 0;
            while let Some(letter) = text.get(at..).and_then(|rest| rest.chars().next()) {
                match letter {
                    '"' => at += quoted_length(text.get(at..).unwrap_or_default(), '"').max(1),
                    _ => at += letter.len_utf8(),
                }
                match letter {
                    '[' | '{' => depth += 1,
                    ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            at
        }
        _ => 0,
    }
}

/// To the closing quote or, where there is none, to the end.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Without private keys, each from its first line to its last.
fn without_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("-----BEGIN ") {
        let (before, block) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let end = block.find("-----END ").map_or(block.len(), |end| {
            let line = block.get(end..).unwrap_or_default();
            end + line.get(9..).and_then(|rest| rest.find("-----")).map_or(line.len(), |dashes| 9 + dashes + 5)
        });
        let (block, behind) = block.split_at_checked(end).unwrap_or((block, ""));
        out.push_str(if is_credential_itself(block) { REDACTED } else { block });
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made here, so that no scanner finds one in this file.
    fn token() -> String {
        format!("ghp_{}", "Ab3d".repeat(9))
    }

    #[test]
    fn names_of_credentials_are_known() {
        for name in [
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "x_auth_token",
            "access_token",
            "user[password]",
            "PHPSESSID",
            "X-CSRFToken",
            "client_secret",
            "sig",
            "KEY",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in
            ["accept", "host", "monkey", "keyword", "author", "authority", "www-authenticate", "q", "design", "content-type"]
        {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn headers_keep_what_is_no_credential() {
        let token = token();
        for (name, value, shown) in [
            ("Authorization", "Bearer abc.def", "Bearer ‹redacted›"),
            ("authorization", "abcdef", REDACTED),
            ("AUTHORIZATION", &format!("{token} x"), REDACTED),
            ("Cookie", "a=1; session=s3cr3t", "a=‹redacted›; session=‹redacted›"),
            ("Set-Cookie", "sid=s3cr3t; Path=/; HttpOnly", "sid=‹redacted›; Path=/; HttpOnly"),
            ("Set-Cookie", "s3cr3t", REDACTED),
            ("X-Api-Key", "s3cr3t", REDACTED),
            (
                "Location",
                "https://u:p@a.test/x?code=s3cr3t&q=1#id_token=s3cr3t",
                "https://‹redacted›@a.test/x?code=‹redacted›&q=1#‹redacted›",
            ),
            ("Referer", "/cb#access_token=s3cr3t", "/cb#‹redacted›"),
            ("X-Debug", &format!("used {token}, twice"), "used ‹redacted›, twice"),
            ("Content-Type", "text/html; charset=utf-8", "text/html; charset=utf-8"),
        ] {
            assert_eq!(header(name, value), shown, "{name}");
        }
    }

    #[test]
    fn queries_and_forms_keep_their_other_pairs() {
        let token = token();
        for (path, shown) in [
            ("/a?id=7&api_key=s3cr3t&x", "/a?id=7&api_key=‹redacted›&x"),
            ("/a?%74oken=s3cr3t", "/a?%74oken=‹redacted›"),
            ("/a?access%5Ftoken=s3cr3t", "/a?access%5Ftoken=‹redacted›"),
            (&format!("/a?q={token}"), "/a?q=‹redacted›"),
            (&format!("/hooks/{token}/x"), "/hooks/‹redacted›/x"),
            ("/plain/path", "/plain/path"),
            ("/100%", "/100%"),
            ("/a?b=%", "/a?b=%"),
        ] {
            assert_eq!(url(path), shown);
        }
        let form = body("application/x-www-form-urlencoded", b"user=bob&password=s3cr3t&code=7").unwrap_or_default();
        assert_eq!(form, "user=bob&password=‹redacted›&code=7");
    }

    #[test]
    fn bodies_lose_credentials_by_name_and_by_form() {
        let token = token();
        for (given, shown) in [
            (
                r#"{"user": "bob", "password": "s3cr3t \" s3cr3t, too", "n": 1}"#,
                r#"{"user": "bob", "password": ‹redacted›, "n": 1}"#,
            ),
            (r#"{"token":"s3cr3t","pin": 1234}"#, r#"{"token":‹redacted›,"pin": ‹redacted›}"#),
            (r#"{"tokens":["s3cr3t","]s3cr3t"],"a":{"b":2}}"#, r#"{"tokens":‹redacted›,"a":{"b":2}}"#),
            (r#"{"session":{"id":"s3cr3t","x":{"y":1}},"z":1}"#, r#"{"session":‹redacted›,"z":1}"#),
            (r#"{"password": "s3cr3t breaks off"#, r#"{"password": ‹redacted›"#),
            (r#"<input name="csrf_token" value="s3cr3t">"#, r#"<input name="csrf_token" value=‹redacted›>"#),
            (r#"<meta name="csrf-token" content="s3cr3t">"#, r#"<meta name="csrf-token" content=‹redacted›>"#),
            ("password=s3cr3t\nuser=bob", "password=‹redacted›\nuser=bob"),
            ("Authorization: Bearer s3cr3t\nAccept: */*", "Authorization: Bearer ‹redacted›\nAccept: */*"),
            ("see postgres://app:s3cr3t@db/x now", "see postgres://‹redacted›@db/x now"),
            ("-----BEGIN RSA PRIVATE KEY-----\ns3cr3t\n-----END RSA PRIVATE KEY-----\nrest", "‹redacted›\nrest"),
            ("-----BEGIN PRIVATE KEY-----\ns3cr3t", "‹redacted›"),
            (
                "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
                "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            ),
            ("the token is lost; a key, and größe", "the token is lost; a key, and größe"),
        ] {
            assert_eq!(text(given), shown);
        }
        assert_eq!(text(&format!("a {token}.")), "a ‹redacted›");
        let escaped = r#"{"raw": "{\"password\": \"s3cr3t\"}"}"#;
        assert!(!text(escaped).contains("s3cr3t"), "{}", text(escaped));
    }

    #[test]
    fn an_element_that_is_called_like_a_credential_loses_what_it_holds() {
        for (given, shown) in [
            ("<password>s3cr3t</password>", "<password>‹redacted›</password>"),
            (
                r#"<wsse:Password Type="x">two s3cr3t words</wsse:Password><n>1</n>"#,
                r#"<wsse:Password Type="x">‹redacted›</wsse:Password><n>1</n>"#,
            ),
            ("<a:key>s3cr3t</a:key>", "<a:key>‹redacted›</a:key>"),
            ("<pin\n>1234</pin>", "<pin\n>‹redacted›</pin>"),
            ("<token><![CDATA[s3cr3t]]></token> x", "<token>‹redacted›</token> x"),
            ("<session><id>s3cr3t</id><x/></session><z/>", "<session>‹redacted›</session><z/>"),
            (r#"<Password Type="a>b">s3cr3t</Password>"#, r#"<Password Type="a>‹redacted›</Password>"#),
            // Whatever else closes, it does not.
            ("<token>s3cr3t<b>s3cr3t</b>", "<token>‹redacted›"),
            ("<b></b><token>s3cr3t", "<b></b><token>‹redacted›"),
            // Nothing is held, or not by it.
            ("<token></token><token/>x</a>", "<token></token><token/>x</a>"),
            ("<user>bob</user></token>x", "<user>bob</user></token>x"),
        ] {
            assert_eq!(text(given), shown, "{given}");
        }
        assert_eq!(
            body("application/soap+xml", b"<a><password>s3cr3t</password></a>").as_deref(),
            Some("<a><password>‹redacted›</password></a>")
        );
    }

    #[test]
    fn an_escape_hides_neither_a_token_nor_a_name() {
        let token = token();
        for (given, shown) in [
            (format!(r#"{{"log":"first\n{token}"}}"#), r#"{"log":"first\‹redacted›"}"#),
            (format!(r#"{{"log":"first\u000a{token}"}}"#), r#"{"log":"first\‹redacted›"}"#),
            (format!("x-{token}, key_{token} %20{token}"), "‹redacted›, ‹redacted› ‹redacted›"),
            (r#"{"log":"first\nkey=s3cr3t"}"#.to_owned(), r#"{"log":"first\nkey=‹redacted›"}"#),
            (r#"{"log":"Authorization:\tBearer s3cr3t"}"#.to_owned(), r#"{"log":"Authorization:\tBearer ‹redacted›"}"#),
            (r"C:\token=s3cr3t".to_owned(), r"C:\token=‹redacted›"),
        ] {
            assert_eq!(text(&given), shown);
        }
    }

    #[test]
    fn a_password_in_a_later_url_of_a_word_is_taken_out() {
        for (given, shown) in [
            ("see https://a.test/?next=postgres://app:s3cr3t@db/x now", "see https://a.test/?next=‹redacted› now"),
            ("amqp://h1,amqp://u:s3cr3t@h2 x", "‹redacted› x"),
        ] {
            assert_eq!(text(given), shown);
        }
        assert_eq!(url("https://a.test/ftp://u:s3cr3t@b.test/x"), REDACTED);
    }

    /// Whoever answers a request that is recorded decides what its body is.
    #[test]
    fn a_long_body_is_read_in_one_go() {
        for part in
            ["a,", "a://", "<", "<token>", "<token><a></a>", "token>", "token=[", "-----BEGIN ", r"\n", "key=x,", "eyJ-", "/a@"]
        {
            let long = part.repeat((64 << 10) / part.len());
            for end in ["", "://", "</"] {
                let begun = std::time::Instant::now();
                text(&format!("{long}{end}"));
                assert!(begun.elapsed().as_secs() < 5, "{part}{end}");
            }
        }
    }

    #[test]
    fn a_message_is_shown_in_its_parts() {
        let raw = b"POST /a?token=s3cr3t HTTP/1.1\r\nHost: a.test\r\nCookie: a=s3cr3t\r\n folded s3cr3t\r\nContent-Type: application/json\r\n\r\n{\"password\":\"s3cr3t\"}";
        let shown = "POST /a?token=‹redacted› HTTP/1.1\nHost: a.test\nCookie: a=‹redacted›\n‹redacted›\nContent-Type: application/json\n\n{\"password\":‹redacted›}";
        assert_eq!(message(raw), shown);
        assert_eq!(message(b"HTTP/1.1 200 OK\nSet-Cookie: a=s3cr3t\n\nx"), "HTTP/1.1 200 OK\nSet-Cookie: a=‹redacted›\n\nx");
        assert_eq!(
            message(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG"),
            "HTTP/1.1 200 OK\nContent-Type: image/png\n\n(4 bytes that are not shown)"
        );
        // Broken off, or nothing of the kind.
        assert_eq!(message(b"GET /?key=s3cr3t"), "GET /?key=‹redacted›");
        assert_eq!(message(b""), "");
        assert_eq!(parts(b"a\r\n\r\nb\n\nc"), (b"a".as_slice(), b"b\n\nc".as_slice()));
    }

    #[test]
    fn what_is_no_text_is_not_shown() {
        assert_eq!(body("image/png", b"abc"), None);
        assert_eq!(body("multipart/form-data; boundary=x", b"--x"), None);
        assert_eq!(body("application/json", &[0xff]), None);
        assert_eq!(body("application/problem+json", b"{}").as_deref(), Some("{}"));
        assert_eq!(body("", b"x").as_deref(), Some("x"));
    }
}
