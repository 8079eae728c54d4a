//! What policies may speak of: the callers, the installed tools, and of each call its context. All of it is generated.
//!
//! One text is what an operator is shown and what policies are held against.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use casemate_signing::{
    Environment,
    manifest::{Effect, Tool},
};

use super::{
    arguments,
    kind::{Field, Kind, Record, Words},
};
use crate::{Budget, Grant, GrantName, Measure, Mode, PrincipalId, ServedName, ToolRule, Window, output::untrusted};

/// Action groups that every schema has, whatever is installed.
pub(super) const EFFECTS: [Effect; 4] = [Effect::Read, Effect::Write, Effect::Execute, Effect::Destructive];
/// Days in UTC, from the one that the Unix epoch began on.
pub(super) const WEEKDAYS: [&str; 7] = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
/// How a principal may have proved who it is: what its id begins with.
const KINDS: [&str; 3] = ["local", "token", "oidc"];

/// What the operator's configuration names besides tools. A policy that names anything else does not load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Who may hold a grant.
    pub principals: BTreeSet<PrincipalId>,
    /// Whether others may, by a role: then their ids are known to whoever authenticates them.
    pub by_role: bool,
    /// The roles that grants give.
    pub roles: BTreeSet<String>,
    /// The grants.
    pub grants: BTreeSet<GrantName>,
    /// The windows of the grants' budgets.
    pub windows: BTreeSet<Window>,
}

impl Known {
    /// What these grants name.
    pub fn of<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Self {
        let mut known = Self::default();
        for grant in grants {
            // A role is nobody's id: a policy about one as a principal would never hold.
            known.principals.extend(grant.principals.iter().filter(|holder| !holder.is_role()).cloned());
            known.by_role |= grant.principals.iter().any(PrincipalId::is_role);
            known.grants.insert(grant.name.clone());
            let counts_calls = |budget: &&Budget| matches!(budget.measure, Measure::Calls(_));
            known.windows.extend(grant.budgets.iter().filter(counts_calls).map(|budget| budget.per));
            known.roles.extend(grant.roles.iter().map(ToString::to_string));
        }
        known
    }
}

/// Everything a policy may speak of.
pub(super) struct Shapes {
    pub(super) principal: Record,
    pub(super) tool: Record,
    pub(super) tools: BTreeMap<ServedName, Shape>,
    pub(super) principals: BTreeSet<PrincipalId>,
    pub(super) by_role: bool,
}

/// What calls of one tool look like.
pub(super) struct Shape {
    pub(super) context: Record,
    pub(super) effect: Effect,
    /// The plugin's short name.
    pub(super) plugin: String,
    pub(super) signed: Arc<Tool>,
}

impl Shapes {
    pub(super) fn of(tools: &[&ToolRule], known: &Known) -> Self {
        let labels: BTreeSet<String> = tools
            .iter()
            .flat_map(|rule| &rule.manifest_tool.labels.produces)
            .cloned()
            .chain(untrusted())
            .map(|label| label.to_string())
            .collect();
        Self {
            principal: principal(known),
            tool: tool(tools, &labels),
            tools: tools.iter().map(|rule| (rule.served.clone(), Shape::of(rule, known, &labels))).collect(),
            principals: known.principals.clone(),
            by_role: known.by_role,
        }
    }

    /// The schema, in Cedar's own words.
    pub(super) fn text(&self) -> String {
        let mut out = String::from("// A caller, by its id.\nentity Principal = ");
        self.principal.write(&mut out, 0);
        out.push_str(";\n\n// A plugin, by its short name.\nentity Plugin;\n\n// A tool, by the name it is served under.\nentity Tool in [Plugin] = ");
        self.tool.write(&mut out, 0);
        out.push_str(";\n\n// Tools by effect.\n");
        for effect in EFFECTS {
            let _ = writeln!(out, "action {:?};", effect.as_str());
        }
        let plugins: BTreeSet<&str> = self.tools.values().filter_map(Shape::group).collect();
        if !plugins.is_empty() {
            out.push_str("\n// Tools by plugin.\n");
        }
        for plugin in plugins {
            let _ = writeln!(out, "action {plugin:?};");
        }
        for (name, shape) in &self.tools {
            let groups: Vec<String> = shape.groups().map(|group| format!("{group:?}")).collect();
            let _ = write!(
                out,
                "\naction {:?} in [{}] appliesTo {{\n  principal: [Principal],\n  resource: [Tool],\n  context: ",
                name.as_str(),
                groups.join(", ")
            );
            shape.context.write(&mut out, 2);
            out.push_str(",\n};\n");
        }
        out
    }
}

impl Shape {
    fn of(rule: &ToolRule, known: &Known, labels: &BTreeSet<String>) -> Self {
        let signed = &rule.manifest_tool;
        let always = |name: &str, kind| (name.to_owned(), Field::always(kind));
        let scope = signed.scope.keys().map(|dimension| (dimension.to_string(), Field::always(Kind::list(Kind::TEXT)))).collect();
        let left = Field { kind: Kind::Whole, required: false, nullable: false };
        let budget = known.windows.iter().map(|window| (window.to_string(), left.clone())).collect();
        let context = Record(BTreeMap::from([
            always("approved", Kind::Flag),
            always("arguments", Kind::Record(arguments::record(&signed.input_schema))),
            always("budget", Kind::Record(Record(budget))),
            always("datetime", Kind::Moment),
            always("environment", Kind::one_of([Environment::Dev, Environment::Stage, Environment::Prod])),
            always("grant", Kind::one_of(&known.grants)),
            always("hour", Kind::Whole),
            always("labels", Kind::list(Kind::one_of(labels))),
            always("mode", Kind::one_of([Mode::Real.as_str(), Mode::DryRun.as_str()])),
            always("scope", Kind::Record(Record(scope))),
            always("tainted", Kind::list(Kind::Text(Words::Pointer))),
            always("time", Kind::Whole),
            always("weekday", Kind::one_of(WEEKDAYS)),
        ]));
        Self { context, effect: signed.effect, plugin: rule.plugin.name.to_string(), signed: Arc::clone(signed) }
    }

    /// The group of the plugin's tools. A plugin called like an effect has none: else its tools would be among the tools
    /// of that effect, whatever they do.
    fn group(&self) -> Option<&str> {
        Some(self.plugin.as_str()).filter(|name| !EFFECTS.iter().any(|effect| effect.as_str() == *name))
    }

    /// The groups its action is in.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.effect.as_str()).chain(self.group())
    }
}

/// What a principal's id says of how it proved who it is: `token` of `token:ci`.
pub(super) fn kind_of(principal: &PrincipalId) -> &str {
    let id = principal.as_str();
    id.split_once(':').map_or(id, |(kind, _)| kind)
}

fn principal(known: &Known) -> Record {
    let kinds = KINDS.into_iter().chain(known.principals.iter().map(kind_of));
    Record(BTreeMap::from([
        ("kind".to_owned(), Field::always(Kind::one_of(kinds))),
        ("roles".to_owned(), Field::always(Kind::list(Kind::one_of(&known.roles)))),
    ]))
}

fn tool(tools: &[&ToolRule], labels: &BTreeSet<String>) -> Record {
    let always = |name: &str, kind| (name.to_owned(), Field::always(kind));
    Record(BTreeMap::from([
        always("effect", Kind::one_of(EFFECTS)),
        always("idempotent", Kind::Flag),
        always("plugin", Kind::one_of(tools.iter().map(|rule| &rule.plugin.name))),
        always("produces", Kind::list(Kind::one_of(labels))),
        always("publisher", Kind::one_of(tools.iter().map(|rule| &rule.plugin.publisher))),
    ]))
}
