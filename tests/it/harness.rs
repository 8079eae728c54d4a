//! What the tests share: a house with one guest in it, and everything around that house.

mod collector;
mod console;
mod crowdsec;
mod desktop;
mod guest;
mod house;
mod http;
mod namespace;
mod plugin;
mod postgres;
mod program;
mod raw;
mod records;
mod reply;
pub(crate) mod secret;
mod server;
mod upstreams;

pub(crate) use collector::Collector;
pub(crate) use console::{Browser, Console, Page};
pub(crate) use crowdsec::CrowdSec;
pub(crate) use desktop::Desktop;
pub(crate) use guest::{Guest, LIST, Package, list, zlib};
pub(crate) use house::{House, only_json_rpc};
pub(crate) use http::{Http, Messages};
pub(crate) use namespace::alone;
pub(crate) use plugin::{BAD, MEANT, plugins};
pub(crate) use postgres::{Identity, Postgres};
pub(crate) use program::{Ran, packages, program, wasm};
pub(crate) use raw::Raw;
pub(crate) use records::{UNDER_WAY, said, until};
pub(crate) use reply::Reply;
pub(crate) use upstreams::Upstreams;
