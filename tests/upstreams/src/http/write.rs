//! Writing answers, whole or in pieces.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Response;

impl Response {
    /// The status line and headers up to and including the empty line, with `length` as `content-length`.
    #[must_use]
    pub fn head(&self, length: usize) -> Vec<u8> {
        let mut head = self.head_without_length();
        // RFC 9110 section 8.6: neither 204 nor 1xx has a content-length.
        if self.status >= 200 && self.status != 204 {
            head.extend(format!("content-length: {length}\r\n").bytes());
        }
        head.extend(b"\r\n");
        head
    }

    /// The status line and headers, without a length and without the empty line that ends them.
    #[must_use]
    pub fn head_without_length(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.into_bytes()
    }

    /// The whole answer.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(self.body.len());
        bytes.extend(&self.body);
        bytes
    }
}

/// Writes one chunk of a chunked body; nothing where it is empty, since that would end the body.
pub(crate) async fn write_chunk(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.write_all(b"\r\n").await
}

/// The reason phrase of a status code.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Entity",
        424 => "Failed Dependency",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
