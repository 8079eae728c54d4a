//! Doing each misbehaviour to a connection.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Kind, Misbehaviour, bomb, reflect};
use crate::http::{Request, Response, write_chunk};

const METADATA: &str = "http://169.254.169.254/latest/meta-data/";
const LOGIN_PAGE: &str = "<!doctype html><title>Sign in</title><form action=/login method=post><input name=password></form>\n";
/// How much of an endless or huge body is written at once.
static PIECE: [u8; 64 * 1024] = [b'A'; 64 * 1024];

/// What a misbehaviour has to work with.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The request.
    pub request: &'a Request,
    /// What the upstream would have answered.
    pub honest: Response,
    /// The upstream's own origin.
    pub origin: &'a str,
}

/// What becomes of the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum After {
    /// It can carry another request.
    Keep,
    /// It is over.
    Close,
}

/// Misbehaves.
///
/// # Errors
/// The connection's own, which usually means that the client had the sense to leave.
pub async fn act(stream: &mut TcpStream, how: &Misbehaviour, scene: Scene<'_>) -> std::io::Result<After> {
    let Scene { request, honest, origin } = scene;
    match how.kind {
        Kind::SlowHeaders => {
            pause(how, 30_000).await;
            return whole(stream, &honest).await;
        }
        Kind::DripHeaders => {
            drip(stream, &honest.head(honest.body.len()), how).await?;
            stream.write_all(&honest.body).await?;
            return Ok(After::Keep);
        }
        Kind::SlowBody => {
            stream.write_all(&honest.head(honest.body.len())).await?;
            drip(stream, &honest.body, how).await?;
            return Ok(After::Keep);
        }
        Kind::StalledBody => {
            stream.write_all(&honest.head(honest.body.len())).await?;
            stream.write_all(half(&honest.body)).await?;
            until_closed(stream).await?;
        }
        Kind::EndlessBody => {
            stream.write_all(&chunked_head(200)).await?;
            write_chunk(stream, b"{\"data\":\"").await?;
            loop {
                write_chunk(stream, &PIECE).await?;
            }
        }
        Kind::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(b"x-more: and more and more and more\r\n").await?;
            }
        }
        Kind::HugeBody => return huge_body(stream, how.bytes.unwrap_or(256 << 20)).await,
        Kind::GzipBomb => {
            let encoding = how.encoding.unwrap_or(bomb::Encoding::Gzip);
            let body = bomb::pack(encoding, how.mib.unwrap_or(512));
            let packed = Response { body, ..json_text(String::new()) }.with_header("content-encoding", encoding.name());
            return whole(stream, &packed).await;
        }
        Kind::Redirect => return redirect(stream, how, how.to.as_deref().unwrap_or(METADATA)).await,
        Kind::RedirectMetadata => return redirect(stream, how, METADATA).await,
        Kind::RedirectPath => {
            let to = format!("{origin}{}", how.to.as_deref().unwrap_or("/redirected"));
            return redirect(stream, how, &to).await;
        }
        Kind::RedirectLoop => return redirect(stream, how, &request.target).await,
        Kind::Html => return whole(stream, &Response::html(200, LOGIN_PAGE)).await,
        Kind::Status => return whole(stream, &Response::html(how.status.unwrap_or(500), LOGIN_PAGE)).await,
        Kind::Truncated => {
            stream.write_all(&honest.head(honest.body.len())).await?;
            stream.write_all(half(&honest.body)).await?;
        }
        Kind::TruncatedChunks => {
            stream.write_all(&chunked_head(honest.status)).await?;
            write_chunk(stream, &honest.body).await?;
        }
        Kind::InvalidJson => return whole(stream, &Response { body: half(&honest.body).to_vec(), ..honest }).await,
        Kind::InvalidUtf8 => {
            let body = b"{\"message\":\"\xff\xfe\xc0\x80\xed\xa0\x80\"}".to_vec();
            return whole(stream, &Response { body, ..json_text(String::new()) }).await;
        }
        Kind::DeepJson => {
            let depth = how.count.unwrap_or(100_000);
            return whole(stream, &json_text(format!("{}{}", "[".repeat(depth), "]".repeat(depth)))).await;
        }
        Kind::DuplicateKeys => return whole(stream, &json_text(duplicated(&honest.body))).await,
        Kind::WrongShape => return whole(stream, &json_text(r#"{"data":"a text","error":7,"meta":[null]}"#.into())).await,
        Kind::EmptyBody => return whole(stream, &json_text(String::new())).await,
        Kind::EchoKey => return whole(stream, &reflect::credential(request, &honest, how.form)).await,
        Kind::HostileText => return whole(stream, &reflect::hostile_text(&honest)).await,
        Kind::HugeHeader => {
            let value = "h".repeat(how.bytes.unwrap_or(1 << 20));
            return whole(stream, &honest.with_header("x-huge", value)).await;
        }
        Kind::ManyHeaders => {
            let many = (0..how.count.unwrap_or(10_000)).fold(honest, |response, n| response.with_header(&format!("x-{n}"), "h"));
            return whole(stream, &many).await;
        }
        Kind::Informational => {
            let interim = Response::empty(how.status.unwrap_or(103)).with_header("link", "</style.css>; rel=preload");
            let bytes = [interim.head_without_length(), b"\r\n".to_vec()].concat();
            for _ in 0..how.count.unwrap_or(5) {
                stream.write_all(&bytes).await?;
            }
            return whole(stream, &honest).await;
        }
        Kind::SwitchingProtocols => {
            stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x05hello")
                .await?;
            until_closed(stream).await?;
        }
        Kind::Reset => stream.set_zero_linger()?,
        Kind::ResetBody => {
            stream.write_all(&honest.head(honest.body.len())).await?;
            stream.write_all(half(&honest.body)).await?;
            // Time for the first half to be read: a reset throws away what is still in the receiver's buffer.
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger()?;
        }
        Kind::Close => {}
        Kind::ChunkGarbage => {
            stream.write_all(&chunked_head(200)).await?;
            stream.write_all(b"7\r\n{\"a\":1}\r\n-5\r\nzz\r\n0x10;;=\r\n\xff\xfe\r\n").await?;
        }
        Kind::ChunkOverflow => {
            stream.write_all(&chunked_head(200)).await?;
            stream.write_all(b"FFFFFFFFFFFFFFFFF\r\n{\"a\":1}\r\n0\r\n\r\n").await?;
        }
        Kind::SetCookie => {
            let cookies = honest
                .with_header("set-cookie", "session=stolen; Path=/; HttpOnly")
                .with_header("set-cookie", "tracking=1; Domain=example.com; Max-Age=31536000");
            return whole(stream, &cookies).await;
        }
        Kind::TwoLengths => {
            let head = honest.with_header("content-length", "2");
            stream.write_all(&head.to_bytes()).await?;
        }
        Kind::LengthAndChunked => {
            let head = Response { headers: [honest.headers, chunked()].concat(), ..honest };
            stream.write_all(&head.head(head.body.len())).await?;
            write_chunk(stream, &head.body).await?;
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Kind::ExtraResponse => {
            let forged =
                json_text(r#"{"data":{"type":"forged","id":"forged","attributes":{"forged":true}},"forged":true}"#.into());
            stream.write_all(&[honest.to_bytes(), forged.to_bytes()].concat()).await?;
            return Ok(After::Keep);
        }
        Kind::OddHeaders => {
            let mut bytes = honest.head_without_length();
            bytes.extend(b"x-folded: one\r\n two\r\nx-space : three\r\nx-cr: four\rx-hidden: five\r\nx-nul: s\0x\r\n");
            bytes.extend(format!("content-length: {}\r\n\r\n", honest.body.len()).bytes());
            bytes.extend(&honest.body);
            stream.write_all(&bytes).await?;
        }
        Kind::NotHttp => stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await?,
    }
    Ok(After::Close)
}

async fn whole(stream: &mut TcpStream, response: &Response) -> std::io::Result<After> {
    stream.write_all(&response.to_bytes()).await?;
    Ok(After::Keep)
}

async fn redirect(stream: &mut TcpStream, how: &Misbehaviour, to: &str) -> std::io::Result<After> {
    whole(stream, &Response::html(how.status.unwrap_or(302), "<h1>Moved</h1>\n").with_header("location", to)).await
}

async fn huge_body(stream: &mut TcpStream, bytes: usize) -> std::io::Result<After> {
    let (open, close) = (b"{\"data\":\"", b"\"}");
    let mut left = bytes.saturating_sub(open.len() + close.len());
    stream.write_all(&json_text(String::new()).head(open.len() + left + close.len())).await?;
    stream.write_all(open).await?;
    while left > 0 {
        let piece = PIECE.get(..left).unwrap_or(&PIECE);
        stream.write_all(piece).await?;
        left -= piece.len();
    }
    stream.write_all(close).await?;
    Ok(After::Keep)
}

async fn drip(stream: &mut TcpStream, bytes: &[u8], how: &Misbehaviour) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        pause(how, 1_000).await;
    }
    Ok(())
}

async fn pause(how: &Misbehaviour, default_ms: u64) {
    tokio::time::sleep(Duration::from_millis(how.ms.unwrap_or(default_ms))).await;
}

async fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

fn json_text(text: String) -> Response {
    Response { body: text.into_bytes(), ..Response::json(200, &Value::Null) }
}

fn chunked() -> Vec<(String, String)> {
    vec![("transfer-encoding".into(), "chunked".into())]
}

fn chunked_head(status: u16) -> Vec<u8> {
    let response = Response { status, ..json_text(String::new()) };
    [response.head_without_length(), b"transfer-encoding: chunked\r\n\r\n".to_vec()].concat()
}

fn half(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len() / 2).unwrap_or_default()
}

/// The same JSON with every key of every object said twice: first with a harmless value, then with the real one.
fn duplicated(body: &[u8]) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(fields) => {
                let each = fields.iter().map(|(key, value)| {
                    let (key, mut real) = (Value::from(key.as_str()), String::new());
                    write(value, &mut real);
                    format!("{key}:null,{key}:{real}")
                });
                out.push_str(&format!("{{{}}}", each.collect::<Vec<_>>().join(",")));
            }
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    write(&serde_json::from_slice(body).unwrap_or(Value::Null), &mut out);
    out
}
