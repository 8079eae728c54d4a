//! What a plugin's author does, from an empty folder to a package: it works at once, and it comes out the same everywhere.
//!
//! Cargo is run here as an author runs it, but for the network: a scaffold is given the lock file of this workspace, whose crates are
//! there already. Its folders stay under `target/tmp`, so that only the first run builds the crates it depends on.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::harness::{Ran, program};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A plugin that was just started, in `target/tmp/PLACE`.
struct Scaffold {
    folder: PathBuf,
    target: PathBuf,
}

impl Scaffold {
    fn new(place: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(place);
        let (folder, target) = (place.join("dns lookup"), place.join("target"));
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let sdk = fs::canonicalize(Path::new(REPOSITORY).join("plugins/sdk")).unwrap();
        let mut new = Command::new(program("casemate"));
        Ran::of(new.args(["new", "acme/dns-lookup", "--path"]).arg(&folder).arg("--sdk-path").arg(sdk)).done();
        fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self { folder, target }
    }

    /// A program in the author's shell.
    fn run(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).current_dir(&self.folder);
        command.env("CARGO_TARGET_DIR", &self.target).env("CARGO_NET_OFFLINE", "true");
        // Installed plugins are warned about; nobody's are.
        command.env("CASEMATE_DIR", self.target.join("house"));
        command
    }

    fn casemate(&self, arguments: &[&str]) -> Command {
        self.run(program("casemate"), arguments)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` is not in {file}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn packed(&self) -> [Vec<u8>; 2] {
        ["dns-lookup-0.1.0.wasm", "dns-lookup-0.1.0.wasm.statement.json"]
            .map(|name| fs::read(self.folder.join("packages").join(name)).unwrap())
    }
}

#[test]
fn a_new_plugin_works_at_once_comes_out_the_same_everywhere_and_says_where_it_is_broken() {
    let scaffold = Scaffold::new("one folder");
    let tested = Ran::of(&mut scaffold.run("cargo", &["test", "--quiet"])).done();
    assert!(tested.stdout.contains("5 passed"), "{tested:#?}");
    // Formatted as rustfmt does by default, and not as this repository, in whose folder it stands here.
    let default = ["fmt", "--check", "--", "--config", "max_width=100,use_small_heuristics=Default"];
    Ran::of(&mut scaffold.run("cargo", &default)).done();
    Ran::of(&mut scaffold.casemate(&["pack", ".", "--out", "packages"])).done();
    reproducible(&scaffold);
    without_warnings(&scaffold);
    broken(&scaffold);
}

/// The same source makes the same bytes in another folder, another target folder and another shell; and they tell nobody whose machine
/// that was.
fn reproducible(here: &Scaffold) {
    let there = Scaffold::new("another");
    let mut other_shell = there.casemate(&["pack", ".", "--out", "packages"]);
    other_shell.env("RUSTFLAGS", "-C debuginfo=2").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    other_shell.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C opt-level=0").env("SOURCE_DATE_EPOCH", "1700000000");
    Ran::of(&mut other_shell).done();
    assert_eq!(here.packed(), there.packed());

    let [component, _] = here.packed();
    let home = env::var("HOME").unwrap();
    for place in [REPOSITORY, env!("CARGO_TARGET_TMPDIR"), &home, "one folder"] {
        assert!(!component.windows(place.len()).any(|bytes| bytes == place.as_bytes()), "`{place}` is in the component");
    }
}

/// Neither the folder nor the package gives a reviewer anything to ask about.
fn without_warnings(scaffold: &Scaffold) {
    let component = "packages/dns-lookup-0.1.0.wasm";
    for plugin in [&[".", "--component", component][..], &[component]] {
        let linted = Ran::of(scaffold.casemate(&["lint", "--deny", "--format", "json"]).args(plugin)).done();
        let linted: Value = serde_json::from_str(&linted.stdout).unwrap();
        assert_eq!((&linted["plugin"], &linted["warnings"]), (&"acme/dns-lookup".into(), &Value::Array(vec![])));
    }
    // A statement says nothing of another component.
    let [mut other, _] = scaffold.packed();
    other.push(0);
    fs::write(scaffold.folder.join(component), other).unwrap();
    Ran::of(&mut scaffold.casemate(&["lint", component])).refused(&["is not the component that the statement is about"]);
}

/// Both places that an author can be sent to: a line of plugin.toml, and a tool's argument in Rust.
fn broken(scaffold: &Scaffold) {
    scaffold.edit("plugin.toml", "path = \"/resolve\"", "path = \"resolve\"");
    scaffold.edit("src/lib.rs", "    kind: Kind,\n}", "    kind: Kind,\n    /// Any text\n    note: String,\n}");
    scaffold.edit("src/lib.rs", "let Question { name, kind } = args;", "let Question { name, kind, .. } = args;");
    let broken = Ran::of(&mut scaffold.casemate(&["pack", "."]));
    assert_eq!(broken.code, 3, "{broken:#?}");
    for part in [
        "plugin.toml:28: upstream.resolver.request.resolve.path: `resolve` is not a path template",
        "28 | path = \"resolve\"\n   |        ^^^^^^^^^\n",
        "tool `resolve`, argument `/note`: the string has no bound\nhelp: add `maxLength`",
    ] {
        assert!(broken.stderr.contains(part), "`{part}` is not in {broken:#?}");
    }
}
