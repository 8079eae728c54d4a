//! The fakes that stand for the outside, and what reached them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdin, Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::program::program;

/// The running fakes. They end when this is dropped, since their standard input closes.
#[derive(Debug)]
pub(crate) struct Upstreams {
    child: Child,
    stdin: Option<ChildStdin>,
    origins: Value,
}

/// One request that reached an upstream.
#[derive(Debug, Clone)]
pub(crate) struct Received(pub(crate) Value);

impl Received {
    pub(crate) fn method(&self) -> &str {
        self.0["method"].as_str().unwrap()
    }

    /// Path and query, as sent.
    pub(crate) fn target(&self) -> &str {
        self.0["target"].as_str().unwrap()
    }

    /// Every value of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let fields = self.0["headers"].as_array().unwrap().iter();
        let named = fields.filter(|field| field[0].as_str().is_some_and(|each| each.eq_ignore_ascii_case(name)));
        named.map(|field| field[1].as_str().unwrap().to_owned()).collect()
    }

    /// The names of all headers, lower case and sorted.
    pub(crate) fn header_names(&self) -> Vec<String> {
        let fields = self.0["headers"].as_array().unwrap().iter();
        let mut names: Vec<String> = fields.map(|field| field[0].as_str().unwrap().to_ascii_lowercase()).collect();
        names.sort();
        names
    }

    /// The fields of a form, decoded.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let body = STANDARD.decode(self.0["body_base64"].as_str().unwrap()).unwrap();
        let text = String::from_utf8(body).unwrap();
        text.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(name, value)| (decoded(name), decoded(value))).collect()
    }

    pub(crate) fn body_bytes(&self) -> u64 {
        self.0["body_bytes"].as_u64().unwrap()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

impl Upstreams {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Started with these arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut command = Command::new(program("casemate-upstreams"));
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        Self { stdin: child.stdin.take(), child, origins: serde_json::from_str(&ready).unwrap() }
    }

    /// Where a fake is, such as `http://127.0.0.1:4000`.
    pub(crate) fn origin(&self, name: &str) -> &str {
        self.origins[name].as_str().unwrap()
    }

    /// What reached the echo upstream since it was last forgotten.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received_by("echo")
    }

    /// What reached an upstream since it was last forgotten.
    pub(crate) fn received_by(&self, upstream: &str) -> Vec<Received> {
        let all = self.control("GET", &format!("/_casemate/requests?upstream={upstream}"), "");
        all["requests"].as_array().unwrap().iter().cloned().map(Received).collect()
    }

    /// Connections to the echo upstream, with or without a request.
    pub(crate) fn connections(&self) -> u64 {
        self.control("GET", "/_casemate/connections", "")["echo"].as_u64().unwrap_or_default()
    }

    /// Forget what was received; scripts and what upstreams remember stay.
    pub(crate) fn forget_received(&self) {
        self.control("DELETE", "/_casemate/requests", "");
    }

    /// Forget what was received, and every script.
    pub(crate) fn forget(&self) {
        self.control("POST", "/_casemate/reset", "");
    }

    /// What the next requests to the echo upstream get, such as `{"misbehave": {"kind": "reset"}}`.
    pub(crate) fn script(&self, script: Value) {
        self.script_for("echo", script);
    }

    /// What the next requests to an upstream get.
    pub(crate) fn script_for(&self, upstream: &str, mut script: Value) {
        script["upstream"] = json!(upstream);
        self.control("POST", "/_casemate/script", &script.to_string());
    }

    /// Tell an upstream something of its own.
    pub(crate) fn order(&self, upstream: &str, order: &Value) {
        self.control("POST", &format!("/_casemate/order?upstream={upstream}"), &order.to_string());
    }

    fn control(&self, method: &str, target: &str, body: &str) -> Value {
        self.ask("control", (method, target), "", body)
    }

    /// What an upstream answers somebody who is not Casemate. `headers` are whole lines.
    pub(crate) fn ask(&self, upstream: &str, (method, target): (&str, &str), headers: &str, body: &str) -> Value {
        let address = self.origin(upstream).strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() }
    }
}

impl Drop for Upstreams {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
