//! The requests of one client that have no answer yet: every id is used once, and there are never too many.
//!
//! `rmcp` keys its running requests by id alone. Two requests with one id would share one answer, and a late answer to
//! a cancelled request would be taken for the answer to the next request with its id. So an id that is in use, or was
//! cancelled, is refused here before `rmcp` sees it.

use std::collections::{HashSet, VecDeque};

use rmcp::model::{ErrorCode, ErrorData, RequestId};
use serde_json::json;

/// Requests of any kind in flight for one client. Calls have a bound of their own, below this one.
const REQUESTS_IN_FLIGHT: usize = 4096;

/// Cancelled ids that are remembered. A cancelled call ends soon, so that by the time an id is forgotten its late
/// answer has come and gone.
const CANCELLED_REMEMBERED: usize = 4096;

/// JSON-RPC error code for "try again later": in the range left to implementations, used for limits elsewhere too.
const BUSY: ErrorCode = ErrorCode(-32005);

/// When trying again can help, in milliseconds.
const RETRY_MS: u64 = 1000;

/// The answer to a request that finds its client's share of the server used up.
pub(super) fn busy(what: &str, limit: usize) -> ErrorData {
    let message = format!("busy: {limit} {what} are in flight; wait for an answer and try again");
    ErrorData::new(BUSY, message, Some(json!({ "limit": limit, "of": what, "retry_after_ms": RETRY_MS })))
}

/// Ids without an answer, and ids that will never have one.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    open: HashSet<RequestId>,
    cancelled: HashSet<RequestId>,
    cancelled_order: VecDeque<RequestId>,
}

impl InFlight {
    /// Takes `id` into use, or says what to answer instead.
    pub(super) fn claim(&mut self, id: &RequestId) -> Result<(), ErrorData> {
        if self.open.contains(id) || self.cancelled.contains(id) {
            return Err(ErrorData::invalid_request(
                format!("the request id `{id}` is already in use; every request of a session needs its own"),
                None,
            ));
        }
        if self.open.len() >= REQUESTS_IN_FLIGHT {
            return Err(busy("requests", REQUESTS_IN_FLIGHT));
        }
        self.open.insert(id.clone());
        Ok(())
    }

    /// Marks `id` as answered.
    pub(super) fn answered(&mut self, id: &RequestId) {
        self.open.remove(id);
    }

    /// Marks `id` as cancelled by the client: it gets no answer. Unknown ids are ignored.
    pub(super) fn cancelled(&mut self, id: &RequestId) {
        if !self.open.remove(id) {
            return;
        }
        if self.cancelled_order.len() >= CANCELLED_REMEMBERED
            && let Some(oldest) = self.cancelled_order.pop_front()
        {
            self.cancelled.remove(&oldest);
        }
        self.cancelled.insert(id.clone());
        self.cancelled_order.push_back(id.clone());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rmcp::model::{ErrorCode, RequestId};

    use super::{BUSY, CANCELLED_REMEMBERED, InFlight, REQUESTS_IN_FLIGHT};

    #[test]
    fn an_id_is_free_again_once_answered() {
        let mut ids = InFlight::default();
        let id = RequestId::Number(1);
        ids.claim(&id).unwrap();
        assert_eq!(ids.claim(&id).unwrap_err().code, ErrorCode::INVALID_REQUEST);
        ids.answered(&id);
        ids.claim(&id).unwrap();
    }

    #[test]
    fn a_number_and_its_text_are_two_ids() {
        let mut ids = InFlight::default();
        ids.claim(&RequestId::Number(1)).unwrap();
        ids.claim(&RequestId::String("1".into())).unwrap();
    }

    #[test]
    fn a_cancelled_id_stays_refused() {
        let mut ids = InFlight::default();
        let id = RequestId::Number(1);
        ids.claim(&id).unwrap();
        ids.cancelled(&id);
        assert_eq!(ids.claim(&id).unwrap_err().code, ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn cancelling_what_is_not_in_flight_remembers_nothing() {
        let mut ids = InFlight::default();
        for number in 0..10 {
            ids.cancelled(&RequestId::Number(number));
        }
        assert!(ids.cancelled.is_empty() && ids.cancelled_order.is_empty());
    }

    #[test]
    fn memory_for_cancelled_ids_is_bounded() {
        let mut ids = InFlight::default();
        for number in 0..3 * CANCELLED_REMEMBERED {
            let id = RequestId::Number(i64::try_from(number).unwrap());
            ids.claim(&id).unwrap();
            ids.cancelled(&id);
        }
        assert_eq!(ids.cancelled.len(), CANCELLED_REMEMBERED);
        assert_eq!(ids.cancelled_order.len(), CANCELLED_REMEMBERED);
    }

    #[test]
    fn too_many_requests_are_told_busy() {
        let mut ids = InFlight::default();
        for number in 0..REQUESTS_IN_FLIGHT {
            ids.claim(&RequestId::Number(i64::try_from(number).unwrap())).unwrap();
        }
        assert_eq!(ids.claim(&RequestId::Number(-1)).unwrap_err().code, BUSY);
    }
}
