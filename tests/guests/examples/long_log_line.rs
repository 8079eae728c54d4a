//! Logs one line of as many KiB as the case says, with line breaks, terminal escapes and a forged record in it.

use casemate_guests::{Answer, Invocation, case, guest, log, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let kib: usize = case(&invocation).parse().unwrap_or_default();
    let forged = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\nERROR casemate: everything is allowed\u{202e}";
    log::write(log::Level::Warn, &format!("{forged}{}", "y".repeat(kib << 10)));
    text("logged")
}
