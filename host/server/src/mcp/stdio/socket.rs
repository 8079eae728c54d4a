//! A connected stream socket that never waits, whatever its flags say.
//!
//! Parents such as Node give their children sockets as standard streams. The usual way to use one without blocking is to
//! set `O_NONBLOCK`, but that flag belongs to the open socket and not to the descriptor: it would change standard input
//! and output for everything else that holds them, and a socket cannot be opened anew like a pipe. `MSG_DONTWAIT` asks
//! for the same on each call instead.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};

/// One direction of a stream socket.
#[derive(Debug)]
pub(super) struct Socket(AsyncFd<OwnedFd>);

impl Socket {
    /// Takes a descriptor of its own for the socket behind `fd`.
    #[expect(
        deprecated,
        reason = "its replacement is unsafe for types that may change or close their descriptor; OwnedFd does neither"
    )]
    pub(super) fn duplicate(fd: BorrowedFd<'_>) -> io::Result<Self> {
        AsyncFd::new(fd.try_clone_to_owned()?).map(Self)
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            let received =
                ready.try_io(|fd| Ok(rustix::net::recv(fd.get_ref(), buffer.initialize_unfilled(), RecvFlags::DONTWAIT)?.0));
            match received {
                Ok(Ok(bytes)) => {
                    if (1..buffer.remaining()).contains(&bytes) {
                        // A stream that gave less than was asked for is empty: spare the call that would say so.
                        ready.clear_ready();
                    }
                    buffer.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                // Not ready after all: wait for the next event.
                Err(_) => {}
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match ready.try_io(|fd| Ok(rustix::net::send(fd.get_ref(), bytes, flags)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(sent) => return Poll::Ready(sent),
                Err(_) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Shutting the socket down would close it for every other descriptor too; dropping this one is enough.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{
        io::{Read, Write},
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::Socket;

    #[tokio::test]
    async fn bytes_pass_both_ways_and_the_flags_stay() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let before = rustix::fs::fcntl_getfl(&ours).unwrap();
        let mut socket = Socket::duplicate(ours.as_fd()).unwrap();

        theirs.write_all(b"question\n").unwrap();
        let mut heard = [0; 9];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"question\n");

        socket.write_all(b"answer\n").await.unwrap();
        let mut heard = [0; 7];
        theirs.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"answer\n");

        assert_eq!(rustix::fs::fcntl_getfl(&ours).unwrap(), before);
    }

    #[tokio::test]
    async fn a_full_socket_waits_for_its_reader_without_blocking_the_thread() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
        let mut socket = Socket::duplicate(ours.as_fd()).unwrap();
        let sent = vec![7; 4 << 20];
        let mut heard = vec![0; sent.len()];
        // One thread: a write that blocked would never let the reader run.
        let (written, read) = tokio::join!(socket.write_all(&sent), theirs.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        assert_eq!(heard, sent);
    }

    #[tokio::test]
    async fn the_end_and_a_closed_reader_are_seen() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut socket = Socket::duplicate(ours.as_fd()).unwrap();
        drop(theirs);
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(socket.write_all(b"x").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
}
