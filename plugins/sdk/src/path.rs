//! Request paths, in which a value is one segment and nothing else.

use std::fmt::Display;

use crate::{encode, text::clip};

/// A request's path. Made by [`crate::path!`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    encoded: String,
    fault: Option<String>,
}

impl Path {
    #[doc(hidden)]
    pub fn new() -> Self {
        Self { encoded: String::new(), fault: None }
    }

    /// A segment that `path!` has checked.
    #[doc(hidden)]
    #[must_use]
    pub fn literal(mut self, segment: &str) -> Self {
        self.encoded.push('/');
        self.encoded.push_str(segment);
        self
    }

    /// A segment from outside. Dot segments and empty ones would mean another path to whoever normalises it (RFC 3986
    /// section 5.2.4; the WHATWG URL standard does so even for `%2e%2e`), so the whole path becomes a fault.
    #[doc(hidden)]
    #[must_use]
    pub fn value(mut self, value: &dyn Display) -> Self {
        let value = value.to_string();
        if matches!(value.as_str(), "" | "." | "..") {
            self.fault = Some(format!("`{}` cannot be a part of a path", clip(&value, 64)));
        }
        self.encoded.push('/');
        encode::percent(&value, &mut self.encoded);
        self
    }

    /// As it is sent, or why it cannot be.
    pub(crate) fn finish(self) -> Result<String, String> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.encoded),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::path;

    #[test]
    fn a_value_is_one_segment() {
        assert_eq!(path!("/").finish().as_deref(), Ok("/"));
        assert_eq!(path!("/api/{}/x", 7).finish().as_deref(), Ok("/api/7/x"));
        let hostile = "../../admin?x=1#y%2f\\";
        assert_eq!(path!("/a/{}", hostile).finish().as_deref(), Ok("/a/..%2F..%2Fadmin%3Fx%3D1%23y%252f%5C"));
    }

    #[test]
    fn a_value_is_not_a_dot_segment() {
        for bad in ["", ".", ".."] {
            assert!(path!("/a/{}/b", bad).finish().is_err(), "{bad:?}");
        }
        assert_eq!(path!("/a/{}", "...").finish().as_deref(), Ok("/a/..."));
    }
}
