//! The WASI interfaces that wasm32-wasip2's standard library imports, with nothing behind them.
//!
//! No preopened directory, no environment, no arguments, standard input closed, standard output and error into the call's log.
//! `wasi:sockets` is not linked at all.

use wasmtime::component::Linker;
use wasmtime_wasi::{
    WasiCtx, WasiView,
    cli::{WasiCli, WasiCliView},
    filesystem::{WasiFilesystem, WasiFilesystemView},
    p2::bindings::{cli, filesystem, random},
    random::{WasiRandom, WasiRandomCtx},
};

use super::capture::Capture;
use crate::{call::LogLevel, state::State};

/// Bytes a guest may ask of the host's random source at a time.
const RANDOM: u64 = 64 << 10;

/// A context that gives a guest nothing but clocks, random bytes and a place to talk to itself.
pub(crate) fn context(capture: &Capture) -> WasiCtx {
    WasiCtx::builder()
        .stdout(capture.stream(LogLevel::Info))
        .stderr(capture.stream(LogLevel::Warn))
        .max_random_size(RANDOM)
        .build()
}

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    // io, clocks, random and the three standard streams: what the wasi:http proxy world has.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, random_of)?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, random_of)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    filesystem::types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    Ok(())
}

fn random_of(state: &mut State) -> &mut WasiRandomCtx {
    state.ctx().ctx.random()
}
