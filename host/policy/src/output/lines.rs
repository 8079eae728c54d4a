//! What a plugin says while it runs, for whoever made the call: checked as a failure's words are.

use super::{Flags, Redactor, Screen, failure::clean};

/// Characters of one line.
const MAX_LINE: usize = 1000;
/// Lines of one call.
const MAX_LINES: usize = 100;
/// Bytes of all of them.
const MAX_BYTES: usize = 16 << 10;

/// Characters of a progress report's message.
const MAX_PROGRESS: usize = 256;

/// A progress report's message that may be shown.
pub fn check_progress(message: &str, redactor: &Redactor, screen: &Screen, flags: &mut Flags) -> String {
    clean(message, MAX_PROGRESS, redactor, screen, flags)
}

/// Lines that may be shown: bounded, nothing hidden, no secret and none of the operator's patterns in them. Where some are left out, the last line says so.
pub fn check_lines<W>(
    lines: impl IntoIterator<Item = (W, impl AsRef<str>)>,
    note: W,
    redactor: &Redactor,
    screen: &Screen,
    flags: &mut Flags,
) -> Vec<(W, String)> {
    let (mut checked, mut bytes) = (Vec::new(), 0);
    let mut lines = lines.into_iter();
    for (weight, line) in lines.by_ref().take(MAX_LINES) {
        let line = clean(line.as_ref(), MAX_LINE, redactor, screen, flags);
        bytes += line.len();
        if bytes > MAX_BYTES {
            checked.push((note, "more was written than is shown".to_owned()));
            return checked;
        }
        checked.push((weight, line));
    }
    if lines.next().is_some() {
        checked.push((note, "more was written than is shown".to_owned()));
    }
    checked
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::output::{Flag, Pattern};

    fn checked(lines: &[&str]) -> Vec<String> {
        let redactor = Redactor::new(&[("api_key", "hunter2hunter2")]);
        check_lines(lines.iter().map(|line| ((), line)), (), &redactor, &Screen::default(), &mut Flags::new())
            .into_iter()
            .map(|(_, line)| line)
            .collect()
    }

    #[test]
    fn a_line_hides_nothing_and_holds_no_secret() {
        let lines = checked(&["plain", "\u{1b}[2Jx\u{200b}", "key hunter2hunter2"]);
        assert_eq!(lines.first().map(String::as_str), Some("plain"));
        assert!(lines.iter().all(|line| !line.contains(['\u{1b}', '\u{200b}']) && !line.contains("hunter2hunter2")), "{lines:?}");
    }

    #[test]
    fn a_secret_is_found_before_a_line_is_cut() {
        let line = format!("{}hunter2hunter2", "a".repeat(995));
        assert!(checked(&[&line]).iter().all(|line| !line.contains("hunt")));
    }

    #[test]
    fn progress_is_looked_through_whole_and_then_cut() {
        let pattern = Pattern::new("key".parse().unwrap(), "AKIA[0-9A-Z]{16}", true, Vec::new(), Vec::new()).unwrap();
        let screen = Screen::of(&"lab_run".parse().unwrap(), &[Arc::new(pattern)]);
        let redactor = Redactor::new(&[("api_key", "hunter2hunter2")]);
        for (said, hidden) in [("AKIAIOSFODNN7EXAMPLE", "AKIA"), ("hunter2hunter2", "hunt")] {
            let mut flags = Flags::new();
            let shown = check_progress(&format!("\u{1b}[2J{}{said}", "a".repeat(240)), &redactor, &screen, &mut flags);
            assert!(!shown.contains(hidden) && !shown.contains('\u{1b}'), "{shown}");
            assert!(shown.chars().count() <= MAX_PROGRESS + 1 && flags.contains(&Flag::TerminalEscapes), "{flags:?}");
        }
    }

    #[test]
    fn lines_are_few_and_short() {
        let last = |lines: &[&str]| (checked(lines).len(), checked(lines).pop().unwrap_or_default());
        let note = "more was written than is shown".to_owned();
        assert_eq!(last(&["x"; 100]), (100, "x".to_owned()));
        assert_eq!(last(&["x"; 101]), (101, note.clone()));
        let long = "a".repeat(2000);
        assert_eq!(last(&[&long]).1.chars().count(), 1001);
        assert_eq!(last(&[long.as_str(); 20]), (17, note));
        assert_eq!(checked(&[]), Vec::<String>::new());
    }
}
