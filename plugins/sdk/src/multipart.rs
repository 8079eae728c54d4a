//! `multipart/form-data` (RFC 7578).

/// Form fields and files, sent by [`crate::Request::multipart`].
///
/// The same parts make the same bytes, boundary included: an approval is for exactly the request that was planned.
#[derive(Debug, Clone, Default)]
pub struct Multipart {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    head: String,
    content: Vec<u8>,
}

impl Multipart {
    /// No parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add a field.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"{}\"\r\n\r\n", quoted(name));
        self.parts.push(Part { head, content: value.as_bytes().to_vec() });
        self
    }

    /// Add a file.
    #[must_use]
    pub fn file(mut self, name: &str, filename: &str, content: Vec<u8>) -> Self {
        let (name, filename) = (quoted(name), quoted(filename));
        let head = format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        self.parts.push(Part { head, content });
        self
    }

    /// Content type and body.
    pub(crate) fn finish(self) -> Result<(String, Vec<u8>), String> {
        let boundary = self.boundary()?;
        let length: usize = self.parts.iter().map(|part| part.head.len() + part.content.len() + boundary.len() + 8).sum();
        let mut body = Vec::with_capacity(length + boundary.len() + 8);
        for part in self.parts {
            body.extend_from_slice(b"--");
            body.extend_from_slice(boundary.as_bytes());
            body.extend_from_slice(b"\r\n");
            body.extend_from_slice(part.head.as_bytes());
            body.extend_from_slice(&part.content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--");
        body.extend_from_slice(boundary.as_bytes());
        body.extend_from_slice(b"--\r\n");
        Ok((format!("multipart/form-data; boundary={boundary}"), body))
    }

    /// A line that no part holds, found from the parts themselves. A file made to hold one candidate holds, in practice,
    /// not the next; a file that holds all of them is refused.
    fn boundary(&self) -> Result<String, String> {
        const CANDIDATES: u8 = 8;
        let mut hash = Fnv::default();
        for part in &self.parts {
            hash.add(part.head.as_bytes());
            hash.add(&part.content);
        }
        for candidate in 0..CANDIDATES {
            hash.add(&[candidate]);
            let boundary = format!("casemate-{:016x}", hash.0);
            if !self.parts.iter().any(|part| holds(&part.content, boundary.as_bytes())) {
                return Ok(boundary);
            }
        }
        Err("the content holds every possible multipart boundary".to_owned())
    }
}

/// A name inside double quotes, escaped as browsers do (the WHATWG HTML standard, "multipart/form-data encoding algorithm").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// The first byte is looked for alone, which is many times faster than comparing at every place.
fn holds(content: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(needle) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn writes_parts() {
        let form = Multipart::new().text("a", "1").file("file", "x.exe", b"MZ\0".to_vec());
        let (content_type, body) = form.clone().finish().unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.exe\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nMZ\0\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(form.finish().unwrap().0, content_type, "the same parts make the same boundary");
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let (_, body) = Multipart::new().file("file", "a\"; name=\"b\r\nX: y", Vec::new()).finish().unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("filename=\"a%22; name=%22b%0D%0AX: y\""), "{body}");
    }

    #[test]
    fn the_boundary_is_not_in_the_content() {
        let boundary = Multipart::new().file("file", "x", b"evil".to_vec()).boundary().unwrap();
        assert!(!holds(b"evil", boundary.as_bytes()));
        for content in ["a casemate-0 b", "casemate-0", "cacasemate-0", "ccasemate-0"] {
            assert!(holds(content.as_bytes(), b"casemate-0"), "{content}");
        }
        for content in ["", "casemate-", "asemate-0", "casemate-1", "c"] {
            assert!(!holds(content.as_bytes(), b"casemate-0"), "{content}");
        }
        assert_ne!(Multipart::new().file("file", "x", b"other".to_vec()).boundary().unwrap(), boundary);
    }
}
