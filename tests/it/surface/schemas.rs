//! Schemas reach a client as they were signed: every keyword, in the author's order.

use serde_json::{Value, json};

use super::client::Client;
use crate::harness::{Guest, House, Raw};

/// Keys in no order that a map would choose, definitions, and keywords that decide nothing.
const SCHEMA: &str = r##""inputSchema": {"type":"object","required":["zeta"],"properties":{"zeta":{"maxLength":9,"type":"string"},"alpha":{"$ref":"#/$defs/n"}},"$defs":{"n":{"maximum":9007199254740991,"type":"integer","deprecated":true,"minimum":-5,"format":"int54"}},"additionalProperties":false}"##;

#[test]
fn a_schema_is_listed_as_it_was_signed() {
    let plain = r#""inputSchema": { "type": "object", "properties": {}, "additionalProperties": false }"#;
    let house = super::shared(House::new(&Guest::new("plain_request").saying(plain, SCHEMA)));
    let signed: Value = serde_json::from_slice(&house.package().statement).unwrap();
    let schemas = |tools: &Value, key: &str| -> Vec<String> {
        tools.as_object().unwrap().values().map(|tool| tool[key].to_string()).collect()
    };
    let signed = schemas(&signed["predicate"]["tool"], "input_schema");
    let written = SCHEMA.strip_prefix("\"inputSchema\": ").unwrap();
    assert!(signed.iter().any(|schema| schema == written), "{signed:#?}");

    let mut raw = Raw::initialized(house.command().arg("serve"));
    raw.ask(1, "tools/list", json!({}));
    let said = String::from_utf8(raw.stop().stdout).unwrap();
    assert!(said.contains(&format!("\"inputSchema\":{written}")), "{said}");
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        let listed = client.result("tools/list", json!({}))["tools"].clone();
        for tool in listed.as_array().unwrap() {
            assert!(signed.contains(&tool["inputSchema"].to_string()), "{tool:#}");
        }
    }
}
