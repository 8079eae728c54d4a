//! Texts that a model or a person reads.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::{Lint, Warnings};
use crate::{
    manifest::{Manifest, PluginId},
    source::{Culprit, part},
};

/// Words of a description that says something.
const FEW_WORDS: usize = 4;

/// Ways of telling a model what to do. Attacks on tool descriptions that were seen in the wild use these words; honest descriptions
/// rarely need them.
const ORDERS: [&str; 4] = [
    r"\byou (must|should|shall|have to|need to|are required to|will|may not|cannot|are now)\b",
    r"\b(always|never|only|first|immediately|please) (call|use|run|invoke|execute|respond|answer|reply|prefer|choose)\b",
    r"\b(before|after|instead of) (calling|using|running|invoking) (this|any|every|each|all|another|other)\b",
    r"\b(the|an?|dear|hey|as an?) (assistant|ai|ai model|ai agent|language model|llm|chatbot)\b",
];
/// Told to go against somebody: no text of a plugin has a reason to say so, a prompt's neither.
const OVERREACH: [&str; 7] = [
    r"\b(ignore|disregard|forget|override|bypass)\b[^.]{0,40}\b(previous|prior|earlier|above|other|all|any|your|these|safety)\b[^.]{0,20}\b(instructions?|rules?|prompts?|messages?|guidelines?|polic(y|ies)|tools?)\b",
    r"\b(ignore|disregard|forget) (everything|anything|all|the above|previous|prior)\b",
    r"\b(do not|don't|never|without) (tell|telling|mention|mentioning|show|showing|inform|informing|ask|asking|reveal|revealing|warn|warning)\b",
    r"\b(system|developer|hidden|initial) (prompt|message|instructions?)\b",
    r"\b(chain of thought|conversation history|chat history|previous messages|full context|context window)\b",
    r"\b(read|send|include|attach|append|pass|put|copy)\b[^.]{0,40}(~/|\.ssh|\.env\b|id_rsa|/etc/|private key|environment variables|credentials?\b[^.]{0,20}\b(argument|parameter|field))",
    r"\b(this|it) (is|has) (the )?(highest|top|higher) priority\b|\btakes precedence over\b",
];
/// Written in capitals, to be obeyed.
const CAPITALS: &str = r"\b(IMPORTANT|MUST|ALWAYS|NEVER|CRITICAL|MANDATORY|REQUIRED|ATTENTION|SYSTEM|INSTRUCTIONS?)\b";
/// Addresses; those of documentation (RFC 2606, RFC 6761) are examples.
const LINK: &str =
    r"(?i)\b(https?|ftp|file)://[^\s)>\]]+|\bwww\.[a-z0-9-]+(\.[a-z0-9-]+)+|\b(data:[a-z]+/|javascript:|mailto:)\S*";
const EXAMPLE: &str = r"(?i)^([a-z]+://)?([a-z0-9-]+\.)*(example(\.(com|net|org))?|test|invalid|localhost)([:/?#].*)?$";
/// HTML, its comments, images and blocks of Markdown, and the marks between the parts of a prompt.
const MARKUP: &str =
    r"<!--|-->|</?[A-Za-z][A-Za-z0-9_-]*( [^<>]*)?/?>|!\[[^\]]*\]\(|```|<\|[^|]*\||\[/?INST\]|^#{1,6} |\n#{1,6} ";
/// A tool as a text names it, by its form and what stands before it.
const TOOL: &str =
    r"\b(?:[Cc]all|[Uu]se|[Rr]un|[Ii]nvoke|[Uu]sing|[Cc]alling|instead of) (?:the )?`?([a-z][a-z0-9-]*(?:_[a-z0-9]+)+)\b";

/// The patterns, compiled once.
struct Patterns {
    orders: Vec<Regex>,
    overreach: Vec<Regex>,
    link: Option<Regex>,
    example: Option<Regex>,
    markup: Option<Regex>,
    tool: Option<Regex>,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let any_case = |pattern: &str| RegexBuilder::new(pattern).case_insensitive(true).build().ok();
    Patterns {
        orders: ORDERS.into_iter().filter_map(any_case).chain(Regex::new(CAPITALS).ok()).collect(),
        overreach: OVERREACH.into_iter().filter_map(any_case).collect(),
        link: Regex::new(LINK).ok(),
        example: Regex::new(EXAMPLE).ok(),
        markup: Regex::new(MARKUP).ok(),
        tool: Regex::new(TOOL).ok(),
    }
});

/// A text, and where it stands.
struct Text<'a> {
    culprit: Culprit,
    text: &'a str,
    /// Whether clients show it to a model.
    listed: bool,
    /// Whether it is there to tell the model what to do.
    spoken: bool,
}

pub(super) fn check(manifest: &Manifest, neighbours: &[PluginId], warnings: &mut Warnings) {
    for (name, tool) in &manifest.tool {
        if words(&tool.description) < FEW_WORDS || tool.description.trim_end_matches('.') == tool.title {
            let culprit = Culprit::Tool { tool: name.to_string(), part: "description".to_owned() };
            warnings.add_at(Lint::ThinDescription, culprit, format!("`{}`", tool.description));
        }
    }
    let own = own_names(manifest);
    for Text { culprit, text, listed, spoken } in texts(manifest) {
        let mut add = |lint, what: &str| warnings.add_at(lint, culprit.clone(), format!("`{}`", what.trim()));
        for order in orders(text, spoken) {
            add(Lint::AddressesModel, order);
        }
        for found in PATTERNS.markup.iter().filter_map(|markup| markup.find(text)) {
            add(Lint::Markup, found.as_str());
        }
        if let Some(word) = text.split(|c: char| !c.is_alphanumeric()).find(|word| is_mixed(word)) {
            add(Lint::MixedScript, word);
        }
        if !listed {
            continue;
        }
        let links =
            PATTERNS.link.iter().flat_map(|link| link.find_iter(text)).map(|found| found.as_str().trim_end_matches(['.', ',']));
        for link in links.filter(|link| !PATTERNS.example.as_ref().is_some_and(|example| example.is_match(link))) {
            add(Lint::Link, link);
        }
        for tool in foreign(text, &own, neighbours) {
            add(Lint::ForeignTool, tool);
        }
    }
}

/// What tells the model what to do; where two ways of saying it overlap, the first. In what is `spoken` to it, only what goes too far.
fn orders(text: &str, spoken: bool) -> Vec<&str> {
    let orders = PATTERNS.orders.iter().filter(|_| !spoken).chain(&PATTERNS.overreach);
    let mut found: Vec<_> = orders.filter_map(|order| order.find(text)).collect();
    found.sort_by_key(|order| order.start());
    let mut end = 0;
    found.retain(|order| {
        let apart = order.start() >= end;
        end = end.max(order.end());
        apart
    });
    found.into_iter().map(|order| order.as_str()).collect()
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Every text of the manifest.
fn texts(manifest: &Manifest) -> Vec<Text<'_>> {
    let mut texts = Vec::new();
    let source = |at: String, text| Text { culprit: Culprit::Source(at), text, listed: false, spoken: false };
    texts.push(source("plugin.description".to_owned(), manifest.plugin.description.as_str()));
    texts.extend(manifest.secrets.iter().map(|(name, it)| source(format!("secrets.{name}.description"), &it.description)));
    texts.extend(manifest.sources.iter().map(|(name, it)| source(format!("sources.{name}.description"), &it.description)));
    texts.extend(manifest.scope.iter().map(|(name, it)| source(format!("scope.{name}.description"), &it.description)));
    for (name, upstream) in &manifest.upstream {
        let reasons = upstream.request.iter().filter_map(|contract| Some((&contract.name, contract.reason.as_deref()?)));
        texts.extend(reasons.map(|(contract, reason)| source(format!("upstream.{name}.request.{contract}.reason"), reason)));
    }
    for (at, text) in manifest.settings.iter().flat_map(shown) {
        texts.push(source(format!("settings{}", at.replace('/', ".")), text));
    }
    for (name, prompt) in &manifest.prompt {
        // Read by a model as well, but a prompt is there to address it.
        let source = |part: &str, text| Text {
            culprit: Culprit::Source(format!("prompt.{name}.{part}")),
            text,
            listed: true,
            spoken: false,
        };
        texts.push(source("title", prompt.title.as_str()));
        texts.push(source("description", prompt.description.as_str()));
        texts.push(Text { spoken: true, ..source("text", prompt.text.as_str()) });
        for (number, document) in prompt.documents() {
            texts.push(Text { spoken: true, ..source(&format!("attach[{number}].text"), document.text.as_str()) });
        }
        for argument in &prompt.argument {
            texts.push(source(&format!("argument.{}.description", argument.name), argument.description.as_str()));
            let values =
                argument.values.iter().map(|value| source(&format!("argument.{}.values", argument.name), value.as_str()));
            texts.extend(values.collect::<Vec<_>>());
        }
    }
    for (name, tool) in &manifest.tool {
        let listed = |part: String, text| Text {
            culprit: Culprit::Tool { tool: name.to_string(), part },
            text,
            listed: true,
            spoken: false,
        };
        texts.push(listed("title".to_owned(), tool.title.as_str()));
        texts.push(listed("description".to_owned(), tool.description.as_str()));
        texts.extend(shown(&tool.input_schema).into_iter().map(|(at, text)| listed(part("argument", &at), text)));
        let results = tool.output_schema.iter().flat_map(shown);
        texts.extend(results.map(|(at, text)| listed(part("result", &at), text)));
    }
    texts
}

/// Every text of a schema that is shown to somebody, with the node it belongs to.
fn shown(schema: &Value) -> Vec<(String, &str)> {
    let mut texts = Vec::new();
    for (at, node) in nodes(schema) {
        for keyword in ["title", "description", "default", "const", "enum", "examples"] {
            let values = match node.get(keyword) {
                Some(Value::Array(values)) => values.as_slice(),
                Some(value) => std::slice::from_ref(value),
                None => &[],
            };
            texts.extend(values.iter().filter_map(Value::as_str).map(|text| (at.clone(), text)));
        }
    }
    texts
}

/// Every node of a schema, by its JSON Pointer.
pub(super) fn nodes(schema: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), schema)];
    while let Some((at, value)) = left.pop() {
        let Some(node) = value.as_object() else { continue };
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        for keyword in ["$defs", "properties"] {
            let members = node.get(keyword).and_then(Value::as_object).into_iter().flatten();
            left.extend(members.map(|(name, value)| (format!("{at}/{keyword}/{}", escaped(name)), value)));
        }
        for keyword in ["items", "additionalProperties"] {
            left.extend(node.get(keyword).map(|value| (format!("{at}/{keyword}"), value)));
        }
        for keyword in ["anyOf", "oneOf"] {
            let members = node.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate();
            left.extend(members.map(|(index, value)| (format!("{at}/{keyword}/{index}"), value)));
        }
        found.push((at, node));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// Names with an underscore that are the plugin's own: tools, as they are declared and as they are served, and arguments.
fn own_names(manifest: &Manifest) -> Vec<String> {
    let tools = manifest.tool.keys().flat_map(|name| [name.to_string(), manifest.served_name(name)]);
    let schemas = manifest.tool.values().flat_map(|tool| [Some(&tool.input_schema), tool.output_schema.as_ref()]).flatten();
    let properties =
        schemas.flat_map(nodes).filter_map(|(at, _)| at.rsplit_once("/properties/").map(|(_, name)| name.to_owned()));
    let prompts = manifest.prompt.iter().flat_map(|(name, prompt)| {
        let arguments = prompt.argument.iter().map(|argument| argument.name.to_string());
        arguments.chain([name.to_string(), manifest.served_prompt(name)]).collect::<Vec<_>>()
    });
    tools.chain(properties).chain(prompts).collect()
}

/// Names in a text that are or look like another plugin's tools.
fn foreign<'a>(text: &'a str, own: &[String], neighbours: &[PluginId]) -> Vec<&'a str> {
    let named = PATTERNS.tool.iter().flat_map(|tool| tool.captures_iter(text)).filter_map(|found| Some(found.get(1)?.as_str()));
    let known = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).filter(|word| {
        word.split_once('_').is_some_and(|(plugin, _)| neighbours.iter().any(|other| other.name.as_str() == plugin))
    });
    let mut found: Vec<&str> = named.chain(known).filter(|name| !own.iter().any(|own| own == name)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a word has Latin letters and others that look like them: Greek, Cyrillic, Armenian, Cherokee, or wide forms of them.
fn is_mixed(word: &str) -> bool {
    let alike = |c: char| matches!(c, '\u{370}'..='\u{58F}' | '\u{13A0}'..='\u{13FF}' | '\u{AB70}'..='\u{ABBF}' | '\u{FF21}'..='\u{FF5A}' | '\u{1D400}'..='\u{1D7FF}');
    word.chars().any(|c| c.is_ascii_alphabetic()) && word.chars().any(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.orders.len(), ORDERS.len() + 1);
        assert_eq!(PATTERNS.overreach.len(), OVERREACH.len());
        let Patterns { link, example, markup, tool, .. } = &*PATTERNS;
        assert!([link, example, markup, tool].iter().all(|pattern| pattern.is_some()));
    }
}
