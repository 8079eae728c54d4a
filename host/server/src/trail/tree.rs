//! A chain as a tree, for the terminal: what was asked about first, and below each step what led to it.

use std::collections::BTreeSet;

use casemate_policy::text::visible;

use super::chain::{Chain, Step};

/// The tree. A step that led to several others is shown in full once.
pub(crate) fn tree(chain: &Chain) -> String {
    let mut page = Page { chain, shown: BTreeSet::new(), text: String::new() };
    page.step(chain.root, "", "");
    if chain.cut {
        page.text.push_str("There is more: the chain is longer than is shown here.\n");
    }
    page.text
}

struct Page<'a> {
    chain: &'a Chain,
    shown: BTreeSet<usize>,
    text: String,
}

impl Page<'_> {
    /// One step and all behind it. `first` begins its first line, `rest` all others.
    fn step(&mut self, at: usize, first: &str, rest: &str) {
        let Some(step) = self.chain.steps.get(at) else { return };
        let before = self.chain.before(at);
        let fresh = self.shown.insert(at);
        self.line(first, &head(step, fresh));
        if !fresh {
            return;
        }
        let bar = if before.is_empty() { "   " } else { "│  " };
        for detail in step.targets.iter().chain(&step.requests) {
            self.line(&format!("{rest}{bar}"), detail);
        }
        self.line(&format!("{rest}{bar}"), &step.id);
        for (place, link) in before.iter().enumerate() {
            let last = place + 1 == before.len();
            let (turn, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.line(&format!("{rest}{turn}"), &link.why.to_string());
            let indent = format!("{rest}{below}");
            self.step(link.from, &indent, &indent);
        }
    }

    fn line(&mut self, indent: &str, text: &str) {
        let line = format!("{indent}{}", visible(&text.replace('\n', " ")));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// When, what, by whom, and what came of it.
fn head(step: &Step, fresh: bool) -> String {
    let kind = [&step.effect, &step.mode].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
    let again = if fresh { "" } else { "  (shown above)" };
    format!("{}  {}{kind} by {}  {}{again}", step.at, step.what, step.principal, step.came_of_it())
}
