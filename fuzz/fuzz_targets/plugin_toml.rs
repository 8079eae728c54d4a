//! `plugin.toml`: whatever packs is a manifest that loads.

#![no_main]

use std::collections::BTreeSet;

use casemate_signing::{
    Digest,
    manifest::{ComponentFacts, check::check},
    source::{DescribedTool, PluginToml, assemble},
    statement,
};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let Ok(source) = PluginToml::parse(text) else { return };
    // Described as the file has it, with an argument for every target.
    let described: Vec<DescribedTool> = source
        .tool
        .iter()
        .map(|(name, tool)| DescribedTool {
            name: name.clone(),
            title: "A tool".to_owned(),
            description: "Does something.".to_owned(),
            input_schema: json!({ "type": "object", "additionalProperties": false,
                "properties": { "group": { "type": "string", "maxLength": 64 } } }),
            output_schema: None,
            effect: tool.effect,
            idempotent: tool.idempotent.unwrap_or_default(),
        })
        .collect();
    let component = ComponentFacts { sha256: Digest::of(b"component").to_hex(), size: 9 };
    let imports = BTreeSet::from(["wasi:http/outgoing-handler@0.2.12".to_owned()]);
    let Ok(manifest) = assemble(&source, &described, component, imports, "casemate:plugin@0.1.0".to_owned()) else { return };
    assert_eq!(check(&manifest), Ok(()), "it packs, and does not load");
    let written = statement::to_bytes(&manifest);
    assert_eq!(statement::parse(&written).as_ref(), Ok(&manifest));
});
