//! JSON-RPC over a pair of byte streams, one message a line, as an `rmcp` transport.
//!
//! Nothing but whole JSON-RPC messages is ever written. Reading stops being polled at any await point (`rmcp` polls it
//! in a `select!`), so everything it holds lives in the struct and none of it in a future that may be dropped.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Buf, BytesMut};
use rmcp::{
    RoleServer,
    model::{ClientJsonRpcMessage, ClientNotification, ClientRequest, RequestId, ServerJsonRpcMessage},
    transport::Transport,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{
    decode::{Refused, decode},
    in_flight::InFlight,
    shutdown::{Begun, UnderWay},
};

/// Room made for each read. An idle reader keeps no more than a few of these.
const READ_BYTES: usize = 16 << 10;

/// What a session ends by, and what its end waits for.
pub(super) struct Ends {
    /// Fired when the client is gone, so that calls end at once and not when the session has drained.
    pub(super) gone: CancellationToken,
    /// From when on nothing more is read.
    pub(super) closing: CancellationToken,
    /// Requests that are not answered yet, but for streams that only end with their client.
    pub(super) under_way: UnderWay,
}

/// One client over two byte streams.
pub(super) struct Lines<R, W> {
    input: LineReader<R>,
    output: Output<W>,
    in_flight: Arc<Mutex<InFlight>>,
    awaited: Arc<Mutex<HashMap<RequestId, Begun>>>,
    /// An answer this transport gives by itself, being written.
    answer: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    ends: Ends,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// Messages of at most `message_bytes` from `input`, answers to `output`; `ends.gone` is cancelled when either ends.
    pub(super) fn new(input: R, output: W, message_bytes: usize, ends: Ends) -> Self {
        Self {
            input: LineReader::new(input, message_bytes),
            output: Output { writer: Arc::new(tokio::sync::Mutex::new(output)), gone: ends.gone.clone() },
            in_flight: Arc::default(),
            awaited: Arc::default(),
            answer: None,
            ends,
        }
    }

    /// Notes what is in flight, or says what to answer at once.
    fn admit(&self, message: &ClientJsonRpcMessage) -> Result<(), Refused> {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            ClientJsonRpcMessage::Request(request) => {
                in_flight.claim(&request.id).map_err(|error| Refused::new(Some(request.id.clone()), error))?;
                if !matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)) {
                    let begun = self.ends.under_way.begin();
                    self.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(request.id.clone(), begun);
                }
                Ok(())
            }
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    in_flight.cancelled(id);
                    self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
                }
                Ok(())
            }
            ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => Ok(()),
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(&mut self, message: ServerJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = self.output.clone();
        let (in_flight, awaited) = (Arc::clone(&self.in_flight), Arc::clone(&self.awaited));
        async move {
            let answered = answers(&message);
            let line = serde_json::to_vec(&message)?;
            let written = output.write(line).await;
            // Only now: a client that does not read its answers keeps its requests in flight, and is held to the bound.
            if let Some(id) = answered {
                in_flight.lock().unwrap_or_else(PoisonError::into_inner).answered(&id);
                awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(answer) = &mut self.answer {
                let written = answer.as_mut().await;
                self.answer = None;
                if written.is_err() {
                    return None;
                }
            }
            let line = tokio::select! {
                biased;
                () = self.ends.closing.cancelled() => std::future::pending().await,
                line = self.input.next() => line,
            };
            let refused = match line {
                Ok(Line::Message(line)) => match decode(&line) {
                    Ok(message) => match self.admit(&message) {
                        Ok(()) => return Some(message),
                        Err(refused) => refused,
                    },
                    Err(refused) => refused,
                },
                Ok(Line::TooLong) => Refused::too_large(self.input.limit),
                Ok(Line::End) => {
                    self.ends.gone.cancel();
                    return None;
                }
                Err(error) => {
                    tracing::debug!(%error, "reading from the client failed");
                    self.ends.gone.cancel();
                    return None;
                }
            };
            let output = self.output.clone();
            self.answer = Some(Box::pin(async move { output.write(refused.to_json()).await }));
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.writer.lock().await.shutdown().await
    }
}

/// The request that `message` answers.
fn answers(message: &ServerJsonRpcMessage) -> Option<RequestId> {
    match message {
        ServerJsonRpcMessage::Response(response) => Some(response.id.clone()),
        ServerJsonRpcMessage::Error(error) => error.id.clone(),
        ServerJsonRpcMessage::Request(_) | ServerJsonRpcMessage::Notification(_) => None,
    }
}

/// The writing end, shared by all answers under way.
struct Output<W> {
    writer: Arc<tokio::sync::Mutex<W>>,
    gone: CancellationToken,
}

impl<W> Clone for Output<W> {
    fn clone(&self) -> Self {
        Self { writer: Arc::clone(&self.writer), gone: self.gone.clone() }
    }
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Writes `line` and its end, whole and alone. A client that cannot be written to is gone.
    async fn write(&self, mut line: Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        let mut writer = self.writer.lock().await;
        let written = async {
            writer.write_all(&line).await?;
            writer.flush().await
        };
        written.await.inspect_err(|error| {
            tracing::debug!(%error, "writing to the client failed");
            self.gone.cancel();
        })
    }
}

enum Line {
    Message(BytesMut),
    TooLong,
    End,
}

/// Cuts a byte stream into lines without ever holding more than one line's limit.
struct LineReader<R> {
    input: R,
    buffer: BytesMut,
    /// Bytes at the front of `buffer` known to hold no line break.
    scanned: usize,
    /// Set while the rest of a line that was too long is passed over.
    discarding: bool,
    ended: bool,
    limit: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    fn new(input: R, limit: usize) -> Self {
        Self { input, buffer: BytesMut::new(), scanned: 0, discarding: false, ended: false, limit }
    }

    /// The next line that is not empty. Safe to drop at any time: no byte is lost.
    async fn next(&mut self) -> io::Result<Line> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(line);
            }
            if self.ended {
                return Ok(Line::End);
            }
            if self.buffer.is_empty() && self.buffer.capacity() > 4 * READ_BYTES {
                // The memory of one large message is not kept for the next small one.
                self.buffer = BytesMut::new();
            }
            self.buffer.reserve(READ_BYTES);
            if self.input.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
                // The last line may come without its end.
                if !self.buffer.is_empty() && !self.discarding {
                    self.scanned = 0;
                    let rest = self.buffer.split();
                    if !is_blank(&rest) {
                        return Ok(Line::Message(rest));
                    }
                }
            }
        }
    }

    /// A line out of what has been read, if a whole one is there or the limit is passed.
    fn take_line(&mut self) -> Option<Line> {
        loop {
            let unscanned = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(offset) = unscanned.iter().position(|byte| *byte == b'\n') else {
                self.scanned = self.buffer.len();
                if self.discarding {
                    self.buffer.clear();
                    self.scanned = 0;
                } else if self.buffer.len() > self.limit {
                    self.buffer = BytesMut::new();
                    self.scanned = 0;
                    self.discarding = true;
                    return Some(Line::TooLong);
                }
                return None;
            };
            let line = self.buffer.split_to(self.scanned + offset);
            self.buffer.advance(1);
            self.scanned = 0;
            if std::mem::take(&mut self.discarding) || is_blank(&line) {
                continue;
            }
            return Some(if line.len() > self.limit { Line::TooLong } else { Line::Message(line) });
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::{AsyncRead, AsyncReadExt};

    use super::{Line, LineReader};

    /// The lines that `chunks` are cut into with a limit of 10 bytes.
    async fn check(chunks: &[&'static str], expected: &[&str]) {
        let empty: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
        let input = chunks.iter().fold(empty, |input, chunk| Box::new(input.chain(chunk.as_bytes())));
        let mut reader = LineReader::new(input, 10);
        let mut lines = Vec::new();
        loop {
            match reader.next().await.unwrap() {
                Line::Message(line) => lines.push(String::from_utf8(line.to_vec()).unwrap()),
                Line::TooLong => lines.push("<too long>".into()),
                Line::End => break,
            }
        }
        assert_eq!(lines, expected, "{chunks:?}");
    }

    #[tokio::test]
    async fn lines_are_cut_wherever_the_reads_end() {
        check(&["a\nb\n"], &["a", "b"]).await;
        check(&["a", "b", "\n", "c\nd", "e\n"], &["ab", "c", "de"]).await;
        check(&["a\r\n\n \n\r\nb\n"], &["a\r", "b"]).await;
        check(&[], &[]).await;
    }

    #[tokio::test]
    async fn the_last_line_needs_no_end() {
        check(&["a\nb"], &["a", "b"]).await;
        check(&["a\n", "  "], &["a"]).await;
    }

    #[tokio::test]
    async fn a_long_line_is_passed_over_and_the_next_one_read() {
        check(&["12345678901\nok\n"], &["<too long>", "ok"]).await;
        check(&["123456", "78901", "2345", "6\nok\n"], &["<too long>", "ok"]).await;
        check(&["1234567890\nok\n"], &["1234567890", "ok"]).await;
        check(&["12345678901", "23"], &["<too long>"]).await;
    }
}
