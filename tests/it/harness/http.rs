//! A server that listens, and a client of revision 2026-07-28 that keeps nothing between two requests.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::Reply;

/// A line that does not come within this time does not come.
const HANGS: Duration = Duration::from_secs(60);

/// A running `casemate serve --http`.
#[derive(Debug)]
pub(crate) struct Http {
    child: Child,
    address: String,
    token: String,
    capabilities: Value,
}

/// The messages of one answer, as they come.
pub(crate) struct Messages {
    stream: BufReader<TcpStream>,
}

impl Http {
    /// Start it on a port of its own; `token` opens it.
    pub(crate) fn start(command: &mut Command, token: &str) -> Self {
        let mut child =
            command.args(["serve", "--http", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find_map(|line| line.unwrap().split_once("http://").map(|(_, address)| address.to_owned()));
        // Whatever else it says is read, so that it never waits for a full pipe.
        thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: said.unwrap().trim_end_matches("/mcp").to_owned(),
            token: token.to_owned(),
            capabilities: json!({}),
        }
    }

    /// The endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The process.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it takes connections.
    pub(crate) fn accepts(&self) -> bool {
        TcpStream::connect(&self.address).is_ok()
    }

    /// The status of a call under another name of the host.
    pub(crate) fn status_for(&self, host: &str, tool: &str) -> u16 {
        let mut renamed = self.post_to(host, "tools/call", Some(tool), json!({ "name": tool, "arguments": {} }));
        let mut status = String::new();
        renamed.stream.read_line(&mut status).unwrap();
        status.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// A call that may not be answered: the server may be gone before or meanwhile.
    pub(crate) fn try_call(&self, tool: &str, arguments: Value) -> Option<Value> {
        self.try_post("tools/call", tool, json!({ "name": tool, "arguments": arguments }))
    }

    /// The same with another token.
    pub(crate) fn try_call_as(&self, token: &str, tool: &str, arguments: Value) -> Option<Value> {
        self.try_post_as(token, "tools/call", tool, json!({ "name": tool, "arguments": arguments }))
    }

    /// A request that may not be answered.
    pub(crate) fn try_post(&self, method: &str, name: &str, params: Value) -> Option<Value> {
        self.try_post_as(&self.token, method, name, params)
    }

    fn try_post_as(&self, token: &str, method: &str, name: &str, params: Value) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let request = self.request(&self.address, method, Some(name), params).replacen(&self.token, token, 1);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().find_map(|line| {
            serde_json::from_str(line.strip_prefix("data:").unwrap_or(line).trim()).ok().filter(Value::is_object)
        })
    }

    /// Say of the client that it can do this.
    pub(crate) fn able(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Speak with another token from now on.
    pub(crate) fn speak_as(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// Send a request and read as far as the first message of its answer, whenever that comes.
    pub(crate) fn post(&self, method: &str, name: Option<&str>, params: Value) -> Messages {
        self.post_to(&self.address, method, name, params)
    }

    fn post_to(&self, host: &str, method: &str, name: Option<&str>, params: Value) -> Messages {
        self.write(&self.request(host, method, name, params))
    }

    /// A request in the way of 2026.
    fn request(&self, host: &str, method: &str, name: Option<&str>, mut params: Value) -> String {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let name = name.map(|name| format!("mcp-name: {name}\r\n")).unwrap_or_default();
        self.bytes(host, &format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\n{name}"), &body)
    }

    /// Send a message with these header lines.
    pub(crate) fn send(&self, headers: &str, message: &Value) -> Messages {
        self.write(&self.bytes(&self.address, headers, message))
    }

    fn bytes(&self, host: &str, headers: &str, message: &Value) -> String {
        let body = message.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n{headers}accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            host,
            self.token,
            body.len()
        );
        format!("{head}{body}")
    }

    fn write(&self, request: &str) -> Messages {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Messages { stream: BufReader::new(stream) }
    }

    /// Call a tool.
    pub(crate) fn call(&self, tool: &str, arguments: Value) -> Messages {
        self.post("tools/call", Some(tool), json!({ "name": tool, "arguments": arguments }))
    }

    /// What a call is told.
    #[track_caller]
    pub(crate) fn reply(&self, tool: &str, arguments: Value) -> Reply {
        Reply(self.call(tool, arguments).next()["result"].clone())
    }

    /// Whether its token opens nothing.
    pub(crate) fn refuses(&self) -> bool {
        let mut status = String::new();
        self.post("tools/list", None, json!({})).stream.read_line(&mut status).unwrap();
        status.contains(" 401 ")
    }

    /// Begin a session in the way of 2025.
    pub(crate) fn session(&self) -> Session<'_> {
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        let mut answer = self.send("", &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }));
        let session = Session { http: self, id: answer.header("mcp-session-id") };
        assert_eq!(answer.next()["result"]["protocolVersion"], "2025-06-18");
        let _ = session.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).header("content-length");
        session
    }

    /// Ask and take the answer's result.
    pub(crate) fn ask(&self, method: &str) -> Value {
        self.post(method, None, json!({})).next()["result"].clone()
    }
}

/// A session in the way of 2025.
pub(crate) struct Session<'a> {
    http: &'a Http,
    id: String,
}

impl Session<'_> {
    fn send(&self, message: &Value) -> Messages {
        self.http.send(&format!("mcp-session-id: {}\r\nmcp-protocol-version: 2025-06-18\r\n", self.id), message)
    }

    /// The stream for what the server says unasked.
    pub(crate) fn changes(&self) -> Messages {
        let Self { http: Http { address, token, .. }, id } = self;
        self.http.write(&format!(
            "GET /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nmcp-session-id: {id}\r\n\
             mcp-protocol-version: 2025-06-18\r\naccept: text/event-stream\r\nconnection: close\r\n\r\n"
        ))
    }

    /// What a call is told.
    #[track_caller]
    pub(crate) fn reply(&self, tool: &str, arguments: Value) -> Reply {
        let params = json!({ "name": tool, "arguments": arguments });
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
        Reply(self.send(&call).next()["result"].clone())
    }
}

impl Messages {
    /// The status line's number.
    #[track_caller]
    pub(crate) fn status(&mut self) -> u16 {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The value of a header of the answer. What stands before it is passed over.
    #[track_caller]
    pub(crate) fn header(&mut self, name: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 2, "the answer has no `{name}`");
            if let Some((found, value)) = line.split_once(':')
                && found.eq_ignore_ascii_case(name)
            {
                return value.trim().to_owned();
            }
        }
    }

    /// Whether the stream is at its end; what comes meanwhile is passed over.
    pub(crate) fn ended(&mut self) -> bool {
        self.stream.get_ref().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let ended = loop {
            match self.stream.read_line(&mut String::new()) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        };
        self.stream.get_ref().set_read_timeout(Some(HANGS)).unwrap();
        ended
    }

    /// The next message: the whole body, or an event of the stream.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "the answer ends here");
            let text = line.strip_prefix("data:").unwrap_or(&line).trim();
            if text.starts_with('{') {
                return serde_json::from_str(text).unwrap();
            }
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
