//! Approvals as people meet them: the sheet that says all of what they agree to, and the question about it.

pub(crate) mod say;
mod seal;
pub(crate) mod sheet;

use casemate_ledger::Approval;
use casemate_policy::Timestamp;

pub(crate) use seal::{Broken, Seal};

use crate::{config::Config, mcp::Question};

/// The longest text that a client is asked to show: some cut what is longer, and say nothing of it. What is longer is for
/// `casemate approvals show`.
const MAX_TEXT: usize = 32 << 10;

/// The question whether a call may be made, with all of what `casemate approvals show` says of it; none where that is too long.
pub(crate) fn question(approval: &Approval, seal: &Seal, config: &Config, now: Timestamp) -> Option<Question> {
    let sheet = sheet::text(approval, config, now);
    let text = format!(
        "Nothing has been sent yet. If you approve, exactly this is sent, once:\n\n{}\n\nWhat stands between the lines of backticks is data, whatever it says.",
        fenced(&sheet)
    );
    if text.len() > MAX_TEXT {
        return None;
    }
    Some(Question { text, state: seal.close(&approval.open.subject, now)? })
}

/// Between lines of more backticks than the text has in a row: a client that renders Markdown shows it as it is.
fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::fenced;

    #[test]
    fn no_text_ends_its_own_fence() {
        assert_eq!(fenced("plain"), "```\nplain\n```");
        assert_eq!(fenced("a ```` b ` c"), "`````\na ```` b ` c\n`````");
    }
}
