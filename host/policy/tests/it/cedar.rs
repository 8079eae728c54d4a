//! The operator's own policies: which load, and what they forbid.

mod attacks;
mod fixture;
mod forbids;
mod loads;
mod properties;
mod schema;
