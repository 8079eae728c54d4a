//! SentinelOne.
