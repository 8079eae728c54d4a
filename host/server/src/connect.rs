//! What MCP clients want to be told about a server: each has a file and a form of its own.
//!
//! Sources: code.claude.com/docs/en/mcp, modelcontextprotocol.io/docs/develop/connect-local-servers, cursor.com/docs/mcp,
//! code.visualstudio.com/docs/copilot/reference/mcp-configuration, the Codex CLI's documentation of `[mcp_servers]`, and
//! geminicli.com/docs/tools/mcp-server. No secret is ever written: where a client needs one, it is told the variable that holds it.

mod edit;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

pub use edit::{EditError, Edited, edited};

/// A client that can be told about this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// Claude Code.
    ClaudeCode,
    /// Claude Desktop. It starts servers, and reaches none over HTTP by its file.
    ClaudeDesktop,
    /// Cursor.
    Cursor,
    /// Visual Studio Code.
    Vscode,
    /// Codex CLI, IDE extension and app.
    Codex,
    /// Gemini CLI.
    Gemini,
}

/// How the client reaches the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It starts it, and speaks over its standard streams.
    Stdio {
        /// The program, absolute.
        program: String,
        /// What it is started with.
        arguments: Vec<String>,
        /// Variables that the program needs, and that clients pass on only where they are told to.
        variables: Vec<String>,
    },
    /// It speaks Streamable HTTP.
    Http {
        /// The endpoint.
        url: String,
        /// The variable that holds the bearer token; none where the client gets its tokens by OAuth.
        token: Option<String>,
    },
}

/// Where a person's files are.
#[derive(Debug, Clone, Default)]
pub struct Homes {
    /// `$HOME`
    pub home: Option<PathBuf>,
    /// Where applications keep their configuration: `$XDG_CONFIG_HOME` or `~/.config`; on macOS `~/Library/Application Support`.
    pub applications: Option<PathBuf>,
    /// `$CODEX_HOME`
    pub codex: Option<PathBuf>,
}

/// A client cannot be told so.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no such file for one project.
    #[error("Claude Desktop has no configuration for one project\nhelp: leave --project out")]
    NoProjects,
    /// The file has no form for it.
    #[error(
        "Claude Desktop's file only has servers that it starts itself\nhelp: leave --http out; or add the URL in its settings, under Connectors, which signs in by OAuth"
    )]
    NoHttp,
    /// The file is the client's own state, which it writes while it runs.
    #[error(
        "Claude Code keeps your own servers in a file that it writes itself\nhelp: run the command that is printed without --write, or give --project FOLDER for its .mcp.json"
    )]
    OwnFile,
    /// Nothing says where files are.
    #[error("$HOME is not set, so the client's file cannot be found\nhelp: give --project FOLDER")]
    NoHome,
}

impl Client {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::ClaudeCode, Self::ClaudeDesktop, Self::Cursor, Self::Vscode, Self::Codex, Self::Gemini];

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Cursor => "Cursor",
            Self::Vscode => "VS Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
        }
    }

    /// The file in which the client reads of servers: of everything its user does, or of one project.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn file(self, homes: &Homes, project: Option<&Path>) -> Result<PathBuf, ConnectError> {
        if let Some(project) = project {
            return match self {
                Self::ClaudeCode => Ok(project.join(".mcp.json")),
                Self::ClaudeDesktop => Err(ConnectError::NoProjects),
                Self::Cursor => Ok(project.join(".cursor/mcp.json")),
                Self::Vscode => Ok(project.join(".vscode/mcp.json")),
                Self::Codex => Ok(project.join(".codex/config.toml")),
                Self::Gemini => Ok(project.join(".gemini/settings.json")),
            };
        }
        let home = |file: &str| homes.home.as_ref().map(|home| home.join(file));
        let application = |file: &str| homes.applications.as_ref().map(|folder| folder.join(file));
        match self {
            Self::ClaudeCode => home(".claude.json"),
            Self::ClaudeDesktop => application("Claude/claude_desktop_config.json"),
            Self::Cursor => home(".cursor/mcp.json"),
            Self::Vscode => application("Code/User/mcp.json"),
            Self::Codex => homes.codex.as_ref().map(|folder| folder.join("config.toml")).or_else(|| home(".codex/config.toml")),
            Self::Gemini => home(".gemini/settings.json"),
        }
        .ok_or(ConnectError::NoHome)
    }

    /// Whether the client's file may be written by others: Claude Code's own is its state, which it writes while it runs.
    #[must_use]
    pub fn takes_edits(self, project: Option<&Path>) -> bool {
        self != Self::ClaudeCode || project.is_some()
    }

    /// The member of the file that holds the servers.
    #[must_use]
    pub fn servers(self) -> &'static str {
        match self {
            Self::Vscode => "servers",
            Self::Codex => "mcp_servers",
            Self::ClaudeCode | Self::ClaudeDesktop | Self::Cursor | Self::Gemini => "mcpServers",
        }
    }

    /// How the client is told to put a variable's value in the place of this text.
    fn variable(self, name: &str) -> String {
        match self {
            Self::ClaudeCode | Self::Gemini => format!("${{{name}}}"),
            Self::Cursor | Self::Vscode => format!("${{env:{name}}}"),
            // These put in no values.
            Self::ClaudeDesktop | Self::Codex => String::new(),
        }
    }

    /// What stands in the file under the server's name.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn entry(self, reach: &Reach) -> Result<Value, ConnectError> {
        Ok(match (self, reach) {
            (Self::Codex, Reach::Stdio { program, arguments, variables }) => {
                let mut entry = stdio(program, arguments);
                if !variables.is_empty() {
                    entry.insert("env_vars".to_owned(), json!(variables));
                }
                entry.into()
            }
            (Self::Codex, Reach::Http { url, token }) => with(json!({ "url": url }), "bearer_token_env_var", token.as_ref()),
            (Self::ClaudeDesktop, Reach::Stdio { program, arguments, .. }) => stdio(program, arguments).into(),
            (Self::ClaudeDesktop, Reach::Http { .. }) => return Err(ConnectError::NoHttp),
            (_, Reach::Stdio { program, arguments, variables }) => {
                let mut entry = Map::new();
                if matches!(self, Self::ClaudeCode | Self::Vscode) {
                    entry.insert("type".to_owned(), "stdio".into());
                }
                entry.extend(stdio(program, arguments));
                if !variables.is_empty() {
                    let passed = variables.iter().map(|name| (name.clone(), self.variable(name).into()));
                    entry.insert("env".to_owned(), passed.collect::<Map<_, _>>().into());
                }
                entry.into()
            }
            (_, Reach::Http { url, token }) => {
                let entry = match self {
                    Self::Gemini => json!({ "httpUrl": url }),
                    Self::Cursor => json!({ "url": url }),
                    _ => json!({ "type": "http", "url": url }),
                };
                let headers = token.as_ref().map(|name| json!({ "Authorization": format!("Bearer {}", self.variable(name)) }));
                with(entry, "headers", headers.as_ref())
            }
        })
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ClaudeCode => "claude-code",
            Self::ClaudeDesktop => "claude-desktop",
            Self::Cursor => "cursor",
            Self::Vscode => "vscode",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
        })
    }
}

fn stdio(program: &str, arguments: &[String]) -> Map<String, Value> {
    [("command".to_owned(), json!(program)), ("args".to_owned(), json!(arguments))].into_iter().collect()
}

fn with(mut entry: Value, name: &str, value: Option<&impl serde::Serialize>) -> Value {
    if let (Some(entry), Some(value)) = (entry.as_object_mut(), value) {
        entry.insert(name.to_owned(), json!(value));
    }
    entry
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn started() -> Reach {
        Reach::Stdio {
            program: "/bin/casemate".to_owned(),
            arguments: vec!["--dir".to_owned(), "/srv/c".to_owned(), "serve".to_owned()],
            variables: vec!["VT_KEY".to_owned()],
        }
    }

    fn reached() -> Reach {
        Reach::Http { url: "https://c.example/mcp".to_owned(), token: Some("CASEMATE_TOKEN".to_owned()) }
    }

    #[test]
    fn each_client_is_told_in_its_own_form_what_to_start() {
        let args = json!(["--dir", "/srv/c", "serve"]);
        for (client, expected) in [
            (
                Client::ClaudeCode,
                json!({ "type": "stdio", "command": "/bin/casemate", "args": args, "env": { "VT_KEY": "${VT_KEY}" } }),
            ),
            (Client::ClaudeDesktop, json!({ "command": "/bin/casemate", "args": args })),
            (Client::Cursor, json!({ "command": "/bin/casemate", "args": args, "env": { "VT_KEY": "${env:VT_KEY}" } })),
            (
                Client::Vscode,
                json!({ "type": "stdio", "command": "/bin/casemate", "args": args, "env": { "VT_KEY": "${env:VT_KEY}" } }),
            ),
            (Client::Codex, json!({ "command": "/bin/casemate", "args": args, "env_vars": ["VT_KEY"] })),
            (Client::Gemini, json!({ "command": "/bin/casemate", "args": args, "env": { "VT_KEY": "${VT_KEY}" } })),
        ] {
            assert_eq!(client.entry(&started()).unwrap(), expected, "{client}");
        }
    }

    #[test]
    fn each_client_is_told_which_variable_holds_the_token_and_never_the_token() {
        let url = "https://c.example/mcp";
        let bearer = |text: &str| json!({ "Authorization": format!("Bearer {text}") });
        for (client, expected) in [
            (Client::ClaudeCode, json!({ "type": "http", "url": url, "headers": bearer("${CASEMATE_TOKEN}") })),
            (Client::Cursor, json!({ "url": url, "headers": bearer("${env:CASEMATE_TOKEN}") })),
            (Client::Vscode, json!({ "type": "http", "url": url, "headers": bearer("${env:CASEMATE_TOKEN}") })),
            (Client::Codex, json!({ "url": url, "bearer_token_env_var": "CASEMATE_TOKEN" })),
            (Client::Gemini, json!({ "httpUrl": url, "headers": bearer("${CASEMATE_TOKEN}") })),
        ] {
            assert_eq!(client.entry(&reached()).unwrap(), expected, "{client}");
        }
        let oauth = Reach::Http { url: url.to_owned(), token: None };
        assert_eq!(Client::Codex.entry(&oauth).unwrap(), json!({ "url": url }));
        assert_eq!(Client::Cursor.entry(&oauth).unwrap(), json!({ "url": url }));
    }

    #[test]
    fn what_a_client_has_no_form_for_is_refused() {
        let homes = Homes { home: Some("/home/op".into()), ..Homes::default() };
        assert!(matches!(Client::ClaudeDesktop.entry(&reached()), Err(ConnectError::NoHttp)));
        assert!(matches!(Client::ClaudeDesktop.file(&homes, Some(Path::new("/p"))), Err(ConnectError::NoProjects)));
        assert!(matches!(Client::ClaudeDesktop.file(&homes, None), Err(ConnectError::NoHome)));
        assert!(matches!(Client::Cursor.file(&Homes::default(), None), Err(ConnectError::NoHome)));
        assert!(!Client::ClaudeCode.takes_edits(None) && Client::ClaudeCode.takes_edits(Some(Path::new("/p"))));
    }
}
