//! The languages that logs are searched with.
