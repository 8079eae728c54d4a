//! What a component was made of and with: the list of its dependencies, and the programs that built it.
//!
//! The list is cargo's own resolution for the target that was built, in the format of `cargo auditable`. It is the same every time.
//! `cargo metadata` has the graph, with the features of a whole workspace; `cargo tree` says which of it this one crate uses.

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
        let rustc = built_from.map(|_| Rustc::ask()).transpose()?;
        let component = match (found, built_from, &rustc) {
            (None, Some(folder), Some(rustc)) => embed(component, &list(folder, rustc)?).map_err(Failure::invalid)?,
            _ => component,
        };
        let sbom = dependencies_of(&component).map_err(Failure::invalid)?.map(|list| *list.digest());
        let packer = concat!("casemate ", env!("CARGO_PKG_VERSION")).to_owned();
        Ok((component, Self { sbom, build: Build { packer, rustc: rustc.map(|rustc| rustc.version) } }))
    }

    /// The manifest that states it, held against the component as the loader will.
    pub(crate) fn stated_in(self, manifest: Manifest, component: &[u8]) -> Result<Manifest, Failure> {
        let manifest = with_origin(manifest, self.sbom, self.build)
            .map_err(|errors| Failure::invalid(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
        check_metadata(component, &manifest).map_err(Failure::invalid)?;
        Ok(manifest)
    }
}

/// The compiler that cargo uses here.
struct Rustc {
    /// `rustc 1.95.0 (59807616e 2026-04-14)`
    version: String,
    /// What it runs on: build scripts and procedural macros are built for that.
    host: String,
}

impl Rustc {
    fn ask() -> Result<Self, Failure> {
        let output = Command::new("rustc").arg("-vV").stdin(Stdio::null()).output();
        let output = output.map_err(|error| Failure::failed(format!("rustc cannot be run: {error}")))?;
        Self::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| Failure::failed("rustc does not say what it is"))
    }

    fn parse(words: &str) -> Option<Self> {
        let version = words.lines().next()?.to_owned();
        let host = words.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Self { version, host })
    }
}

/// What cargo resolved for the crate in `folder`.
fn list(folder: &Path, rustc: &Rustc) -> Result<VersionInfo, Failure> {
    let platforms = ["--filter-platform", TARGET, "--filter-platform", &rustc.host];
    let graph = cargo(folder, &[&["metadata", "--format-version", "1"] as &[&str], &platforms].concat())?;
    let used = cargo(folder, &["tree", "--target", TARGET, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])?;
    let resolved: Resolved = serde_json::from_slice(&graph)
        .map_err(|error| Failure::failed(format!("what cargo says of the dependencies cannot be read: {error}")))?;
    used_of(&String::from_utf8_lossy(&used))
        .and_then(|used| resolved.into_list(&used))
        .ok_or_else(|| Failure::failed("what cargo says of the dependencies is not whole"))
}

/// What cargo says of the crate in `folder`.
fn cargo(folder: &Path, words: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = Command::new("cargo")
        .args(words)
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::failed(format!("cargo cannot be run: {error}")))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Failure::failed("cargo could not say what the plugin depends on"))
    }
}

/// Names and versions.
type Used = BTreeSet<(String, semver::Version)>;

/// The lines of `cargo tree`, each `NAME vVERSION` and then where it comes from.
fn used_of(tree: &str) -> Option<Used> {
    let used = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.parse().ok()?))
    };
    tree.lines().filter(|line| !line.trim().is_empty()).map(used).collect()
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
    /// The root's dependencies, and theirs, without those of tests. `None` where the graph has holes, or lacks what is used.
    fn into_list(mut self, used: &Used) -> Option<VersionInfo> {
        let is_used = |package: &ResolvedPackage| used.contains(&(package.name.clone(), package.version.clone()));
        let unused: BTreeSet<String> =
            self.packages.iter().filter(|package| !is_used(package)).map(|package| package.id.clone()).collect();
        for node in &mut self.resolve.nodes {
            node.deps.retain(|edge| !unused.contains(&edge.pkg));
        }
        let root = self.resolve.root.as_deref()?;
        let kinds = self.kinds(root)?;
        let mut packages: Vec<&ResolvedPackage> =
            self.packages.iter().filter(|package| kinds.contains_key(package.id.as_str())).collect();
        packages.sort_by_key(|package| (&package.name, &package.version, &package.id));
        let listed: BTreeSet<(&str, &semver::Version)> =
            packages.iter().map(|package| (package.name.as_str(), &package.version)).collect();
        if used.iter().any(|(name, version)| !listed.contains(&(name.as_str(), version))) {
            return None;
        }
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
                package("elsewhere", "lib"),
            ],
            "resolve": { "root": "path+file:///plugin", "nodes": [
                node("plugin", &[("used", None), ("maker", Some("build")), ("tested", Some("dev")), ("derive", None)]),
                node("used", &[("both", None), ("elsewhere", None)]), node("elsewhere", &[]), node("maker", &[("both", None)]), node("tested", &[("plugin", None)]),
                node("derive", &[("syntax", None)]), node("syntax", &[]), node("both", &[]), node("stranger", &[]),
            ] },
        })
    }

    const TREE: &str = "plugin v1.0.0 (/home/author/plugin)\nused v1.0.0\nboth v1.0.0\nderive v1.0.0 (proc-macro)\nsyntax v1.0.0\n\
                        maker v1.0.0\nboth v1.0.0 (*)\n";

    fn listed(resolved: &Value) -> Option<VersionInfo> {
        serde_json::from_value::<Resolved>(resolved.clone()).unwrap().into_list(&used_of(TREE).unwrap())
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
        assert!(
            list.to_owned().packages.iter().all(|package| !["tested", "stranger", "elsewhere"].contains(&package.name.as_str()))
        );
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
    fn what_is_used_and_not_in_the_graph_makes_no_list() {
        let more = used_of(&format!("{TREE}stowaway v0.1.0\n")).unwrap();
        assert_eq!(serde_json::from_value::<Resolved>(resolved()).unwrap().into_list(&more), None);
        for line in ["[build-dependencies]", "plugin", "plugin 1.0.0", "plugin v1"] {
            assert_eq!(used_of(line), None, "{line}");
        }
    }

    #[test]
    fn rustc_says_what_it_is() {
        let words = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        let rustc = Rustc::parse(words).unwrap();
        assert_eq!(
            (rustc.version.as_str(), rustc.host.as_str()),
            ("rustc 1.95.0 (59807616e 2026-04-14)", "x86_64-unknown-linux-gnu")
        );
        assert!(Rustc::parse("").is_none() && Rustc::parse("rustc 1.95.0\n").is_none());
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
