//! What plugins that work in a repository on GitHub share: its files by their places, and pushing one as one commit.
//!
//! Their manifests have the same upstream `github` with the same requests; what is here asks for nothing else.

pub mod api;
mod blob;
pub mod field;
mod file;
mod place;
mod push;

pub use file::File;
pub use place::Place;
pub use push::{Commit, Pushed};
