//! Computes for ever and never calls the host.

use casemate_guests::{Answer, Invocation, guest};

guest!(run);

fn run(_: Invocation) -> Answer {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}
