//! Asks for random bytes: too many at once, or for ever.

use casemate_guests::{Answer, Invocation, bindings::wasi::random::random, case, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    match case(&invocation).as_str() {
        "one GiB" => text(format!("{} bytes", random::get_random_bytes(1 << 30).len())),
        _ => loop {
            std::hint::black_box(random::get_random_bytes(64 << 10));
        },
    }
}
