//! `casemate:plugin/log`: lines for the operator, capped per call.

use wasmtime::component::HasData;

use super::capture::Capture;
use crate::{
    call::LogLevel,
    state::bindings::casemate::plugin::log::{Host, Level},
};

/// State of the import: the log of this call.
pub(crate) struct Log(pub(crate) Capture);

impl HasData for Log {
    type Data<'a> = &'a mut Log;
}

impl Host for Log {
    fn write(&mut self, level: Level, message: String) {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        self.0.push(level, &message);
    }
}
