//! A process of its own, with the standard streams that clients really give.
//!
//! The process is this test binary, asked to run one test that serves. Its harness prints a few words of its own before
//! and after that test; they are passed over.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{FakeHouse, call, initialize, text};
use crate::{
    identity,
    mcp::{Limits, Shutdown, serve_stdio},
};

const SERVING: &str = "mcp::tests::child::serve";

#[test]
#[ignore = "runs as the server process of the tests below"]
fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let serving = serve_stdio(Arc::new(FakeHouse::default()), identity::local(), Limits::default(), Shutdown::default());
    runtime.block_on(serving).expect("a clean end");
    let flags = rustix::fs::fcntl_getfl(std::io::stdin()).expect("standard input has flags");
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "the flags of standard input were changed");
    runtime.shutdown_background();
}

fn spawn(stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Child {
    let binary = std::env::current_exe().expect("this binary has a path");
    let arguments = ["--exact", SERVING, "--ignored", "--nocapture", "--test-threads=1"];
    Command::new(binary).args(arguments).stdin(stdin).stdout(stdout).stderr(Stdio::null()).spawn().expect("it starts")
}

/// The messages in what the process wrote.
fn messages(output: impl Read) -> impl Iterator<Item = Value> {
    BufReader::new(output).lines().filter_map(|line| {
        let line = line.expect("text");
        let message = line.get(line.find(r#"{"jsonrpc""#)?..)?;
        Some(serde_json::from_str(message).expect("a message"))
    })
}

/// A session in which each request waits for its answer, and whose end must come at once and cleanly.
fn converse(mut child: Child, mut to: impl Write, from: impl Read) {
    let mut from = messages(from);
    writeln!(to, "{}", initialize("2025-11-25")).expect("it reads");
    assert_eq!(from.next().expect("an answer")["result"]["protocolVersion"], "2025-11-25");
    let filler = "z".repeat(300_000);
    for id in 0..20 {
        writeln!(to, "{}", call(id, "echo", json!({"filler": filler}))).expect("it reads");
        let answer = from.next().expect("an answer");
        assert_eq!(answer["id"], id);
        assert!(text(&answer).len() > filler.len());
    }
    writeln!(to, "{}", call("left hanging", "hang", json!({}))).expect("it reads");
    drop(to);
    let ended = Instant::now();
    assert!(child.wait().expect("it ends").success());
    assert!(ended.elapsed() < Duration::from_secs(2), "took {:?}", ended.elapsed());
}

#[test]
fn over_pipes() {
    let mut child = spawn(Stdio::piped(), Stdio::piped());
    let (to, from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    converse(child, to, from);
}

#[test]
fn over_sockets_as_node_gives_them() {
    let (to, stdin) = UnixStream::pair().expect("a pair");
    let (from, stdout) = UnixStream::pair().expect("a pair");
    let child = spawn(OwnedFd::from(stdin), OwnedFd::from(stdout));
    converse(child, to, from);
}

#[test]
fn over_a_pipe_and_a_socket() {
    let (from, stdout) = UnixStream::pair().expect("a pair");
    let mut child = spawn(Stdio::piped(), OwnedFd::from(stdout));
    let to = child.stdin.take().expect("piped");
    converse(child, to, from);
}

#[test]
fn from_a_file() {
    let path = std::env::temp_dir().join(format!("casemate-stdio-{}", std::process::id()));
    std::fs::write(&path, format!("{}\n{}", initialize("2025-11-25"), super::request(1, "ping", json!({})))).expect("a file");
    let mut child = spawn(File::open(&path).expect("the file"), Stdio::piped());
    std::fs::remove_file(&path).expect("the file");
    let answers: Vec<_> = messages(child.stdout.take().expect("piped")).collect();
    assert_eq!(answers.len(), 2);
    assert!(child.wait().expect("it ends").success());
}
