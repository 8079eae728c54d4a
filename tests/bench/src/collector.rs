//! A collector of telemetry that takes everything and keeps nothing.

use std::{io, net, thread};

use axum::{Router, body::Bytes, http::header::CONTENT_TYPE};
use tokio::{net::TcpListener, runtime};

/// Where it listens, for as long as this program runs.
pub(crate) fn start() -> io::Result<String> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let taken = |body: Bytes| async move {
        drop(body);
        ([(CONTENT_TYPE, "application/json")], "{}")
    };
    thread::spawn(move || {
        runtime.block_on(async { axum::serve(TcpListener::from_std(listener)?, Router::new().fallback(taken)).await })
    });
    Ok(endpoint)
}
