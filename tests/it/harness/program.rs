//! The programs under test, found beside this one, and what running one of them gave.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Where cargo put the programs: this one is in `target/debug/deps`.
fn built() -> PathBuf {
    env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().to_owned()
}

/// A program of this workspace.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = built().join(name);
    assert!(path.is_file(), "`{}` is not built\nhelp: make test, or cargo build --workspace", path.display());
    path
}

/// A plugin of this workspace as a component, by its crate's name.
pub(crate) fn wasm(name: &str) -> PathBuf {
    let path = built().with_file_name("wasm32-wasip2").join("release").join(name.replace('-', "_")).with_extension("wasm");
    assert!(path.is_file(), "`{}` is not built\nhelp: make plugins", path.display());
    path
}

/// Where `make plugins` puts the packages of this workspace.
pub(crate) fn packages() -> PathBuf {
    built().with_file_name("packages")
}

/// A guest as it was built, or its WebAssembly text.
pub(crate) fn built_guest(name: &str) -> Option<Vec<u8>> {
    let folder = env::var_os("CASEMATE_GUESTS")
        .map_or_else(|| built().with_file_name("wasm32-wasip2").join("release/examples"), PathBuf::from);
    fs::read(folder.join(name).with_extension("wasm")).ok()
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; 0 done, 1 failed, 2 denied, 3 invalid input.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Run a command to its end, without standard input.
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// It did what it was asked for.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// What it was given makes no sense, in words that hold all of `parts`.
    #[track_caller]
    pub(crate) fn faulty(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, 3, "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in {self:#?}");
        }
        self
    }

    /// It was refused, in words that hold all of `parts`.
    #[track_caller]
    pub(crate) fn refused(self, parts: &[&str]) -> Self {
        assert!(self.code == 1 || self.code == 2, "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in {self:#?}");
        }
        self
    }
}
