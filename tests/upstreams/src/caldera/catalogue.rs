//! What a fresh Caldera has: a part of the stockpile and atomic plugins, three red agents and a blue one.
//!
//! Stockpile's abilities have UUIDs, atomic's have 32 hexadecimal digits: the MD5 of their name here. Two of stockpile's name their
//! technique with a space before it, as in the original.

mod large;
mod rows;

use md5::{Digest, Md5};
use serde_json::{Value, json};

pub(super) use large::abilities as large;

use super::clock;
use super::object::{Ability, Access, Adversary, Agent, Executor};
use crate::record::hex;
use rows::{ATOMIC, RESPONSE, Row, STOCKPILE};

/// An adversary of stockpile's with three steps for Linux, macOS and Windows.
const DISCOVERY: &str = "0f4c3c67-845e-49a0-927e-90ed33c044e0";

pub(super) fn abilities() -> Vec<Ability> {
    let of = |plugin: &'static str, access, rows: &'static [Row]| rows.iter().map(move |row| ability(row, plugin, access));
    let red = of("stockpile", Access::Red, STOCKPILE).chain(of("atomic", Access::Red, ATOMIC));
    red.chain(of("response", Access::Blue, RESPONSE)).collect()
}

/// The id of an ability of the atomic plugin.
pub(super) fn atomic_id(name: &str) -> String {
    hex(&Md5::digest(name))
}

fn ability(row: &Row, plugin: &str, access: Access) -> Ability {
    let id = match (row.id, plugin) {
        ("", "atomic") => atomic_id(row.name),
        ("", _) => clock::uuid_of(row.name),
        (id, _) => id.to_owned(),
    };
    let executors = row.executors.iter().map(|executor| Executor {
        name: executor.name.to_owned(),
        platform: executor.platform.to_owned(),
        command: executor.command.to_owned(),
        cleanup: Some(executor.cleanup.to_owned()).filter(|text| !text.is_empty()).into_iter().collect(),
        payloads: Some(executor.payload.to_owned()).filter(|text| !text.is_empty()).into_iter().collect(),
        timeout: 60,
    });
    Ability {
        id,
        tactic: row.tactic.to_owned(),
        technique_id: row.technique_id.to_owned(),
        technique_name: row.technique_name.to_owned(),
        name: row.name.to_owned(),
        description: format!("{}, on every platform that has a command for it", row.name),
        privilege: row.elevated.then(|| "Elevated".to_owned()),
        executors: executors.collect(),
        plugin: plugin.to_owned(),
        access,
    }
}

pub(super) fn adversaries() -> Vec<Adversary> {
    let adversary = |id: &str, name: &str, description: &str, ordering: &[String]| Adversary {
        id: id.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        ordering: ordering.to_vec(),
        plugin: "stockpile".to_owned(),
    };
    let id = |name: &str| STOCKPILE.iter().find(|row| row.name == name).map(|row| row.id).unwrap_or_default().to_owned();
    let discovery = ["Identify active user", "Find local users", "Find user processes"].map(id);
    vec![
        adversary(DISCOVERY, "Discovery", "A discovery adversary", &discovery),
        adversary(
            "01d77744-2515-401a-a497-d9f7241aac3c",
            "Check",
            "A simple adversary that checks what is there",
            &[id("Identify active user"), atomic_id("System Information Discovery")],
        ),
        adversary(
            "de07f52d-9928-4071-9142-cb1d3bd851e8",
            "Hunter",
            "Discover and collect sensitive files",
            &[id("Create staging directory"), id("Find files"), id("Compress staged directory")],
        ),
        adversary(
            "1a98b8e6-18ce-4617-8cc5-e65a1a9d490e",
            "Thief",
            "Names an ability that is gone",
            &[clock::uuid_of("gone"), id("Find files")],
        ),
    ]
}

pub(super) fn planners() -> Vec<Value> {
    let planner = |id: &str, name: &str, description: &str| {
        json!({
            "id": id, "name": name, "module": format!("plugins.stockpile.app.{name}"), "params": {}, "description": description,
            "stopping_conditions": [], "ignore_enforcement_modules": [], "allow_repeatable_abilities": false, "plugin": "stockpile",
        })
    };
    vec![
        planner("788107d5-dc1e-4204-9269-38df0186d3e7", "batch", "The batch planner runs all abilities at once"),
        planner("aaa7c857-37a0-4c4a-85f7-4e9f7f30e31a", "atomic", "The atomic planner runs one ability after the other"),
    ]
}

pub(super) fn sources() -> Vec<Value> {
    let source =
        |id: &str, name: &str| json!({ "id": id, "name": name, "facts": [], "rules": [], "relationships": [], "plugin": "" });
    vec![source("ed32b9c3-9593-4c33-b0db-e2007315096b", "basic"), source("3e8c71c1-dfc8-494f-8262-1378e8620791", "SIP")]
}

pub(super) fn agents() -> Vec<Agent> {
    let agent = |paw: &str, group: &str, platform: &str, executors: &[&str], privilege: &str| Agent {
        paw: paw.to_owned(),
        group: group.to_owned(),
        platform: platform.to_owned(),
        executors: executors.iter().map(|name| (*name).to_owned()).collect(),
        host: format!("{group}-{platform}"),
        username: if privilege == "Elevated" { "root" } else { "lab" }.to_owned(),
        privilege: privilege.to_owned(),
        trusted: true,
        pid: 4100,
        created: clock::now(),
        last_seen: clock::now(),
        links: Vec::new(),
    };
    vec![
        agent("simpaw1", "red-lab", "linux", &["sh", "proc"], "User"),
        agent("simpaw2", "red-lab", "windows", &["cmd", "psh"], "Elevated"),
        agent("prodpaw1", "production", "linux", &["sh"], "Elevated"),
        agent("bluepaw1", "blue", "linux", &["sh"], "User"),
    ]
}
