//! The plugins that search logs, from outside.

mod sentinel;
mod splunk;
mod victorialogs;
