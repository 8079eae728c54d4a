//! Returns the case as its structured result, whether it is JSON or not.

use casemate_guests::{Answer, Content, Invocation, Outcome, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    Ok(Outcome { content: vec![Content::Text("here it is".to_owned())], structured: Some(case(&invocation)) })
}
