//! The one `unsafe` call of the project: compiled code from our own cache, given to wasmtime.
#![expect(unsafe_code, reason = "Component::deserialize is unsafe; the argument for it stands at the call")]

use wasmtime::{Engine, component::Component};

/// Code that this host made: it came from our own compile worker, now or before and then under this host's MAC.
pub(crate) struct Authentic(Vec<u8>);

impl Authentic {
    /// Called with what our own worker process answered, and nothing else.
    pub(crate) fn from_worker(code: Vec<u8>) -> Self {
        Self(code)
    }

    /// Called by the cache alone, after the MAC over exactly these bytes was verified.
    pub(crate) fn after_mac_check(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Make a component of authentic code.
///
/// # Errors
/// When the code was made by another wasmtime or with other settings; the caller compiles again.
pub(crate) fn deserialize(engine: &Engine, code: &Authentic) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` requires bytes that `Engine::precompile_component` or `Component::serialize`
    // made, unmodified. `Authentic` proves it. It is made in two places: of what our own worker process answered, which is the output
    // of `precompile_component` over a pipe that nobody else holds; and by the code cache, which verified an HMAC-SHA256 over
    // these very bytes (one buffer, read once, never written since) under a key that this host generated and that only its
    // user can read, and which stores nothing but a worker's answers. Code from a publisher reaches neither. What is left outside the argument is
    // an attacker who can already read the host user's files, and who needs no compiled code to act as that user.
    unsafe { Component::deserialize(engine, &code.0) }
}
