//! Looks for files: reads, lists, writes, links and removes.

use std::{fs, path::Path};

use casemate_guests::{Answer, Invocation, guest, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    let mut done = Vec::new();
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/null",
        "casemate.toml",
        "../casemate.toml",
        "state",
        "/",
        ".",
        "secrets/api_key",
    ] {
        done.extend(fs::read(path).is_ok().then(|| format!("read {path}")));
        done.extend(fs::read_dir(path).is_ok().then(|| format!("listed {path}")));
        done.extend(fs::metadata(path).is_ok().then(|| format!("looked at {path}")));
    }
    for path in ["/tmp/guest-was-here", "guest-was-here", "/dev/shm/guest-was-here"] {
        done.extend(fs::write(path, "x").is_ok().then(|| format!("wrote {path}")));
        done.extend(fs::create_dir(path).is_ok().then(|| format!("made {path}")));
        done.extend(fs::hard_link("/etc/passwd", path).is_ok().then(|| format!("linked {path}")));
        done.extend(fs::remove_file(path).is_ok().then(|| format!("removed {path}")));
    }
    done.extend(Path::new("/").exists().then(|| "there is a root".to_owned()));
    text(if done.is_empty() { "nothing".to_owned() } else { done.join(", ") })
}
