//! Returns recordings that are none: a script, whatever its media type says.

use casemate_guests::{Answer, Blob, Content, Invocation, Outcome, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let audio = Blob { media_type: case(&invocation), data: b"<script>alert(1)</script>".to_vec() };
    Ok(Outcome { content: vec![Content::Audio(audio)], structured: None })
}
