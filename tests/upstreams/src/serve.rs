//! The accept loops: record what came, ask the upstream, apply what was scripted, answer.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};

use crate::control::Control;
use crate::http::{Connection, ReadError, Request, Response};
use crate::misbehaviour::{self, After, Scene};
use crate::record::Record;
use crate::script::{Act, Scripts};
use crate::{Reply, Upstream};

pub(crate) async fn upstream(
    listener: TcpListener,
    origin: String,
    upstream: Arc<dyn Upstream>,
    record: Arc<Record>,
    scripts: Arc<Scripts>,
) {
    let room = Arc::new(Room { origin, upstream, record, scripts });
    while let Ok((stream, _)) = listener.accept().await {
        let room = Arc::clone(&room);
        tokio::spawn(async move {
            room.record.connected(room.upstream.name());
            // An error here is the client's going away, which is what a client does to a misbehaving server.
            let _ = room.converse(stream).await;
        });
    }
}

pub(crate) async fn control(listener: TcpListener, control: Arc<Control>) {
    while let Ok((stream, _)) = listener.accept().await {
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let mut connection = Connection::new(stream);
            while let Ok(Some(request)) = connection.request().await {
                if connection.respond(&control.answer(&request)).await.is_err() || closes(&request) {
                    break;
                }
            }
        });
    }
}

struct Room {
    origin: String,
    upstream: Arc<dyn Upstream>,
    record: Arc<Record>,
    scripts: Arc<Scripts>,
}

impl Room {
    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut connection = Connection::new(stream);
        loop {
            let request = match connection.request().await {
                Ok(Some(request)) => request,
                Ok(None) | Err(ReadError::Lost(_)) => return Ok(()),
                Err(error) => {
                    self.record.malformed(self.upstream.name(), &error.to_string());
                    let status = if matches!(error, ReadError::TooLarge) { 413 } else { 400 };
                    return connection.respond(&Response::html(status, &format!("<h1>{error}</h1>\n"))).await;
                }
            };
            let reply = self.reply(&request);
            self.record.received(self.upstream.name(), &request, &described(&reply));
            let Reply { response, misbehaviour, held, stream } = reply;
            let response = match held {
                None => response,
                // A client that leaves meanwhile is not noticed, and what it asked for is still done.
                Some(held) => match held.await {
                    Ok(response) => response,
                    Err(_) => return Ok(()),
                },
            };
            if misbehaviour.is_none()
                && let Some(pieces) = stream
            {
                return connection.stream(&response, pieces).await;
            }
            let after = match misbehaviour {
                None => connection.respond(&response).await.map(|()| After::Keep)?,
                Some(misbehaviour) => {
                    let scene = Scene { request: &request, honest: response, origin: &self.origin };
                    misbehaviour::act(&mut connection.stream, &misbehaviour, scene).await?
                }
            };
            if after == After::Close || closes(&request) {
                return Ok(());
            }
        }
    }

    /// What the upstream says, unless a script says otherwise. A scripted error or answer is given instead of asking the upstream; a
    /// scripted misbehaviour spoils the upstream's own answer.
    fn reply(&self, request: &Request) -> Reply {
        match self.scripts.next(self.upstream.name(), &request.method, request.path()) {
            None => self.upstream.answer(request, &self.origin),
            Some(Act::Answer(response)) => response.into(),
            Some(Act::Misbehave(misbehaviour)) => {
                Reply { misbehaviour: Some(misbehaviour), ..self.upstream.answer(request, &self.origin) }
            }
        }
    }
}

fn described(reply: &Reply) -> String {
    match (&reply.misbehaviour, &reply.held) {
        (None, None) => reply.response.status.to_string(),
        (None, Some(_)) => "held".to_owned(),
        (Some(misbehaviour), _) => misbehaviour.kind.name().to_owned(),
    }
}

fn closes(request: &Request) -> bool {
    request.minor_version == 0 || request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}
