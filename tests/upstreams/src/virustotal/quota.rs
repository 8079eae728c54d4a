//! Calls a minute, over a sliding window. A refused call costs nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Code, Failure};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Quota {
    per_minute: Option<u32>,
    spent: Mutex<VecDeque<Instant>>,
}

impl Quota {
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        Quota { per_minute, spent: Mutex::default() }
    }

    pub(super) fn spend(&self) -> Result<(), Failure> {
        let Some(limit) = self.per_minute else { return Ok(()) };
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        spent.retain(|at| now.duration_since(*at) < MINUTE);
        if u32::try_from(spent.len()).unwrap_or(u32::MAX) >= limit {
            return Err(Code::QuotaExceeded.into());
        }
        spent.push_back(now);
        Ok(())
    }

    pub(super) fn refill(&self) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
