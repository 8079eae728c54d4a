//! The one place where the wall clock is read. Everything else is handed the time.

use std::time::{SystemTime, UNIX_EPOCH};

use casemate_policy::Timestamp;

/// Now, in milliseconds since the Unix epoch. A clock before 1970 reads as 1970.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
