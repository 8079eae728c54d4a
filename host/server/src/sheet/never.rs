//! What a plugin can never do, a sentence each: what follows from its manifest, and what holds for every plugin.

use std::collections::{BTreeMap, BTreeSet};

use casemate_policy::text::visible;
use casemate_sandbox::{Limits, Maxima};
use casemate_signing::manifest::{DimensionName, Effect, Manifest, RequestContract};

use super::origin;

/// The sentences, the most particular first.
pub(crate) fn never(manifest: &Manifest) -> Vec<String> {
    let limits = Limits::effective(&manifest.limits, &Maxima::default());
    let mut never = Vec::new();
    if manifest.upstream.is_empty() {
        never.push("Use the network.".to_owned());
    } else {
        let origins: BTreeSet<String> = manifest.upstream.values().map(origin).collect();
        never.push(format!("Reach another host than {}.", listed(origins)));
        let contracts: usize = manifest.upstream.values().map(|upstream| upstream.request.len()).sum();
        never.push(format!(
            "Send a request that is not one of the {contracts} in its manifest, or more than {} in one call, whatever the model or an upstream tells it.",
            limits.requests
        ));
    }
    if let Some(sentence) = effects(manifest) {
        never.push(sentence);
    }
    let Limited { held, asked } = limited(manifest);
    for (dimension, tools) in held {
        never.push(format!("Touch a `{dimension}` that the caller's grant does not name: {}.", listed(tools)));
    }
    for (dimension, tools) in asked {
        let tools = listed(tools);
        never.push(format!(
            "Be called for a `{dimension}` that the caller's grant does not name: {tools}. That it asks about no other is its code's doing, and not the host's."
        ));
    }
    for (name, tool) in &manifest.tool {
        if !tool.labels.refuses.is_empty() {
            let labels = listed(tool.labels.refuses.iter().map(|label| format!("`{label}`")));
            let served = manifest.served_name(name);
            never.push(format!("Run `{served}` in a session that has read something {labels}, before a person agrees."));
        }
    }
    if !manifest.secrets.is_empty() {
        let secrets = listed(manifest.secrets.keys().map(|name| format!("`{name}`")));
        never.push(format!("See, keep or return {secrets}: added behind the sandbox, and removed from answers."));
    }
    never.push(match manifest.sources.is_empty() {
        true => "Read or write a file of this machine.".to_owned(),
        false => "Read a file of this machine that you do not bind to it, or write any.".to_owned(),
    });
    never.push("See the environment or the processes of this machine, open a socket, listen, or start anything.".to_owned());
    never.push("Keep anything from one call to the next.".to_owned());
    never.push(format!(
        "Take more than {} MiB of memory or {} s in one call, read more than {} KiB of one answer, or return more than {} KiB.",
        limits.memory_bytes >> 20,
        limits.deadline.as_secs_f64(),
        limits.response_bytes >> 10,
        limits.output_bytes >> 10
    ));
    never
}

/// What no contract of its does. A plugin's word on an effect is what its reviewer agreed to.
fn effects(manifest: &Manifest) -> Option<String> {
    let contracts = manifest.upstream.values().flat_map(|upstream| &upstream.request);
    let worst = contracts.filter_map(|contract| contract.effect()).max()?;
    let beyond = match worst {
        Effect::Read => "Change anything",
        Effect::Write => "Execute or destroy anything",
        Effect::Execute => "Destroy anything",
        Effect::Destructive => return None,
    };
    Some(format!("{beyond} at an upstream by a request that its manifest declares."))
}

/// The tools that each dimension limits, as clients call them.
#[derive(Default)]
struct Limited {
    /// What they send is held to the grant.
    held: BTreeMap<DimensionName, Vec<String>>,
    /// What they are called with is, and no request of theirs says it.
    asked: BTreeMap<DimensionName, Vec<String>>,
}

fn limited(manifest: &Manifest) -> Limited {
    let contracts: Vec<&RequestContract> = manifest.upstream.values().flat_map(|upstream| &upstream.request).collect();
    let mut limited = Limited::default();
    for (name, tool) in &manifest.tool {
        let sent: BTreeSet<&DimensionName> = contracts
            .iter()
            .filter(|contract| tool.requests.contains(&contract.name))
            .flat_map(|contract| contract.dimensions())
            .collect();
        for dimension in manifest.dimensions(tool) {
            let by = if sent.contains(&dimension) { &mut limited.held } else { &mut limited.asked };
            by.entry(dimension).or_default().push(format!("`{}`", manifest.served_name(name)));
        }
    }
    limited
}

/// `a`, `a or b`, `a, b or c`.
fn listed(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| visible(&name).into_owned()).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
