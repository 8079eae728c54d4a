//! What a component was made of and with: the list of its dependencies, and the programs that built it.
//!
//! The list is cargo's own resolution for the target that was built, in the format of `cargo auditable`. It is the same every time.
//! As there, it may name slightly more than is linked, where a workspace unifies features.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Command, Stdio},
};

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use casemate_sandbox::{check_metadata, dependencies_of, embed};
use casemate_signing::{
    digest::Digest,
    manifest::{Build, Manifest},
    source::with_origin,
};
use serde::Deserialize;

use crate::exit::Failure;

/// What components are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// How cargo names crates.io.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Of cargo-auditable's formats: from `cargo metadata`, procedural macros as build dependencies.
const FORMAT: u32 = 1;

/// What a manifest will state of a component's making.
pub(crate) struct Origin {
    sbom: Option<Digest>,
    build: Build,
}

impl Origin {
    /// A component with its dependencies inside, and what is to be stated of it. `built_from` is the crate that was just built; without
    /// one, a component that does not list its dependencies stays without. A list that is there already stays: its author knows better.
    pub(crate) fn embedded(component: Vec<u8>, built_from: Option<&Path>) -> Result<(Vec<u8>, Self), Failure> {
        let found = dependencies_of(&component).map_err(Failure::invalid)?;
        let component = match (found.is_some(), built_from) {
            (false, Some(folder)) => embed(component, &list(folder)?).map_err(Failure::invalid)?,
            _ => component,
        };
        let sbom = dependencies_of(&component).map_err(Failure::invalid)?.map(|list| *list.digest());
        let packer = concat!("casemate ", env!("CARGO_PKG_VERSION")).to_owned();
        Ok((component, Self { sbom, build: Build { packer, rustc: built_from.and_then(rustc) } }))
    }

    /// The manifest that states it, held against the component as the loader will.
    pub(crate) fn stated_in(self, manifest: Manifest, component: &[u8]) -> Result<Manifest, Failure> {
        let manifest = with_origin(manifest, self.sbom, self.build)
            .map_err(|errors| Failure::invalid(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
        check_metadata(component, &manifest).map_err(Failure::invalid)?;
        Ok(manifest)
    }
}

/// The compiler that cargo uses in this folder, where it says.
fn rustc(folder: &Path) -> Option<String> {
    let output = Command::new("rustc").arg("--version").current_dir(folder).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok().map(|version| version.trim().to_owned()).filter(|version| !version.is_empty())
}

/// What cargo resolved for the crate in `folder`.
fn list(folder: &Path) -> Result<VersionInfo, Failure> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--filter-platform", TARGET, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::failed(format!("cargo cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(Failure::failed("cargo could not say what the plugin depends on"));
    }
    let resolved: Resolved = serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::failed(format!("what cargo says of the dependencies cannot be read: {error}")))?;
    resolved.into_list().ok_or_else(|| Failure::failed("what cargo says of the dependencies is not whole"))
}

/// As much of `cargo metadata` as is needed.
#[derive(Deserialize)]
struct Resolved {
    packages: Vec<ResolvedPackage>,
    resolve: Graph,
}

#[derive(Deserialize)]
struct ResolvedPackage {
    id: String,
    name: String,
    version: semver::Version,
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Graph {
    root: Option<String>,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    /// Absent for a normal dependency.
    kind: Option<String>,
}

impl Edge {
    /// The strongest of its kinds; `None` where it is only for tests.
    fn kind(&self) -> Option<DependencyKind> {
        let kinds = self.dep_kinds.iter().filter_map(|edge| match edge.kind.as_deref() {
            None => Some(DependencyKind::Runtime),
            Some("build") => Some(DependencyKind::Build),
            Some(_) => None,
        });
        kinds.max()
    }
}

impl Resolved {
    /// The root's dependencies, and theirs, without those of tests. `None` where the graph has holes.
    fn into_list(self) -> Option<VersionInfo> {
        let root = self.resolve.root.as_deref()?;
        let kinds = self.kinds(root)?;
        let mut packages: Vec<&ResolvedPackage> =
            self.packages.iter().filter(|package| kinds.contains_key(package.id.as_str())).collect();
        packages.sort_by_key(|package| (&package.name, &package.version, &package.id));
        let places: BTreeMap<&str, usize> = packages.iter().enumerate().map(|(at, package)| (package.id.as_str(), at)).collect();
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let packages = packages.iter().map(|package| {
            let edges = nodes.get(package.id.as_str())?.deps.iter().filter(|edge| edge.kind().is_some());
            let dependencies: Option<BTreeSet<usize>> = edges.map(|edge| places.get(edge.pkg.as_str()).copied()).collect();
            Some(Package {
                name: package.name.clone(),
                version: package.version.clone(),
                source: source(package.source.as_deref()),
                kind: *kinds.get(package.id.as_str())?,
                dependencies: dependencies?.into_iter().collect(),
                root: package.id == root,
            })
        });
        Some(VersionInfo { packages: packages.collect::<Option<_>>()?, format: FORMAT })
    }

    /// What each reachable package is for. What a build dependency or a procedural macro depends on is for the build too, unless
    /// another way leads there.
    fn kinds<'a>(&'a self, root: &'a str) -> Option<BTreeMap<&'a str, DependencyKind>> {
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let macros: BTreeSet<&str> = self
            .packages
            .iter()
            .filter(|package| package.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro")))
            .map(|package| package.id.as_str())
            .collect();
        let mut kinds = BTreeMap::from([(root, DependencyKind::Runtime)]);
        let mut waiting = vec![root];
        while let Some(parent) = waiting.pop() {
            let parents_kind = *kinds.get(parent)?;
            for edge in &nodes.get(parent)?.deps {
                let Some(kind) = edge.kind() else { continue };
                let child = edge.pkg.as_str();
                let own = if macros.contains(child) { DependencyKind::Build } else { DependencyKind::Runtime };
                let kind = kind.min(parents_kind).min(own);
                // Again only where it became stronger: there are two kinds, so each is visited twice at most.
                if kinds.get(child).is_none_or(|&known| known < kind) {
                    kinds.insert(child, kind);
                    waiting.push(child);
                }
            }
        }
        Some(kinds)
    }
}

fn source(source: Option<&str>) -> Source {
    match source {
        None => Source::Local,
        Some(CRATES_IO) => Source::CratesIo,
        Some(other) => Source::from(other.split('+').next().unwrap_or_default()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn package(name: &str, kind: &str) -> Value {
        json!({ "id": format!("path+file:///{name}"), "name": name, "version": "1.0.0", "source": CRATES_IO, "targets": [{ "kind": [kind] }] })
    }

    fn node(name: &str, edges: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<Value> = edges
            .iter()
            .map(|(to, kind)| json!({ "pkg": format!("path+file:///{to}"), "dep_kinds": [{ "kind": kind }] }))
            .collect();
        json!({ "id": format!("path+file:///{name}"), "deps": deps })
    }

    /// A plugin with a normal, a build and a test dependency, and a procedural macro with one of its own.
    fn resolved() -> Value {
        json!({
            "packages": [
                package("used", "lib"), package("plugin", "cdylib"), package("maker", "lib"), package("tested", "lib"),
                package("derive", "proc-macro"), package("syntax", "lib"), package("both", "lib"), package("stranger", "lib"),
            ],
            "resolve": { "root": "path+file:///plugin", "nodes": [
                node("plugin", &[("used", None), ("maker", Some("build")), ("tested", Some("dev")), ("derive", None)]),
                node("used", &[("both", None)]), node("maker", &[("both", None)]), node("tested", &[("plugin", None)]),
                node("derive", &[("syntax", None)]), node("syntax", &[]), node("both", &[]), node("stranger", &[]),
            ] },
        })
    }

    fn listed(resolved: &Value) -> Option<VersionInfo> {
        serde_json::from_value::<Resolved>(resolved.clone()).unwrap().into_list()
    }

    #[test]
    fn what_is_built_in_is_told_from_what_builds() {
        let list = listed(&resolved()).unwrap();
        let of_kind = |kind: DependencyKind| -> Vec<&str> {
            list.packages.iter().filter(|package| package.kind == kind).map(|package| package.name.as_str()).collect()
        };
        assert_eq!(of_kind(DependencyKind::Runtime), ["both", "plugin", "used"], "a dependency of both kinds is built in");
        assert_eq!(of_kind(DependencyKind::Build), ["derive", "maker", "syntax"], "a macro and what it needs are not");
        let root = list.packages.iter().find(|package| package.root).unwrap();
        let names = |places: &[usize]| -> Vec<String> {
            places.iter().filter_map(|&at| list.packages.get(at)).map(|package| package.name.clone()).collect()
        };
        assert_eq!(
            (root.name.as_str(), names(&root.dependencies)),
            ("plugin", ["derive", "maker", "used"].map(String::from).to_vec())
        );
        assert!(list.to_owned().packages.iter().all(|package| package.name != "tested" && package.name != "stranger"));
    }

    #[test]
    fn the_order_in_which_cargo_speaks_changes_nothing() {
        let mut turned = resolved();
        for list in ["/packages", "/resolve/nodes", "/resolve/nodes/0/deps"] {
            turned.pointer_mut(list).and_then(Value::as_array_mut).unwrap().reverse();
        }
        // The last of the three was another node's after the second.
        assert_eq!(
            serde_json::to_string(&listed(&turned).unwrap()).unwrap(),
            serde_json::to_string(&listed(&resolved()).unwrap()).unwrap()
        );
    }

    #[test]
    fn a_graph_with_holes_makes_no_list() {
        for hole in ["/packages", "/resolve/nodes"] {
            let mut holed = resolved();
            holed.pointer_mut(hole).and_then(Value::as_array_mut).unwrap().remove(0);
            assert_eq!(listed(&holed), None, "{hole}");
        }
        let mut rootless = resolved();
        *rootless.pointer_mut("/resolve/root").unwrap() = Value::Null;
        assert_eq!(listed(&rootless), None);
    }

    #[test]
    fn sources_are_named_as_cargo_auditable_does() {
        for (text, expected) in [
            (None, Source::Local),
            (Some(CRATES_IO), Source::CratesIo),
            (Some("registry+https://crates.example.com/index"), Source::Registry),
            (Some("git+https://example.com/x?rev=1#1"), Source::Git),
            (Some("sparse+https://crates.example.com/"), Source::Other("sparse".to_owned())),
        ] {
            assert_eq!(source(text), expected, "{text:?}");
        }
    }
}
