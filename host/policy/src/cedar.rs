//! The operator's own rules: Cedar policies, held against the installed tools when they are loaded, and asked at every call.
//!
//! They only narrow. The host itself permits everything here and an operator writes `forbid`; so another policy never turns
//! a no into a yes. What a policy names must exist, and what cannot be evaluated is denied.
//!
//! ```cedar
//! @id("no-writes-at-night")
//! @message("changes are made between 6 and 22 UTC")
//! forbid(principal, action in [Action::"write", Action::"execute"], resource)
//! unless { context.hour >= 6 && context.hour < 22 };
//! ```

mod arguments;
mod ask;
mod fault;
mod kind;
mod load;
mod names;
mod rule;
mod schema;
mod source;
mod verdict;

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    str::FromStr,
    sync::Arc,
};

use cedar_policy::{AuthorizationError, Authorizer, Decision, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

pub use ask::{Ask, left};
pub use fault::{RulesError, RulesFault};
pub use rule::Rule;
pub use schema::Known;
pub use source::Place;
pub use verdict::{Denial, Verdict};

use crate::{ServedName, ToolRule};
use ask::{Prepared, Types};
use fault::place;
use load::Loaded;
use names::Checked;
use schema::Shapes;
use source::Source;
use verdict::Fault;

/// What the host says before any operator does.
const HOST: &str = "permit(principal, action, resource);";
/// Its name among the policies, whose names are numbers.
const HOST_ID: &str = "host";
/// Where a fault is that is in no file.
const NO_FILE: &str = "(generated)";

/// The operator's Cedar policies, validated against the installed tools. Never changed: a reload makes new ones.
#[derive(Debug)]
pub struct Rules {
    /// Each policy's name among Cedar's is its number here.
    rules: Vec<Arc<Rule>>,
    authorizer: Authorizer,
    schema: Schema,
    types: Types,
    tools: HashMap<ServedName, (Prepared, Arc<PolicySet>)>,
}

impl Rules {
    /// Read, check and prepare policies: `sources` are each file's name and text, `tools` the installed tools.
    ///
    /// # Errors
    /// Every fault of every policy, in the order of the files. One is enough: no policy is left out.
    pub fn new(sources: &[(String, String)], tools: &[&ToolRule], known: &Known) -> Result<Self, Vec<RulesError>> {
        let sources: Vec<Source<'_>> = sources.iter().map(|(name, text)| Source::new(name, text)).collect();
        let shapes = Shapes::of(tools, known);
        let (loaded, mut errors) = load::load(&sources);
        let nowhere = |fault: String| vec![RulesError::new(Source::new(NO_FILE, "").place(0), RulesFault::Schema { fault })];
        let (schema, _) = Schema::from_cedarschema_str(&shapes.text()).map_err(|fault| nowhere(fault.to_string()))?;
        let about = match validate(&loaded, &sources, &shapes, &schema).map_err(nowhere)? {
            (about, faults) if faults.is_empty() && errors.is_empty() => about,
            (_, faults) => {
                errors.extend(faults);
                errors.sort_by(|a, b| a.place().cmp(b.place()));
                return Err(errors);
            }
        };
        let types = Types::new().ok_or_else(|| nowhere("the entity types have no names".to_owned()))?;
        let mut sets = Sets::default();
        let mut prepared = HashMap::new();
        for rule in tools {
            let Some(shape) = shapes.tools.get(&rule.served) else { continue };
            let tool = Prepared::of(rule, shape, &types, &schema).map_err(|fault| nowhere(fault.to_string()))?;
            let numbers = (0..).zip(&about).filter(|(_, about)| about.contains(&rule.served)).map(|(number, _)| number).collect();
            prepared.insert(rule.served.clone(), (tool, sets.of(numbers, &loaded).map_err(nowhere)?));
        }
        let rules = loaded.into_iter().map(|loaded| loaded.rule).collect();
        Ok(Self { rules, authorizer: Authorizer::new(), schema, types, tools: prepared })
    }

    /// The generated schema, in Cedar's human syntax.
    pub fn schema(tools: &[&ToolRule], known: &Known) -> String {
        Shapes::of(tools, known).text()
    }

    /// The policies, in the order they were read.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(Arc::as_ref)
    }

    /// Ask about one call.
    pub fn judge(&self, ask: &Ask<'_>) -> Verdict {
        if self.rules.is_empty() {
            return Verdict::Pass;
        }
        self.ask(ask).unwrap_or_else(|fault| Verdict::Deny(Denial::new(Vec::new(), vec![fault])))
    }

    fn ask(&self, ask: &Ask<'_>) -> Result<Verdict, Fault> {
        let (prepared, set) = self.tools.get(&ask.tool.served).ok_or_else(|| Fault::Tool(ask.tool.served.to_string()))?;
        let (request, entities) = prepared.question(ask, &self.types, &self.schema)?;
        let response = self.authorizer.is_authorized(&request, set, &entities);
        // Cedar passes over what it cannot evaluate; here that denies.
        let mut faults: Vec<Fault> = response.diagnostics().errors().map(|error| self.fault(error)).collect();
        if response.decision() == Decision::Allow && faults.is_empty() {
            return Ok(Verdict::Pass);
        }
        let mut numbers: Vec<usize> = match response.decision() {
            Decision::Allow => Vec::new(),
            Decision::Deny => response.diagnostics().reason().filter_map(number).collect(),
        };
        numbers.sort_unstable();
        let rules: Vec<Arc<Rule>> = numbers.iter().filter_map(|number| self.rules.get(*number)).cloned().collect();
        if rules.is_empty() && faults.is_empty() {
            faults.push(Fault::Silent);
        }
        Ok(Verdict::Deny(Denial::new(rules, faults)))
    }

    fn fault(&self, error: &AuthorizationError) -> Fault {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        let rule = number(error.policy_id()).and_then(|number| self.rules.get(number));
        let rule = rule.map_or_else(|| error.policy_id().to_string(), |rule| rule.id().to_owned());
        Fault::Evaluation { rule, fault: error.inner().to_string() }
    }
}

/// The policies that are about a tool, in a set that all tools share which the same policies are about: the others could
/// not forbid its calls, and asking them is most of what a call would cost.
#[derive(Default)]
struct Sets(HashMap<Vec<usize>, Arc<PolicySet>>);

impl Sets {
    fn of(&mut self, numbers: Vec<usize>, loaded: &[Loaded]) -> Result<Arc<PolicySet>, String> {
        if let Some(set) = self.0.get(&numbers) {
            return Ok(Arc::clone(set));
        }
        let host = Policy::parse(Some(PolicyId::new(HOST_ID)), HOST).map_err(|fault| fault.to_string())?;
        let policies = numbers.iter().filter_map(|number| loaded.get(*number)).map(|loaded| loaded.policy.clone());
        let set = Arc::new(PolicySet::from_policies(policies.chain([host])).map_err(|fault| fault.to_string())?);
        self.0.insert(numbers, Arc::clone(&set));
        Ok(set)
    }
}

fn number(id: &PolicyId) -> Option<usize> {
    usize::from_str(id.as_ref()).ok()
}

/// What was found of policies: for each the tools that it is about, and every fault.
type Validated = (Vec<BTreeSet<ServedName>>, Vec<RulesError>);

/// Hold policies against the schema and against what exists.
fn validate(loaded: &[Loaded], sources: &[Source<'_>], shapes: &Shapes, schema: &Schema) -> Result<Validated, String> {
    let (mut abouts, mut errors) = (Vec::with_capacity(loaded.len()), Vec::new());
    let validator = Validator::new(schema.clone());
    for policy in loaded {
        let source = sources.get(policy.source).ok_or_else(|| "a policy is in no file".to_owned())?;
        let Checked { about, is_awaited, found: names } =
            names::check(&policy.policy, &policy.text, shapes).map_err(|fault| fault.to_string())?;
        abouts.push(about);
        let set = PolicySet::from_policies([policy.policy.clone()]).map_err(|fault| fault.to_string())?;
        let result = validator.validate(&set, ValidationMode::Strict);
        let is_named = |span: &Range<usize>| names.iter().any(|(at, _)| span.contains(&(policy.start + at)));
        let mut faults: Vec<RulesError> = result
            .validation_errors()
            .filter_map(|error| {
                let (place, span) = place(error, source, policy.start);
                RulesFault::validation(error).filter(|_| !is_named(&span)).map(|fault| RulesError::new(place, fault))
            })
            .collect();
        // A warning is a fault: each is about a policy that does not say what it seems to say.
        if names.is_empty() && faults.is_empty() {
            let warnings = result
                .validation_warnings()
                .map(|warning| RulesError::new(place(warning, source, policy.start).0, RulesFault::warning(warning)));
            faults.extend(warnings.filter(|error| !(is_awaited && *error.fault() == RulesFault::Never)));
        }
        // The validator looks at the calls of each tool anew, in any order: each place is told once, and always alike.
        faults.sort_by_cached_key(|error| (error.place().clone(), error.fault().to_string()));
        faults.dedup_by(|a, b| a.place() == b.place());
        errors.extend(faults);
        errors.extend(names.into_iter().map(|(at, fault)| RulesError::new(source.place(policy.start + at), fault)));
    }
    Ok((abouts, errors))
}
