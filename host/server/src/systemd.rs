//! systemd, where it starts the server: readiness, reloads, the watchdog, and sockets that were open before.
//!
//! Where there is no systemd, there is no `NOTIFY_SOCKET`, and nothing is said to anybody.

use std::{net::TcpListener, time::Duration};

use listenfd::ListenFd;
use sd_notify::{NotifyState, notify};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// Says that calls are served from now on.
pub(crate) fn ready() {
    say(&[NotifyState::Ready]);
}

/// Says that the configuration is being taken up; [`ready`] says that it has been looked at.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(_) => say(&[NotifyState::Reloading]),
    }
}

/// Says that the server ends, and how long it may take to.
pub(crate) fn stopping(within: Duration) {
    let within = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    say(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(within)]);
}

/// Says that the server is alive, as often as systemd asks for, until `shutdown`. It runs beside the calls: a runtime that is stuck says
/// nothing, and is started anew.
pub(crate) async fn watch(shutdown: CancellationToken) {
    let Some(every) = sd_notify::watchdog_enabled() else { return };
    while !shutdown.is_cancelled() {
        say(&[NotifyState::Watchdog]);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(every / 3) => {}
        }
    }
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        tracing::warn!(%error, "systemd could not be told how the server is");
    }
}

/// The one listening socket that systemd passed. Before any thread is started: the environment is changed, so that no child takes it for
/// its own.
pub(crate) fn socket() -> Result<TcpListener, Failure> {
    let none = || {
        Failure::invalid(
            "`--http systemd` takes a socket that systemd passes, and there is not exactly one (LISTEN_FDS)\n\
             help: start the server by a socket unit with one ListenStream=, or name an address",
        )
    };
    let mut passed = ListenFd::from_env();
    if passed.len() != 1 {
        return Err(none());
    }
    let listener = passed.take_tcp_listener(0).map_err(|error| {
        Failure::invalid(format!(
            "the socket that systemd passed cannot be listened on: {error}\nhelp: it is a TCP socket: ListenStream= with an address and a port"
        ))
    })?;
    let listener = listener.ok_or_else(none)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
