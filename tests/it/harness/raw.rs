//! A client that writes whatever line it is told to and reads whatever line comes back.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use super::server::Remains;

/// A line that does not come within this time does not come.
const HANGS: Duration = Duration::from_secs(60);

/// A server behind three pipes.
#[derive(Debug)]
pub(crate) struct Raw {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stdout: Vec<u8>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Raw {
    /// Start it, without a handshake.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut errors = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while stdout.read_until(b'\n', &mut line).unwrap() > 0 && sender.send(std::mem::take(&mut line)).is_ok() {}
        });
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            errors.read_to_end(&mut bytes).unwrap();
            bytes
        });
        Self { stdin: child.stdin.take(), child, lines, stdout: Vec::new(), stderr: Some(stderr) }
    }

    /// Start it and shake hands in the way of 2025.
    pub(crate) fn initialized(command: &mut Command) -> Self {
        Self::able(command, "2025-06-18", json!({}))
    }

    /// Start it and shake hands in the way of 2025, in this revision and with these capabilities.
    pub(crate) fn able(command: &mut Command, revision: &str, capabilities: Value) -> Self {
        let mut raw = Self::start(command);
        let client = json!({ "name": "raw", "version": "0" });
        raw.send(&json!({ "jsonrpc": "2.0", "id": "hello", "method": "initialize",
            "params": { "protocolVersion": revision, "capabilities": capabilities, "clientInfo": client } }));
        assert_eq!(raw.receive()["id"], "hello");
        raw.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        raw
    }

    /// Write bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap();
    }

    /// Write one message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes());
    }

    /// Read one message.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Value {
        let Ok(line) = self.lines.recv_timeout(HANGS) else {
            let _ = self.child.kill();
            let log = self.stderr.take().and_then(|log| log.join().ok()).unwrap_or_default();
            panic!("no answer\n{}", String::from_utf8_lossy(&log))
        };
        self.stdout.extend(&line);
        serde_json::from_slice(&line).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)))
    }

    /// Nothing more is said for a moment.
    #[track_caller]
    pub(crate) fn silent(&mut self) {
        if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(300)) {
            panic!("it says {}", String::from_utf8_lossy(&line));
        }
    }

    /// Send a request and read until its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Tell the server to take up its configuration.
    pub(crate) fn hang_up(&self) {
        let server = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(server, rustix::process::Signal::HUP).unwrap();
    }

    /// Hang up and take what is left.
    pub(crate) fn stop(mut self) -> Remains {
        drop(self.stdin.take());
        let status = self.child.wait().unwrap();
        let stderr = self.stderr.take().unwrap().join().unwrap();
        self.stdout.extend(self.lines.iter().flatten());
        Remains { status, stdout: std::mem::take(&mut self.stdout), stderr }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
