//! What an author writes, and how it becomes a manifest: `plugin.toml` and what the component describes of its tools.
//!
//! `plugin.toml` holds what needs judgement (effects, contracts, scope); names, texts and schemas come from the
//! author's types by way of `describe`. What both state has to agree.

mod fault;
mod place;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    digest::Digest,
    manifest::{
        ArgumentPlace, Attachment, Build, ComponentFacts, ContractName, Dimension, DimensionName, Effect, Identity, Image,
        Labels, Limits, Manifest, Prompt, PromptName, SecretDeclaration, SecretName, SourceDeclaration, SourceName, Tool,
        ToolName, Upstream, UpstreamName,
        check::{RuleError, check},
        image::ImageError,
    },
    strict_json::{self, StrictJsonError},
};

pub(crate) use fault::part;
pub use fault::{Culprit, Fault};
pub use place::Place;

/// The author's `plugin.toml`. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginToml {
    /// Who it is.
    pub plugin: Identity,
    /// Ceilings asked for.
    #[serde(default)]
    pub limits: Limits,
    /// Secrets the operator must supply.
    #[serde(default)]
    pub secrets: BTreeMap<SecretName, SecretDeclaration>,
    /// JSON Schema of the operator's settings.
    #[serde(default)]
    pub settings: Option<Value>,
    /// Byte sources the operator may bind.
    #[serde(default)]
    pub sources: BTreeMap<SourceName, SourceDeclaration>,
    /// Dimensions that limit targets.
    #[serde(default)]
    pub scope: BTreeMap<DimensionName, Dimension>,
    /// Remote services it talks to.
    #[serde(default)]
    pub upstream: BTreeMap<UpstreamName, Upstream>,
    /// Its tools, by name.
    pub tool: BTreeMap<ToolName, DeclaredTool>,
    /// Prompts it ships, by name.
    #[serde(default)]
    pub prompt: BTreeMap<PromptName, Prompt>,
}

/// What an author decides about a tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTool {
    /// The worst it may do.
    pub effect: Effect,
    /// The only request contracts it may use.
    #[serde(default)]
    pub requests: BTreeSet<ContractName>,
    /// Where each target is in the arguments.
    #[serde(default)]
    pub scope: BTreeMap<DimensionName, ArgumentPlace>,
    /// Whether repeating a call changes nothing more. Where it is left out, what the component says.
    #[serde(default)]
    pub idempotent: Option<bool>,
    /// What its results carry.
    #[serde(default)]
    pub labels: Labels,
    /// What clients show beside it, in place of the plugin's.
    #[serde(default)]
    pub icon: Option<Image>,
}

/// `plugin.toml` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin.toml: {text}")]
pub struct InvalidPluginToml {
    text: String,
    /// What is wrong, in one line.
    pub what: String,
    /// The bytes of the text where it is wrong, if it is somewhere.
    pub span: Option<Range<usize>>,
}

impl PluginToml {
    /// Read the text of a `plugin.toml`.
    pub fn parse(text: &str) -> Result<Self, InvalidPluginToml> {
        toml::from_str(text).map_err(|error| InvalidPluginToml {
            text: error.to_string().trim_end().to_owned(),
            what: error.message().to_owned(),
            span: error.span(),
        })
    }
}

impl PluginToml {
    /// Put the bytes of each picture in the place of its file's name, as `read` gives them.
    ///
    /// # Errors
    /// The first that `read` fails for, or that is no picture; with the keys where it stands.
    pub fn embed<E: From<ImageError>>(&mut self, mut read: impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<(), (String, E)> {
        let plugin = self.plugin.icon.iter_mut().map(|icon| ("plugin.icon".to_owned(), icon));
        let tools =
            self.tool.iter_mut().filter_map(|(name, tool)| tool.icon.as_mut().map(|icon| (format!("tool.{name}.icon"), icon)));
        let prompts = self.prompt.iter_mut().flat_map(|(name, prompt)| {
            prompt.attach.iter_mut().filter_map(move |attachment| match attachment {
                Attachment::Picture(picture) => Some((format!("prompt.{name}.attach"), &mut picture.image)),
                Attachment::Document(_) => None,
            })
        });
        for (at, image) in plugin.chain(tools).chain(prompts) {
            let Some(file) = image.file() else { continue };
            let embedded = read(file).and_then(|data| Image::of(&data).map_err(E::from));
            *image = embedded.map_err(|error| (at, error))?;
        }
        Ok(())
    }
}

/// A tool as the component describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DescribedTool {
    /// Its name inside the plugin.
    pub name: ToolName,
    /// A few words for a menu.
    pub title: String,
    /// Plain text for the model and for people.
    pub description: String,
    /// JSON Schema of its arguments.
    pub input_schema: Value,
    /// JSON Schema of its structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// The worst it may do.
    pub effect: Effect,
    /// Whether repeating a call changes nothing more.
    pub idempotent: bool,
}

/// What a component answered to `describe` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDescription {
    /// Not strict JSON.
    #[error("the component's description is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// Not a list of tools.
    #[error("the component's description is not a list of tools: {0}")]
    Shape(String),
}

/// Read what a component answered to `describe`.
pub fn parse_description(json: &[u8]) -> Result<Vec<DescribedTool>, InvalidDescription> {
    let value = strict_json::parse(json)?;
    serde_json::from_value(value).map_err(|error| InvalidDescription::Shape(error.to_string()))
}

/// Why `plugin.toml` and the component make no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// In `plugin.toml` only.
    #[error("the tool `{0}` is in plugin.toml, but the component does not describe it")]
    NotDescribed(ToolName),
    /// In the component only.
    #[error("the component describes the tool `{0}`, but it is not in plugin.toml\nhelp: add `[tool.{0}]`")]
    NotDeclared(ToolName),
    /// Twice in the component.
    #[error("the component describes the tool `{0}` twice")]
    DescribedTwice(ToolName),
    /// The two disagree.
    #[error("the tool `{tool}` has effect `{declared}` in plugin.toml, and `{described}` in the component")]
    Effect {
        /// Which tool.
        tool: ToolName,
        /// In `plugin.toml`.
        declared: Effect,
        /// In the component.
        described: Effect,
    },
    /// The two disagree.
    #[error("the tool `{0}` is idempotent in only one of plugin.toml and the component")]
    Idempotent(ToolName),
    /// The manifest breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// Make the manifest of a component. It keeps every rule of [`check`], or there is none.
pub fn assemble(
    source: &PluginToml,
    described: &[DescribedTool],
    component: ComponentFacts,
    imports: BTreeSet<String>,
    wit: String,
) -> Result<Manifest, Vec<AssembleError>> {
    let tool = tools(source, described)?;
    let mut upstream = source.upstream.clone();
    for contract in upstream.values_mut().flat_map(|upstream| &mut upstream.request) {
        // A signed manifest states what an author may leave to the default.
        contract.effect = contract.effect();
    }
    let manifest = Manifest {
        plugin: source.plugin.clone(),
        wit,
        component,
        sbom: None,
        build: None,
        imports,
        limits: source.limits.clone(),
        secrets: source.secrets.clone(),
        settings: source.settings.clone(),
        sources: source.sources.clone(),
        scope: source.scope.clone(),
        upstream,
        tool,
        prompt: source.prompt.clone(),
    };
    check(&manifest).map_err(|errors| errors.into_iter().map(AssembleError::from).collect::<Vec<_>>())?;
    Ok(manifest)
}

/// State what a component was made of and with, where that is known. The manifest keeps every rule of [`check`], or there is none.
pub fn with_origin(manifest: Manifest, sbom: Option<Digest>, build: Build) -> Result<Manifest, Vec<AssembleError>> {
    let manifest = Manifest { sbom: sbom.map(|digest| digest.to_hex()), build: Some(build), ..manifest };
    check(&manifest).map_err(|errors| errors.into_iter().map(AssembleError::from).collect::<Vec<_>>())?;
    Ok(manifest)
}

/// Each declared tool with its description.
fn tools(source: &PluginToml, described: &[DescribedTool]) -> Result<BTreeMap<ToolName, Tool>, Vec<AssembleError>> {
    let mut errors = Vec::new();
    let mut tools = BTreeMap::new();
    for description in described {
        let name = &description.name;
        let Some(declared) = source.tool.get(name) else {
            errors.push(AssembleError::NotDeclared(name.clone()));
            continue;
        };
        if declared.effect != description.effect {
            let (declared, described) = (declared.effect, description.effect);
            errors.push(AssembleError::Effect { tool: name.clone(), declared, described });
        }
        if declared.idempotent.is_some_and(|declared| declared != description.idempotent) {
            errors.push(AssembleError::Idempotent(name.clone()));
        }
        let tool = Tool {
            title: description.title.clone(),
            description: description.description.clone(),
            icon: declared.icon.clone(),
            effect: declared.effect,
            requests: declared.requests.clone(),
            scope: declared.scope.clone(),
            idempotent: description.idempotent,
            labels: declared.labels.clone(),
            input_schema: description.input_schema.clone(),
            output_schema: description.output_schema.clone(),
        };
        if tools.insert(name.clone(), tool).is_some() {
            errors.push(AssembleError::DescribedTwice(name.clone()));
        }
    }
    let silent = source.tool.keys().filter(|name| !described.iter().any(|description| description.name == **name));
    errors.extend(silent.cloned().map(AssembleError::NotDescribed));
    if errors.is_empty() { Ok(tools) } else { Err(errors) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::{manifest::check::Rule, statement};
    use serde_json::json;

    const SOURCE: &str = include_str!("../tests/data/plugin.toml");

    fn description() -> Value {
        let closed = json!({ "type": "object", "additionalProperties": false });
        let group = json!({ "type": "object", "additionalProperties": false,
            "properties": { "group": { "type": "string", "maxLength": 9 } }, "required": ["group"] });
        json!([
            { "name": "agents", "title": "Agents", "description": "List agents.", "inputSchema": closed,
              "outputSchema": { "type": "object" }, "effect": "read", "idempotent": true },
            { "name": "start", "title": "Start", "description": "Start an operation.", "inputSchema": group,
              "effect": "destructive", "idempotent": false }
        ])
    }

    fn assembled(source: &str, description: &Value) -> Result<Manifest, Vec<AssembleError>> {
        let source = PluginToml::parse(source).unwrap();
        let described = parse_description(description.to_string().as_bytes()).unwrap();
        let component = ComponentFacts { sha256: crate::Digest::of(b"component").to_hex(), size: 9 };
        let imports = BTreeSet::from(["wasi:http/outgoing-handler@0.2.6".to_owned()]);
        assemble(&source, &described, component, imports, "casemate:plugin@0.1.0".to_owned())
    }

    #[test]
    fn a_manifest_is_made_and_survives_signing() {
        let manifest = assembled(SOURCE, &description()).unwrap();
        let list = &manifest.upstream.values().next().unwrap().request.first().unwrap();
        assert_eq!(list.effect, Some(Effect::Read), "the default is written out");
        assert!(manifest.tool.get(&"agents".parse().unwrap()).unwrap().idempotent);
        let bytes = statement::to_bytes(&manifest);
        assert_eq!(bytes, statement::to_bytes(&assembled(SOURCE, &description()).unwrap()));
        assert_eq!(statement::parse(&bytes), Ok(manifest));
    }

    #[test]
    fn what_a_read_establishes_and_plans_leave_open_is_written_in_toml() {
        let more = r#"
[[upstream.server.request]]
name = "get-agent"
method = "GET"
path = "/api/v2/agents/{paw}"
parameters.paw = "^[a-z]{1,16}$"

[[upstream.server.request]]
name = "execute"
method = "POST"
path = "/api/v2/links"
effect = "execute"
content_type = "application/json"
scope.group = { from = "get-agent", key = { paw = { body = "/paw" } }, value = "/group" }
require.body."/executor/command" = { from = "get-agent", key = { paw = { body = "/paw" } }, value = "/executors/*/command" }
query.t = "^[0-9]{1,16}$"
headers.x-request-id = "^[0-9a-f]{1,36}$"
allow.body = ["/nonce"]
assume = { status = 200, body = { id = "1", links = [] } }
volatile = { query = ["t"], headers = ["x-request-id"], body = ["/nonce"] }
"#;
        let source = format!("{SOURCE}{more}");
        let requests = r#"requests = ["create-operation", "list-agents""#;
        let source = source.replace(requests, &format!("{requests}, \"execute\", \"get-agent\""));
        let manifest = assembled(&source, &description()).unwrap();
        let execute = &manifest.upstream.values().next().unwrap().request[3];
        assert_eq!(execute.established().count(), 2);
        assert_eq!(execute.assume.as_ref().map(|assume| assume.status), Some(200));
        assert!(execute.volatile.body.contains("/nonce"));
        let bytes = statement::to_bytes(&manifest);
        assert_eq!(statement::parse(&bytes), Ok(manifest));
        // A word that nobody reads is refused, in each of them.
        for (known, unknown) in [
            ("value = \"/group\"", "value = \"/group\", x = 1"),
            ("status = 200", "status = 200, x = 1"),
            ("query = [\"t\"]", "path = [\"t\"]"),
        ] {
            assert!(PluginToml::parse(&source.replace(known, unknown)).is_err(), "{unknown}");
        }
    }

    #[test]
    fn what_it_was_made_of_is_stated_and_keeps_the_rules() {
        let manifest = assembled(SOURCE, &description()).unwrap();
        let build = |packer: &str| Build { packer: packer.to_owned(), rustc: Some("rustc 1.95.0".to_owned()) };
        let stated = with_origin(manifest.clone(), Some(Digest::of(b"[]")), build("casemate 0.1.0")).unwrap();
        assert_eq!(stated.sbom, Some(Digest::of(b"[]").to_hex()));
        assert_eq!(statement::parse(&statement::to_bytes(&stated)), Ok(stated));
        assert!(with_origin(manifest, None, build("two\nlines")).is_err());
    }

    #[test]
    fn the_two_have_to_agree() {
        let start: ToolName = "start".parse().unwrap();
        let check = |source: &str, change: &dyn Fn(&mut Vec<Value>), expected: AssembleError| {
            let mut description = description();
            change(description.as_array_mut().unwrap());
            assert_eq!(assembled(source, &description), Err(vec![expected]));
        };
        let nothing = |_: &mut Vec<Value>| {};
        check(SOURCE, &|tools| drop(tools.pop()), AssembleError::NotDescribed(start.clone()));
        check(SOURCE, &|tools| tools.extend(tools.first().cloned()), AssembleError::DescribedTwice("agents".parse().unwrap()));
        check(
            SOURCE,
            &|tools| {
                let mut other = tools.first().unwrap().clone();
                other["name"] = json!("other");
                tools.push(other);
            },
            AssembleError::NotDeclared("other".parse().unwrap()),
        );
        check(
            SOURCE,
            &|tools| tools.last_mut().unwrap()["effect"] = json!("read"),
            AssembleError::Effect { tool: start.clone(), declared: Effect::Destructive, described: Effect::Read },
        );
        let idempotent = SOURCE.replace("[tool.start]", "[tool.start]\nidempotent = true");
        check(&idempotent, &nothing, AssembleError::Idempotent(start));
        let nameless = SOURCE.replace("release = 1", "release = 0");
        let rule = RuleError { at: "plugin.release".to_owned(), rule: Rule::ReleaseZero };
        check(&nameless, &nothing, AssembleError::Rule(rule));
    }

    #[test]
    fn unknown_and_repeated_keys_are_refused() {
        for (from, to) in [
            ("[plugin]", "[plugin]\nextra = 1"),
            ("[tool.start]", "[tool.start]\nextra = 1"),
            ("[tool.start]", "[tool.start]\ndescription = \"from the component\""),
            ("[limits]", "[limits]\nmemory_gib = 1"),
            ("origin = \"operator\"", "origin = \"operator\"\nextra = 1"),
            ("[plugin]", "[plugin]\nname = \"twice\""),
            ("[plugin]", "[extra]\n[plugin]"),
            ("method = \"GET\"", "method = \"TRACE\""),
        ] {
            assert!(SOURCE.contains(from), "{from}");
            assert!(PluginToml::parse(&SOURCE.replace(from, to)).is_err(), "{to}");
        }
        let mut extra = description();
        extra[0]["extra"] = json!(1);
        assert!(matches!(parse_description(extra.to_string().as_bytes()), Err(InvalidDescription::Shape(_))));
        assert!(matches!(parse_description(b"[1.5]"), Err(InvalidDescription::Json(_))));
    }
}
