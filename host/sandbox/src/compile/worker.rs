//! The compiling process: one component in on standard input, code out on standard output, then it ends.

use std::{
    io::{Read, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use rustix::process::{Resource, Rlimit, setrlimit};

/// Address space of the worker. A 1 MiB component takes about 300 MiB.
const MEMORY: u64 = 3 << 30;
/// CPU seconds of the worker. A 1 MiB component takes about two.
const CPU_SECONDS: u64 = 120;
/// Above the 32 MiB a component may have, so that the cap of the package is the one that is hit.
const MAX_INPUT: u64 = 33 << 20;
/// Code is three to six times its component, which is at most 32 MiB.
pub(super) const MAX_CODE: usize = 256 << 20;
/// The most of the worker's own words that reach an error.
const MAX_MESSAGE: usize = 2000;

/// Why a component could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The worker could not be started or talked to.
    #[error("the compile worker could not run: {0}\nhelp: check that the casemate program can start itself")]
    Worker(#[from] std::io::Error),
    /// The compiler refused the component.
    #[error("the component does not compile: {0}\nhelp: build it with a stable toolchain for wasm32-wasip2")]
    Refused(String),
    /// The worker died.
    #[error("the compile worker ended with {status}; its limits are {} GiB of memory and {CPU_SECONDS} s of CPU\nhelp: the component is too costly to compile; do not load it", MEMORY >> 30)]
    Died {
        /// How it ended.
        status: std::process::ExitStatus,
    },
}

impl CompileError {
    /// A stable word for logs and scripts, one for each refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Worker(_) => "compile-worker",
            Self::Refused(_) => "compile-refused",
            Self::Died { .. } => "compile-limit",
        }
    }
}

/// How to start the worker: this program, with the arguments that make it call [`worker_main`].
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Worker {
    /// Compile in a fresh process with an empty environment.
    ///
    /// # Errors
    /// When the process cannot run, refuses the component, or dies at one of its limits.
    pub(crate) fn compile(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Writing and reading at once: the worker reads to the end before it writes, but may die before either. What it says is
        // capped while it is read; a pipe that is closed early ends it.
        let (code, words) = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(component)));
            let words = scope.spawn(move || capped(stderr, MAX_MESSAGE));
            (capped(stdout, MAX_CODE), words.join().unwrap_or_default())
        });
        let status = child.wait()?;
        match status.code() {
            Some(0) if code.len() <= MAX_CODE => Ok(code),
            Some(0) => Err(CompileError::Refused(format!("its code is larger than {} MiB", MAX_CODE >> 20))),
            Some(REFUSED) => Err(CompileError::Refused(String::from_utf8_lossy(&words).trim().escape_debug().to_string())),
            _ => Err(CompileError::Died { status }),
        }
    }
}

/// At most `cap` bytes of a pipe, and one more where there are more.
fn capped(pipe: Option<impl Read>, cap: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    // A pipe that breaks is a worker that died, and its status says so.
    let _ = pipe.map(|pipe| pipe.take(limit).read_to_end(&mut bytes));
    bytes
}

/// Exit status of a worker that refused its component.
const REFUSED: i32 = 3;

/// The whole life of the worker process: take its limits, read, compile, write. Returns the exit status.
#[must_use]
pub fn worker_main() -> i32 {
    let result = limit_self().and_then(|()| compile_stdin());
    match result {
        Ok(()) => 0,
        Err(error) => {
            // Standard error is the worker's only other channel; its parent escapes what it says.
            let _ = writeln!(std::io::stderr(), "{error}");
            REFUSED
        }
    }
}

fn limit_self() -> Result<(), String> {
    for (resource, limit) in [(Resource::As, MEMORY), (Resource::Cpu, CPU_SECONDS), (Resource::Core, 0), (Resource::Fsize, 0)] {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
            .map_err(|error| format!("cannot limit itself: {error}"))?;
    }
    Ok(())
}

fn compile_stdin() -> Result<(), String> {
    let mut component = Vec::new();
    std::io::stdin().lock().take(MAX_INPUT).read_to_end(&mut component).map_err(|error| error.to_string())?;
    let engine = crate::engine::compiling().map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    std::io::stdout().lock().write_all(&code).map_err(|error| error.to_string())
}
