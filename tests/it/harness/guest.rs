//! A guest on its way to being a package: its component, its manifest, its signature.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use casemate_signing::{
    Digest,
    approval::Approval,
    bundle::Bundle,
    key::PrivateKey,
    manifest::{Build, ComponentFacts},
    source::{PluginToml, assemble, parse_description, with_origin},
    statement,
};
use flate2::{Compression, write::ZlibEncoder};
use toml::{Table, Value};
use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::program::{Ran, built_guest, packages, program};

/// The manifest and the tools of every guest, but for those that have tools of their own.
const SHARED: [&str; 2] = [include_str!("../../guests/plugin.toml"), include_str!("../../guests/tools.json")];
const ANY_STATEMENT: [&str; 2] =
    [include_str!("../../guests/any_statement.toml"), include_str!("../../guests/any_statement.json")];
const ERRANDS: [&str; 2] = [include_str!("../../guests/errands.toml"), include_str!("../../guests/errands.json")];
const EVERY_CREDENTIAL: [&str; 2] =
    [include_str!("../../guests/every_credential.toml"), include_str!("../../guests/every_credential.json")];
const WIT: &str = "casemate:plugin@0.1.0";

/// A guest, and what its manifest says of it.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// Its plugin's name.
    pub(crate) name: String,
    component: Vec<u8>,
    manifest: Table,
    imports: BTreeSet<String>,
    tools: String,
    wit: String,
    sbom: Option<Digest>,
}

/// A signed package: the two files.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) component: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
    /// What a person agrees to: everything it may do, and every word its tools say.
    pub(crate) approval: Digest,
    /// What was signed.
    pub(crate) statement: Vec<u8>,
}

impl Guest {
    /// The guest of that name, with its manifest.
    pub(crate) fn new(name: &str) -> Self {
        let component = built_guest(name).or_else(|| from_text(name)).unwrap_or_else(|| {
            panic!("the guest `{name}` is not built\nhelp: cargo build -p casemate-guests --examples --release --target wasm32-wasip2")
        });
        Self::of(name, component)
    }

    /// A guest written as text, with one more function.
    pub(crate) fn with_function(name: &str, function: &str) -> Self {
        let text = text_of(name).unwrap();
        let (module, end) = text.trim_end().split_at(text.trim_end().len() - 1);
        assert_eq!(end, ")");
        Self::of(name, encoded(&format!("{module}\n{function}\n)")))
    }

    /// Any bytes at all as a component.
    pub(crate) fn of(name: &str, component: Vec<u8>) -> Self {
        let [manifest, tools] = match name {
            "any_statement" => ANY_STATEMENT,
            "errands" | "echo_everywhere" => ERRANDS,
            "every_credential" => EVERY_CREDENTIAL,
            _ => SHARED,
        };
        let mut manifest: Table = manifest.parse().unwrap();
        let name = name.replace('_', "-");
        manifest["plugin"]["name"] = name.clone().into();
        Self { imports: imports(&component), name, component, manifest, tools: tools.to_owned(), wit: WIT.to_owned(), sbom: None }
    }

    /// What the component imports.
    pub(crate) fn imports(&self) -> &BTreeSet<String> {
        &self.imports
    }

    /// The same with every interface of a package closed, as an author closes them before packing.
    pub(crate) fn closing(self, package: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (open, closed) = (folder.path().join("open.wasm"), folder.path().join("closed.wasm"));
        fs::write(&open, &self.component).unwrap();
        Ran::of(Command::new(program("casemate-close")).arg(open).arg(package).arg("--out").arg(&closed)).done();
        let component = fs::read(closed).unwrap();
        Self { imports: imports(&component), component, ..self }
    }

    /// Ask for another limit than the host's default.
    pub(crate) fn limit(mut self, name: &str, value: i64) -> Self {
        self.manifest["limits"].as_table_mut().unwrap().insert(name.to_owned(), value.into());
        self
    }

    /// Change a value of the manifest.
    pub(crate) fn with(mut self, section: &str, key: &str, value: impl Into<Value>) -> Self {
        self.manifest[section].as_table_mut().unwrap().insert(key.to_owned(), value.into());
        self
    }

    /// Ship a prompt; `declared` is its table.
    pub(crate) fn prompt(mut self, name: &str, declared: &str) -> Self {
        let prompts = self.manifest.entry("prompt").or_insert_with(|| Table::new().into());
        prompts.as_table_mut().unwrap().insert(name.to_owned(), declared.parse::<Table>().unwrap().into());
        self
    }

    /// Declare fewer imports than the component has.
    pub(crate) fn undeclared(mut self, interface: &str) -> Self {
        let before = self.imports.len();
        self.imports.retain(|import| !import.starts_with(interface));
        assert!(self.imports.len() < before, "{interface} is not imported");
        self
    }

    /// Say something else of the tools.
    pub(crate) fn saying(mut self, words: &str, others: &str) -> Self {
        assert!(self.tools.contains(words), "`{words}` is not said");
        self.tools = self.tools.replace(words, others);
        self
    }

    /// Put a custom section into the component.
    pub(crate) fn section(mut self, name: &str, bytes: &[u8]) -> Self {
        let section = CustomSection { name: name.into(), data: bytes.into() };
        self.component.push(section.id());
        section.encode(&mut self.component);
        self
    }

    /// State that the component lists this of what it is made of.
    pub(crate) fn stating(self, list: &str) -> Self {
        Self { sbom: Some(Digest::of(list.as_bytes())), ..self }
    }

    /// List what it is made of: the crate `leaf` in some version, and `branch`, which builds it.
    pub(crate) fn made_of(self, leaf: &str, branch: &str) -> Self {
        let list = list(leaf, branch);
        self.section(LIST, &zlib(list.as_bytes())).stating(&list)
    }

    /// Claim to be built for another WIT version.
    pub(crate) fn built_for(self, wit: &str) -> Self {
        Self { wit: wit.to_owned(), ..self }
    }

    /// Write it down as its author would have it: a folder with plugin.toml, and the component.
    pub(crate) fn write_source(&self, folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("plugin.toml"), toml::to_string(&self.manifest).unwrap()).unwrap();
        let component = folder.join("guest.wasm");
        fs::write(&component, &self.component).unwrap();
        component
    }

    /// Sign it. Whatever the component is: what is signed is only what the manifest says.
    pub(crate) fn package(&self, key: &PrivateKey) -> Package {
        let source = PluginToml::parse(&toml::to_string(&self.manifest).unwrap()).unwrap();
        let described = parse_description(self.tools.as_bytes()).unwrap();
        let facts = ComponentFacts { sha256: Digest::of(&self.component).to_hex(), size: self.component.len() as u64 };
        let manifest = assemble(&source, &described, facts, self.imports.clone(), self.wit.clone()).unwrap();
        let build = Build { packer: "the harness".to_owned(), rustc: None };
        let manifest = match self.sbom {
            Some(_) => with_origin(manifest, self.sbom, build).unwrap(),
            None => manifest,
        };
        let statement = statement::to_bytes(&manifest);
        Package {
            component: self.component.clone(),
            bundle: Bundle::sign(statement.clone(), key).to_json().into_bytes(),
            approval: Approval::of(&manifest).digest(),
            statement,
        }
    }
}

impl Package {
    /// A plugin of this repository, as `make plugins` has packed it, and signed with this key.
    pub(crate) fn of_plugin(name: &str, key: &PrivateKey) -> Self {
        let component = packages().join(format!("{name}-0.1.0.wasm"));
        let read = |file: &Path| fs::read(file).unwrap_or_else(|error| panic!("{}: {error}\nhelp: make plugins", file.display()));
        let statement = read(&component.with_extension("wasm.statement.json"));
        Self {
            component: read(&component),
            bundle: Bundle::sign(statement.clone(), key).to_json().into_bytes(),
            approval: Approval::of(&statement::parse(&statement).unwrap()).digest(),
            statement,
        }
    }
}

/// The custom section that `cargo auditable` defined.
pub(crate) const LIST: &str = ".dep-v0";

/// What a plugin is made of, in the words of `cargo auditable`.
pub(crate) fn list(leaf: &str, branch: &str) -> String {
    let package = |name: &str, version: &str, rest: &str| format!(r#"{{"name":"{name}","version":"{version}",{rest}}}"#);
    let packages = [
        package("branch", branch, r#""source":"crates.io","kind":"build""#),
        package("guest", "0.1.0", r#""source":"local","dependencies":[0,2],"root":true"#),
        package("leaf", leaf, r#""source":"crates.io""#),
    ];
    format!(r#"{{"packages":[{}],"format":1}}"#, packages.join(","))
}

/// Compressed as that section is.
pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The outermost imports of a component; none where the bytes are no component.
fn imports(component: &[u8]) -> BTreeSet<String> {
    let mut imports = BTreeSet::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth -= 1,
            Ok(Payload::ComponentImportSection(section)) if depth == 1 => {
                imports.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Ok(_) => {}
            Err(_) => return BTreeSet::new(),
        }
    }
    imports
}

/// A guest written as the text of a core module, for what no compiler emits.
fn from_text(name: &str) -> Option<Vec<u8>> {
    text_of(name).map(|text| encoded(&text))
}

fn text_of(name: &str) -> Option<String> {
    std::fs::read_to_string(format!("{}/guests/examples/{name}.wat", env!("CARGO_MANIFEST_DIR"))).ok()
}

/// The text of a core module as a component.
fn encoded(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
