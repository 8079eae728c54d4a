//! Arguments that nobody would write.

use super::range::Range;

#[test]
fn caldera_answers_whatever_it_is_asked() {
    let range = Range::with(|house| house.with("breaker = { denials = false, variants = false, burst = false }"));
    crate::arguments::every_call_is_answered(&range.0);
}
