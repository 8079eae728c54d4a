//! How MCP clients are told of casemate.

use std::path::Path;

use serde_json::{Value, json};

/// The block for each client, as its documentation has it.
pub(crate) fn blocks(casemate: &Path, dir: &Path) -> String {
    let server = json!({ "command": casemate, "args": ["--dir", dir, "serve"] });
    let vscode = json!({ "servers": { "casemate": { "type": "stdio", "command": casemate, "args": ["--dir", dir, "serve"] } } });
    let named = json!({ "mcpServers": { "casemate": server } });
    [
        ("Claude Desktop — claude_desktop_config.json".to_owned(), pretty(&named)),
        ("Claude Code".to_owned(), format!("claude mcp add casemate -- {} --dir {} serve", casemate.display(), dir.display())),
        ("Cursor — ~/.cursor/mcp.json".to_owned(), pretty(&named)),
        ("VS Code — .vscode/mcp.json".to_owned(), pretty(&vscode)),
    ]
    .map(|(client, block)| format!("{client}\n{block}\n"))
    .join("\n")
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
