//! The capability sheet: a page that tells a reviewer everything a plugin can ever do.
//!
//! It is made of the signed manifest and nothing else, and leaves nothing of it out. Publisher's text is shown with invisible
//! characters made visible.

pub(crate) mod changes;
pub(crate) mod never;

use std::fmt::Write;

use casemate_policy::text::visible;
use casemate_sandbox::{Limits, Maxima};
use casemate_signing::manifest::{
    Attachment, Binding, Credential, Effect, Established, Exchange, Manifest, Origin, Place, Protocol, RequestContract,
    Requirement, ScopeBindings, Tool, Upstream, Volatile,
};
use serde_json::Value;

/// Who vouches for the package, as far as it is known where the sheet is shown.
#[derive(Debug, Default)]
pub struct Provenance {
    /// Fingerprints of the keys that signed.
    pub signers: Vec<String>,
    /// Digest of everything that needs consent: authority, and every word that clients will see.
    pub approval: String,
}

/// The whole page. Ends with a line break.
pub fn page(manifest: &Manifest, provenance: &Provenance) -> String {
    let mut page = Page(String::new());
    page.identity(manifest, provenance);
    page.worst(manifest);
    page.network(manifest);
    page.tools(manifest);
    page.prompts(manifest);
    page.operator(manifest);
    page.limits(manifest);
    page.never(manifest);
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, text: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn head(&mut self, text: &str) {
        self.line(format_args!("\n{text}\n{}", "─".repeat(text.chars().count())));
    }

    fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(format_args!("  {name:<14}{value}"));
    }

    fn identity(&mut self, manifest: &Manifest, provenance: &Provenance) {
        let plugin = &manifest.plugin;
        self.line(format_args!("{}/{} {} (release {})", plugin.publisher, plugin.name, plugin.version, plugin.release));
        self.line(visible(&plugin.description));
        self.line("");
        self.field("component", format_args!("sha256:{} ({} bytes)", manifest.component.sha256, manifest.component.size));
        self.field("contract", &manifest.wit);
        self.field("license", visible(&plugin.license));
        self.field("source", visible(&plugin.source));
        if let Some(icon) = &plugin.icon {
            self.field("icon", icon);
        }
        match &manifest.sbom {
            Some(sbom) => self.field("dependencies", format_args!("listed, sha256:{sbom}")),
            None => self.field("dependencies", "not listed: nobody can look up what is known of them"),
        }
        if let Some(build) = &manifest.build {
            let rustc = build.rustc.as_ref().map_or(String::new(), |rustc| format!(", {}", visible(rustc)));
            self.field("built with", format_args!("{}{rustc}", visible(&build.packer)));
        }
        for signer in &provenance.signers {
            self.field("signed by", signer);
        }
        if !provenance.approval.is_empty() {
            self.field("to approve", format_args!("sha256:{}", provenance.approval));
        }
    }

    fn worst(&mut self, manifest: &Manifest) {
        self.head("The worst it may do");
        for effect in [Effect::Destructive, Effect::Execute, Effect::Write, Effect::Read] {
            let tools: Vec<&str> =
                manifest.tool.iter().filter(|(_, tool)| tool.effect == effect).map(|(name, _)| name.as_str()).collect();
            if !tools.is_empty() {
                self.field(effect.as_str(), tools.join(", "));
            }
        }
    }

    fn network(&mut self, manifest: &Manifest) {
        self.head("Network: every request it can send");
        if manifest.upstream.is_empty() {
            self.line("  none");
        }
        for (name, upstream) in &manifest.upstream {
            self.line(format_args!("  {name} at {}", origin(upstream)));
            match upstream.protocol {
                Protocol::Http => {}
                Protocol::Postgresql => self.line(
                    "    PostgreSQL: each request is one statement, which the host runs in a transaction that only reads, and holds to the tables it names",
                ),
                Protocol::McpSse => {
                    self.line("    MCP over SSE: each request is one call of one tool, which the host makes in a session of its own");
                }
            }
            self.line(format_args!("    credential  {}", credential(upstream)));
            if let Some(Credential::Exchange(credential)) = &upstream.credential {
                exchange(&credential.exchange).into_iter().for_each(|line| self.line(format_args!("    {line}")));
            }
            for contract in &upstream.request {
                self.contract(contract);
            }
        }
    }

    fn contract(&mut self, contract: &RequestContract) {
        let effect = contract.effect().map_or("?", Effect::as_str);
        self.line(format_args!("    {effect:<12}{} {}   ({})", contract.method.as_str(), contract.path, contract.name));
        for (name, pattern) in &contract.parameters {
            self.line(format_args!("                  {{{name}}} matches {}", visible(pattern)));
        }
        for (name, pattern) in &contract.query {
            self.line(format_args!("                  ?{name}= matches {}", visible(pattern)));
        }
        for (name, pattern) in &contract.headers {
            self.line(format_args!("                  header {name} matches {}", visible(pattern)));
        }
        if let Some(content_type) = &contract.content_type {
            let closed = if contract.closed { ", closed: nothing the contract does not name" } else { "" };
            self.line(format_args!("                  body {}{closed}", visible(content_type)));
        }
        match &contract.scope {
            ScopeBindings::Unset => {}
            ScopeBindings::None(_) => self.line("                  no target to limit"),
            ScopeBindings::Bound(places) => {
                for (dimension, at) in places {
                    self.line(format_args!("                  target `{dimension}` is {}", binding(at)));
                }
            }
        }
        for (at, requirement) in contract
            .require
            .body
            .iter()
            .map(|(at, r)| (format!("body {at}"), r))
            .chain(contract.require.query.iter().map(|(at, r)| (format!("?{at}="), r)))
        {
            self.line(format_args!("                  must have {} {}", visible(&at), requirement_text(requirement)));
        }
        for at in &contract.forbid.body {
            self.line(format_args!("                  must not have body {}", visible(at)));
        }
        for at in &contract.allow.body {
            self.line(format_args!("                  may have body {}", visible(at)));
        }
        if let Some(assume) = &contract.assume {
            let body = assume.body.as_ref().map(|body| format!(" and {body}")).unwrap_or_default();
            self.line(format_args!("                  a dry run assumes status {}{} and goes on", assume.status, visible(&body)));
        }
        if contract.probe {
            self.line("                  the host may send it by itself, to see whether the credential works");
        }
        for at in volatile(&contract.volatile) {
            self.line(format_args!("                  may differ from the plan: {}", visible(&at)));
        }
        if let Some(reason) = &contract.reason {
            self.line(format_args!("                  because: {}", visible(reason)));
        }
    }

    fn tools(&mut self, manifest: &Manifest) {
        self.head("Tools: every word the model will see");
        for (name, tool) in &manifest.tool {
            self.tool(&format!("{}_{name}", manifest.plugin.name), tool);
        }
    }

    fn tool(&mut self, served: &str, tool: &Tool) {
        let again = if tool.idempotent { ", idempotent" } else { "" };
        self.line(format_args!("  {served} ({}{again})", tool.effect));
        self.line(format_args!("    title       {}", visible(&tool.title)));
        self.lines("description", &tool.description);
        if let Some(icon) = &tool.icon {
            self.line(format_args!("    icon        {icon}"));
        }
        let requests: Vec<&str> = tool.requests.iter().map(|name| name.as_str()).collect();
        self.line(format_args!("    requests    {}", if requests.is_empty() { "none".to_owned() } else { requests.join(", ") }));
        for (dimension, place) in &tool.scope {
            self.line(format_args!("    target      `{dimension}` is argument {}", visible(&place.argument)));
        }
        for label in &tool.labels.produces {
            self.line(format_args!("    result is   {label}"));
        }
        self.fields("arguments", &tool.input_schema);
        if let Some(schema) = &tool.output_schema {
            self.fields("result", schema);
        }
    }

    fn prompts(&mut self, manifest: &Manifest) {
        if manifest.prompt.is_empty() {
            return;
        }
        self.head("Prompts: every word that a person may send to the model");
        for (name, prompt) in &manifest.prompt {
            self.line(format_args!("  {}", manifest.served_prompt(name)));
            self.line(format_args!("    title       {}", visible(&prompt.title)));
            self.lines("description", &prompt.description);
            for argument in &prompt.argument {
                let need = if argument.required { ", required" } else { "" };
                let values =
                    if argument.values.is_empty() { String::new() } else { format!(", one of: {}", argument.values.join(", ")) };
                let line = format!("{{{}}}{need}{values}: {}", argument.name, argument.description);
                self.line(format_args!("    argument    {}", visible(&line)));
            }
            for attachment in &prompt.attach {
                self.attachment(attachment);
            }
            self.lines("text", &prompt.text);
        }
    }

    fn attachment(&mut self, attachment: &Attachment) {
        match attachment {
            Attachment::Picture(picture) => self.line(format_args!("    picture     {}", picture.image)),
            Attachment::Document(document) => {
                let line = format!("{}, said to be from {}", document.media_type(), document.uri);
                self.line(format_args!("    document    {}", visible(&line)));
                self.lines("", &document.text);
            }
        }
    }

    fn lines(&mut self, title: &str, text: &str) {
        for (at, line) in text.lines().enumerate() {
            self.line(format_args!("    {:<12}{}", if at == 0 { title } else { "" }, visible(line)));
        }
    }

    /// A schema as a list of its fields, each with everything it must be.
    fn fields(&mut self, title: &str, schema: &Value) {
        let mut fields = Vec::new();
        outline(schema, schema, "", 0, &mut fields);
        if fields.is_empty() {
            fields.push("none".to_owned());
        }
        for (at, field) in fields.iter().enumerate() {
            self.line(format_args!("    {:<12}{}", if at == 0 { title } else { "" }, visible(field)));
        }
    }

    fn operator(&mut self, manifest: &Manifest) {
        self.head("What you supply");
        for (name, secret) in &manifest.secrets {
            let need = if secret.optional { " (may be left out)" } else { "" };
            self.line(format_args!("  secret `{name}`{need}: {}", visible(&secret.description)));
        }
        for (name, source) in &manifest.sources {
            let many = if source.many { "any number of files, each under a name of yours," } else { "file" };
            self.line(format_args!("  {many} `{name}`: {}", visible(&source.description)));
        }
        for (name, dimension) in &manifest.scope {
            let kind =
                serde_json::to_value(dimension.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
            self.line(format_args!("  targets `{name}` ({kind}): {}", visible(&dimension.description)));
        }
        if let Some(settings) = &manifest.settings {
            self.line(format_args!("  settings: {}", visible(&settings.to_string())));
        }
        if manifest.secrets.is_empty() && manifest.sources.is_empty() && manifest.scope.is_empty() && manifest.settings.is_none()
        {
            self.line("  nothing");
        }
    }

    fn limits(&mut self, manifest: &Manifest) {
        self.head("Limits of one call (within your own maxima)");
        let limits = Limits::effective(&manifest.limits, &Maxima::default());
        self.field("memory", format_args!("{} MiB", limits.memory_bytes >> 20));
        self.field("time", format_args!("{} ms", limits.deadline.as_millis()));
        self.field("fuel", format_args!("{} million units", limits.fuel / 1_000_000));
        self.field("requests", format_args!("{}, each up to {} KiB", limits.requests, limits.request_bytes >> 10));
        self.field("responses", format_args!("{} KiB each", limits.response_bytes >> 10));
        self.field("output", format_args!("{} KiB", limits.output_bytes >> 10));
        self.line("  imports");
        for import in &manifest.imports {
            self.line(format_args!("    {}", visible(import)));
        }
    }

    fn never(&mut self, manifest: &Manifest) {
        self.head("What it can never do");
        for sentence in never::never(manifest) {
            self.line(format_args!("  - {sentence}"));
        }
    }
}

/// Schemas that refer to themselves end here.
const MAX_DEPTH: usize = 12;

/// Every field of an object schema, with what it must be: `name: string, required, pattern …`.
fn outline(schema: &Value, root: &Value, prefix: &str, depth: usize, fields: &mut Vec<String>) {
    let schema = resolved(schema, root);
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|known| known == name))
    };
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|_| depth < MAX_DEPTH) else { return };
    for (name, field) in properties {
        let field = resolved(field, root);
        let path = format!("{prefix}{name}");
        let need = if required(name) { ", required" } else { "" };
        fields.push(format!("{path}: {}{need}{}", kind(field), constraints(field)));
        outline(field, root, &format!("{path}."), depth + 1, fields);
        if let Some(items) = field.get("items").map(|items| resolved(items, root)) {
            fields.push(format!("{path}[]: {}{}", kind(items), constraints(items)));
            outline(items, root, &format!("{path}[]."), depth + 1, fields);
        }
    }
}

fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    schema.get("$ref").and_then(Value::as_str).and_then(|reference| root.pointer(reference.strip_prefix('#')?)).unwrap_or(schema)
}

fn kind(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "value".to_owned(),
    }
}

/// Every keyword but those that the outline itself shows.
fn constraints(schema: &Value) -> String {
    const SHOWN: [&str; 7] = ["type", "properties", "required", "items", "additionalProperties", "$defs", "$ref"];
    let Some(keywords) = schema.as_object() else { return String::new() };
    keywords.iter().filter(|(name, _)| !SHOWN.contains(&name.as_str())).map(|(name, value)| format!(", {name} {value}")).collect()
}

/// Where an upstream is.
pub(crate) fn origin(upstream: &Upstream) -> String {
    match (&upstream.origin, &upstream.default_origin) {
        (Origin::Fixed(origin), _) => visible(origin).into_owned(),
        (Origin::Operator, Some(default)) => format!("{} (or where you bind it)", visible(default)),
        (Origin::Operator, None) => "the origin you bind it to".to_owned(),
    }
}

fn credential(upstream: &Upstream) -> String {
    match &upstream.credential {
        None => "none".to_owned(),
        Some(Credential::Basic(c)) if upstream.protocol == Protocol::Postgresql => {
            format!("secrets `{}` and `{}` by SCRAM-SHA-256", c.username, c.secret)
        }
        Some(Credential::Header(c)) => format!("secret `{}` in header {}", c.secret, visible(&c.header)),
        Some(Credential::Scheme(c)) => format!("secret `{}` in Authorization: {}", c.secret, visible(&c.scheme)),
        Some(Credential::Basic(c)) => format!("secrets `{}` and `{}` in Authorization: Basic", c.username, c.secret),
        Some(Credential::Query(c)) => format!("secret `{}` in query parameter {}", c.secret, visible(&c.query)),
        Some(Credential::Path(c)) => format!("secret `{}` before every path: {}", c.secret, visible(&c.path)),
        Some(Credential::Exchange(c)) => {
            let place = match (&c.header, &c.scheme) {
                (Some(header), _) => format!("header {}", visible(header)),
                (None, scheme) => format!("Authorization: {}", visible(scheme.as_deref().unwrap_or_default())),
            };
            format!("token of `{}` in {place}", c.exchange.name)
        }
        Some(Credential::SigV4(c)) => {
            let (region, service) = (c.sigv4.region.shown(), c.sigv4.service.shown());
            let token = c.sigv4.session_token.as_ref().map(|name| format!(", and `{name}` if it is set")).unwrap_or_default();
            format!(
                "AWS signature (version 4) with secrets `{}` and `{}`{token}, for {}/{}",
                c.sigv4.access_key,
                c.sigv4.secret_key,
                visible(&region),
                visible(&service)
            )
        }
    }
}

/// The request that the host sends by itself for a token, field by field.
fn exchange(exchange: &Exchange) -> Vec<String> {
    let upstream = exchange.upstream.as_ref().map(|name| format!(" at upstream {name}")).unwrap_or_default();
    let mut lines = vec![format!("host        POST {}{upstream}   ({}), for a token", visible(&exchange.path), exchange.name)];
    let inside = |text: String| format!("              {text}");
    for (name, supplied) in &exchange.parameters {
        lines.push(inside(format!("{{{name}}} is {}", visible(&supplied.shown()))));
    }
    lines.push(inside(format!("body {}", exchange.body.media_type())));
    for (name, supplied) in exchange.body.fields() {
        lines.push(inside(format!("{} is {}", visible(name), visible(&supplied.shown()))));
    }
    lines.push(inside(format!("token is {} of the answer", visible(&exchange.token))));
    let lasts = match (&exchange.lifetime, &exchange.expires) {
        (Some(place), _) => format!("good for the seconds at {}", visible(place)),
        (None, Some(place)) => format!("good until the moment at {}", visible(place)),
        (None, None) => format!("good for {} seconds", exchange.lasts.unwrap_or(300)),
    };
    lines.push(inside(lasts));
    lines
}

fn binding(binding: &Binding) -> String {
    match binding {
        Binding::Place(at) => place(at),
        Binding::Established(established) => format!("every value {}", established_text(established)),
    }
}

fn established_text(established: &Established) -> String {
    let key: Vec<String> = established.key.iter().map(|(name, at)| format!("{name} is {}", place(at))).collect();
    let text =
        format!("that `{}` has shown at {} in the same call, where {}", established.from, established.value, key.join(", "));
    visible(&text).into_owned()
}

fn volatile(volatile: &Volatile) -> impl Iterator<Item = String> {
    let query = volatile.query.iter().map(|name| format!("query ?{name}="));
    let headers = volatile.headers.iter().map(|name| format!("header {name}"));
    query.chain(headers).chain(volatile.body.iter().map(|at| format!("body {at}")))
}

fn place(place: &Place) -> String {
    match place {
        Place::Path(name) => format!("path {{{name}}}"),
        Place::Query(name) => format!("query ?{name}="),
        Place::Header(name) => format!("header {name}"),
        Place::Body(pointer) => format!("body {pointer}"),
        Place::Form(name) => format!("form field {name}"),
    }
}

fn requirement_text(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Digest(digest) => format!("with sha256 {}", visible(&digest.sha256)),
        Requirement::Scope(scope) => format!("within the granted `{}`", scope.scope),
        Requirement::Pattern(pattern) => format!("that matches {}", visible(&pattern.pattern)),
        Requirement::Targets(targets) => {
            format!("that matches {}, its targets within the granted `{}`", visible(&targets.pattern), targets.targets.scope)
        }
        Requirement::Established(established) => format!("one of the values {}", established_text(established)),
        Requirement::Exactly(Value::String(text)) => format!("exactly \"{}\"", visible(text)),
        Requirement::Exactly(value) => format!("exactly {value}"),
    }
}
