//! What a plugin is made of, as a CycloneDX 1.6 document (ECMA-424): the same bytes for the same package.
//!
//! There is no time in it and no serial number: both are optional, and would make two documents of one package differ.

use auditable_serde::{DependencyKind, Package, Source};
use casemate_sandbox::Dependencies;
use casemate_signing::manifest::Manifest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What a package URL escapes (ECMA-427): everything but letters, digits and `.-_~`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The document.
pub(crate) fn document(manifest: &Manifest, dependencies: &Dependencies) -> Value {
    let packages = dependencies.packages();
    let refs: Vec<String> = packages.iter().enumerate().map(|(at, package)| format!("{at}:{}", package.name)).collect();
    let components: Vec<Value> =
        packages.iter().zip(&refs).filter(|(package, _)| !package.root).map(|(package, own)| component(package, own)).collect();
    let edges: Vec<Value> = packages
        .iter()
        .zip(&refs)
        .map(|(package, own)| {
            let on: Vec<&String> = package.dependencies.iter().filter_map(|&at| refs.get(at)).collect();
            json!({ "ref": own, "dependsOn": on })
        })
        .collect();
    let root = packages.iter().zip(&refs).find(|(package, _)| package.root).map(|(_, own)| own);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "casemate", "version": env!("CARGO_PKG_VERSION") }] },
            "component": plugin(manifest, root),
        },
        "components": components,
        "dependencies": edges,
    })
}

/// The plugin itself. It is not its crate: it has a publisher, and the digest of the component.
fn plugin(manifest: &Manifest, root: Option<&String>) -> Value {
    let mut plugin = json!({
        "type": "application",
        "group": manifest.plugin.publisher.as_str(),
        "name": manifest.plugin.name.as_str(),
        "version": manifest.plugin.version.to_string(),
        "description": manifest.plugin.description,
        "hashes": [{ "alg": "SHA-256", "content": manifest.component.sha256 }],
        "licenses": [{ "expression": manifest.plugin.license }],
        "externalReferences": [{ "type": "vcs", "url": manifest.plugin.source }],
    });
    insert(&mut plugin, "bom-ref", root.map(|root| json!(root)));
    plugin
}

fn component(package: &Package, own: &str) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": own,
        "name": package.name,
        "version": package.version.to_string(),
        // `excluded`: needed to build it, and not in it.
        "scope": match package.kind {
            DependencyKind::Runtime => "required",
            DependencyKind::Build => "excluded",
        },
    });
    insert(&mut component, "purl", purl(package).map(Value::String));
    component
}

/// Only what is on crates.io has a package URL without a place: elsewhere the same name would be another's package.
fn purl(package: &Package) -> Option<String> {
    (package.source == Source::CratesIo)
        .then(|| format!("pkg:cargo/{}@{}", escaped(&package.name), escaped(&package.version.to_string())))
}

fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

fn insert(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        Map::insert(object, name.to_owned(), value);
    }
}
