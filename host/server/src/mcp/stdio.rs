//! One client over the process's standard streams.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use casemate_policy::Principal;
use rmcp::service::{QuitReason, serve_directly_with_ct};
use rustix::fs::FileType;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use self::socket::Socket;
use super::{
    House, Limits,
    handler::Handler,
    lines::{Ends, Lines},
    shutdown::{LAST_CALLS, Shutdown, UnderWay},
};

mod socket;

/// Why a stdio session could not be served to its end.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// A standard stream cannot be used.
    #[error(
        "standard input and output cannot be used\nhelp: start the server from an MCP client, which gives it a pipe or a socket for each"
    )]
    Streams(#[source] io::Error),
    /// The session's task failed.
    #[error("the session ended unexpectedly")]
    Session(#[source] tokio::task::JoinError),
}

/// Serves `principal` on standard input and output until input ends, output is gone, or it is told to stop.
///
/// The end of input cancels the calls in flight; it is the ordinary end and no error. Told to stop, it reads nothing more, and what is in
/// flight may come to its end for as long as `limits.drain` says, or until the second word; then it is cancelled. Nothing else in the process may
/// read standard input or write standard output meanwhile. If standard input is a terminal or a file, a read may still
/// be blocked in the runtime afterwards: end the process without waiting for it (`Runtime::shutdown_background`).
///
/// # Errors
///
/// [`StdioError`]; nothing a client sends is one.
pub async fn serve_stdio<H: House>(
    house: Arc<H>,
    principal: Principal,
    limits: Limits,
    shutdown: Shutdown,
) -> Result<(), StdioError> {
    let (input, output) = standard_streams().map_err(StdioError::Streams)?;
    serve_streams(house, principal, limits, (input, output), shutdown).await
}

/// The same over any pair of streams.
pub(crate) async fn serve_streams<H: House>(
    house: Arc<H>,
    principal: Principal,
    limits: Limits,
    (input, output): (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static),
    shutdown: Shutdown,
) -> Result<(), StdioError> {
    let (session, under_way) = (CancellationToken::new(), UnderWay::default());
    let ends = Ends { gone: session.clone(), closing: shutdown.asked().clone(), under_way: under_way.clone() };
    let lines = Lines::new(input, output, limits.message_bytes, ends);
    // Without `rmcp`'s own handshake, which ends the session on anything it does not expect before `initialize`. The
    // handler negotiates, and refuses requests for which no revision is agreed.
    let running = serve_directly_with_ct(Handler::new(house, principal, limits), lines, None, session.clone());
    let mut ended = std::pin::pin!(running.waiting());
    let overdue = async {
        let drained = async {
            shutdown.asked().cancelled().await;
            tokio::select! { () = under_way.none() => {}, () = shutdown.over(limits.drain) => {} }
        };
        tokio::select! { () = session.cancelled() => {}, () = drained => session.cancel() }
        tokio::time::sleep(LAST_CALLS).await;
    };
    let reason = tokio::select! {
        reason = &mut ended => reason,
        () = overdue => {
            tracing::warn!("calls were still running when the session ended");
            return Ok(());
        }
    };
    match reason {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(StdioError::Session(error)),
        Ok(_) => Ok(()),
    }
}

type Input = Box<dyn AsyncRead + Send + Unpin>;
type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Standard input and output by the fastest way that suits what they are.
///
/// Pipes and sockets are driven by readiness, without a hand-over to a thread for every read and write. The flags of
/// the process's own descriptors stay as they are in every case.
fn standard_streams() -> io::Result<(Input, Output)> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let (input_kind, output_kind) = (kind(stdin.as_fd())?, kind(stdout.as_fd())?);
    if input_kind == FileType::Fifo && output_kind == FileType::Fifo {
        let (input, output) = rmcp::transport::stdio_pipes();
        return Ok((Box::new(input), Box::new(output)));
    }
    let input: Input = match input_kind {
        FileType::Socket => Box::new(Socket::duplicate(stdin.as_fd())?),
        _ => Box::new(tokio::io::stdin()),
    };
    let output: Output = match output_kind {
        FileType::Socket => Box::new(Socket::duplicate(stdout.as_fd())?),
        _ => Box::new(tokio::io::stdout()),
    };
    Ok((input, output))
}

fn kind(fd: BorrowedFd<'_>) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode))
}
