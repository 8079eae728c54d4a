//! Microsoft Sentinel.
