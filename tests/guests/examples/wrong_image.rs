//! Returns images that are none: another type, a script, a header in the type's place.

use casemate_guests::{Answer, Blob, Content, Invocation, Outcome, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let data = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    let image = Blob { media_type: case(&invocation), data };
    Ok(Outcome { content: vec![Content::Image(image)], structured: None })
}
