//! Trace context: under which trace a client says it makes a call (W3C Trace Context, level 1).
//!
//! It is the client's word. It goes into records, spans and, where the operator says so, to upstreams; nothing is decided by it.

use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

/// The key in a request's `_meta`, and the name of the HTTP header.
pub const TRACEPARENT: &str = "traceparent";

/// A `traceparent`: `00-{trace}-{parent}-{flags}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    parent: u64,
    sampled: bool,
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct NoTraceParent;

impl TraceParent {
    /// The trace id, 32 lower-case hex digits.
    pub fn trace(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The same as bytes, big end first.
    pub fn trace_bytes(&self) -> [u8; 16] {
        self.trace.to_be_bytes()
    }

    /// The caller's span, as bytes, big end first.
    pub fn parent_bytes(&self) -> [u8; 8] {
        self.parent.to_be_bytes()
    }

    /// Whether the client records the trace.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// Under which trace a call is made: its client's, or one of its own. The call's own span is its call id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lineage {
    trace: u128,
    /// The client's span, where it has one.
    parent: Option<u64>,
    span: u64,
    sampled: bool,
}

impl Lineage {
    /// Of a call with this id. `recorded` says whether the host records traces of its own; a client's trace is recorded where the client
    /// records it.
    pub fn of(client: Option<TraceParent>, call_id: &str, recorded: bool) -> Self {
        // A call id is 16 hex digits. Zero would be no span (section 3.2.2.4).
        let span = u64::from_str_radix(call_id, 16).unwrap_or_default().max(1);
        match client {
            Some(TraceParent { trace, parent, sampled }) => Self { trace, parent: Some(parent), span, sampled },
            None => Self { trace: own(span), parent: None, span, sampled: recorded },
        }
    }

    /// What is sent on: whoever is asked for the call is a child of it.
    pub fn traceparent(&self) -> String {
        TraceParent { trace: self.trace, parent: self.span, sampled: self.sampled }.to_string()
    }

    /// The trace, as bytes, big end first.
    pub fn trace_bytes(&self) -> [u8; 16] {
        self.trace.to_be_bytes()
    }

    /// The client's span, likewise.
    pub fn parent_bytes(&self) -> Option<[u8; 8]> {
        self.parent.map(u64::to_be_bytes)
    }

    /// The call's span, likewise.
    pub fn span_bytes(&self) -> [u8; 8] {
        self.span.to_be_bytes()
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// A trace of a call's own: the time, and then the call's id, which is random (section 3.2.2.3). So who has the one finds the other.
fn own(span: u64) -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // What time has more than 64 bits of nanoseconds does not matter here.
    (now.as_nanos() << 64) | u128::from(span)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, u8::from(self.sampled))
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    /// Strict: lower-case hex, no zero ids. A later version is read by its first four fields, as the standard asks.
    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let mut parts = text.splitn(5, '-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(NoTraceParent)?;
            let hex = part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            if hex { u128::from_str_radix(part, 16).map_err(|_| NoTraceParent) } else { Err(NoTraceParent) }
        };
        let (version, trace, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        if version == 0xff || trace == 0 || parent == 0 || (version == 0 && parts.next().is_some()) || text.len() > 256 {
            return Err(NoTraceParent);
        }
        Ok(Self { trace, parent: u64::try_from(parent).map_err(|_| NoTraceParent)?, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SOME: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written() {
        let read: TraceParent = SOME.parse().unwrap();
        assert_eq!((read.to_string().as_str(), read.is_sampled()), (SOME, true));
        assert_eq!(read.trace(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later: TraceParent = format!("cc{}-what-the-future-will-be-like", SOME.trim_start_matches("00")).parse().unwrap();
        assert_eq!(later, read);
    }

    #[test]
    fn a_call_is_a_span_of_its_clients_trace_or_of_its_own() {
        let of = |client: Option<&str>, recorded| {
            Lineage::of(client.map(|text| text.parse().unwrap()), "0123456789abcdef", recorded).traceparent()
        };
        assert_eq!(of(Some(SOME), false), "00-4bf92f3577b34da6a3ce929d0e0e4736-0123456789abcdef-01");
        assert!(of(Some(&SOME.replace("-01", "-00")), true).ends_with("-0123456789abcdef-00"), "the client does not record it");
        let own: TraceParent = of(None, true).parse().unwrap();
        assert!(own.is_sampled() && own.trace().ends_with("0123456789abcdef") && own.to_string() != of(None, true));
        assert!(of(None, false).ends_with("-00"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(NoTraceParent), "{text}");
        }
        assert!(format!("01{}-{}", SOME.trim_start_matches("00"), "x".repeat(300)).parse::<TraceParent>().is_err());
    }
}
