//! Burp Suite.
