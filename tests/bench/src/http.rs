//! A client over HTTP/1.1 that keeps its connection: as little as the server's answers allow.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use crate::{
    call::{Client, INITIALIZED, Result, Revision, Work, initialize},
    process::Process,
};

/// A server that listens.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Start `command` and read where it listens from what it says, on standard output or standard error.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        let child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // The writing ends in `command` would keep the pipe open when the server ends.
        drop(command);
        let mut server = Self { child, address: String::new() };
        let mut lines = BufReader::new(reader).lines();
        for line in lines.by_ref() {
            let line = line?;
            if let Some((_, rest)) = line.split_once("http://") {
                server.address = rest.trim_end_matches("/mcp").to_owned();
                // Whatever else it says is read and forgotten, so that it never waits for a full pipe.
                thread::spawn(move || lines.for_each(drop));
                return Ok(server);
            }
        }
        Err("the server did not say where it listens".into())
    }

    /// What the system knows of the server.
    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// A connection of its own.
    pub(crate) fn connect(&self, token: Option<&str>, revision: Revision, work: &Work) -> Result<Http> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n",
            self.address
        );
        if let Some(token) = token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        let mut client = Http { stream: BufReader::with_capacity(64 << 10, stream), head, revision, next: 1 };
        if revision == Revision::Session {
            let (head, _) = client.exchange(&initialize())?;
            let session = header(&head, "mcp-session-id").ok_or("the handshake gave no session")?;
            client.head += &format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n");
            client.exchange(INITIALIZED)?;
        } else {
            let (version, tool) = (revision.as_str(), &work.tool);
            client.head += &format!("mcp-protocol-version: {version}\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n");
        }
        Ok(client)
    }

    /// `depth` connections at the same time with `calls` calls together: how long all of them took.
    pub(crate) fn together(&self, token: Option<&str>, work: &Work, calls: usize, depth: usize) -> Result<Duration> {
        let clients = (0..depth).map(|_| self.connect(token, Revision::Stateless, work)).collect::<Result<Vec<_>>>()?;
        let start = Barrier::new(depth + 1);
        thread::scope(|scope| {
            let start = &start;
            let each = move |mut client: Http| -> Result<()> {
                start.wait();
                (0..calls.div_ceil(depth)).try_for_each(|_| client.call(work).map(drop))
            };
            let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || each(client))).collect();
            start.wait();
            let started = Instant::now();
            for thread in threads {
                thread.join().map_err(|_| "a client panicked")??;
            }
            Ok(started.elapsed())
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection.
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    head: String,
    revision: Revision,
    next: u64,
}

impl Http {
    /// Head and body of the answer.
    fn exchange(&mut self, body: &str) -> Result<(String, String)> {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(format!("the server hung up: {head}").into());
            }
        }
        let body = match (header(&head, "content-length"), header(&head, "transfer-encoding")) {
            (Some(length), _) => self.bytes(length.parse()?)?,
            (None, Some("chunked")) => self.chunks()?,
            _ => String::new(),
        };
        if head.starts_with("HTTP/1.1 20") { Ok((head, body)) } else { Err(format!("{head}{body}").into()) }
    }

    fn bytes(&mut self, length: usize) -> Result<String> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(String::from_utf8(bytes)?)
    }

    fn chunks(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim_end(), 16)?;
            text += &self.bytes(size)?;
            self.bytes("\r\n".len())?;
            if size == 0 {
                return Ok(text);
            }
        }
    }
}

impl Client for Http {
    fn call(&mut self, work: &Work) -> Result<Duration> {
        let request = work.request(self.next, self.revision);
        self.next += 1;
        let started = Instant::now();
        let (_, body) = self.exchange(&request)?;
        let took = started.elapsed();
        // An event stream carries the answer as the data of its last event.
        let answer = body.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&body);
        work.check(answer.trim())?;
        Ok(took)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
