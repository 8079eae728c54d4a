//! Another program's file, with one server more in it, and everything else as it was.

use serde_json::{Map, Value, json};
use toml_edit::{DocumentMut, Item, Table};

use super::Client;

/// What became of a file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    /// It says so already.
    Same,
    /// The new text.
    Text(String),
}

/// A file that is left alone.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is nothing that can be read. It may have comments, which would be lost.
    #[error("it cannot be read as {form}: {fault}\nhelp: put the entry in yourself; without --write it is printed")]
    Form {
        /// JSON or TOML.
        form: &'static str,
        /// What is wrong, and where.
        fault: String,
    },
    /// Something is in the way.
    #[error("`{0}` is there and is no table of servers\nhelp: put the entry in yourself; without --write it is printed")]
    Shape(String),
    /// There is another server of this name.
    #[error(
        "it has another server called `{0}`\nhelp: --replace puts this one in its place, or --name gives this one another name"
    )]
    Taken(String),
}

/// The text of a client's file with this server in it. An empty text is a file that is not there yet.
///
/// # Errors
///
/// [`EditError`]; the file is then to be left as it is.
pub fn edited(client: Client, text: &str, name: &str, entry: &Value, replace: bool) -> Result<Edited, EditError> {
    if client == Client::Codex {
        return in_toml(client, text, name, entry, replace);
    }
    let fault = |error: serde_json::Error| EditError::Form { form: "JSON", fault: error.to_string() };
    let mut file: Value = if text.trim().is_empty() { json!({}) } else { serde_json::from_str(text).map_err(fault)? };
    let shape = || EditError::Shape(client.servers().to_owned());
    let servers = file.as_object_mut().ok_or_else(shape)?.entry(client.servers()).or_insert_with(|| json!({}));
    let servers: &mut Map<String, Value> = servers.as_object_mut().ok_or_else(shape)?;
    match servers.get(name) {
        Some(there) if there == entry => return Ok(Edited::Same),
        Some(_) if !replace => return Err(EditError::Taken(name.to_owned())),
        _ => {}
    }
    servers.insert(name.to_owned(), entry.clone());
    Ok(Edited::Text(format!("{file:#}\n")))
}

fn in_toml(client: Client, text: &str, name: &str, entry: &Value, replace: bool) -> Result<Edited, EditError> {
    let mut file: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| EditError::Form { form: "TOML", fault: error.to_string() })?;
    let shape = || EditError::Shape(client.servers().to_owned());
    let servers = file.entry(client.servers()).or_insert_with(|| {
        let mut servers = Table::new();
        servers.set_implicit(true);
        Item::Table(servers)
    });
    let servers = servers.as_table_like_mut().ok_or_else(shape)?;
    let wanted = table(entry);
    match servers.get(name) {
        Some(there) if plain(there) == plain(&Item::Table(wanted.clone())) => return Ok(Edited::Same),
        Some(_) if !replace => return Err(EditError::Taken(name.to_owned())),
        _ => {}
    }
    servers.insert(name, Item::Table(wanted));
    Ok(Edited::Text(file.to_string()))
}

/// The entry, which has texts and lists of texts only.
fn table(entry: &Value) -> Table {
    let mut table = Table::new();
    for (key, value) in entry.as_object().into_iter().flatten() {
        let value: toml_edit::Value = match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<toml_edit::Array>().into(),
            value => value.as_str().unwrap_or_default().into(),
        };
        table.insert(key, toml_edit::value(value));
    }
    table
}

/// What an item says, whatever it looks like.
fn plain(item: &Item) -> Option<toml::Value> {
    let mut document = DocumentMut::new();
    document.insert("entry", item.clone());
    toml::from_str(&document.to_string()).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn text(client: Client, before: &str) -> String {
        match edited(client, before, "casemate", &json!({ "command": "/bin/c", "args": ["serve"] }), false).unwrap() {
            Edited::Text(text) => text,
            Edited::Same => panic!("unchanged"),
        }
    }

    #[test]
    fn everything_else_stays_where_it_was() {
        let before = r#"{"theme":"dark","mcpServers":{"zeta":{"command":"z"}},"last":1.0}"#;
        let after: Value = serde_json::from_str(&text(Client::Gemini, before)).unwrap();
        assert_eq!(after["mcpServers"]["casemate"], json!({ "command": "/bin/c", "args": ["serve"] }));
        assert_eq!(after["mcpServers"]["zeta"], json!({ "command": "z" }));
        assert_eq!(after.as_object().unwrap().keys().collect::<Vec<_>>(), ["theme", "mcpServers", "last"]);

        let before = "# mine\nmodel = \"o\" # this one\n\n[mcp_servers.zeta]\ncommand = \"z\"\n";
        let after = text(Client::Codex, before);
        assert!(after.starts_with(before), "{after}");
        assert!(after.contains("[mcp_servers.casemate]\ncommand = \"/bin/c\"\nargs = [\"serve\"]\n"), "{after}");
    }

    #[test]
    fn a_file_that_is_not_there_is_begun() {
        assert_eq!(
            serde_json::from_str::<Value>(&text(Client::Vscode, "")).unwrap(),
            json!({ "servers": { "casemate": { "command": "/bin/c", "args": ["serve"] } } })
        );
        assert_eq!(text(Client::Codex, ""), "[mcp_servers.casemate]\ncommand = \"/bin/c\"\nargs = [\"serve\"]\n");
    }

    #[test]
    fn the_same_again_changes_nothing_and_another_is_not_replaced_unasked() {
        let (one, other) = (json!({ "command": "/bin/c", "args": ["serve"] }), json!({ "command": "/bin/d" }));
        for client in [Client::Cursor, Client::Codex] {
            let before = text(client, "");
            assert_eq!(edited(client, &before, "casemate", &one, false).unwrap(), Edited::Same);
            assert!(matches!(edited(client, &before, "casemate", &other, false), Err(EditError::Taken(_))));
            let Edited::Text(after) = edited(client, &before, "casemate", &other, true).unwrap() else { panic!() };
            assert!(after.contains("/bin/d") && !after.contains("/bin/c"), "{after}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let entry = json!({ "command": "c" });
        for (client, before) in [
            (Client::Vscode, "{ // mine\n}"),
            (Client::Cursor, "[1]"),
            (Client::Cursor, r#"{"mcpServers": []}"#),
            (Client::Codex, "a = "),
            (Client::Codex, "mcp_servers = 1"),
        ] {
            let error = edited(client, before, "casemate", &entry, true).unwrap_err();
            assert!(error.to_string().contains("help: "), "{error}");
        }
    }
}
