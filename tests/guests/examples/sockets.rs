//! Opens a TCP connection of its own.

use std::net::TcpStream;

use casemate_guests::{Answer, Invocation, case, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    text(format!("{:?}", TcpStream::connect(case(&invocation)).is_ok()))
}
