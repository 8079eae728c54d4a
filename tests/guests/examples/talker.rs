//! Says things while it runs: to the operator, and to whoever else is let hear it.

use casemate_guests::{Answer, Blob, Content, Invocation, Outcome, case, failed, guest, log, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    log::write(log::Level::Debug, "a detail");
    log::write(log::Level::Info, "looking\u{1b}[2J\u{200b}");
    log::write(log::Level::Warn, "nearly done");
    match case(&invocation).as_str() {
        "withheld" => {
            let image = Blob { media_type: "image/png".to_owned(), data: b"no picture".to_vec() };
            Ok(Outcome { content: vec![Content::Image(image)], structured: None })
        }
        "failed" => failed("it did not work"),
        _ => text("done"),
    }
}
