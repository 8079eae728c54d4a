//! Fetch: packages from and to OCI registries; what arrives is bytes, and nothing of it is believed.
//!
//! A package in a registry is the CNCF Wasm layout untouched (an image manifest with one layer `application/wasm`), with each
//! signature as an OCI 1.1 referrer, so that any registry keeps it and any client moves it. [`Client::pull`] gives back the component
//! and every bundle that is attached to it; whether they may be used is for `casemate_signing` to say.
//!
//! What holds here, whatever a registry answers:
//!
//! - **Nothing is read without a limit**: every answer has a cap of bytes, every wait has an end, every list has a last page.
//! - **Everything after the first answer is asked for by digest**, and hashed as it arrives. A tag that moves meanwhile changes nothing.
//! - **Only hosts that were named are connected to**: the one in the reference, and those the operator lists for it. Internal
//!   addresses are refused unless listed, and what was checked is what is connected to.
//! - **A credential goes to its own host and to the token realms listed for it**, and appears in no error, no log and no `Debug`.
//!
//! What is not here: trust, WebAssembly, configuration files, the command line.

mod authority;
mod body;
mod client;
mod credentials;
mod fetch;
#[cfg(fuzzing)]
pub mod fuzz;
mod locate;
mod manifest;
mod page;
mod pull;
mod push;
mod reference;
mod referrers;
mod request;
mod resolve;
mod session;
mod settings;
mod tags;
mod token;

pub use authority::{Authority, InvalidAuthority};
pub use client::{Client, ClientError};
pub use credentials::{Credentials, CredentialsError};
pub use fetch::{FetchError, Posted};
pub use locate::LocateError;
pub use manifest::{MAX_MANIFEST, ManifestError};
pub use page::PageError;
pub use pull::{Progress, PullError, Pulled};
pub use push::{PushError, Pushed, Upload};
pub use reference::{InvalidReference, Reference, Repository, Tag, Version};
pub use referrers::{LeftOut, ReferrersError};
pub use request::{RequestError, shown_url};
pub use settings::{HostRule, Lookup, Settings};
pub use tags::TagsError;
pub use token::AuthError;
