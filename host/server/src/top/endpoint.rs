//! The endpoint where a running server says its figures, asked by the client that everything else fetched goes by.
//!
//! Whoever answers there is not believed to be the server: the answer is bounded in bytes and time, and read strictly.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use casemate_registry::{Client, Settings};
use url::Url;

use super::figures::Figures;
use crate::exit::Failure;

/// Bytes of an answer. A host says some tens of thousands.
const MOST: usize = 1 << 20;
/// An answer that takes longer is none: what is shown is at most a second old.
const PATIENCE: Duration = Duration::from_millis(800);

/// Where to ask, on this machine.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: Client,
    url: Url,
}

impl Endpoint {
    /// # Errors
    /// For an address that is not this machine's own: the figures go over the wire as they are.
    pub(crate) fn new(mut address: SocketAddr) -> Result<Self, Failure> {
        // Who listens everywhere listens here.
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        if !address.ip().is_loopback() {
            return Err(Failure::invalid(format!(
                "`{address}` is not an address of this machine alone\nhelp: `metrics = \"127.0.0.1:9464\"` in [telemetry], and run this beside the server"
            )));
        }
        let client = Client::new(Settings { deadline: PATIENCE, stall: PATIENCE, ..Settings::default() })?;
        Ok(Self { client, url: Url::parse(&format!("http://{address}/metrics"))? })
    }

    /// The figures of the moment.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) async fn ask(&self) -> Result<Figures, String> {
        let body = self.client.fetch(&self.url, MOST).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8(body).map_err(|_| format!("`{}` answers what is no text", self.url))?;
        Figures::read(&text).map_err(|fault| format!("what `{}` answers is not believed: {fault}", self.url))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::{net::SocketAddr, time::Instant};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Somebody who answers with this, a piece at a time.
    async fn answering(pieces: Vec<Vec<u8>>, pause: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            for piece in pieces {
                if stream.write_all(&piece).await.is_err() {
                    return;
                }
                tokio::time::sleep(pause).await;
            }
        });
        address
    }

    async fn ask(head: &str, pieces: Vec<Vec<u8>>, pause: Duration) -> Result<Figures, String> {
        let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").into_bytes();
        let address = answering([vec![head], pieces].concat(), pause).await;
        Endpoint::new(address).unwrap_or_else(|failure| panic!("{}", failure.message)).ask().await
    }

    #[tokio::test]
    async fn a_server_is_believed() {
        let figures = ask("200 OK", vec![b"casemate_places_in_use 3\n".to_vec()], Duration::ZERO).await.unwrap();
        assert_eq!(figures.places, Some(3));
    }

    #[tokio::test]
    async fn whoever_lies_is_not() {
        let huge = vec![b"casemate_places_in_use 3\n".repeat(2000); 50];
        for (head, pieces) in [
            ("200 OK", huge),
            ("200 OK", vec![b"casemate_places_in_use many\n".to_vec()]),
            ("200 OK", vec![b"\xff\xfe\x00".to_vec()]),
            ("200 OK", vec![b"<html>\x1b[2J</html>".to_vec()]),
            ("200 OK", vec![]),
            ("500 Internal Server Error", vec![b"casemate_places_in_use 3\n".to_vec()]),
            ("302 Found\r\nLocation: http://127.0.0.1:1/metrics", vec![]),
        ] {
            assert!(ask(head, pieces, Duration::ZERO).await.is_err(), "{head}");
        }
    }

    #[tokio::test]
    async fn whoever_takes_their_time_is_not_waited_for() {
        let began = Instant::now();
        let drops = vec![b"# \n".to_vec(); 100];
        assert!(ask("200 OK", drops, Duration::from_millis(100)).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn only_this_machine_is_asked() {
        for far in ["192.0.2.1:9464", "10.0.0.1:9464", "[2001:db8::1]:9464"] {
            assert!(Endpoint::new(far.parse().unwrap()).is_err(), "{far}");
        }
        for (everywhere, here) in [("0.0.0.0:9464", "http://127.0.0.1:9464/metrics"), ("[::]:9464", "http://[::1]:9464/metrics")]
        {
            let url = Endpoint::new(everywhere.parse().unwrap()).ok().map(|endpoint| endpoint.url.to_string());
            assert_eq!(url.as_deref(), Some(here));
        }
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(Endpoint::new(nobody).unwrap_or_else(|failure| panic!("{}", failure.message)).ask().await.is_err());
    }
}
