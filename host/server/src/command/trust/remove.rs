//! `casemate trust remove`: a publisher is forgotten.

use casemate_signing::{highwater::HighWater, manifest::PublisherName, trust::TrustStore};
use serde_json::json;

use super::{
    super::{Context, print},
    environments, on_record, remember,
};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::store,
};

pub(super) fn run(mut trust: TrustStore, publisher: &PublisherName, context: &Context) -> Outcome {
    let reached = environments(&trust, publisher);
    trust.remove(publisher).map_err(Failure::invalid)?;
    let lock = store::lock(&context.folders)?;
    let stop: Vec<String> = lock
        .plugins()
        .iter()
        .filter(|(id, _)| id.publisher == *publisher)
        .map(|(id, locked)| format!("{id} {}", locked.version))
        .collect();
    on_record(context, &reached, "remove", publisher, json!({ "plugins": stop }))?;
    store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
    // What was seen of its documents stays in the state of each environment, so an old keyset of theirs is not taken again. It is not
    // missed any more: they may be trusted anew by single keys. After the trust file, so that nothing is let go while it is in force.
    let let_go = |highwater: &mut HighWater| {
        highwater.let_publisher_go(publisher);
        Ok(())
    };
    remember(context, &reached, let_go, true)?;
    store::forget_publisher(&context.folders, publisher)?;
    print::result(
        context.format,
        || {
            let mut text = format!("removed {publisher}\n");
            for plugin in &stop {
                text.push_str(&format!("{plugin} no longer loads\n"));
            }
            text
        },
        || json!({ "publisher": publisher, "plugins": stop }),
    );
    Ok(Exit::Done)
}
