//! The accept loop: who gets a connection, and who is told that there is none left.
//!
//! Everything here happens before anybody has said who they are, so it is counted by address and costs little.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{connection, tls::Acceptor};
use crate::{config::HttpSettings, mcp::shutdown::Shutdown};

/// Connections that are being told why they are refused; beyond that they are closed without a word.
const EXPLAINED: usize = 64;

/// How long a refused client has to read why.
const EXPLAINING: Duration = Duration::from_secs(1);

/// How long nothing is accepted after the machine had no room for another connection.
const BREATHER: Duration = Duration::from_millis(200);

/// What every connection is served with.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) router: Router,
    pub(super) settings: watch::Receiver<Arc<HttpSettings>>,
    pub(super) tls: Option<Arc<Acceptor>>,
    pub(super) shutdown: Shutdown,
}

/// Accepts connections until the server is told to stop. Gives those that are still open then.
pub(super) async fn accept(listener: TcpListener, ground: &Ground) -> JoinSet<()> {
    let (census, explained) = (Census::default(), Arc::new(Semaphore::new(EXPLAINED)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = ground.shutdown.asked().cancelled() => return connections,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The client's own fault is over with it; anything else is the machine's, and passes only with time.
                let theirs = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionRefused];
                if !theirs.contains(&error.kind()) {
                    tracing::error!(%error, "a connection could not be accepted");
                    sleep(BREATHER).await;
                }
                continue;
            }
        };
        let settings = Arc::clone(&ground.settings.borrow());
        match census.admit(peer.ip(), &settings) {
            Ok(place) => {
                let ground = ground.clone();
                connections.spawn(async move {
                    connection::serve(stream, ground, settings).await;
                    drop(place);
                });
            }
            Err(full) => {
                tracing::warn!(address = %peer.ip(), limit = full.limit(), "a connection was refused");
                // In the middle of a handshake there is nobody to explain anything to.
                if ground.tls.is_none()
                    && let Ok(place) = Arc::clone(&explained).try_acquire_owned()
                {
                    connections.spawn(async move {
                        let _ = timeout(EXPLAINING, explain(stream, full)).await;
                        drop(place);
                    });
                }
            }
        }
    }
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    Server,
    Address,
}

impl Full {
    fn limit(self) -> &'static str {
        match self {
            Self::Server => "connections",
            Self::Address => "connections_per_address",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Server => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// Say why, and let it be read: bytes that nobody took would turn the answer into a reset.
async fn explain(mut stream: TcpStream, full: Full) -> io::Result<()> {
    let sentence = format!("busy: the limit `{}` is reached; try again in a moment\n", full.limit());
    stream.write_all(&connection::raw(full.status(), "retry-after: 1\r\n", &sentence)).await?;
    stream.shutdown().await?;
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Who is connected.
#[derive(Debug, Clone, Default)]
struct Census(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

/// One connection, counted as long as this lives.
#[derive(Debug)]
struct Counted {
    census: Census,
    address: IpAddr,
}

impl Census {
    fn admit(&self, address: IpAddr, settings: &HttpSettings) -> Result<Counted, Full> {
        let address = neighbourhood(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.each.get(&address).copied().unwrap_or_default() >= settings.connections_per_address {
            return Err(Full::Address);
        }
        if counts.all >= settings.connections {
            return Err(Full::Server);
        }
        counts.all += 1;
        *counts.each.entry(address).or_default() += 1;
        Ok(Counted { census: self.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.census.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(count) = counts.each.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.each.remove(&self.address);
            }
        }
    }
}

/// What one client can choose addresses from at will: itself, or a /64 of IPv6.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_in_all_and_for_each_neighbourhood() {
        let settings = HttpSettings { connections: 3, connections_per_address: 2, ..HttpSettings::default() };
        let census = Census::default();
        let admit = |address: &str| census.admit(address.parse().unwrap(), &settings);
        let _first = admit("192.0.2.1").unwrap();
        let second = admit("::ffff:192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), Full::Address);
        let _other = admit("2001:db8::1").unwrap();
        assert_eq!(admit("192.0.2.2").unwrap_err(), Full::Server);
        drop(second);
        let _neighbour = admit("2001:db8::ffff:2").unwrap();
        assert_eq!(admit("2001:db8::3").unwrap_err(), Full::Address);
    }

    #[test]
    fn who_has_gone_is_not_remembered() {
        let census = Census::default();
        drop(census.admit("192.0.2.1".parse().unwrap(), &HttpSettings::default()).unwrap());
        let counts = census.0.lock().unwrap();
        assert!(counts.all == 0 && counts.each.is_empty());
    }
}
