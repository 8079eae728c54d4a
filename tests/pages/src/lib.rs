//! The plugins of this repository, and the configuration in their pages as one that runs: for tests and the benchmark.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Table, Value, de::Error};

/// What every secret is read from in a configuration of [`to_copy`], in the house's folder.
pub const SECRET: &str = "secrets/api_key";

/// The folder of a plugin, or what is in it.
pub fn of(plugin: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(plugin).join(file)
}

/// The plugins of this repository, in order.
///
/// # Errors
/// When their folders cannot be listed.
pub fn plugins() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in fs::read_dir(of("", ""))? {
        let folder = folder?;
        if folder.path().join("plugin.toml").exists() {
            names.extend(folder.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// The configuration in a page: its examples, one after the other, with a file of the house wherever they name one.
///
/// # Errors
/// When an example is not TOML.
pub fn to_copy(page: &str) -> Result<Table, Error> {
    let mut config = Table::from_iter([("environment".to_owned(), "dev".into())]);
    for block in page.split("\n```toml\n").skip(1) {
        merge(&mut config, block.split("\n```").next().unwrap_or_default().parse()?);
    }
    for (_, plugin) in tables(config.get_mut("plugins")) {
        for (_, secret) in plugin.get_mut("secret").and_then(Value::as_table_mut).into_iter().flatten() {
            *secret = Table::from_iter([("file".to_owned(), SECRET.into())]).into();
        }
        put(plugin.get_mut("source"), "file", &"trust.toml".into());
    }
    put(config.get_mut("sources"), "path", &"trust.toml".into());
    // Its grants are for whoever the operator has; here they are for whoever asks.
    put(config.get_mut("grants"), "principals", &Value::Array(vec!["local".into()]));
    Ok(config)
}

/// Put one table over another: what both have is the second's, but for tables, which are merged.
pub fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// The tables in a table, by their names.
fn tables(table: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Table)> {
    let entries = table.and_then(Value::as_table_mut).into_iter().flatten();
    entries.filter_map(|(name, entry)| Some((name, entry.as_table_mut()?)))
}

fn put(table: Option<&mut Value>, key: &str, value: &Value) {
    tables(table).for_each(|(_, entry)| drop(entry.insert(key.to_owned(), value.clone())));
}
