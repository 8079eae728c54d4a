//! The first lines, with what an operator looks for first, and the last, with the keys.

use ratatui::{
    buffer::{Buffer, CellWidth as _},
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    super::{Model, model::Part},
    clock,
    panel::Panel,
    theme::Theme,
    ui::Ui,
};
use crate::command::print::counted;

/// Draw the head: one line where it is all that there is room for, or three with the tabs.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, model: &Model, ui: &Ui) {
    let theme = &ui.theme;
    let mut first =
        vec![Span::styled(" casemate top", theme.title), Span::styled(format!("  {}", model.environment), theme.accent)];
    if ui.is_paused() {
        first.push(Span::styled("  [stands still: p goes on]", theme.warn));
    }
    let tiles = tiles(model, theme).into_iter().flat_map(|(text, style)| [Span::raw("  "), Span::styled(text, style)]);
    let time = format!("{} UTC ", clock(model.now));
    let room = area.width.saturating_sub(time.cell_width());
    if area.height == 1 {
        first.extend(tiles);
    } else {
        let tiles: Vec<Span<'_>> = tiles.skip(1).collect();
        buffer.set_line(area.x + 1, area.y + 1, &Line::from(tiles), area.width - 1);
        tabs(buffer, Rect { y: area.y + 2, height: 1, ..area }, ui);
    }
    buffer.set_line(area.x, area.y, &Line::from(first), room);
    buffer.set_stringn(area.x + room, area.y, &time, usize::from(time.cell_width()), theme.quiet);
}

/// What matters most, in a few words each.
fn tiles(model: &Model, theme: &Theme) -> Vec<(String, Style)> {
    let calls = model.calls.in_minute(model.now);
    let denied: u64 = model.calls.denials(model.now).iter().map(|denials| denials.count).sum();
    let mut tiles = vec![
        (
            format!("{}/min", counted(usize::try_from(calls).unwrap_or(usize::MAX), "call")),
            if calls == 0 { theme.quiet } else { theme.accent },
        ),
        (format!("{denied} denied"), if denied == 0 { theme.quiet } else { theme.bad }),
    ];
    if let Some(books) = model.books.here() {
        let (waiting, paused) = (books.waiting.len(), books.paused.len());
        tiles.push((format!("{waiting} waiting"), if waiting == 0 { theme.quiet } else { theme.warn }));
        tiles.push((format!("{paused} paused"), if paused == 0 { theme.quiet } else { theme.bad }));
    }
    if let Part::Here(plugins) = model.plugins() {
        let refused = plugins.iter().filter(|row| row.is_refused()).count();
        tiles.push(match refused {
            0 => (counted(plugins.len(), "plugin"), theme.quiet),
            refused => (format!("{} refused", counted(refused, "plugin")), theme.bad),
        });
    }
    tiles.push(match (&model.health, &model.unreadable) {
        (Part::Absent(_), _) => ("log not whole".to_owned(), theme.bad),
        (Part::Here(_), Some(_)) => ("log unreadable".to_owned(), theme.bad),
        (Part::Unread, Some(_)) => ("log unread".to_owned(), theme.warn),
        (Part::Here(_), None) => ("log whole".to_owned(), theme.good),
        (Part::Unread, None) => ("log …".to_owned(), theme.quiet),
    });
    tiles
}

fn tabs(buffer: &mut Buffer, area: Rect, ui: &Ui) {
    let mut spans = Vec::new();
    for panel in Panel::ALL {
        let is_focus = panel == ui.focus();
        let name = panel.name();
        spans.push(match is_focus {
            true => Span::styled(format!("[{name}]"), ui.theme.focus),
            false => Span::styled(format!(" {name} "), ui.theme.quiet),
        });
    }
    buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
}

/// Draw the keys.
pub(super) fn foot(buffer: &mut Buffer, area: Rect, ui: &Ui) {
    let keys = [("q", "quit"), ("tab", "next panel"), ("j/k", "scroll"), ("p", "pause"), ("?", "help")];
    let spans = keys.into_iter().flat_map(|(key, does)| {
        [Span::styled(format!(" {key} "), ui.theme.accent), Span::styled(format!("{does}  "), ui.theme.quiet)]
    });
    buffer.set_line(area.x, area.y, &Line::from(spans.collect::<Vec<_>>()), area.width);
}
