//! The build: cargo for wasm32-wasip2, kept from writing into the component where and by whose shell it was built.
//!
//! The same source, lock file and toolchain make the same bytes in any folder, so that a reviewer can build a component and compare it
//! with the signed digest. What cargo hashes into every symbol is out of reach: the place of a dependency by `path` that is outside the
//! plugin's workspace. By git or from a registry there is none.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::exit::Failure;

/// The guest's stack: small, so that a fresh instance touches few pages.
const STACK: &str = "link-arg=-zstack-size=65536";
/// What cargo builds for.
const TARGET: &str = "wasm32-wasip2";
/// What a shell may hold that would change the bytes. A plugin's own flags belong in its `.cargo/config.toml`, where they are reviewed.
const OF_THE_SHELL: [&str; 5] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "CARGO_INCREMENTAL",
];
/// See [`OF_THE_SHELL`]: one variable for each setting of the profile.
const PROFILE_OF_THE_SHELL: &str = "CARGO_PROFILE_RELEASE_";
/// For build scripts that write down when they ran (https://reproducible-builds.org/specs/source-date-epoch/).
const DATE: &str = "SOURCE_DATE_EPOCH";
/// 1980, which is as far back as a ZIP file can go.
const LONG_AGO: &str = "315532800";

/// Build the crate in `folder`; the component it made.
pub(crate) fn component(folder: &Path) -> Result<PathBuf, Failure> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::invalid(format!(
            "there is no `{}`\nhelp: name the plugin's folder, or a component with --component",
            manifest.display()
        )));
    }
    let manifest = std::fs::canonicalize(manifest)?;
    let flags = flags(&manifest)?;
    // Messages go through; only the list of artifacts is read.
    let output = cargo(&manifest, "build")
        .args(["--release", "--target", TARGET, "--message-format", "json-render-diagnostics", "--config"])
        .arg(format!("target.{TARGET}.rustflags={}", toml::Value::from(flags)))
        .stderr(Stdio::inherit())
        .output()
        .map_err(unavailable)?;
    if !output.status.success() {
        return Err(Failure::failed(
            "cargo could not build the plugin\nhelp: rustup target add wasm32-wasip2, if the target is missing",
        ));
    }
    made(&String::from_utf8_lossy(&output.stdout), &manifest)
        .ok_or_else(|| Failure::invalid("the crate made no component\nhelp: crate-type = [\"cdylib\"] in its [lib]"))
}

/// Cargo in the plugin's folder, where its `.cargo/config.toml` and `rust-toolchain.toml` are found, without the shell's settings.
fn cargo(manifest: &Path, subcommand: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.arg(subcommand).arg("--manifest-path").arg(manifest);
    cargo.current_dir(manifest.parent().unwrap_or(Path::new(".")));
    for name in OF_THE_SHELL {
        cargo.env_remove(name);
    }
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(PROFILE_OF_THE_SHELL)) {
        cargo.env_remove(name);
    }
    if env::var_os(DATE).is_none() {
        cargo.env(DATE, LONG_AGO);
    }
    cargo
}

fn unavailable(error: std::io::Error) -> Failure {
    Failure::failed(format!("cargo cannot be run: {error}\nhelp: https://rustup.rs installs it"))
}

/// What `cargo metadata` says, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Where it was downloaded from; nowhere for a path.
    source: Option<String>,
    manifest_path: PathBuf,
}

/// The flags for rustc: the stack, and each folder of this machine under a name that it has everywhere.
fn flags(manifest: &Path) -> Result<Vec<String>, Failure> {
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let output = cargo(manifest, "metadata")
        .args(["--format-version", "1", "--filter-platform", TARGET])
        .stderr(Stdio::inherit())
        .output()
        .map_err(unavailable)?;
    if !output.status.success() {
        return Err(Failure::failed("cargo could not read the plugin's Cargo.toml, or find what it depends on"));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let mut folders = folders(metadata);
    folders.extend(cargo_home().map(|home| (home, "/cargo".to_owned())));
    folders.extend(toolchain(folder)?);
    let remapped = remapped(folders).into_iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok(["-C".to_owned(), STACK.to_owned()].into_iter().chain(remapped).collect())
}

/// The plugin's workspace, where cargo builds, and the dependencies that are elsewhere on this machine.
fn folders(metadata: Metadata) -> Vec<(PathBuf, String)> {
    let Metadata { packages, workspace_root, target_directory } = metadata;
    let mut folders: Vec<_> = packages
        .into_iter()
        .filter(|package| package.source.is_none() && !package.manifest_path.starts_with(&workspace_root))
        .filter_map(|Package { name, version, manifest_path, .. }| {
            Some((manifest_path.parent()?.to_owned(), format!("/dependency/{name}-{version}")))
        })
        .collect();
    folders.push((workspace_root, "/plugin".to_owned()));
    folders.push((target_directory, "/target".to_owned()));
    folders
}

/// As cargo finds it.
fn cargo_home() -> Option<PathBuf> {
    let of = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("CARGO_HOME").or_else(|| of("HOME").map(|home| home.join(".cargo")))
}

/// Where the standard library's source is, if it is installed, and the name that its paths have where it is not.
fn toolchain(folder: &Path) -> Result<Option<(PathBuf, String)>, Failure> {
    let rustc = |argument: &str, value: Option<&str>| -> Result<String, Failure> {
        let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let output = command.arg(argument).args(value).current_dir(folder).output().map_err(unavailable)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let sysroot = rustc("--print", Some("sysroot"))?;
    let about = rustc("-vV", None)?;
    let commit = about.lines().find_map(|line| line.strip_prefix("commit-hash: ")).filter(|commit| *commit != "unknown");
    Ok(commit.map(|commit| (Path::new(sysroot.trim()).join("lib/rustlib/src/rust"), format!("/rustc/{commit}"))))
}

/// In the order rustc wants them: of those that fit, the last one counts, so the longest comes last.
fn remapped(mut folders: Vec<(PathBuf, String)>) -> Vec<(PathBuf, String)> {
    folders.retain(|(from, _)| from.is_absolute() && from.parent().is_some());
    folders.sort_by_key(|(from, _)| from.as_os_str().len());
    folders
}

/// The component among what cargo says it made of this crate.
fn made(messages: &str, manifest: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        manifest_path: Option<PathBuf>,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.manifest_path.as_deref() == Some(manifest))
        .filter_map(|message| message.filenames.into_iter().find(|name| name.extension().is_some_and(|it| it == "wasm")))
        .next_back()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_another_folder_keeps_a_name_of_its_own() {
        let metadata = r#"{ "packages": [
            { "name": "plugin", "version": "0.1.0", "source": null, "manifest_path": "/home/me/my plugin/Cargo.toml" },
            { "name": "sdk", "version": "0.2.0", "source": null, "manifest_path": "/opt/sdk/Cargo.toml" },
            { "name": "serde", "version": "1.0.0", "source": "registry+x", "manifest_path": "/home/me/.cargo/registry/src/serde/Cargo.toml" }
        ], "workspace_root": "/home/me/my plugin", "target_directory": "/home/me/my plugin/target", "version": 1 }"#;
        let mut all = folders(serde_json::from_str(metadata).unwrap());
        all.push((PathBuf::from("/"), "/root".to_owned()));
        all.push((PathBuf::from(".cargo"), "/cargo".to_owned()));
        let text: Vec<_> = remapped(all).into_iter().map(|(from, to)| format!("{}={to}", from.display())).collect();
        assert_eq!(text, ["/opt/sdk=/dependency/sdk-0.2.0", "/home/me/my plugin=/plugin", "/home/me/my plugin/target=/target"]);
    }

    #[test]
    fn the_component_is_the_plugins_own() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/t/a.wasm"]}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/libp.rlib","/t/p.wasm"]}
not json
{"reason":"build-finished","success":true}"#;
        assert_eq!(made(messages, Path::new("/p/Cargo.toml")), Some(PathBuf::from("/t/p.wasm")));
        assert_eq!(made(messages, Path::new("/q/Cargo.toml")), None);
    }
}
