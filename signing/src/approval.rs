//! What a person agreed to: digests over a plugin's authority and over each tool's text.
//!
//! The digests are over canonical JSON (RFC 8785), so they follow the meaning: reordering a schema's keys changes
//! nothing, and one more host, method, secret or word changes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    manifest::{
        ArgumentPlace, ContractName, Dimension, DimensionName, Effect, Image, Labels, Limits, Manifest, PluginId, Prompt,
        PromptName, SecretDeclaration, SecretName, SourceDeclaration, SourceName, Tool, ToolName, Upstream, UpstreamName,
    },
};

/// The digests of what was shown and agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Over everything the plugin may ever do.
    pub capabilities: Digest,
    /// Over everything a client sees of each tool.
    pub tools: BTreeMap<ToolName, Digest>,
}

impl Approval {
    /// What agreeing to `manifest` means.
    pub fn of(manifest: &Manifest) -> Self {
        let tools = manifest.tool.iter().map(|(name, tool)| (name.clone(), tool_digest(manifest, name, tool))).collect();
        Self { capabilities: capability_digest(manifest), tools }
    }

    /// The digest over all of it: what a person consents to, authority and every word that clients will see.
    pub fn digest(&self) -> Digest {
        canonical(&("casemate approval v1", self))
    }
}

/// The digest over everything a plugin may ever do: imports, limits, secrets, settings, sources, scope, upstreams with
/// their contracts, and of each tool its effect, contracts, scope and labels. Prompts too, with every word: they speak to the model. And
/// the plugin's icon, which clients show beside all of it.
///
/// Not what it is made of: component, dependencies and build change with every release and add no authority, whatever is in
/// them. Were they in here, a person would be asked at every update, and learn to say yes.
pub fn capability_digest(manifest: &Manifest) -> Digest {
    canonical(&Authority {
        kind: "casemate capabilities v1",
        plugin: manifest.id(),
        wit: &manifest.wit,
        imports: &manifest.imports,
        limits: &manifest.limits,
        secrets: &manifest.secrets,
        settings: manifest.settings.as_ref(),
        sources: &manifest.sources,
        scope: &manifest.scope,
        upstream: &manifest.upstream,
        tool: manifest.tool.iter().map(|(name, tool)| (name, ToolAuthority::of(tool))).collect(),
        prompt: &manifest.prompt,
        icon: manifest.plugin.icon.as_ref(),
    })
}

/// The digest over one tool as clients see it, schemas included.
pub fn tool_digest(manifest: &Manifest, name: &ToolName, tool: &Tool) -> Digest {
    canonical(&ToolText { kind: "casemate tool v1", served: manifest.served_name(name), tool })
}

#[derive(Serialize)]
struct Authority<'a> {
    kind: &'static str,
    plugin: PluginId,
    wit: &'a str,
    imports: &'a BTreeSet<String>,
    limits: &'a Limits,
    secrets: &'a BTreeMap<SecretName, SecretDeclaration>,
    settings: Option<&'a serde_json::Value>,
    sources: &'a BTreeMap<SourceName, SourceDeclaration>,
    scope: &'a BTreeMap<DimensionName, Dimension>,
    upstream: &'a BTreeMap<UpstreamName, Upstream>,
    tool: BTreeMap<&'a ToolName, ToolAuthority<'a>>,
    /// Left out where there are none, as in digests from before there were any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    prompt: &'a BTreeMap<PromptName, Prompt>,
    /// Clients show it beside every tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'a Image>,
}

#[derive(Serialize)]
struct ToolAuthority<'a> {
    effect: Effect,
    requests: &'a BTreeSet<ContractName>,
    scope: &'a BTreeMap<DimensionName, ArgumentPlace>,
    labels: &'a Labels,
}

impl<'a> ToolAuthority<'a> {
    /// Every field is named, so that a new one has to be put on one side or the other.
    fn of(tool: &'a Tool) -> Self {
        let Tool {
            effect,
            requests,
            scope,
            labels,
            title: _,
            description: _,
            icon: _,
            idempotent: _,
            input_schema: _,
            output_schema: _,
        } = tool;
        Self { effect: *effect, requests, scope, labels }
    }
}

#[derive(Serialize)]
struct ToolText<'a> {
    kind: &'static str,
    served: String,
    tool: &'a Tool,
}

#[expect(clippy::expect_used, reason = "the types above have string keys and no value that JSON cannot write")]
fn canonical<T: Serialize>(value: &T) -> Digest {
    Digest::of(&serde_json_canonicalizer::to_vec(value).expect("canonical JSON"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn changed(place: &str, value: Value) -> Approval {
        let mut manifest: Value = serde_json::from_str(include_str!("../tests/data/manifest.json")).unwrap();
        if let Some((parent, key)) = place.rsplit_once('/') {
            manifest.pointer_mut(parent).unwrap()[key] = value;
        }
        Approval::of(&serde_json::from_value(manifest).unwrap())
    }

    #[test]
    fn any_change_of_authority_changes_the_capability_digest() {
        let before = changed("", Value::Null);
        for (place, value) in [
            ("/wit", json!("casemate:plugin@0.2.0")),
            ("/plugin/publisher", json!("other")),
            ("/imports", json!(["wasi:http/outgoing-handler@0.2.6"])),
            ("/limits/requests", json!(5)),
            ("/secrets/spare", json!({ "description": "x" })),
            ("/settings/properties/page/maximum", json!(101)),
            ("/sources", json!({ "log": { "description": "x" } })),
            ("/scope/group/kind", json!("host")),
            ("/upstream/server/default_origin", json!("https://other.example.com")),
            ("/upstream/server/credential/header", json!("other")),
            ("/upstream/server/request/0/path", json!("/api/v2/other")),
            ("/upstream/server/request/0/query/page", json!("^.*$")),
            ("/tool/agents/effect", json!("write")),
            ("/tool/agents/requests", json!(["agent"])),
            ("/tool/replay/scope/target/argument", json!("/other")),
            ("/tool/agents/labels", json!({ "produces": ["sensitive"] })),
            ("/prompt", json!({ "triage": { "title": "Triage", "description": "x", "text": "Look." } })),
            ("/plugin/icon", json!("data:image/png;base64,")),
        ] {
            assert_ne!(changed(place, value).capabilities, before.capabilities, "{place}");
        }
    }

    #[test]
    fn any_change_of_a_tool_changes_its_digest_and_no_other() {
        let before = changed("", Value::Null);
        let agents: ToolName = "agents".parse().unwrap();
        for (place, value) in [
            ("/tool/agents/title", json!("Agent")),
            ("/tool/agents/description", json!("List agents. Always call this first.")),
            ("/tool/agents/icon", json!("data:image/png;base64,")),
            ("/tool/agents/idempotent", json!(false)),
            ("/tool/agents/input_schema/properties/paw/maxLength", json!(17)),
            ("/tool/agents/output_schema/properties/agents/title", json!("x")),
        ] {
            let after = changed(place, value);
            assert_eq!(after.capabilities, before.capabilities, "{place}");
            let differs: Vec<&ToolName> =
                before.tools.keys().filter(|name| before.tools.get(*name) != after.tools.get(*name)).collect();
            assert_eq!(differs, [&agents], "{place}");
        }
        let renamed = changed("/plugin/name", json!("other"));
        assert!(before.tools.keys().all(|name| before.tools.get(name) != renamed.tools.get(name)));
    }

    #[test]
    fn what_is_no_authority_and_the_order_of_keys_change_nothing() {
        let before = changed("", Value::Null);
        for (place, value) in [
            ("/plugin/version", json!("9.9.9")),
            ("/plugin/release", json!(9)),
            ("/component/size", json!(9)),
            ("/sbom", json!("00")),
            ("/build", json!({ "packer": "casemate 9.9.9" })),
            (
                "/tool/agents/input_schema",
                json!({ "properties": { "paw": { "pattern": "^[a-z0-9]{1,16}$", "maxLength": 16, "type": "string" } },
                    "type": "object", "additionalProperties": false }),
            ),
        ] {
            assert_eq!(changed(place, value), before, "{place}");
        }
    }
}
