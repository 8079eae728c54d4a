//! Splunk.
