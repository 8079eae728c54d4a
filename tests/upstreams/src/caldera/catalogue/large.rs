//! A catalogue as large as the original's with the atomic plugin: 1,985 abilities, 2.7 MB in full and 311 kB of what a list shows.

use super::super::clock;
use super::super::object::{Ability, Access, Executor};
use super::{ATOMIC, STOCKPILE, abilities as small, atomic_id};

/// Abilities, with those of the atomic plugin.
const COUNT: usize = 1_985;
/// Of these have a UUID; every other one has 32 hexadecimal digits.
const WITH_UUID: usize = COUNT - 1_776;
/// Characters of a name, so that a list has the original's size.
const NAME: usize = 47;
/// Characters of a description, so that the whole has the original's size.
const DESCRIPTION: usize = 330;
/// Characters of a command, so that the whole has the original's size.
const COMMAND: usize = 120;

/// The small catalogue, and others after the same techniques.
pub(in crate::caldera) fn abilities() -> Vec<Ability> {
    let mut all = small();
    let rows: Vec<_> = STOCKPILE.iter().chain(ATOMIC).collect();
    let mut with_uuid = all.iter().filter(|ability| ability.id.contains('-')).count();
    let mut rows = rows.iter().cycle().enumerate();
    while let Some((number, row)) = rows.next().filter(|_| all.len() < COUNT) {
        let name = format!("{number:04} {} on one of the machines of the lab, or two", row.name);
        let name: String = name.chars().take(NAME).collect();
        let is_atomic = with_uuid >= WITH_UUID;
        with_uuid += usize::from(!is_atomic);
        let filler = "Run on a machine of the lab and look at what the sensors say. ";
        all.push(Ability {
            id: if is_atomic { atomic_id(&name) } else { clock::uuid_of(&name) },
            tactic: row.tactic.to_owned(),
            technique_id: row.technique_id.to_owned(),
            technique_name: row.technique_name.to_owned(),
            name,
            description: filler.chars().cycle().take(DESCRIPTION).collect(),
            privilege: None,
            executors: vec![executor("sh", "linux"), executor("psh", "windows")],
            plugin: if is_atomic { "atomic" } else { "stockpile" }.to_owned(),
            access: Access::Red,
        });
    }
    all
}

fn executor(name: &str, platform: &str) -> Executor {
    Executor {
        name: name.to_owned(),
        platform: platform.to_owned(),
        command: "echo one; echo two; echo three; ".chars().cycle().take(COMMAND).collect(),
        cleanup: vec!["true".to_owned()],
        payloads: Vec::new(),
        timeout: 60,
    }
}
