//! Composing an adversary: abilities that exist, in an order.

use std::collections::BTreeSet;

use casemate_plugin::{
    Context, Failure, Readable, clip,
    field::{Line, List},
    path,
    tolerant::Object,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    abilities,
    adversaries::Adversary,
    api::{self, Change},
    field::{AbilityId, AdversaryId},
};

const CHANGE: Change = Change::new(
    "adversary",
    "the adversary may exist now; look with list_adversaries, and let somebody delete it in Caldera if it is not wanted",
);

/// Arguments of `create_adversary`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What people call it
    name: Line<100>,
    /// What it is for
    description: Line<500>,
    /// The ids of its abilities, in the order to run them
    ability_ids: List<AbilityId, 50>,
}

/// What Caldera is asked for.
#[derive(Debug, Serialize)]
struct Body<'a> {
    name: &'a str,
    description: &'a str,
    atomic_ordering: &'a [AbilityId],
}

/// The new adversary.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// An operator has to grant it before an operation can run it
    adversary_id: AdversaryId,
    /// How many abilities it has
    abilities: usize,
}

pub(crate) fn create(Arguments { name, description, ability_ids }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let asked = ability_ids.as_slice();
    if asked.is_empty() {
        return Err(Failure::invalid_arguments("an adversary needs at least one ability"));
    }
    // Caldera takes ids that do not exist, and passes over them when it runs.
    let known: BTreeSet<String> = abilities::list::ids(cx)?.into_iter().collect();
    if let Some(missing) = asked.iter().find(|id| !known.contains(id.as_str())) {
        return Err(Failure::not_found(format!("Caldera does not have the ability `{missing}`; nothing was created")));
    }
    let body = Body { name: name.as_str(), description: description.as_str(), atomic_ordering: asked };
    let request = api::caldera(cx).post(path!("/api/v2/adversaries")).json(&body);
    let Object(created): Object<Adversary> = CHANGE.send(request)?;
    let Ok(adversary_id) = created.adversary_id.as_str().parse::<AdversaryId>() else {
        return Err(CHANGE.unknown("Caldera took it and did not say what it created"));
    };
    let is_asked = created.atomic_ordering.0.iter().map(|id| id.as_str()).eq(asked.iter().map(AbilityId::as_str));
    let created_name = created.name.0.unwrap_or_default();
    if !is_asked || created_name != clip(name.as_str(), 120) {
        return Err(Failure::upstream(format!(
            "the adversary `{adversary_id}` now exists and is not what was asked for: its {}; let somebody delete it in Caldera",
            if is_asked { "name is another" } else { "abilities are others" },
        )));
    }
    Ok(Report { adversary_id, abilities: asked.len() })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { adversary_id, abilities } = self;
        format!(
            "created the adversary {adversary_id} with {abilities} abilities\n\
             an operator has to add it to scope.adversary before an operation can run it"
        )
    }
}
