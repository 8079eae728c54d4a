//! Percent-encoding (RFC 3986), strict: everything but unreserved characters is encoded.

/// Append `text` to `out`, encoded.
pub(crate) fn percent(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(HEX.get(usize::from(digit)).copied().unwrap_or(b'0')));
            }
        }
    }
}

/// `a=1&b=2`, as in a query or an `application/x-www-form-urlencoded` body.
pub(crate) fn pairs(pairs: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        percent(name, &mut out);
        out.push('=');
        percent(value, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_all_but_unreserved() {
        let mut out = String::new();
        percent("aZ09-._~", &mut out);
        assert_eq!(out, "aZ09-._~");
        out.clear();
        percent("/?#%&=+ é\0\r\n", &mut out);
        assert_eq!(out, "%2F%3F%23%25%26%3D%2B%20%C3%A9%00%0D%0A");
    }

    #[test]
    fn a_value_cannot_become_a_pair() {
        assert_eq!(pairs(&[("q".into(), "a&limit=9".into()), ("n".into(), String::new())]), "q=a%26limit%3D9&n=");
    }
}
