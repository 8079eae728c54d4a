//! The whole of the protocol's surface, as a client finds it: in both eras, on both transports.

mod addresses;
mod completion;
mod logging;
mod pictures;
mod prompts;
mod resources;
mod revisions;
mod schemas;
mod sources;
mod watching;

pub(crate) mod client;

use crate::harness::{Guest, House};

/// A guest that answers, and ships a prompt.
pub(crate) fn guest() -> Guest {
    Guest::new("plain_request").prompt(
        "triage",
        r#"
        title = "Triage"
        description = "Look at a group."
        text = "Look at {group} for {why}: {{{note}}}"
        argument = [
            { name = "group", description = "Which group", required = true },
            { name = "why", description = "What for", values = ["alert", "audit", "drill"] },
            { name = "note", description = "Anything else" },
        ]
        "#,
    )
}

/// A house with it, which ann may use over HTTP as the local caller may; ben may nothing.
pub(crate) fn house() -> House {
    shared(House::new(&guest()))
}

pub(crate) fn shared(house: House) -> House {
    let house = house.set("grants.tester.principals", vec!["local", "token:ann"]);
    house.install().done();
    house
}
