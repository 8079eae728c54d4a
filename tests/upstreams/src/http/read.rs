//! Reading requests off a connection, strictly: what two servers could read two ways is refused, and the reason recorded.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::{Request, Response, write::write_chunk};

/// Longest request head. Casemate itself sends far less; a longer one is a fault worth seeing.
const MAX_HEAD: usize = 64 * 1024;
/// Most header fields in a request.
const MAX_HEADERS: usize = 256;
/// Longest body. VirusTotal's direct upload stops at 32 MiB; uploads by URL are larger.
const MAX_BODY: usize = 96 * 1024 * 1024;

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection failed or ended in the middle of a request.
    #[error("connection lost: {0}")]
    Lost(#[from] std::io::Error),
    /// The bytes are not one unambiguous HTTP/1.1 request.
    #[error("{0}")]
    Malformed(&'static str),
    /// The body is longer than the server takes.
    #[error("body is longer than {MAX_BODY} bytes")]
    TooLarge,
}

/// One client connection, with the bytes that were read past the last request.
#[derive(Debug)]
pub struct Connection {
    pub(crate) stream: TcpStream,
    ahead: Vec<u8>,
}

impl Connection {
    /// Takes over an accepted connection.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Connection { stream, ahead: Vec::new() }
    }

    /// The next request, or `None` when the client closed the connection between requests.
    ///
    /// # Errors
    /// See [`ReadError`]; after one, the connection can only be answered and closed.
    pub async fn request(&mut self) -> Result<Option<Request>, ReadError> {
        let Some(mut request) = self.head().await? else { return Ok(None) };
        let length = framing(&request)?;
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = match length {
            Framing::None => Vec::new(),
            Framing::Length(length) => self.take(length).await?,
            Framing::Chunked => self.chunks().await?,
        };
        Ok(Some(request))
    }

    /// Writes a whole answer.
    ///
    /// # Errors
    /// The connection's own.
    pub async fn respond(&mut self, response: &Response) -> std::io::Result<()> {
        self.stream.write_all(&response.to_bytes()).await
    }

    /// Writes an answer whose body goes on, in chunks. Ends when nothing more can come, or when the client has left.
    ///
    /// # Errors
    /// The connection's own.
    pub async fn stream(&mut self, response: &Response, mut pieces: mpsc::UnboundedReceiver<Vec<u8>>) -> std::io::Result<()> {
        let head = [response.head_without_length(), b"transfer-encoding: chunked\r\n\r\n".to_vec()].concat();
        self.stream.write_all(&head).await?;
        write_chunk(&mut self.stream, &response.body).await?;
        let mut ignored = [0; 1024];
        loop {
            tokio::select! {
                piece = pieces.recv() => match piece {
                    Some(piece) => write_chunk(&mut self.stream, &piece).await?,
                    None => return self.stream.write_all(b"0\r\n\r\n").await,
                },
                read = self.stream.read(&mut ignored) => if read? == 0 { return Ok(()) },
            }
        }
    }

    async fn head(&mut self) -> Result<Option<Request>, ReadError> {
        loop {
            if let Some((request, used)) = parse_head(&self.ahead)? {
                self.ahead.drain(..used);
                return Ok(Some(request));
            }
            if self.ahead.len() > MAX_HEAD {
                return Err(ReadError::Malformed("request head is too long"));
            }
            if !self.fill().await? {
                return if self.ahead.is_empty() { Ok(None) } else { Err(ReadError::Malformed("request head ends early")) };
            }
        }
    }

    /// Reads once more; false at the end of the stream.
    async fn fill(&mut self) -> Result<bool, ReadError> {
        self.ahead.reserve(16 * 1024);
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        if length > MAX_BODY {
            return Err(ReadError::TooLarge);
        }
        while self.ahead.len() < length {
            if !self.fill().await? {
                return Err(ReadError::Malformed("request body ends early"));
            }
        }
        Ok(self.ahead.drain(..length).collect())
    }

    async fn line(&mut self) -> Result<String, ReadError> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| ReadError::Malformed("chunk line is not text"));
            }
            if self.ahead.len() > MAX_HEAD || !self.fill().await? {
                return Err(ReadError::Malformed("chunk line ends early or is too long"));
            }
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default();
            if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(ReadError::Malformed("chunk size is not hexadecimal"));
            }
            let size = usize::from_str_radix(size, 16).map_err(|_| ReadError::TooLarge)?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            if size.saturating_add(body.len()) > MAX_BODY {
                return Err(ReadError::TooLarge);
            }
            body.extend(self.take(size).await?);
            if self.take(2).await? != b"\r\n" {
                return Err(ReadError::Malformed("chunk is not followed by a line end"));
            }
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, ReadError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    let used = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Malformed("request head does not parse")),
    };
    let (Some(method), Some(target), Some(minor_version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(ReadError::Malformed("request line is incomplete"));
    };
    let headers = parsed.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    Ok(Some((Request { method: method.into(), target: target.into(), minor_version, headers, body: Vec::new() }, used)))
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// How long the body is. RFC 9112 section 6.3 lets a server repair some of these; repairing is how smuggling works.
fn framing(request: &Request) -> Result<Framing, ReadError> {
    let all = |name: &str| -> Vec<&[u8]> {
        request.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice()).collect()
    };
    if request.minor_version == 1 && all("host").len() != 1 {
        return Err(ReadError::Malformed("not exactly one host header"));
    }
    match (all("content-length").as_slice(), all("transfer-encoding").as_slice()) {
        ([], []) => Ok(Framing::None),
        ([length], []) => {
            let text = std::str::from_utf8(length).unwrap_or_default();
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let length = text.parse().ok().filter(|_| digits);
            length.map(Framing::Length).ok_or(ReadError::Malformed("content-length is not a number"))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        ([], _) => Err(ReadError::Malformed("transfer-encoding is not exactly `chunked`")),
        ([_, _, ..], []) => Err(ReadError::Malformed("more than one content-length")),
        _ => Err(ReadError::Malformed("both content-length and transfer-encoding")),
    }
}
