//! A connection's bytes, watched: when a request began, and whether the client reads what it is sent.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, Sleep, sleep},
};

/// Bytes a client has to take for its time to begin anew. One that takes a byte a second does not read.
const PROGRESS: usize = 16 << 10;

/// What one connection is doing. Shared by its bytes, its requests and whoever ends it.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Told when the first byte of a request comes.
    pub(super) began: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that are not answered to their last byte.
    open: usize,
    /// Whether there has been a request.
    used: bool,
    /// Since when no request is open.
    since: Instant,
    /// When the first byte came of a request whose head is not whole.
    head: Option<Instant>,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// There was no request for too long.
    Idle,
    /// A request began, and its head did not come in time.
    Head,
}

impl Activity {
    pub(super) fn new() -> Self {
        let state = State { open: 0, used: false, since: Instant::now(), head: None };
        Self { state: Mutex::new(state), began: Notify::new() }
    }

    /// A request whose head is whole.
    pub(super) fn request(self: &Arc<Self>) -> Open {
        let mut state = self.lock();
        state.open += 1;
        (state.used, state.head) = (true, None);
        Open(Arc::clone(self))
    }

    /// By when something has to happen, and what it is called if it does not; none while a request is open.
    pub(super) fn due(&self, header_time: Duration, idle_time: Duration) -> Option<(Instant, Late)> {
        let state = self.lock();
        match state.head {
            _ if state.open > 0 => None,
            Some(head) => Some((head + header_time, Late::Head)),
            // Whoever connects has something to say.
            None if !state.used => Some((state.since + header_time, Late::Idle)),
            None => Some((state.since + idle_time, Late::Idle)),
        }
    }

    fn read(&self) {
        let mut state = self.lock();
        if state.open == 0 && state.head.is_none() {
            state.head = Some(Instant::now());
            self.began.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is open as long as this lives.
#[derive(Debug)]
pub(super) struct Open(Arc<Activity>);

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.open -= 1;
        (state.since, state.head) = (Instant::now(), None);
        self.0.began.notify_one();
    }
}

/// A stream whose reads are noted, and whose writes fail once the client has taken nothing for too long.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    stall_time: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    /// Bytes taken since `stall` began.
    taken: usize,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, stall_time: Duration) -> Self {
        Self { stream, activity, stall_time, stall: None, taken: 0 }
    }

    /// What a write came to, unless it has come to nothing for too long.
    fn wrote(&mut self, context: &mut Context<'_>, offered: usize, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.taken += count;
                if count >= offered || self.taken >= PROGRESS {
                    (self.stall, self.taken) = (None, 0);
                }
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => {
                let stall_time = self.stall_time;
                let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(stall_time)));
                if stall.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                tracing::debug!(limit = "stall_time", "a client does not read what it is sent");
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read what it is sent")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            this.activity.read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wrote(context, bytes.len(), written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(context, slices.iter().map(|slice| slice.len()).sum(), written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Long enough to see what is still due, short enough to wait for.
    const HEAD: Duration = Duration::from_millis(200);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_is_due_follows_what_the_client_does() {
        let (mut client, server) = duplex(1024);
        let activity = Arc::new(Activity::new());
        let mut watched = Watched::new(server, Arc::clone(&activity), IDLE);
        let due = || activity.due(HEAD, IDLE);
        let (connected, late) = due().unwrap();
        assert!(late == Late::Idle && connected < Instant::now() + 2 * HEAD, "the first request comes soon");
        client.write_all(b"G").await.unwrap();
        watched.read_u8().await.unwrap();
        let head = due().unwrap();
        assert_eq!(head.1, Late::Head);
        client.write_all(b"E").await.unwrap();
        watched.read_u8().await.unwrap();
        assert_eq!(due().unwrap(), head, "more bytes give no more time");
        let open = activity.request();
        assert_eq!(due(), None);
        drop(open);
        let (kept, late) = due().unwrap();
        assert!(late == Late::Idle && kept > Instant::now() + IDLE / 2);
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_or_next_to_nothing_is_given_up() {
        for trickle in [false, true] {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, Arc::new(Activity::new()), HEAD);
            let reads = tokio::spawn(async move {
                loop {
                    sleep(HEAD / 8).await;
                    if trickle && client.read_u8().await.is_err() {
                        break;
                    }
                }
            });
            let error = watched.write_all(&vec![0; 1 << 20]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            reads.abort();
        }
    }

    #[tokio::test]
    async fn a_slow_client_that_reads_is_served() {
        let (mut client, server) = duplex(64 << 10);
        let mut watched = Watched::new(server, Arc::new(Activity::new()), HEAD);
        let reads = tokio::spawn(async move {
            let (mut buffer, mut read) = (vec![0; 64 << 10], 0);
            while read < 512 << 10 {
                sleep(HEAD / 4).await;
                read += client.read(&mut buffer).await.unwrap();
            }
        });
        watched.write_all(&vec![0; 512 << 10]).await.unwrap();
        reads.await.unwrap();
    }
}
