//! What an upstream that speaks MCP over SSE may be sent: each rule, broken once.

use serde_json::{Value, json};

use super::{Rule, RuleError, findings, valid};

/// The valid manifest with such an upstream, of which some places are changed.
fn mcp(changes: &[(&str, Value)]) -> Vec<RuleError> {
    let mut manifest = valid();
    manifest["upstream"]["mcp"] = json!({
        "protocol": "mcp-sse",
        "origin": "operator",
        "credential": { "scheme": "Bearer", "secret": "api_key" },
        "request": [{
            "name": "look",
            "method": "POST",
            "path": "/sse",
            "effect": "read",
            "reason": "a tool is called by POST",
            "content_type": "application/json",
            "closed": true,
            "require": { "body": { "/jsonrpc": "2.0", "/id": 1, "/method": "tools/call", "/params/name": "look" } },
            "allow": { "body": ["/params/arguments/count"] },
        }],
    });
    manifest["tool"]["agents"]["requests"].as_array_mut().unwrap().push(json!("look"));
    for (place, value) in changes {
        let (above, key) = place.rsplit_once('/').unwrap();
        manifest["upstream"]["mcp"].pointer_mut(above).unwrap()[key.replace("~1", "/")] = value.clone();
    }
    findings(manifest)
}

#[test]
fn a_call_names_one_tool() {
    assert_eq!(mcp(&[]), []);
    assert_eq!(mcp(&[("/request/0/require/body/~1id", json!("a"))]), []);
    let rule = |at: &str, rule: Rule| RuleError { at: format!("upstream.mcp{at}"), rule };
    for (place, value) in [
        ("/request/0/closed", json!(false)),
        ("/request/0/method", json!("PUT")),
        ("/request/0/content_type", json!("application/x-www-form-urlencoded")),
        ("/request/0/query", json!({ "sessionId": "^[a-z]+$" })),
        ("/request/0/headers", json!({ "x-a": "^[a-z]+$" })),
        ("/request/0/require/body/~1id", json!(true)),
        ("/request/0/require/body/~1method", json!("sampling/createMessage")),
        ("/request/0/require/body/~1method", json!({ "pattern": "^tools/.*$" })),
        ("/request/0/require/body/~1params~1name", json!({ "pattern": "^[a-z]+$" })),
        ("/request/0/require/body/~1params~1name", json!(7)),
    ] {
        assert!(mcp(&[(place, value.clone())]).contains(&rule(".request.look", Rule::McpRequest)), "{place} {value}");
    }
    let parameter = [("/request/0/path", json!("/{place}")), ("/request/0/parameters", json!({ "place": "^[a-z]{1,9}$" }))];
    assert_eq!(mcp(&parameter), [rule(".request.look", Rule::McpRequest)]);
    for missing in ["/jsonrpc", "/id", "/method", "/params/name"] {
        let mut body = json!({ "/jsonrpc": "2.0", "/id": 1, "/method": "tools/call", "/params/name": "look" });
        body.as_object_mut().unwrap().remove(missing);
        assert!(
            mcp(&[("/request/0/require", json!({ "body": body }))]).contains(&rule(".request.look", Rule::McpRequest)),
            "{missing}"
        );
    }
    for credential in [json!({ "query": "key", "secret": "api_key" }), json!({ "path": "/{secret}", "secret": "api_key" })] {
        assert!(mcp(&[("/credential", credential.clone())]).contains(&rule(".credential", Rule::McpCredential)), "{credential}");
    }
}
