//! A system that collects logs: syslog over TLS, or OTLP over HTTP. It can go away, and come back.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

/// How often a thread that waits looks whether it shall end.
const LOOK: Duration = Duration::from_millis(20);

/// The collector.
pub(crate) struct Collector {
    port: u16,
    inside: Arc<Inside>,
    listening: Option<Listening>,
    /// The certificate that it is known by, in PEM.
    pub(crate) certificate: String,
}

struct Inside {
    protocol: Protocol,
    records: Mutex<Vec<Value>>,
    /// Everything that came, as it came.
    bytes: Mutex<Vec<u8>>,
    refused: AtomicUsize,
}

enum Protocol {
    Syslog(Arc<ServerConfig>),
    /// What its header `authorization` has to be.
    Otlp(Mutex<String>),
}

struct Listening {
    gone: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Collector {
    pub(crate) fn syslog() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Self::new(Protocol::Syslog(Arc::new(config)), cert.pem())
    }

    /// One that takes only what has this in its header `authorization`.
    pub(crate) fn otlp(authorization: &str) -> Self {
        Self::new(Protocol::Otlp(Mutex::new(authorization.to_owned())), String::new())
    }

    fn new(protocol: Protocol, certificate: String) -> Self {
        let inside = Inside { protocol, records: Mutex::default(), bytes: Mutex::default(), refused: AtomicUsize::new(0) };
        let mut collector = Self { port: 0, inside: Arc::new(inside), listening: None, certificate };
        collector.come_back();
        collector
    }

    /// Where it is, as a configuration says it.
    pub(crate) fn address(&self) -> String {
        match &self.inside.protocol {
            Protocol::Syslog(_) => format!("syslog+tls://localhost:{}", self.port),
            Protocol::Otlp(_) => format!("http://127.0.0.1:{}/v1/logs", self.port),
        }
    }

    /// Take something else from now on.
    pub(crate) fn expect(&self, authorization: &str) {
        if let Protocol::Otlp(expected) = &self.inside.protocol {
            authorization.clone_into(&mut expected.lock().unwrap());
        }
    }

    /// How often somebody came without what is expected.
    pub(crate) fn refused(&self) -> usize {
        self.inside.refused.load(Ordering::SeqCst)
    }

    /// The ids of the records that it was sent, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.inside.records.lock().unwrap().iter().map(|record| record["event_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Everything that it was sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.inside.bytes.lock().unwrap().clone()
    }

    /// Close every connection, and take no more.
    pub(crate) fn go_away(&mut self) {
        if let Some(Listening { gone, thread }) = self.listening.take() {
            gone.store(true, Ordering::SeqCst);
            thread.join().unwrap();
        }
    }

    /// Listen again where it did before.
    pub(crate) fn come_back(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (gone, inside) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.inside));
        let ends = Arc::clone(&gone);
        let thread = spawn(move || {
            let mut connections = Vec::new();
            while !ends.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (inside, ends) = (Arc::clone(&inside), Arc::clone(&ends));
                        // Whoever leaves in the middle of something leaves.
                        connections.push(spawn(move || drop(inside.serve(Patient { stream, ends }))));
                    }
                    Err(_) => sleep(LOOK),
                }
            }
            drop(listener);
            connections.into_iter().for_each(|connection| connection.join().unwrap());
        });
        self.listening = Some(Listening { gone, thread });
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.go_away();
    }
}

impl Inside {
    fn serve(&self, mut stream: Patient) -> io::Result<()> {
        stream.stream.set_nonblocking(false)?;
        stream.stream.set_read_timeout(Some(LOOK))?;
        match &self.protocol {
            Protocol::Syslog(config) => {
                let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.frames(BufReader::new(StreamOwned::new(tls, stream)))
            }
            Protocol::Otlp(expected) => {
                let (head, body) = request(&mut stream)?;
                let expected = format!("authorization: {}\r\n", expected.lock().unwrap());
                let status = if head.contains(&expected) {
                    self.bytes.lock().unwrap().extend(&body);
                    self.records.lock().unwrap().extend(of_otlp(&serde_json::from_slice(&body)?));
                    "200 OK"
                } else {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    "401 Unauthorized"
                };
                let answer = json!({ "partialSuccess": {} }).to_string();
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
                    answer.len()
                )
            }
        }
    }

    /// Messages that are framed by counting octets (RFC 5425), each with a record after the byte order mark.
    fn frames(&self, mut stream: impl BufRead) -> io::Result<()> {
        loop {
            let mut length = Vec::new();
            if stream.read_until(b' ', &mut length)? == 0 {
                return Ok(());
            }
            let length = std::str::from_utf8(&length).unwrap().trim().parse().unwrap();
            let mut message = vec![0; length];
            stream.read_exact(&mut message)?;
            self.bytes.lock().unwrap().extend(&message);
            let text = String::from_utf8(message).unwrap();
            let record = text.split_once('\u{feff}').unwrap().1;
            self.records.lock().unwrap().push(serde_json::from_str(record).unwrap());
        }
    }
}

/// A request's head, in lower case but for values, and its body.
fn request(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.extend(byte);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, body))
}

/// The records in a request of OTLP.
fn of_otlp(body: &Value) -> Vec<Value> {
    let records = body.pointer("/resourceLogs/0/scopeLogs/0/logRecords").and_then(Value::as_array).unwrap();
    let record = |record: &Value| {
        let attributes = record["attributes"].as_array().unwrap();
        let whole = attributes.iter().find(|attribute| attribute["key"] == "casemate.record").unwrap();
        serde_json::from_str(whole["value"]["stringValue"].as_str().unwrap()).unwrap()
    };
    records.iter().map(record).collect()
}

/// A connection whose reads end when the collector goes away.
struct Patient {
    stream: TcpStream,
    ends: Arc<AtomicBool>,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.ends.load(Ordering::SeqCst) {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
                read => return read,
            }
        }
    }
}

impl Write for Patient {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
