//! A session: let in by SCRAM, asked by the extended protocol, and left without a trace.

use std::{net::IpAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    IsNull,
    authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    message::{
        backend::{DataRowBody, Message, RowDescriptionBody},
        frontend,
    },
};
use serde::Serialize;

use super::{
    refused,
    said::Said,
    wire::{Fault, Wire},
};

/// The statement that was asked for, and its rows. The host's own questions have no name.
const ASKED: &str = "asked";
/// Rows of an answer to the host's own questions.
const OWN_ROWS: usize = 100_000;
/// Inside a transaction.
const IN_TRANSACTION: u8 = b'T';

/// Roles that reach what no table is: files, programs, other sessions.
const POWERFUL: &str = "SELECT r.rolname FROM pg_catalog.pg_roles AS r \
    WHERE (r.rolsuper OR r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', \
    'pg_signal_backend', 'pg_write_all_data')) AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') LIMIT 1";

/// Who asks, and what.
pub(super) struct Identity<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) database: &'a str,
    pub(super) deadline: Duration,
}

/// A session that a server let the host into.
pub(super) struct Session {
    wire: Wire,
}

/// A row as the server wrote it.
pub(super) type Row = Vec<Option<String>>;

/// What a statement found.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// Whether there would have been another row.
    more: bool,
}

/// A column of an answer.
#[derive(Debug, Serialize)]
pub(super) struct Column {
    name: String,
    /// The OID of its type.
    #[serde(rename = "type")]
    kind: u32,
}

impl Session {
    /// Be let in, and see that the role is one that only tables limit.
    pub(super) async fn begin(wire: Wire, identity: &Identity<'_>) -> Result<Self, Fault> {
        let mut session = Self { wire };
        session.start(identity).await?;
        session.prove(identity).await?;
        loop {
            match session.wire.next().await? {
                Message::BackendKeyData(_) => {}
                Message::ReadyForQuery(_) => break,
                Message::ErrorResponse(body) => return Err(not_let_in(Said::read(body.fields()))),
                _ => return Err(odd()),
            }
        }
        if let Some(role) = session.own(POWERFUL, &[]).await?.into_iter().next() {
            let role = role.into_iter().next().flatten().unwrap_or_default();
            return Err(Fault::unreachable(format!(
                "the user is a member of `{role}`, which reaches more than tables\nhelp: make a role for this plugin alone, with SELECT on what it may read; the plugin's page shows how"
            )));
        }
        Ok(session)
    }

    pub(super) fn address(&self) -> IpAddr {
        self.wire.address()
    }

    async fn start(&mut self, identity: &Identity<'_>) -> Result<(), Fault> {
        let milliseconds = identity.deadline.as_millis().to_string();
        let settings = [
            ("user", identity.user),
            ("database", identity.database),
            ("application_name", "casemate"),
            ("client_encoding", "UTF8"),
            ("default_transaction_read_only", "on"),
            ("statement_timeout", &milliseconds),
            ("lock_timeout", &milliseconds),
            // What has no schema is the catalog's: nobody else's function stands in for one of its.
            ("search_path", ""),
            // How a statement and its values are read and written.
            ("standard_conforming_strings", "on"),
            ("DateStyle", "ISO"),
            ("TimeZone", "UTC"),
            ("bytea_output", "hex"),
        ];
        frontend::startup_message(settings, &mut self.wire.out)?;
        self.wire.flush().await
    }

    /// SCRAM proves both sides. Whoever asks for the password, or for nothing, is not who it should be.
    async fn prove(&mut self, identity: &Identity<'_>) -> Result<(), Fault> {
        let only = || {
            Fault::unreachable(
                "it does not ask for SCRAM-SHA-256\nhelp: set `password_encryption = scram-sha-256`, set the password again, and write `scram-sha-256` for this user in pg_hba.conf",
            )
        };
        match self.wire.next().await? {
            Message::AuthenticationSasl(body) => {
                if !body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256))? {
                    return Err(only());
                }
            }
            Message::ErrorResponse(body) => return Err(not_let_in(Said::read(body.fields()))),
            _ => return Err(only()),
        }
        let mut scram = ScramSha256::new(identity.password.as_bytes(), ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.wire.out)?;
        self.wire.flush().await?;
        match self.wire.next().await? {
            Message::AuthenticationSaslContinue(body) => scram.update(body.data())?,
            Message::ErrorResponse(body) => return Err(not_let_in(Said::read(body.fields()))),
            _ => return Err(odd()),
        }
        frontend::sasl_response(scram.message(), &mut self.wire.out)?;
        self.wire.flush().await?;
        match self.wire.next().await? {
            Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
            Message::ErrorResponse(body) => return Err(not_let_in(Said::read(body.fields()))),
            _ => return Err(odd()),
        }
        match self.wire.next().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(odd()),
        }
    }

    /// A question of the host's own.
    pub(super) async fn own(&mut self, question: &str, parameters: &[&str]) -> Result<Vec<Row>, Fault> {
        let out = &mut self.wire.out;
        frontend::parse("", question, [], out)?;
        bind("", parameters.iter().map(|text| Some(*text)), out)?;
        frontend::execute("", 0, out)?;
        frontend::sync(out);
        self.wire.flush().await?;
        let mut rows = Vec::new();
        let mut said = None;
        loop {
            match self.wire.next().await? {
                Message::ParseComplete | Message::BindComplete | Message::CommandComplete(_) | Message::EmptyQueryResponse => {}
                Message::DataRow(_) if rows.len() >= OWN_ROWS => return Err(Fault::TooLarge),
                Message::DataRow(body) => rows.push(row(&body)?),
                Message::ErrorResponse(body) => said = Some(Said::read(body.fields())),
                Message::ReadyForQuery(_) => break,
                _ => return Err(odd()),
            }
        }
        said.map_or(Ok(rows), |said| Err(Fault::Said(said)))
    }

    /// Begin the transaction: what it sees does not change, and it changes nothing. It is never committed.
    pub(super) async fn only_read(&mut self) -> Result<(), Fault> {
        self.own("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &[]).await?;
        // Once something was read in it, a transaction that only reads cannot be made another.
        self.own("SELECT 1", &[]).await.map(drop)
    }

    /// Have the statement parsed, and say what columns it has. Nothing of it is run, so what the server says of it is its own.
    pub(super) async fn prepare(&mut self, statement: &str) -> Result<Vec<Column>, Fault> {
        frontend::parse(ASKED, statement, [], &mut self.wire.out)?;
        frontend::describe(b'S', ASKED, &mut self.wire.out)?;
        frontend::sync(&mut self.wire.out);
        self.wire.flush().await?;
        let mut columns = None;
        let mut said = None;
        loop {
            match self.wire.next().await? {
                Message::ParseComplete | Message::ParameterDescription(_) | Message::NoData => {}
                Message::RowDescription(body) => columns = Some(described(&body)?),
                Message::ErrorResponse(body) => said = Some(Said::read(body.fields())),
                Message::ReadyForQuery(body) if said.is_some() || body.status() == IN_TRANSACTION => break,
                _ => return Err(odd()),
            }
        }
        match (said, columns) {
            (Some(said), _) => Err(Fault::Said(said)),
            (None, Some(columns)) => Ok(columns),
            (None, None) => Err(refused(400, "no-columns", "the statement finds nothing: it has no columns, and is not run")),
        }
    }

    /// Have it planned for these values.
    pub(super) async fn bind(&mut self, parameters: &[Option<String>]) -> Result<(), Fault> {
        bind(ASKED, parameters.iter().map(Option::as_deref), &mut self.wire.out)?;
        frontend::sync(&mut self.wire.out);
        self.wire.flush().await?;
        let mut said = None;
        loop {
            match self.wire.next().await? {
                Message::BindComplete => {}
                Message::ErrorResponse(body) => said = Some(Said::read(body.fields()).code_only()),
                Message::ReadyForQuery(body) if said.is_some() || body.status() == IN_TRANSACTION => break,
                _ => return Err(odd()),
            }
        }
        said.map_or(Ok(()), |said| Err(Fault::Said(said)))
    }

    /// Run it, as far as its rows are wanted.
    pub(super) async fn rows(&mut self, columns: Vec<Column>, most: u32, cap: usize) -> Result<Found, Fault> {
        let wanted = usize::try_from(most).unwrap_or(usize::MAX);
        frontend::execute(ASKED, i32::try_from(most.saturating_add(1)).unwrap_or(i32::MAX), &mut self.wire.out)?;
        frontend::sync(&mut self.wire.out);
        self.wire.flush().await?;
        let mut found = Found { columns, rows: Vec::new(), more: false };
        let mut bytes = 0;
        let mut said = None;
        loop {
            match self.wire.next().await? {
                Message::DataRow(body) => {
                    let row = row(&body)?;
                    if row.len() != found.columns.len() || found.more {
                        return Err(odd());
                    }
                    found.more = found.rows.len() >= wanted;
                    bytes += row.iter().flatten().map(String::len).sum::<usize>();
                    if bytes > cap {
                        return Err(Fault::TooLarge);
                    }
                    if !found.more {
                        found.rows.push(row);
                    }
                }
                Message::CommandComplete(_) | Message::PortalSuspended => {}
                // Its words may hold what was read on the way.
                Message::ErrorResponse(body) => said = Some(Said::read(body.fields()).code_only()),
                Message::ReadyForQuery(body) if said.is_some() || body.status() == IN_TRANSACTION => break,
                _ => return Err(odd()),
            }
        }
        said.map_or(Ok(found), |said| Err(Fault::Said(said)))
    }

    /// Leave. The server forgets the transaction; that it hears of it at once is a courtesy.
    pub(super) async fn end(&mut self) {
        frontend::terminate(&mut self.wire.out);
        drop(self.wire.flush().await);
    }
}

/// Values in the text format, and results in it.
fn bind<'a>(name: &str, values: impl IntoIterator<Item = Option<&'a str>>, out: &mut BytesMut) -> Result<(), Fault> {
    let write = |value: Option<&str>, out: &mut BytesMut| {
        Ok(value.map_or(IsNull::Yes, |text| {
            out.extend_from_slice(text.as_bytes());
            IsNull::No
        }))
    };
    frontend::bind(name, name, [], values, write, [0], out).map_err(|_| Fault::Lied("a value cannot be sent".to_owned()))
}

fn described(body: &RowDescriptionBody) -> Result<Vec<Column>, Fault> {
    Ok(body.fields().map(|field| Ok(Column { name: field.name().to_owned(), kind: field.type_oid() })).collect()?)
}

fn row(body: &DataRowBody) -> Result<Row, Fault> {
    let buffer: &Bytes = body.buffer_bytes();
    let mut row = Vec::new();
    let mut ranges = body.ranges();
    while let Some(range) = ranges.next()? {
        row.push(match range {
            None => None,
            Some(range) => {
                let text = buffer.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok());
                Some(text.ok_or_else(|| Fault::Lied("a value is not UTF-8".to_owned()))?.to_owned())
            }
        });
    }
    Ok(row)
}

/// Why a server does not let the host in: a wrong password and a database that is not there are the caller's to know, and nothing more.
fn not_let_in(said: Said) -> Fault {
    match said.status {
        401 | 404 | 403 => Fault::Said(said.code_only()),
        _ => Fault::unreachable(format!("it lets nobody in ({}): {}", said.code, casemate_policy::text::visible(&said.message))),
    }
}

fn odd() -> Fault {
    Fault::Lied("it says what was not asked".to_owned())
}
