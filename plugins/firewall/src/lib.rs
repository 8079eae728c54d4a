//! Blocks of addresses, by CrowdSec.
