//! Opens byte sources that nobody bound, by names that would be paths.

use casemate_guests::{Answer, Invocation, guest, sources, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    let mut opened = sources::list();
    for name in ["/etc/passwd", "../casemate.toml", "api_key", "", "log\0", "log"] {
        opened.extend(sources::open(name).is_ok().then(|| name.to_owned()));
    }
    text(format!("opened {opened:?}"))
}
