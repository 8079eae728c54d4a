//! The two bodies that submissions come in: `multipart/form-data` (RFC 7578) and `application/x-www-form-urlencoded`.

use super::error::{Code, Failure};
use crate::http::Request;

struct Part<'a> {
    name: String,
    file_name: Option<String>,
    content: &'a [u8],
}

/// The field `file`: its file name and content.
pub(super) fn file(request: &Request) -> Result<(String, Vec<u8>), Failure> {
    let file = parts(request)?.into_iter().find(|part| part.name == "file");
    let file = file.ok_or_else(|| Failure::new(Code::BadRequest, "Missing field: file"))?;
    Ok((file.file_name.unwrap_or_default(), file.content.to_vec()))
}

/// Every text field, in either encoding.
pub(super) fn fields(request: &Request) -> Result<Vec<(String, String)>, Failure> {
    let kind = request.header("content-type").unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(url::form_urlencoded::parse(&request.body).into_owned().collect());
    }
    let text = |part: Part<'_>| (part.name, String::from_utf8_lossy(part.content).into_owned());
    Ok(parts(request)?.into_iter().map(text).collect())
}

fn parts(request: &Request) -> Result<Vec<Part<'_>>, Failure> {
    let refusal = || Failure::new(Code::BadRequest, "Could not process multipart form data");
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(Failure::new(Code::BadRequest, "Content-Type must be multipart/form-data"));
    }
    let boundary = parameter(kind, "boundary").ok_or_else(refusal)?;
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first delimiter may stand at the very start, without the line end that begins the others.
    let mut rest = match request.body.strip_prefix(delimiter.get(2..).unwrap_or_default()) {
        Some(rest) => rest,
        None => split(&request.body, &delimiter).ok_or_else(refusal)?.1,
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let rest_of_line = rest.strip_prefix(b"\r\n").ok_or_else(refusal)?;
        let (part, after) = split(rest_of_line, &delimiter).ok_or_else(refusal)?;
        let (head, content) = split(part, b"\r\n\r\n").ok_or_else(refusal)?;
        let head = std::str::from_utf8(head).map_err(|_| refusal())?;
        let disposition = head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let disposition = disposition.ok_or_else(refusal)?;
        let name = parameter(disposition, "name").ok_or_else(refusal)?;
        parts.push(Part { name, file_name: parameter(disposition, "filename"), content });
        rest = after;
    }
    Ok(parts)
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((bytes.get(..found)?, bytes.get(found + at.len()..)?))
}

/// A parameter of a header value: `; name="value"` or `; name=value`.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::file;
    use crate::http::Request;

    fn request(kind: &str, body: &[u8]) -> Request {
        let headers = vec![("Content-Type".to_owned(), kind.as_bytes().to_vec())];
        Request { method: "POST".into(), target: "/".into(), minor_version: 1, headers, body: body.to_vec() }
    }

    #[test]
    fn a_file_is_taken_byte_for_byte() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; \
                     name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00--b\r\n\xff\r\n--b--\r\n";
        let (name, content) = file(&request("multipart/form-data; boundary=b", body)).unwrap();
        assert_eq!((name.as_str(), content.as_slice()), ("a.bin", b"\x00--b\r\n\xff".as_slice()));
    }

    #[test]
    fn bodies_that_are_no_form_are_refused() {
        for (kind, body) in [
            ("application/json", b"{}".as_slice()),
            ("multipart/form-data", b"--b--"),
            ("multipart/form-data; boundary=b", b"--c--"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nnever ends"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n--b--"),
        ] {
            assert!(file(&request(kind, body)).is_err(), "{kind}: {}", String::from_utf8_lossy(body));
        }
    }
}
