//! The hostile guests: each has the test of its name, or this does not compile.
//!
//! A test asserts what the client was told, what reached the upstream, and that the next call is served.

mod effect;
mod headers;
mod limits;
mod network;
mod output;
mod scope;
mod state;
mod upstream;
mod world;

use crate::postgres::any_statement;
use {effect::*, headers::*, limits::*, network::*, output::*, scope::*, state::*, upstream::*, world::*};

macro_rules! assert_test_exists {
    ($guest:ident) => {
        const _: fn() = $guest;
    };
}

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

for_each_guest!(assert_test_exists);
