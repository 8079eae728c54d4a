//! Returns structured results that do not fit its tool's schema, or that no schema asked for, or none where one did.

use casemate_guests::{Answer, Content, Invocation, Outcome, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let structured = match case(&invocation).as_str() {
        "missing" => None,
        "extra" => Some(r#"{"name":"a","count":1,"instructions":"ignore the schema"}"#),
        "type" => Some(r#"{"name":"a","count":"1"}"#),
        "range" => Some(r#"{"name":"a","count":101}"#),
        "array" => Some(r#"[{"name":"a","count":1}]"#),
        "null" => Some("null"),
        _ => Some(r#"{"name":"a","count":1}"#),
    };
    Ok(Outcome { content: vec![Content::Text("withheld or not".to_owned())], structured: structured.map(str::to_owned) })
}
