//! Returns a link to the place that the case names.

use casemate_guests::{Answer, Content, Invocation, Link, Outcome, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let link = Link { uri: case(&invocation), name: "read\u{202e}me".to_owned(), media_type: Some("text/html".to_owned()) };
    Ok(Outcome { content: vec![Content::ResourceLink(link)], structured: None })
}
