//! `casemate connect` and `casemate doctor`: a client that reads what was written reaches the server, and what is wrong is found.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Http, Ran, Raw};

/// Every client, the file of its user below their home, and the member of it that holds the servers.
const CLIENTS: [(&str, &str, &str); 5] = [
    ("claude-desktop", ".config/Claude/claude_desktop_config.json", "mcpServers"),
    ("cursor", ".cursor/mcp.json", "mcpServers"),
    ("vscode", ".config/Code/User/mcp.json", "servers"),
    ("codex", ".codex/config.toml", "mcp_servers"),
    ("gemini", ".gemini/settings.json", "mcpServers"),
];

/// A person with a home of their own.
struct Person {
    home: tempfile::TempDir,
    house: House,
}

impl Person {
    fn new() -> Self {
        let house = House::new(&Guest::new("errands")).with("[grants.tester]\nscope.group = ['lab']");
        house.install().done();
        Self { home: tempfile::tempdir().unwrap(), house }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut command = self.house.command();
        command.env("HOME", self.home.path()).env_remove("XDG_CONFIG_HOME").env_remove("CODEX_HOME").env_remove("CASEMATE_TOKEN");
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What doctor says of something, as `standing: what`.
    fn doctor(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let ran = Ran::of(self.command().args(["doctor", "--format", "json"]).args(arguments));
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let lines = report["findings"].as_array().unwrap().iter().map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap();
            format!("{} {}: {}", text("standing"), text("about"), text("said"))
        });
        assert_eq!(report["works"], json!(ran.code == 0));
        (ran.code, lines.collect())
    }
}

/// A client's file, whatever its form.
fn read(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    if file.extension().is_some_and(|extension| extension == "toml") {
        toml::from_str(&text).unwrap()
    } else {
        serde_json::from_str(&text).unwrap()
    }
}

/// Start what an entry says, from a folder that has nothing to do with it, and see the tools.
#[track_caller]
fn starts(entry: &Value) {
    let mut command = Command::new(entry["command"].as_str().unwrap());
    command.args(entry["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
    let elsewhere = tempfile::tempdir().unwrap();
    let mut raw = Raw::initialized(command.current_dir(elsewhere.path()));
    let tools = raw.ask(7, "tools/list", json!({}));
    assert!(tools.to_string().contains("errands_ping"), "{tools}");
    assert!(raw.stop().status.success());
}

#[track_caller]
fn said(lines: &[String], start: &str, part: &str) {
    assert!(lines.iter().any(|line| line.starts_with(start) && line.contains(part)), "no `{start}` with `{part}` in {lines:#?}");
}

#[test]
fn every_client_starts_the_server_with_what_was_written_for_it() {
    let person = Person::new();
    for (client, file, servers) in CLIENTS {
        let printed = person.run(&["connect", client]).done();
        assert!(!person.file(file).exists() && printed.stdout.contains("serve"), "{printed:?}");
        person.run(&["connect", client, "--write"]).done();
        starts(&read(&person.file(file))[servers]["casemate"]);
        let again = person.run(&["connect", client, "--write"]).done();
        assert!(again.stdout.contains("already"), "{again:?}");
    }
    let project = person.file("project");
    person.run(&["connect", "claude-code", "--project", project.to_str().unwrap(), "--write"]).done();
    starts(&read(&project.join(".mcp.json"))["mcpServers"]["casemate"]);
    let (code, lines) = person.doctor(&[]);
    assert_eq!(code, 0, "{lines:#?}");
    for (client, ..) in CLIENTS {
        let title = match client {
            "claude-desktop" => "Claude Desktop",
            "cursor" => "Cursor",
            "vscode" => "VS Code",
            "codex" => "Codex",
            _ => "Gemini CLI",
        };
        said(&lines, "ok clients", title);
    }
}

#[test]
fn another_programs_file_keeps_what_is_in_it() {
    let person = Person::new();
    let file = person.file(".cursor/mcp.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, r#"{"mcpServers":{"other":{"url":"https://o.example"}},"x":[1]}"#).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    person.run(&["connect", "cursor", "--write"]).done();
    let after = read(&file);
    assert_eq!((&after["x"], &after["mcpServers"]["other"]["url"]), (&json!([1]), &json!("https://o.example")));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    // What is not understood, or is somebody else's, is left as it is.
    for before in ["{ // mine\n}", "[]", r#"{"mcpServers":{"casemate":{"command":"else"}}}"#] {
        fs::write(&file, before).unwrap();
        person.run(&["connect", "cursor", "--write"]).faulty(&["is left alone", "help: "]);
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
    }
    person.run(&["connect", "cursor", "--write", "--replace"]).done();
    starts(&read(&file)["mcpServers"]["casemate"]);
    person.run(&["connect", "claude-code", "--write"]).faulty(&["a file that it writes itself", "--project"]);
    assert!(person.run(&["connect", "claude-code"]).done().stdout.contains("claude mcp add-json --scope user casemate '{"));
}

#[test]
fn no_token_is_written_anywhere_and_none_is_sent_in_the_clear() {
    let person = Person::new();
    let token = person.house.token("ci");
    for (client, ..) in CLIENTS.into_iter().filter(|(client, ..)| *client != "claude-desktop") {
        let shown = person.run(&["connect", client, "--http", "https://c.example/mcp"]).done();
        assert!(shown.stdout.contains("CASEMATE_TOKEN"), "{shown:?}");
        let refused = person.run(&["connect", client, "--http", "http://c.example/mcp"]).faulty(&["could be read on its way"]);
        assert!(refused.stdout.is_empty());
        let refused = person.run(&["connect", client, "--http", "https://c.example/mcp", "--token-env", &token]);
        assert_eq!(refused.code, 3);
    }
    person.run(&["connect", "claude-desktop", "--http", "https://c.example/mcp"]).faulty(&["help: "]);
    person.run(&["connect", "claude-desktop", "--project", "."]).faulty(&["help: "]);
    person.run(&["connect", "gemini", "--name", "case_mate"]).faulty(&["a-z"]);
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let person = Person::new();
    let (code, lines) = person.doctor(&[]);
    assert_eq!(code, 0, "{lines:#?}");
    for (start, part) in [
        ("ok configuration", "environment dev"),
        ("ok files", "only you"),
        ("ok plugins", "every signature verified"),
        ("ok grants", ""),
        ("ok audit", ""),
        ("ok stdio", "agrees on 2025-11-25"),
        ("doubtful clients", "casemate connect"),
    ] {
        said(&lines, start, part);
    }
    let config = person.house.folder().join("casemate.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o622)).unwrap();
    let (code, lines) = person.doctor(&[]);
    assert_eq!(code, 1);
    said(&lines, "broken files", "chmod go-w");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();

    let gone = person.file(".cursor/mcp.json");
    fs::create_dir_all(gone.parent().unwrap()).unwrap();
    fs::write(&gone, r#"{"mcpServers":{"casemate":{"command":"/gone/casemate","args":["serve"]}}}"#).unwrap();
    said(&person.doctor(&[]).1, "broken clients", "/gone/casemate");
    fs::remove_file(&gone).unwrap();

    person.house.revoke();
    let (code, lines) = person.doctor(&[]);
    assert_eq!(code, 1);
    said(&lines, "broken plugins", "is not served");
    let sound = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{sound}\n[nonsense]\n")).unwrap();
    let (code, lines) = person.doctor(&[]);
    assert_eq!(code, 1);
    said(&lines, "broken configuration", "nonsense");
}

#[test]
fn the_doctor_asks_a_running_server_with_and_without_a_token() {
    let person = Person::new();
    let token = person.house.token("ci");
    let http = Http::start(&mut person.house.command(), &token);
    let url = http.url();
    let ask = |token: Option<&str>| {
        let mut command = person.command();
        if let Some(token) = token {
            command.env("CASEMATE_TOKEN", token);
        }
        let ran = Ran::of(command.args(["doctor", "--http", &url]));
        assert!(!token.is_some_and(|token| ran.stdout.contains(token) || ran.stderr.contains(token)), "the token is shown");
        ran
    };
    let without = ask(None).done();
    assert!(without.stdout.contains("lets nobody in without a token") && without.stdout.contains("$CASEMATE_TOKEN is not set"));
    let with = ask(Some(&token)).done();
    assert!(with.stdout.contains("a client with the token in $CASEMATE_TOKEN sees"), "{}", with.stdout);
    let wrong = ask(Some("casemate_wrong"));
    assert!(wrong.code == 1 && wrong.stdout.contains("is refused"), "{}", wrong.stdout);
    drop(http);
    let nobody = ask(Some(&token));
    assert!(nobody.code == 1 && nobody.stdout.contains("cannot be reached"), "{}", nobody.stdout);
}
