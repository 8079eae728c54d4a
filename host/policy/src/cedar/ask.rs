//! A call, as it is put to the policies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use casemate_signing::{
    Environment,
    manifest::{DimensionName, Label},
};
use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema};
use serde_json::Value;

use super::{
    kind::{Kind, Misfit, Record},
    schema::{Shape, WEEKDAYS, kind_of},
    verdict::Fault,
};
use crate::{
    Charge, GrantName, Measure, Mode, Principal, Readings, Timestamp, ToolRule, Window, layer::targets, scope::ScopeValue,
};

/// Containers inside one another in which what is tainted is looked for.
const MAX_DEPTH: usize = 32;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One call under one grant.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// The roles that the grant gives.
    pub roles: &'a BTreeSet<String>,
    /// The grant.
    pub grant: &'a GrantName,
    /// Where this host runs.
    pub environment: Environment,
    /// What is called. Its targets are read from the arguments, where the signed manifest says they are.
    pub tool: &'a ToolRule,
    /// With which arguments.
    pub arguments: &'a Value,
    /// The labels that the principal holds under the grant.
    pub labels: &'a BTreeSet<Label>,
    /// JSON Pointers to the arguments whose values came from untrusted results. What is around a tainted value counts as
    /// tainted, and what is inside it.
    pub tainted: &'a BTreeSet<String>,
    /// For real, or planned only.
    pub mode: Mode,
    /// Whether a person has agreed to this call.
    pub approved: bool,
    /// Calls left in the grant's budgets that count this call; see [`left`].
    pub budget: &'a BTreeMap<Window, u32>,
    /// The moment of the call.
    pub now: Timestamp,
}

/// How many calls are left per window: where several budgets have one, of that which has the fewest. What the ledger has
/// said nothing about is spent.
pub fn left(charges: &[Charge], readings: &Readings) -> BTreeMap<Window, u32> {
    let mut left = BTreeMap::new();
    for charge in charges {
        let Measure::Calls(limit) = charge.measure() else { continue };
        let spent = readings.of_budget(charge.key()).map_or(u64::MAX, |reading| reading.spent);
        let rest = u32::try_from(u64::from(*limit).saturating_sub(spent)).unwrap_or(u32::MAX);
        left.entry(charge.key().window()).and_modify(|least: &mut u32| *least = rest.min(*least)).or_insert(rest);
    }
    left
}

/// One tool's part of every question: made once.
#[derive(Debug)]
pub(super) struct Prepared {
    digest: String,
    action: EntityUid,
    resource: EntityUid,
    arguments: Record,
    /// The tool, its plugin, its action and the groups it is in.
    entities: Entities,
}

/// Why a schema and what was made for it do not fit together. It is this module's mistake, or a plugin's.
#[derive(Debug, thiserror::Error)]
#[error("`{0}`: {1}")]
pub(super) struct Unprepared(String, String);

impl Prepared {
    pub(super) fn of(rule: &ToolRule, shape: &Shape, types: &Types, schema: &Schema) -> Result<Self, Unprepared> {
        let unprepared = |fault: String| Unprepared(rule.served.to_string(), fault);
        let action = types.action(rule.served.as_str());
        let resource = uid(&types.tool, rule.served.as_str());
        let groups = shape.groups().map(|group| types.action(group)).collect();
        let labels = rule.manifest_tool.labels.produces.iter().map(|label| text(label.as_str()));
        let attributes = HashMap::from([
            ("effect".to_owned(), text(shape.effect.as_str())),
            ("idempotent".to_owned(), RestrictedExpression::new_bool(rule.manifest_tool.idempotent)),
            ("plugin".to_owned(), text(&shape.plugin)),
            ("produces".to_owned(), RestrictedExpression::new_set(labels)),
            ("publisher".to_owned(), text(rule.plugin.publisher.as_str())),
        ]);
        let plugin = uid(&types.plugin, &shape.plugin);
        let tool =
            Entity::new(resource.clone(), attributes, HashSet::from([plugin.clone()])).map_err(|e| unprepared(e.to_string()))?;
        // Held against the schema once, here; what an action is in comes with it.
        Entities::from_entities([tool.clone()], Some(schema)).map_err(|fault| unprepared(fault.to_string()))?;
        let entities = [Entity::new_no_attrs(action.clone(), groups), Entity::with_uid(plugin), tool];
        let entities = Entities::from_entities(entities, None).map_err(|fault| unprepared(fault.to_string()))?;
        let arguments = match shape.context.0.get("arguments").map(|field| &field.kind) {
            Some(Kind::Record(record)) => record.clone(),
            _ => return Err(unprepared("its calls have no arguments".to_owned())),
        };
        Ok(Self { digest: rule.digest.clone(), action, resource, arguments, entities })
    }

    /// A call, in Cedar's terms.
    pub(super) fn question(&self, ask: &Ask<'_>, types: &Types, schema: &Schema) -> Result<(Request, Entities), Fault> {
        if self.digest != ask.tool.digest {
            return Err(Fault::Tool(ask.tool.served.to_string()));
        }
        let question = |fault: String| Fault::Question(fault);
        let principal = uid(&types.principal, ask.principal.id().as_str());
        let roles = RestrictedExpression::new_set(ask.roles.iter().map(|role| text(role)));
        let attributes = HashMap::from([("kind".to_owned(), text(kind_of(ask.principal.id()))), ("roles".to_owned(), roles)]);
        let caller = Entity::new(principal.clone(), attributes, HashSet::new()).map_err(|e| question(e.to_string()))?;
        let entities = self.entities.clone().add_entities([caller], None).map_err(|e| question(e.to_string()))?;
        let context = Context::from_pairs(self.context(ask)?).map_err(|e| question(e.to_string()))?;
        let request = Request::new(principal, self.action.clone(), self.resource.clone(), context, Some(schema))
            .map_err(|e| question(e.to_string()))?;
        Ok((request, entities))
    }

    fn context(&self, ask: &Ask<'_>) -> Result<[(String, RestrictedExpression); 13], Fault> {
        let now = ask.now.as_millis();
        let day = now.div_euclid(DAY_MS);
        let weekday = usize::try_from(day.rem_euclid(7)).ok().and_then(|day| WEEKDAYS.get(day)).copied();
        let long = RestrictedExpression::new_long;
        let record = |pairs: Vec<(String, RestrictedExpression)>| {
            RestrictedExpression::new_record(pairs).map_err(|fault| Fault::Question(fault.to_string()))
        };
        let budget = ask.budget.iter().map(|(window, left)| (window.to_string(), long(i64::from(*left)))).collect();
        let scope =
            ask.tool.manifest_tool.scope.iter().map(|(dimension, place)| {
                Ok((dimension.to_string(), scope(ask.tool, dimension, &place.argument, ask.arguments)?))
            });
        let set = |texts: Vec<RestrictedExpression>| RestrictedExpression::new_set(texts);
        Ok([
            ("approved", RestrictedExpression::new_bool(ask.approved)),
            ("arguments", self.arguments.express(ask.arguments)?),
            ("budget", record(budget)?),
            ("datetime", RestrictedExpression::new_datetime(ask.now.to_string())),
            ("environment", text(ask.environment.as_str())),
            ("grant", text(ask.grant.as_str())),
            ("hour", long(now.rem_euclid(DAY_MS) / HOUR_MS)),
            ("labels", set(ask.labels.iter().map(|label| text(label.as_str())).collect())),
            ("mode", text(ask.mode.as_str())),
            ("scope", record(scope.collect::<Result<_, Fault>>()?)?),
            ("tainted", set(tainted(ask)?.iter().map(|pointer| text(pointer)).collect())),
            ("time", long(now)),
            ("weekday", text(weekday.ok_or(Fault::Silent)?)),
        ]
        .map(|(name, value)| (name.to_owned(), value)))
    }
}

/// The names of the entity types, parsed once.
#[derive(Debug)]
pub(super) struct Types {
    principal: EntityTypeName,
    tool: EntityTypeName,
    plugin: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    /// None where Cedar does not take them, which no release of it does.
    pub(super) fn new() -> Option<Self> {
        let name = |text: &str| text.parse().ok();
        Some(Self { principal: name("Principal")?, tool: name("Tool")?, plugin: name("Plugin")?, action: name("Action")? })
    }

    fn action(&self, name: &str) -> EntityUid {
        uid(&self.action, name)
    }
}

fn uid(of: &EntityTypeName, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(name))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// The targets in one dimension, in the one spelling that compares: that of [`ScopeValue`].
fn scope(tool: &ToolRule, dimension: &DimensionName, argument: &str, arguments: &Value) -> Result<RestrictedExpression, Fault> {
    let fault = || Fault::Target { argument: argument.to_owned() };
    let kind = *tool.dimensions.get(dimension).ok_or_else(fault)?;
    let mut values = Vec::new();
    for target in arguments.pointer(argument).map(targets).unwrap_or_default() {
        let value = ScopeValue::parse(kind, &target.ok_or_else(fault)?).map_err(|_| fault())?;
        values.extend(value.elements().iter().map(|element| text(element)));
    }
    Ok(RestrictedExpression::new_set(values))
}

/// What is tainted, with what is around it and what is inside it.
fn tainted(ask: &Ask<'_>) -> Result<BTreeSet<String>, Misfit> {
    let mut all = BTreeSet::new();
    for pointer in ask.tainted {
        all.extend(pointer.match_indices('/').skip(1).filter_map(|(end, _)| pointer.get(..end)).map(str::to_owned));
        if let Some(value) = ask.arguments.pointer(pointer) {
            inside(pointer, value, 0, &mut all)?;
        }
        all.insert(pointer.clone());
    }
    Ok(all)
}

fn inside(at: &str, value: &Value, depth: usize, all: &mut BTreeSet<String>) -> Result<(), Misfit> {
    let mut enter = |key: &str, value: &Value| {
        let at = format!("{at}/{key}");
        inside(&at, value, depth + 1, all)?;
        all.insert(at);
        Ok(())
    };
    match value {
        Value::Array(_) | Value::Object(_) if depth == MAX_DEPTH => Err(Misfit::new("nests too deeply")),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| enter(&index.to_string(), item)),
        Value::Object(map) => map.iter().try_for_each(|(key, item)| enter(&key.replace('~', "~0").replace('/', "~1"), item)),
        _ => Ok(()),
    }
}
