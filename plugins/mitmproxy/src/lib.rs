//! Mitmproxy.
