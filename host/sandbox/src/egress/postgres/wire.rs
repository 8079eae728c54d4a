//! A connection: found, encrypted, and read a message at a time, each of which was asked for.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::BytesMut;
use casemate_policy::{egress::Checked, text::visible};
use postgres_protocol::message::{
    backend::{Header, Message},
    frontend,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    super::{
        resolve::{self, Prohibited},
        transport::SendError,
    },
    said::Said,
};

/// What a server may say beside rows: who it is, what it is set to, notices.
const ASIDE: usize = 1 << 20;

/// Why there is no answer.
pub(super) enum Fault {
    /// An address that may not be connected to.
    Prohibited(Prohibited),
    /// No connection, or none that is trusted.
    Unreachable(String),
    /// It ended, or says what no server says.
    Lied(String),
    /// More than an answer may have.
    TooLarge,
    /// There is an answer: an error, to be read.
    Said(Said),
}

impl Fault {
    pub(super) fn unreachable(why: impl Into<String>) -> Self {
        Self::Unreachable(why.into())
    }

    /// Of a session that did not begin: no statement was sent.
    pub(super) fn before(self) -> SendError {
        match self {
            Self::Prohibited(prohibited) => SendError::Prohibited(prohibited),
            Self::Unreachable(why) | Self::Lied(why) => SendError::Connect(why),
            Self::TooLarge => SendError::Connect("it says more than a server has to say before it is asked".to_owned()),
            Self::Said(said) => SendError::Connect(format!("it answers {}", said.code)),
        }
    }

    /// Of one that did.
    pub(super) fn after(self) -> SendError {
        match self {
            Self::TooLarge => SendError::TooLarge,
            Self::Unreachable(why) | Self::Lied(why) => SendError::Broken(why),
            other => other.before(),
        }
    }
}

/// Whatever the connection broke by. A server may have chosen the words.
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Lied(visible(&error.to_string()).into_owned())
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open connection.
pub(super) struct Wire {
    duplex: Box<dyn Duplex>,
    address: IpAddr,
    received: BytesMut,
    /// Bytes that may still come.
    room: usize,
    /// What is to be sent.
    pub(super) out: BytesMut,
}

/// Connect to the origin of a request, and encrypt.
pub(super) async fn connect(request: &Checked, tls: &Arc<ClientConfig>, cap: usize) -> Result<Wire, Fault> {
    let origin = request.origin();
    let host = origin.host_str();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, origin.port())).await;
    let addresses: Vec<SocketAddr> = found.map_err(|error| Fault::unreachable(error.to_string()))?.collect();
    resolve::check(host, &addresses, request.allow_private()).map_err(Fault::Prohibited)?;
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(|error| Fault::unreachable(error.to_string()))?;
    stream.set_nodelay(true)?;
    let address = stream.peer_addr()?.ip();
    let duplex = encrypt(stream, address, host, tls).await?;
    Ok(Wire { duplex, address, received: BytesMut::new(), room: cap.saturating_add(ASIDE), out: BytesMut::new() })
}

/// Ask for TLS, and do without it on this machine only.
async fn encrypt(mut stream: TcpStream, address: IpAddr, host: &str, tls: &Arc<ClientConfig>) -> Result<Box<dyn Duplex>, Fault> {
    let mut asked = BytesMut::new();
    frontend::ssl_request(&mut asked);
    stream.write_all(&asked).await?;
    // One byte and no more: what else came unencrypted would be taken for encrypted.
    match stream.read_u8().await? {
        b'S' => {}
        b'N' if address.to_canonical().is_loopback() => return Ok(Box::new(stream)),
        b'N' => {
            return Err(Fault::unreachable(
                "it does not encrypt, and is not this machine\nhelp: set `ssl = on` at the server, with a certificate that this machine trusts",
            ));
        }
        _ => return Err(Fault::unreachable("it is no PostgreSQL server")),
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Fault::unreachable(error.to_string()))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
    stream.map(|stream| Box::new(stream) as Box<dyn Duplex>).map_err(|error| Fault::unreachable(error.to_string()))
}

impl Wire {
    /// Where it leads.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Send what is to be sent.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        self.duplex.write_all(&self.out).await?;
        self.duplex.flush().await?;
        self.out.clear();
        Ok(())
    }

    /// The next message, errors among them, but for what a server may say at any time.
    pub(super) async fn next(&mut self) -> Result<Message, Fault> {
        loop {
            match self.message().await? {
                Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_) => {}
                message => return Ok(message),
            }
        }
    }

    async fn message(&mut self) -> Result<Message, Fault> {
        loop {
            // The length is the server's word: nothing is made room for that may not come.
            if let Some(header) = Header::parse(&self.received)? {
                let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
                if length > self.room {
                    return Err(Fault::TooLarge);
                }
            }
            let before = self.received.len();
            if let Some(message) = Message::parse(&mut self.received)? {
                self.room = self.room.saturating_sub(before - self.received.len());
                return Ok(message);
            }
            if self.duplex.read_buf(&mut self.received).await? == 0 {
                return Err(Fault::Lied("it closed the connection".to_owned()));
            }
        }
    }
}
