//! For the fuzz targets, which see the crate from outside, and for the test that does the same in small: bytes of a client, and whether
//! each request among them is answered.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use casemate_ledger::Ledger;
use casemate_policy::{Principal, Timestamp};
use http::StatusCode;
use rmcp::model::{ClientNotification, JsonRpcMessage};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::HttpSettings,
    identity::{self, Identity},
    mcp::{self, CallRequest, House, Limits, ProgressSink, Reply, Shutdown, ToolListing},
    token::TokenFile,
};

/// An answer that does not come within this time does not come.
const HANGS: Duration = Duration::from_secs(8);

/// The last request of every session: once it is answered, so is what came before, but for calls that take longer.
const LAST: &str = r#"{"jsonrpc":"2.0","id":"the last request","method":"ping"}"#;

/// A house without tools.
struct Empty {
    changes: watch::Sender<u64>,
    ledger: Ledger,
}

impl Empty {
    fn new() -> Result<Self, String> {
        let ledger = Ledger::in_memory().map_err(|error| error.to_string())?;
        Ok(Self { changes: watch::Sender::default(), ledger })
    }
}

impl House for Empty {
    fn tools(&self, _: &Principal) -> Arc<[ToolListing]> {
        Arc::default()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger)
    }

    async fn call(&self, _: Principal, request: CallRequest, _: CancellationToken, _: Option<ProgressSink>) -> Reply {
        Reply::text(request.tool)
    }
}

/// Give a stdio session these lines, after a handshake.
///
/// # Errors
/// What came back that is no message, or the request that is not answered.
pub async fn lines(input: &[u8]) -> Result<(), String> {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (house, shutdown) = (Arc::new(Empty::new()?), Shutdown::default());
    let serving =
        tokio::spawn(mcp::serve_streams(house, identity::local(), Limits::default(), tokio::io::split(theirs), shutdown.clone()));
    let (from, mut to) = tokio::io::split(ours);
    let text = [HANDSHAKE.as_bytes(), b"\n", input, b"\n", LAST.as_bytes(), b"\n"].concat();
    let mut owed = owed(&text);
    let writing = tokio::spawn(async move {
        let _ = to.write_all(&text).await;
        to
    });
    let mut from = BufReader::new(from).lines();
    while !owed.is_empty() {
        let line = match tokio::time::timeout(HANGS, from.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(end) => return Err(format!("the session ended with {end:?} and owes {owed:?}")),
            Err(_) => return Err(format!("nothing more is said, and these are owed: {owed:?}")),
        };
        let message: Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(format!("not a message: {line}"));
        }
        owed.remove(&message.get("id").cloned().unwrap_or_default().to_string());
    }
    shutdown.hurry();
    drop((writing.await, from));
    let ended = tokio::time::timeout(HANGS, serving).await.map_err(|_| "the session does not end".to_owned())?;
    ended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

const HANDSHAKE: &str = r#"{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"f","version":"1"}}}"#;

/// The ids that have to be answered: those of requests that nothing among the lines cancels, and that do not ask for a stream.
fn owed(text: &[u8]) -> BTreeSet<String> {
    let (mut owed, mut cancelled) = (BTreeSet::new(), BTreeSet::new());
    for line in text.split(|byte| *byte == b'\n') {
        match mcp::understood(line) {
            Some(JsonRpcMessage::Request(request)) => {
                let id = serde_json::to_value(&request.id).unwrap_or_default().to_string();
                if !line.windows(13).any(|part| part == b"subscriptions") {
                    owed.insert(id);
                }
            }
            Some(JsonRpcMessage::Notification(notification)) => {
                if let ClientNotification::CancelledNotification(told) = &notification.notification {
                    cancelled
                        .extend(told.params.request_id.iter().map(|id| serde_json::to_value(id).unwrap_or_default().to_string()));
                }
            }
            _ => {}
        }
    }
    owed.difference(&cancelled).cloned().collect()
}

/// A server on loopback, for as long as the process: its address, and a token for it.
async fn server() -> Option<(std::net::SocketAddr, String)> {
    static SERVER: OnceLock<(std::net::SocketAddr, String)> = OnceLock::new();
    if let Some(known) = SERVER.get() {
        return Some(known.clone());
    }
    let mut tokens = TokenFile::default();
    let token = tokens.issue("fuzz".parse().ok()?, Timestamp::from_millis(0), None).ok()?.reveal().to_owned();
    let identity = Arc::new(Identity::new(tokens, || Timestamp::from_millis(1)));
    let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
    let address = listener.local_addr().ok()?;
    let short = Duration::from_millis(500);
    let settings = HttpSettings { header_time: short, body_time: short, idle_time: short, ..HttpSettings::default() };
    let options =
        mcp::http::Options { limits: Limits::default(), settings: watch::channel(Arc::new(settings)).1, tls: None, beside: None };
    let house = Arc::new(Empty::new().ok()?);
    tokio::spawn(mcp::http::serve(listener, house, identity, options, Shutdown::default()));
    Some(SERVER.get_or_init(|| (address, token)).clone())
}

/// Give the endpoint these bytes as a connection's, or where `in_body`, as the body of a good request.
///
/// # Errors
/// What came back that is no answer, or that nothing did.
pub async fn http(input: &[u8], in_body: bool) -> Result<(), String> {
    let (address, token) = server().await.ok_or("no server")?;
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\nmcp-protocol-version: 2025-11-25\r\ncontent-length: {}\r\n\r\n",
        input.len()
    );
    let bytes = if in_body { [head.as_bytes(), input].concat() } else { input.to_vec() };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    // A connection that is reset has ended too.
    let _ = tokio::time::timeout(HANGS, stream.read_to_end(&mut answer))
        .await
        .map_err(|_| "the connection does not end".to_owned())?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
    match status.map(StatusCode::from_u16) {
        Some(Ok(status)) if status != StatusCode::INTERNAL_SERVER_ERROR => Ok(()),
        None if answer.is_empty() && !in_body => Ok(()),
        _ => Err(format!("not an answer: {answer}")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests {
    const SEEDS: [&str; 6] = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t","arguments":{"x":[1,2.5,null,"é"]},"_meta":{"progressToken":3}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"r"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        r#"{"jsonrpc":"2.0","id":8,"result":{}}"#,
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];

    /// A byte sequence that is the same in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, most: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
        }

        /// Some seeds, with some bytes changed, lost and doubled.
        fn input(&mut self) -> Vec<u8> {
            let mut bytes: Vec<u8> =
                (0..=self.below(4)).flat_map(|_| [SEEDS[self.below(SEEDS.len())].as_bytes(), b"\n"].concat()).collect();
            for _ in 0..self.below(8) {
                let (at, byte) = (self.below(bytes.len()), u8::try_from(self.below(256)).unwrap());
                match self.below(4) {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b"{}[]\",:\\\n\r"[self.below(10)]),
                    _ => bytes.extend_from_within(at..(at + 40).min(bytes.len())),
                }
            }
            bytes
        }
    }

    #[tokio::test]
    async fn no_bytes_of_a_client_stop_a_session() {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for round in 0..300 {
            let input = dice.input();
            super::lines(&input).await.unwrap_or_else(|error| panic!("{round}: {error}\n{}", String::from_utf8_lossy(&input)));
        }
    }

    #[tokio::test]
    async fn no_bytes_of_a_client_stop_the_endpoint() {
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        for round in 0..150 {
            let input = dice.input();
            for in_body in [true, false] {
                let answered = super::http(&input, in_body).await;
                answered.unwrap_or_else(|error| panic!("{round}: {error}\n{}", String::from_utf8_lossy(&input)));
            }
        }
    }
}
