//! The fakes on a runtime of their own, and a client that sends and reads bytes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use casemate_upstreams::{Settings, caldera, start};
use serde_json::Value;

/// The key that the VirusTotal fake takes.
pub(crate) const KEY: &str = "test-key-1";

/// The fakes on a runtime of their own, gone when dropped.
pub(crate) struct Fakes {
    pub(crate) origins: BTreeMap<&'static str, String>,
    _runtime: tokio::runtime::Runtime,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Fakes {
    pub(crate) fn new() -> Self {
        Fakes::with_quota(None)
    }

    pub(crate) fn with_quota(quota: Option<u32>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let settings =
            Settings { listen, virustotal_key: KEY.into(), caldera_key: caldera::RED_KEY.into(), quota, beat: None, log: None };
        let origins = runtime.block_on(start(&settings)).unwrap();
        Fakes { origins, _runtime: runtime }
    }

    pub(crate) fn connect(&self, upstream: &str) -> TcpStream {
        let stream = TcpStream::connect(self.origins[upstream].strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    /// Sends bytes and reads all that comes, up to four mebibytes.
    pub(crate) fn bytes(&self, upstream: &str, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect(upstream);
        stream.write_all(request).unwrap();
        let mut all = Vec::new();
        // A reset, or a connection that stays open, ends the reading too.
        let _ = stream.take(4 << 20).read_to_end(&mut all);
        all
    }

    pub(crate) fn send(&self, upstream: &str, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        let host = self.origins[upstream].strip_prefix("http://").unwrap();
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}").into_bytes();
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        request.extend(body);
        let all = self.bytes(upstream, &request);
        let end =
            all.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| panic!("no head for {method} {target}"));
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: all[end + 4..].to_vec() }
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        self.send("control", "GET", "/_casemate/requests", "", b"").json()["requests"].as_array().unwrap().clone()
    }
}
