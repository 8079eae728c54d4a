//! The languages that logs are searched with, read whole before anything is sent.
//!
//! What a query may hold is listed, and what is not listed is refused: a query is read into a tree by a grammar that knows every command,
//! function and operator it lets through, and what is sent is written from the tree. So nothing is sent that was not understood here, and
//! what is read is what the caller may read: where it is read from is put in by the plugin, and cannot be said in the query.
//!
//! This is no plugin. [`spl`] is Splunk's language, [`kql`] Microsoft's, [`logsql`] that of VictoriaLogs; what they share is here.

mod cursor;
pub mod kql;
pub mod logsql;
mod refused;
mod scope;
pub mod spl;
pub mod table;
pub mod window;

pub use cursor::Cursor;
pub use refused::Refused;
pub use scope::Scope;

/// How large a query may be. A query is written by a program and read by people: one that is larger is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of its text.
    pub bytes: usize,
    /// Parentheses inside of one another. The grammars are recursive, and a component's stack is small.
    pub depth: usize,
    /// Commands, one after the other.
    pub stages: usize,
    /// Nodes of its tree.
    pub nodes: usize,
}

impl Bounds {
    /// Of every language.
    pub const QUERY: Self = Self { bytes: 8_192, depth: 24, stages: 24, nodes: 2_000 };
}
