//! The help, over whatever is shown.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    widgets::{Block, BorderType, Clear, Padding, Widget as _},
};

use super::theme::Theme;

/// Keys, what they do, and what is shown.
const LINES: [(&str, &str); 14] = [
    ("tab, l / shift-tab, h", "the next panel, the one before"),
    ("1 … 8", "a panel by its number"),
    ("j, down / k, up", "a row down, a row up"),
    ("space, pgdn / pgup", "ten rows down, ten rows up"),
    ("g / G", "the first row, the last"),
    ("p / esc", "stand still / go on"),
    ("q, ctrl-c", "quit"),
    ("", ""),
    ("calls, denials", "the audit log, as audit tail -f reads it"),
    ("latency", "the log, and [telemetry] metrics of a server"),
    ("budgets", "casemate ledger"),
    ("approvals", "casemate approvals list"),
    ("plugins, callers", "casemate list, casemate breaker list"),
    ("audit", "casemate audit verify, every five minutes"),
];

/// Draw it in the middle.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, theme: &Theme) {
    let height = u16::try_from(LINES.len()).unwrap_or_default() + 2;
    let place = area.centered(Constraint::Length(76.min(area.width)), Constraint::Length(height.min(area.height)));
    Clear.render(place, buffer);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.focus)
        .title(" Keys, and where it comes from ")
        .padding(Padding::horizontal(1));
    let inner = block.inner(place);
    block.render(place, buffer);
    for ((key, does), y) in LINES.into_iter().zip(inner.y..inner.bottom()) {
        buffer.set_stringn(inner.x, y, key, usize::from(inner.width), theme.accent);
        let text = Rect { x: inner.x + 24, ..inner };
        buffer.set_stringn(text.x, y, does, usize::from(inner.right().saturating_sub(text.x)), theme.plain);
    }
}
