//! Closes imports of a component: what a language's runtime imports and no plugin may have gets a stub that ends the call.
//!
//! The component is wrapped, not changed: a new one holds it beside the stub and connects the two. The stub has no code but
//! `unreachable`, so what is closed reaches nothing, whatever the component does with it.

use std::collections::BTreeSet;

use wac_graph::{CompositionGraph, EncodeOptions, plug, types::Package};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, decode, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, WorldId, WorldKey};

/// How a component begins; a core module has a zero where this has its second one, and would decode as one without imports.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Why imports could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// Not a component.
    #[error("this is not a component: {0}\nhelp: give the file that the language's own tool made")]
    NotAComponent(String),
    /// A package whose interfaces the component does not import.
    #[error("the component imports nothing of `{0}`\nhelp: leave it out; `casemate pack` names what it does import")]
    NotImported(String),
    /// The stub and the component do not fit.
    #[error("the imports cannot be closed: {0}")]
    Composition(String),
}

/// The component with every interface of `packages` (`wasi:sockets`) closed, and the names of what was closed.
///
/// # Errors
/// When it is not a component, or imports nothing of one of the packages.
pub fn close(component: &[u8], packages: &[String]) -> Result<(Vec<u8>, BTreeSet<String>), CloseError> {
    if component.get(..COMPONENT.len()) != Some(&COMPONENT) {
        return Err(CloseError::NotAComponent("it begins otherwise".to_owned()));
    }
    let not_a_component = |error: anyhow::Error| CloseError::NotAComponent(format!("{error:#}"));
    let DecodedWasm::Component(resolve, world) = decode(component).map_err(not_a_component)? else {
        return Err(CloseError::NotAComponent("it is WIT in binary form".to_owned()));
    };
    let imports = imports_of(&resolve, world);
    let mut closed = BTreeSet::new();
    for package in packages {
        let interfaces: Vec<&String> = imports.iter().filter(|name| name.split('/').next() == Some(package)).collect();
        if interfaces.is_empty() {
            return Err(CloseError::NotImported(package.clone()));
        }
        closed.extend(interfaces.into_iter().cloned());
    }
    let fail = |error: anyhow::Error| CloseError::Composition(format!("{error:#}"));
    let stub = stub(resolve, &closed).map_err(fail)?;
    let whole = compose(component, &stub).map_err(fail)?;
    Ok((whole, closed))
}

fn imports_of(resolve: &Resolve, world: WorldId) -> BTreeSet<String> {
    let keys = resolve.worlds.get(world).into_iter().flat_map(|world| world.imports.keys());
    keys.filter(|key| matches!(key, WorldKey::Interface(_))).map(|key| resolve.name_world_key(key)).collect()
}

/// A component that exports `interfaces`, with the types that `resolve` has of them, and does nothing.
fn stub(mut resolve: Resolve, interfaces: &BTreeSet<String>) -> anyhow::Result<Vec<u8>> {
    let exports: String = interfaces.iter().map(|name| format!("  export {name};\n")).collect();
    let package = resolve.push_str("closed.wit", &format!("package casemate:closed;\nworld closed {{\n{exports}}}\n"))?;
    let world = resolve.select_world(&[package], None)?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}

fn compose(component: &[u8], stub: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let stub = Package::from_bytes("casemate:closed", None, stub.to_vec(), graph.types_mut())?;
    let stub = graph.register_package(stub)?;
    let plugin = Package::from_bytes("casemate:plugin", None, component.to_vec(), graph.types_mut())?;
    let plugin = graph.register_package(plugin)?;
    plug(&mut graph, vec![stub], plugin)?;
    Ok(graph.encode(EncodeOptions::default())?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const WIT: &str = "
        package test:plugin;
        package wasi:io@0.2.9 { interface poll { resource pollable { block: func(); } } }
        package wasi:sockets@0.2.9 {
            interface network { resource network; enum error-code { access-denied } }
            interface tcp {
                use network.{network, error-code};
                use wasi:io/poll@0.2.9.{pollable};
                resource tcp-socket {
                    start-bind: func(network: borrow<network>, address: string) -> result<list<u8>, error-code>;
                    subscribe: func() -> pollable;
                }
            }
        }
        world plugin {
            import wasi:io/poll@0.2.9;
            import wasi:sockets/tcp@0.2.9;
            export tools: interface { describe: func() -> string; }
        }";

    fn component(wit: &str) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", wit).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    fn world_of(component: &[u8]) -> (BTreeSet<String>, usize) {
        let DecodedWasm::Component(resolve, world) = decode(component).unwrap() else { unreachable!("it is no component") };
        (imports_of(&resolve, world), resolve.worlds.get(world).unwrap().exports.len())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_is_closed_is_no_longer_imported_and_the_rest_is_as_it_was() {
        let component = component(WIT);
        let (before, exports) = world_of(&component);
        let (whole, closed) = close(&component, &names(&["wasi:sockets"])).unwrap();
        assert_eq!(closed, BTreeSet::from_iter(names(&["wasi:sockets/network@0.2.9", "wasi:sockets/tcp@0.2.9"])));
        let (after, still) = world_of(&whole);
        assert_eq!(after, before.difference(&closed).cloned().collect());
        assert_eq!(after, BTreeSet::from_iter(names(&["wasi:io/poll@0.2.9"])));
        assert_eq!((exports, still), (1, 1));
    }

    #[test]
    fn the_same_component_is_closed_into_the_same_bytes() {
        let component = component(WIT);
        let close = || close(&component, &names(&["wasi:sockets"])).unwrap().0;
        assert_eq!(close(), close());
    }

    #[test]
    fn a_package_is_named_whole() {
        for package in ["wasi:http", "wasi:sock", "wasi", "", "wasi:sockets/tcp", "wasi:sockets@0.2.9"] {
            let error = close(&component(WIT), &names(&[package])).unwrap_err();
            assert!(matches!(error, CloseError::NotImported(ref named) if named == package), "{package}: {error}");
        }
        let some = close(&component(WIT), &names(&["wasi:sockets", "wasi:http"])).unwrap_err();
        assert!(matches!(some, CloseError::NotImported(_)), "one of two is not enough: {some}");
    }

    #[test]
    fn what_is_no_component_is_refused() {
        for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\xff", b"#!/bin/sh"] {
            assert!(matches!(close(bytes, &names(&["wasi:sockets"])), Err(CloseError::NotAComponent(_))), "{bytes:?}");
        }
    }
}
