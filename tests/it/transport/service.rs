//! systemd as it looks from inside: a socket that is there before, and another that hears how the server is.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{ended, house, shell, tell};

/// A message that does not come within this time does not come.
const HANGS: Duration = Duration::from_secs(20);

/// Read messages until one has this line, and give it.
#[track_caller]
fn hears(socket: &UnixDatagram, line: &str) -> String {
    let mut bytes = [0; 4096];
    loop {
        let count = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("`{line}` is not said: {error}"));
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        if text.lines().any(|said| said == line) {
            return text;
        }
    }
}

#[test]
fn the_service_manager_is_told_how_the_server_is() {
    let house = house("empty_answer");
    let path = house.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(HANGS)).unwrap();
    let mut command = house.command();
    command.args(["serve", "--http", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "900000");
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    hears(&socket, "READY=1");
    for _ in 0..3 {
        hears(&socket, "WATCHDOG=1");
    }
    tell(child.id(), Signal::HUP);
    assert!(hears(&socket, "RELOADING=1").contains("MONOTONIC_USEC="));
    hears(&socket, "READY=1");
    tell(child.id(), Signal::TERM);
    assert!(hears(&socket, "STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert!(ended(&mut child).success());
}

#[test]
fn a_socket_that_was_open_before_is_served() {
    let house = house("empty_answer");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A client that comes before the server waits for it.
    let mut early = TcpStream::connect(address).unwrap();
    early.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut command = house.command();
    command.args(["serve", "--http", "systemd"]);
    let mut command = shell("exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", &command);
    let mut child = command.stdin(OwnedFd::from(listener)).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut answer = String::new();
    early.set_read_timeout(Some(HANGS)).unwrap();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    tell(child.id(), Signal::TERM);
    assert!(ended(&mut child).success());
    let started = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(started.elapsed() < HANGS, "the socket is still open");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn without_a_socket_there_is_nothing_to_serve() {
    let house = house("empty_answer");
    house.casemate(&["serve", "--http", "systemd"]).faulty(&["LISTEN_FDS"]);
    // Sockets of another process are not ours.
    let mut command = house.command();
    command.args(["serve", "--http", "systemd"]).env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    assert_eq!(command.output().unwrap().status.code(), Some(3));
}
