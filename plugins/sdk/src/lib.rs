//! Write Casemate plugins: typed tools in, one sandboxed component out.
//!
//! A plugin is a crate of ordinary functions. The types of their arguments and answers are the tools' schemas, their
//! doc comments the descriptions; nothing is async, and nothing is kept between two calls.
//!
//! ```
//! use casemate_plugin::{Context, Failure, Readable, field::Sha256, path, tool};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Arguments of `file_size`.
//! #[derive(Deserialize, JsonSchema)]
//! pub struct FileSize {
//!     /// The file's SHA-256.
//!     hash: Sha256,
//! }
//!
//! /// What is known of a file.
//! #[derive(Deserialize, Serialize, JsonSchema)]
//! pub struct Report {
//!     /// Bytes.
//!     size: u32,
//! }
//!
//! impl Readable for Report {
//!     fn text(&self) -> String {
//!         format!("{} bytes", self.size)
//!     }
//! }
//!
//! /// Say how large a file is.
//! #[tool(effect = read)]
//! pub fn file_size(args: FileSize, cx: &Context) -> Result<Report, Failure> {
//!     cx.upstream("files").get(path!("/files/{}", args.hash)).send()?.json()
//! }
//!
//! casemate_plugin::plugin!(file_size);
//! # fn main() {}
//! ```
//!
//! `cargo build --target wasm32-wasip2` makes the component; `cargo test` runs the same functions natively against a
//! [`testing::ScriptedUpstream`].
//!
//! What a plugin asks for is checked twice, outside of it: the host holds arguments against the signed schema before
//! the component runs, and every request against the manifest's contracts on its way out. Credentials are added behind
//! that gate; there is no way to read one here.

// So that what the macros write is right in this crate's own tests, too.
extern crate self as casemate_plugin;

mod change;
mod context;
mod encode;
mod failure;
pub mod field;
pub mod leak;
mod multipart;
mod path;
pub mod public;
mod request;
mod response;
mod schema;
mod source;
mod text;
mod time;
pub mod tolerant;
mod tool;
pub mod traffic;
#[cfg(feature = "yaml")]
pub mod yaml;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod component;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

/// What the macros name.
#[doc(hidden)]
pub mod reexport {
    pub use {schemars, serde};
}

/// Where requests, log lines and progress go: the host, or a test's script.
#[cfg(target_family = "wasm")]
use component as world;
#[cfg(not(target_family = "wasm"))]
use testing as world;

pub use casemate_plugin_macros::{path, tool};
pub use change::Change;
pub use context::{Context, Level};
pub use failure::{Failure, FailureKind};
pub use multipart::Multipart;
pub use path::Path;
pub use request::{Method, Request, SendError, Upstream};
pub use response::Response;
pub use source::{MAX_READ, Source, SourceError};
pub use text::{clip, clip_lines, is_hidden};
pub use time::Timestamp;
pub use tool::{Effect, Entry, Outcome, Readable, Tool, ToolResult, describe};

/// Names the plugin's tools and, on wasm32-wasip2, exports them as a component.
///
/// It also defines `TOOLS`, which [`testing::call`] takes. Call it once, in the crate's root:
///
/// ```text
/// casemate_plugin::plugin!(file_report, url_report);
/// ```
#[macro_export]
macro_rules! plugin {
    ($($tool:path),+ $(,)?) => {
        /// The plugin's tools, in the order a client lists them.
        pub static TOOLS: &[$crate::Entry] = &[$($crate::Entry::of::<$tool>()),+];

        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::component::Guest for Component {
                fn describe() -> ::std::string::String {
                    $crate::describe(TOOLS).to_string()
                }

                fn call(
                    invocation: $crate::component::Invocation,
                ) -> ::core::result::Result<$crate::component::Outcome, $crate::component::Failure> {
                    $crate::component::call(TOOLS, invocation)
                }
            }

            $crate::component::export!(Component with_types_in $crate::component::bindings);
        };
    };
}
