//! PostgreSQL behind the gate: one request is one statement, and the host alone speaks the protocol.
//!
//! The component sends what passes the gate as every request does: a database in the path, and in the body a statement, its parameters
//! and the tables that it reads. The host opens a connection, with TLS but for this machine, proves who it is by SCRAM, which proves the
//! server as well, and runs the statement in a transaction that only reads and is never committed. The extended protocol takes one
//! statement at a time. Which tables it touched is read from the server's own list of locks, before a row is asked for and again before one
//! is handed over: what a statement says of itself is not believed.
//!
//! What holds besides is the role's: what it may not read, nobody reads through it.

mod ask;
mod said;
mod session;
mod tables;
mod wire;

use std::{sync::Arc, time::Duration};

use casemate_policy::egress::Checked;
use casemate_signing::manifest::Credential;
use rustls::ClientConfig;
use tokio::time::timeout;

use self::{
    ask::Ask,
    said::Said,
    session::{Identity, Session},
    tables::Named,
    wire::Fault,
};
use super::{
    Tls,
    secrets::Secrets,
    transport::{Raw, SendError},
};

/// To connect, and to be let in.
const CONNECT: Duration = Duration::from_secs(10);

/// What connections to databases are made with.
pub(super) struct Databases {
    tls: Arc<ClientConfig>,
}

impl Databases {
    /// Certificates are verified as the system verifies them, as for every other upstream.
    pub(super) fn new(tls: &Tls) -> Result<Self, rustls::Error> {
        tls.client(&[]).map(|tls| Self { tls: Arc::new(tls) })
    }

    /// Run the statement of a request that passed the gate. The answer is JSON of up to `cap` bytes.
    pub(super) async fn send(&self, request: &Checked, secrets: &Secrets, cap: usize) -> Result<Raw, SendError> {
        let ask = match Ask::read(request) {
            Ok(ask) => ask,
            Err(said) => return Ok(said.into_answer(None)),
        };
        let Some(Credential::Basic(credential)) = request.credential() else {
            return Err(SendError::Connect("a database is asked with a user and a password".to_owned()));
        };
        let secret = |name| secrets.get(request.upstream(), name).map_err(SendError::Secret);
        let identity = Identity {
            user: secret(&credential.username)?,
            password: secret(&credential.secret)?,
            database: &ask.database,
            deadline: ask.deadline,
        };
        let opened = timeout(CONNECT, async {
            let wire = wire::connect(request, &self.tls, cap).await?;
            Session::begin(wire, &identity).await
        });
        let opened = opened.await.unwrap_or_else(|_| Err(Fault::unreachable("it was not let in within 10 s")));
        let mut session = match opened {
            Ok(session) => session,
            Err(Fault::Said(said)) => return Ok(said.into_answer(None)),
            Err(fault) => return Err(fault.before()),
        };
        let address = session.address();
        match run(&mut session, &ask, cap).await {
            Ok(body) => Ok(Raw::json(200, body, Some(address))),
            Err(Fault::Said(said)) => Ok(said.into_answer(Some(address))),
            Err(fault) => Err(fault.after()),
        }
    }
}

/// Read, and never write: the transaction ends with the connection.
async fn run(session: &mut Session, ask: &Ask, cap: usize) -> Result<Vec<u8>, Fault> {
    let named = Named::find(session, &ask.tables).await?;
    session.only_read().await?;
    let columns = session.prepare(&ask.statement).await?;
    session.bind(&ask.parameters).await?;
    // Parsed and planned, and nothing of it run but what the planner runs.
    named.hold_plan(session).await?;
    let found = session.rows(columns, ask.rows, cap).await?;
    named.hold_run(session).await?;
    session.end().await;
    let body = serde_json::to_vec(&found).map_err(|error| Fault::Lied(error.to_string()))?;
    if body.len() > cap { Err(Fault::TooLarge) } else { Ok(body) }
}

/// A failure that is said in an answer.
fn refused(status: u16, code: &str, message: impl Into<String>) -> Fault {
    Fault::Said(Said { status, code: code.to_owned(), message: message.into(), position: None })
}
