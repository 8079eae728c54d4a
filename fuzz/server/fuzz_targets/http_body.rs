//! The body of a request over HTTP, with a good token: it is answered, and never with a fault of the server.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = RUNTIME.block_on(casemate::fuzz::http(bytes, true)) {
        panic!("{fault}");
    }
});
