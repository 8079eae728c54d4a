//! A client over the standard input and output of a child process: one thread, blocking, so that little of what is measured is its own.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    call::{Client, INITIALIZED, Result, Revision, Work, initialize},
    process::Process,
};

/// A server that was started, and shook hands.
pub(crate) struct Pipes {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    line: String,
    next: u64,
}

impl Pipes {
    /// Start `command` on a pair of pipes; also how long it took until it could be called.
    pub(crate) fn start(mut command: Command) -> Result<(Self, Duration)> {
        let started = Instant::now();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::with_capacity(64 << 10, child.stdout.take().ok_or("no standard output")?);
        let mut client = Self { child, stdin, stdout, line: String::new(), next: 1 };
        client.write(&initialize())?;
        let answer = client.read()?;
        if !answer.contains(r#""protocolVersion":"2025-11-25""#) {
            return Err(format!("no handshake: {answer}").into());
        }
        let ready = started.elapsed();
        client.write(INITIALIZED)?;
        Ok((client, ready))
    }

    /// What the system knows of the server.
    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// `calls` calls, of which up to `depth` wait for their answer at any time: how long each took, and all of them.
    pub(crate) fn pipelined(&mut self, work: &Work, calls: usize, depth: usize) -> Result<(Vec<Duration>, Duration)> {
        let mut waiting = HashMap::with_capacity(depth);
        let mut took = Vec::with_capacity(calls);
        let (started, first) = (Instant::now(), self.next);
        let last = first + u64::try_from(calls)?;
        while took.len() < calls {
            while waiting.len() < depth && self.next < last {
                waiting.insert(self.next, Instant::now());
                self.ask(work)?;
            }
            let id = work.check(self.read()?)?;
            took.push(waiting.remove(&id).ok_or("an answer that nobody waits for")?.elapsed());
        }
        Ok((took, started.elapsed()))
    }

    /// What is answered to a request for the tools.
    pub(crate) fn list(&mut self) -> Result<&str> {
        let request = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"tools/list"}}"#, self.next);
        self.next += 1;
        self.write(&request)?;
        self.read()
    }

    fn ask(&mut self, work: &Work) -> Result<()> {
        let request = work.request(self.next, Revision::Session);
        self.next += 1;
        self.write(&request)
    }

    fn write(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        Ok(self.stdin.as_mut().ok_or("no standard input")?.write_all(line.as_bytes())?)
    }

    fn read(&mut self) -> Result<&str> {
        self.line.clear();
        match self.stdout.read_line(&mut self.line)? {
            0 => Err("the server ended".into()),
            _ => Ok(self.line.trim_end()),
        }
    }
}

impl Client for Pipes {
    fn call(&mut self, work: &Work) -> Result<Duration> {
        let started = Instant::now();
        self.ask(work)?;
        self.read()?;
        let took = started.elapsed();
        work.check(self.line.trim_end())?;
        Ok(took)
    }
}

impl Drop for Pipes {
    /// It ends when its input does.
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
