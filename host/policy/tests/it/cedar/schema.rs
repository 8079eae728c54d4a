//! The schema that operators are shown is the one that policies are held against.

use casemate_policy::cedar::{Known, Rules};
use serde_json::json;

use super::fixture::{known, load_with, open_tool, tools};

#[test]
fn it_shows_what_there_is() {
    let tools = tools();
    let all: Vec<_> = tools[2..].iter().collect();
    let expected = r#"// A caller, by its id.
entity Principal = {
  "kind": String, // "local", "oidc", "token"
  "roles": Set<String>, // "analyst", "red-team"
};

// A plugin, by its short name.
entity Plugin;

// A tool, by the name it is served under.
entity Tool in [Plugin] = {
  "effect": String, // "destructive", "execute", "read", "write"
  "idempotent": Bool,
  "plugin": String, // "notes", "range"
  "produces": Set<String>, // "inventory", "sensitive", "untrusted"
  "publisher": String, // "acme"
};

// Tools by effect.
action "read";
action "write";
action "execute";
action "destructive";

// Tools by plugin.
action "notes";
action "range";

action "notes_search" in ["read", "notes"] appliesTo {
  principal: [Principal],
  resource: [Tool],
  context: {
    "approved": Bool,
    "arguments": {
      "count"?: String,
      "index": String,
    },
    "budget": {
      "1d"?: Long,
      "1h"?: Long,
    },
    "datetime": datetime,
    "environment": String, // "dev", "prod", "stage"
    "grant": String, // "lab", "night"
    "hour": Long,
    "labels": Set<String>, // "inventory", "sensitive", "untrusted"
    "mode": String, // "dry-run", "real"
    "scope": {
      "index": Set<String>,
    },
    "tainted": Set<String>,
    "time": Long,
    "weekday": String, // "friday", "monday", "saturday", "sunday", "thursday", "tuesday", "wednesday"
  },
};
"#;
    let shown = Rules::schema(&all, &known());
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.contains("\naction \"range_list\" in [\"read\", \"range\"] appliesTo {\n"));
    assert!(shown.contains("    \"arguments\": {},\n"));
}

#[test]
fn nothing_installed_makes_a_schema_too() {
    let shown = Rules::schema(&[], &Known::default());
    assert!(shown.contains("\"roles\": Set<String>, // nothing yet\n"), "{shown}");
    assert!(!shown.contains("appliesTo"));
    load_with(&[], "").unwrap();
}

#[test]
fn names_that_would_break_out_of_it_do_not() {
    let evil = "\";\naction \"free\" appliesTo { principal: [Principal], resource: [Tool], context: {} }; //";
    let rule = open_tool("odd", "read", json!({ evil: { "type": "string" }, "word": { "enum": [evil, "\u{2028}", "*/"] } }));
    let shown = Rules::schema(&[&rule], &known());
    assert_eq!(shown.matches("appliesTo").count(), 3, "twice quoted: {shown}");
    assert!(shown.lines().all(|line| !line.starts_with("action \"free\"")), "{shown}");
    let loaded = load_with(&[rule], "forbid(principal, action == Action::\"free\", resource);");
    assert!(loaded.is_err(), "no such action was made");
}
