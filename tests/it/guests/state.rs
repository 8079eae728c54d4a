//! Guests that try to leave something behind for the next call.

use crate::harness::{Guest, House};

#[test]
pub(super) fn retained_state() {
    let house = House::serving(&Guest::new("retained_state"));
    // Small and large, so that both what the host keeps resident and what it gives back is looked at.
    for kib in ["1", "64", "2048", "8192", "1", "8192", "64"] {
        house.run(kib).done(&["earlier calls 0, marks 0, own true"]);
    }
    house.goes_on();
}

#[test]
fn nothing_is_left_between_calls_that_run_at_the_same_time() {
    let house = House::serving(&Guest::new("retained_state"));
    let tool = house.served("run");
    house.runtime().block_on(async {
        for _ in 0..4 {
            let call = |kib: &str| house.server().call(&tool, serde_json::json!({ "case": kib }));
            let (a, b, c, d) = tokio::join!(call("1"), call("4096"), call("256"), call("4096"));
            for reply in [a, b, c, d] {
                reply.unwrap().done(&["earlier calls 0, marks 0, own true"]);
            }
        }
    });
    house.goes_on();
}
