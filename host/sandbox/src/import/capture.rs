//! Everything a guest says that nobody asked it to say: log lines, standard output, standard error. One cap for all three.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError},
};

use crate::call::{LogLevel, LogLine};

/// Bytes of log one call may leave, over the log import, standard output and standard error.
pub(crate) const LOG_BYTES: usize = 64 << 10;
/// Lines of log one call may leave: short lines cost more than their bytes.
const LOG_LINES: usize = 1024;
/// What a guest may hand over in one write to standard output. What is beyond the cap is taken and dropped.
const WRITE_PERMIT: usize = 64 << 10;

/// The log of one call. Shared with the two streams inside the WASI context, which is the only reason for the lock.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Buffer>>);

#[derive(Default)]
struct Buffer {
    lines: Vec<LogLine>,
    bytes: usize,
    cut: bool,
}

impl Capture {
    /// Keep a line, or note once that the cap was hit.
    pub(crate) fn push(&self, level: LogLevel, text: &str) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = LOG_BYTES.saturating_sub(buffer.bytes);
        if buffer.cut || room == 0 || buffer.lines.len() >= LOG_LINES {
            buffer.cut = true;
            return;
        }
        let kept = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        buffer.bytes += kept.len();
        buffer.cut = kept.len() < text.len();
        buffer.lines.push(LogLine { level, text: kept.to_owned() });
    }

    /// The lines, with a last one that says so where the cap was hit.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        let mut buffer = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if buffer.cut {
            let text = format!("log cut off: the limit of {} KiB or {LOG_LINES} lines for one call was reached", LOG_BYTES >> 10);
            buffer.lines.push(LogLine { level: LogLevel::Warn, text });
        }
        buffer.lines
    }

    /// This capture as a standard stream.
    pub(crate) fn stream(&self, level: LogLevel) -> Stream {
        Stream { capture: self.clone(), level }
    }
}

/// Standard output or error of a guest. It never reaches the process's own: on stdio that is the protocol.
#[derive(Clone)]
pub(crate) struct Stream {
    capture: Capture,
    level: LogLevel,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.capture.push(self.level, &String::from_utf8_lossy(&bytes));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.capture.push(self.level, &String::from_utf8_lossy(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_over_all_streams_and_says_so() {
        let capture = Capture::default();
        capture.push(LogLevel::Info, &"a".repeat(LOG_BYTES - 1));
        capture.stream(LogLevel::Error).write(Bytes::from_static(b"bcd")).expect("a write never fails");
        capture.push(LogLevel::Info, "e");
        let lines = capture.take();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1].text, "b");
        assert!(lines[2].text.contains("64 KiB"));
    }

    #[test]
    fn a_character_is_never_cut_in_two() {
        let capture = Capture::default();
        capture.push(LogLevel::Info, &"a".repeat(LOG_BYTES - 1));
        capture.push(LogLevel::Info, "é");
        assert_eq!(capture.take()[1].text, "");
    }

    #[test]
    fn empty_lines_are_counted_too() {
        let capture = Capture::default();
        for _ in 0..LOG_LINES * 2 {
            capture.push(LogLevel::Info, "");
        }
        assert_eq!(capture.take().len(), LOG_LINES + 1);
    }
}
