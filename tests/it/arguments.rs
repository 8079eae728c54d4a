//! Every tool that is installed, called with arguments made from its own schema and then spoiled: each call is answered as a result or as
//! an error of the protocol, whatever it brings, and the server goes on.

use serde_json::{Map, Value, json};
use toml::toml;

use crate::harness::{House, Raw};

/// Calls of each tool.
const CALLS: usize = 60;

/// What is put where it does not belong.
const STRANGE: [&str; 14] = [
    "null",
    "true",
    "-1",
    "1e400",
    "18446744073709551616",
    "0.1",
    r#""""#,
    r#""\u0000""#,
    r#""\u202e\u200b""#,
    r#""../../etc/passwd""#,
    r#""169.254.169.254""#,
    r#""'; drop table agents; --""#,
    "[]",
    r##"{"$ref":"#"}"##,
];

/// The same sequence in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
    }

    fn strange(&mut self) -> Value {
        // A number that is none in Rust is left out of what is sent.
        serde_json::from_str(STRANGE[self.below(STRANGE.len())]).unwrap_or(json!(1.5))
    }

    /// A value of this schema, or next to it.
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if self.below(8) == 0 || depth > 6 {
            return self.strange();
        }
        if let Some(choices) = schema["enum"].as_array() {
            return choices[self.below(choices.len())].clone();
        }
        match schema["type"].as_str().unwrap_or_default() {
            "object" => self.object(schema, depth),
            "array" => {
                let most = schema["maxItems"].as_u64().map_or(4, |most| usize::try_from(most.min(40)).unwrap());
                (0..self.below(most + 2)).map(|_| self.value(&schema["items"], depth + 1)).collect()
            }
            "integer" | "number" => {
                let (least, most) = (schema["minimum"].as_i64().unwrap_or(0), schema["maximum"].as_i64().unwrap_or(1000));
                json!(
                    least.saturating_sub(1)
                        + i64::try_from(self.below(usize::try_from(most.saturating_sub(least).saturating_add(3)).unwrap_or(9)))
                            .unwrap()
                )
            }
            "boolean" => json!(self.below(2) == 0),
            "string" => {
                let most = schema["maxLength"].as_u64().map_or(64, |most| usize::try_from(most.min(5000)).unwrap());
                let alphabet = ["a", "0", "-", ".", ":", "/", "é", "\u{1f980}", " ", "\n"];
                let length = if self.below(4) == 0 { most + 1 } else { self.below(most.min(70) + 1) };
                json!((0..length).map(|_| alphabet[self.below(alphabet.len())]).collect::<String>())
            }
            _ => self.strange(),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if self.below(5) != 0 {
                object.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        if self.below(10) == 0 {
            object.insert("no such argument".to_owned(), self.strange());
        }
        Value::Object(object)
    }
}

/// Every tool of this house answers whatever it is called with.
#[track_caller]
pub(crate) fn every_call_is_answered(house: &House) {
    let mut raw = Raw::initialized(house.command().arg("serve"));
    let tools = raw.ask(1, "tools/list", json!({}))["result"]["tools"].as_array().unwrap().clone();
    assert!(!tools.is_empty());
    let (mut dice, mut id, mut seen) = (Dice(0x9e37_79b9_7f4a_7c15), 1, std::collections::BTreeSet::new());
    for tool in &tools {
        for _ in 0..CALLS {
            id += 1;
            let arguments = dice.object(&tool["inputSchema"], 0);
            let answer = raw.ask(id, "tools/call", json!({ "name": tool["name"], "arguments": arguments }));
            let reason = match &answer["result"] {
                Value::Null => answer["error"]["code"].to_string(),
                result if result["isError"] == true => result["structuredContent"]["reason"].to_string(),
                _ => "done".to_owned(),
            };
            assert_ne!(reason, "null", "{}: {arguments}: {answer}", tool["name"]);
            seen.insert(reason);
        }
    }
    // Some get through, and some do not: otherwise this tries nothing.
    assert!(seen.len() > 1, "{seen:?}");
    assert!(raw.stop().status.success());
}

#[test]
fn virustotal_answers_whatever_it_is_asked() {
    let house = House::of_plugin("virustotal", |upstreams| {
        let mut config = toml! {
            environment = "dev"
            breaker = { denials = false, variants = false, burst = false }

            [plugins.virustotal]
            secret.api_key.file = "secrets/api_key"
            upstream.virustotal.allow_private = ["127.0.0.1/32"]

            [grants.tester]
            principals = ["local"]
            tools = ["virustotal_*"]
            max_effect = "read"
        };
        config["plugins"]["virustotal"]["upstream"]["virustotal"]
            .as_table_mut()
            .unwrap()
            .insert("origin".to_owned(), upstreams.origin("virustotal").into());
        config
    });
    house.install().done();
    every_call_is_answered(&house);
}
