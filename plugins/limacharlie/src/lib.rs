//! LimaCharlie.
