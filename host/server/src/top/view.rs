//! The view: a model, drawn. It knows no file, no terminal and no clock.
//!
//! A large terminal shows every panel at once, a small one that which has the focus.

mod figure;
mod grid;
mod head;
mod help;
mod page;
mod panel;
mod theme;
mod ui;

use casemate_policy::Timestamp;
use ratatui::{
    buffer::{Buffer, CellWidth as _},
    layout::{Constraint, Layout, Rect},
};

use self::panel::Panel;
pub(crate) use self::{
    theme::Theme,
    ui::{Key, Ui},
};
use super::Model;

/// Smaller than this, nothing can be read.
const LEAST: (u16, u16) = (60, 12);
/// From this on all panels fit at once.
const WIDE: (u16, u16) = (110, 32);

/// Draw all of it.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, model: &Model, ui: &mut Ui) {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let said = format!("the terminal is too small: {} columns and {} lines at least", LEAST.0, LEAST.1);
        buffer.set_stringn(area.x, area.y, said, usize::from(area.width), ui.theme.warn);
        return;
    }
    let is_wide = area.width >= WIDE.0 && area.height >= WIDE.1;
    let above = if is_wide { 1 } else { 3 };
    let [top, body, foot] = Layout::vertical([Constraint::Length(above), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    head::draw(buffer, top, model, ui);
    if is_wide {
        for (panel, area) in all(body) {
            page::draw(buffer, area, panel, model, ui);
        }
    } else {
        page::draw(buffer, body, ui.focus(), model, ui);
    }
    head::foot(buffer, foot, ui);
    if ui.shows_help() {
        help::draw(buffer, area, &ui.theme);
    }
}

/// Where each panel is, where all of them are shown.
fn all(body: Rect) -> [(Panel, Rect); 8] {
    let rows = Layout::vertical([Constraint::Fill(10), Constraint::Fill(6), Constraint::Fill(5)]);
    let [first, second, third] = rows.areas(body);
    let split = |area, left, right| Layout::horizontal([Constraint::Fill(left), Constraint::Fill(right)]).areas(area);
    let stack = |area, above, below| Layout::vertical([Constraint::Fill(above), Constraint::Fill(below)]).areas(area);
    let [calls, right] = split(first, 7, 4);
    let [latency, denials] = stack(right, 6, 4);
    let [budgets, approvals] = split(second, 1, 1);
    let [plugins, right] = split(third, 1, 1);
    let [callers, audit] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(right);
    [
        (Panel::Calls, calls),
        (Panel::Latency, latency),
        (Panel::Denials, denials),
        (Panel::Budgets, budgets),
        (Panel::Approvals, approvals),
        (Panel::Plugins, plugins),
        (Panel::Callers, callers),
        (Panel::Audit, audit),
    ]
}

/// One frame as text, without anything that a terminal would obey.
pub(crate) fn plain(model: &Model, (columns, lines): (u16, u16)) -> String {
    let area = Rect::new(0, 0, columns, lines);
    let mut buffer = Buffer::empty(area);
    draw(&mut buffer, area, model, &mut Ui::new(Theme::plain()));
    text(&buffer)
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut x = area.left();
        while let Some(cell) = buffer.cell((x, y)).filter(|_| x < area.right()) {
            line.push_str(cell.symbol());
            // A wide character stands in front of cells that are not drawn.
            x += cell.symbol().cell_width().max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The time of day, UTC.
fn clock(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
