//! One connection, from the handshake to its end.
//!
//! HTTP/1.1 and nothing else: what is not there cannot be flooded. TLS offers no other protocol either.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{sleep_until, timeout},
};
use tower_service::Service;

use super::{
    held::held,
    listener::Ground,
    tls::ClientCertificate,
    watched::{Activity, Late, Watched},
};
use crate::config::HttpSettings;

/// How long a client has to take the last words to it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves one connection to its end, within these settings.
pub(super) async fn serve(stream: TcpStream, ground: Ground, settings: Arc<HttpSettings>) {
    prepare(&stream, &settings);
    let activity = Arc::new(Activity::new());
    let watched = Watched::new(stream, Arc::clone(&activity), settings.stall_time);
    let Some(tls) = &ground.tls else { return speak(watched, None, activity, &ground, &settings).await };
    let accepted = tokio::select! {
        () = ground.shutdown.asked().cancelled() => return,
        accepted = timeout(settings.handshake_time, tls.accept(watched)) => accepted,
    };
    match accepted {
        Ok(Ok((stream, certificate))) => speak(stream, certificate, activity, &ground, &settings).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(limit = "handshake_time", "a TLS handshake took too long"),
    }
}

/// Set what the socket can watch by itself.
fn prepare(stream: &TcpStream, settings: &HttpSettings) {
    // Otherwise the last part of an answer waits for the client's delayed acknowledgement of the part before, 40 ms on Linux.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    // What is in the kernel's hands already is given up in time, too.
    let stall = u32::try_from(settings.stall_time.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, stall) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT could not be set");
    }
}

async fn speak<S>(
    stream: S,
    certificate: Option<ClientCertificate>,
    activity: Arc<Activity>,
    ground: &Ground,
    settings: &HttpSettings,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = {
        let (router, activity) = (ground.router.clone(), Arc::clone(&activity));
        service_fn(move |mut request: Request<Incoming>| {
            let open = activity.request();
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let answer = answer(router.clone(), request);
            async move { Ok::<_, Infallible>(held(answer.await, open)) }
        })
    };
    let mut connection = http1::Builder::new()
        .max_buf_size(settings.header_bytes)
        .max_header_size(settings.header_bytes)
        .max_headers(settings.header_fields)
        // Ours tells a connection that is idle from one whose request is late.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let mut stopping = false;
    loop {
        let due = activity.due(settings.header_time, settings.idle_time);
        let late = async {
            match due {
                Some((at, late)) => {
                    sleep_until(at).await;
                    late
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = ground.shutdown.asked().cancelled(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = activity.began.notified() => {}
            late = late => {
                if late == Late::Idle {
                    return;
                }
                tracing::debug!(limit = "header_time", "a request's head took too long");
                let sentence = format!("the request's head did not arrive within {:?}\n", settings.header_time);
                let mut stream = connection.into_parts().io.into_inner();
                let answer = raw(StatusCode::REQUEST_TIMEOUT, "", &sentence);
                let _ = timeout(LAST_WORDS, async { stream.write_all(&answer).await.and(stream.shutdown().await) }).await;
                return;
            }
        }
    }
}

async fn answer(mut router: Router, request: Request<Incoming>) -> Response<Body> {
    // A router is always ready, and cannot fail.
    match router.call(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// An answer in bytes, for where there is no request to answer. The connection ends with it.
pub(super) fn raw(status: StatusCode, headers: &str, sentence: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {} {}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n{headers}content-length: {}\r\n\r\n{sentence}",
        status.as_str(),
        status.canonical_reason().unwrap_or_default(),
        sentence.len()
    )
    .into_bytes()
}
