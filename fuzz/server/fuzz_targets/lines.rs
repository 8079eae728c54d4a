//! Lines of a client over stdio: every request among them is answered, whatever stands around it, and the session ends in good order.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = RUNTIME.block_on(casemate::fuzz::lines(bytes)) {
        panic!("{fault}");
    }
});
