//! One panel in its frame: a picture, rows, and what is said of them.

use std::iter::once;

use ratatui::{
    buffer::{Buffer, CellWidth as _},
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Block, BorderType, Widget as _},
};

use super::{
    super::Model,
    figure::share,
    grid::{Grid, cut},
    panel::{Bar, Panel},
    ui::Ui,
};

/// A picture is drawn where there are as many lines beside it.
const ROOM: u16 = 7;

/// What a panel shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    /// Beside its name.
    pub(super) detail: String,
    /// Bars above the rows, the newest last.
    pub(super) picture: Vec<Bar>,
    pub(super) grid: Grid,
    /// What is said below the rows.
    pub(super) says: Vec<(String, Style)>,
}

/// Draw a panel.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, panel: Panel, model: &Model, ui: &mut Ui) {
    let theme = ui.theme;
    let is_focus = ui.focus() == panel;
    let page = panel.page(model, &theme, area.width);
    let mark = if is_focus { "▸ " } else { " " };
    let name = Span::styled(format!("{mark}{} ", panel.name()), if is_focus { theme.focus } else { theme.title });
    let detail = cut(&page.detail, area.width.saturating_sub(u16::try_from(panel.name().len()).unwrap_or_default() + 10));
    let title = if detail.is_empty() {
        Line::from(name)
    } else {
        Line::from(vec![name, Span::styled(format!("· {detail} "), theme.quiet)])
    };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(if is_focus { theme.focus } else { theme.border })
        .title_top(title);
    let mut inner = block.inner(area);
    block.render(area, buffer);
    // A column of air on both sides.
    inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };

    if !page.picture.is_empty() && inner.height >= ROOM {
        let height = (inner.height / 4).clamp(2, 6);
        picture(buffer, Rect { height, ..inner }, &page.picture, theme.quiet);
        inner = Rect { y: inner.y + height, height: inner.height - height, ..inner };
    }
    let said: Vec<(String, Style)> =
        page.says.iter().flat_map(|(text, style)| wrapped(text, inner.width).into_iter().map(|line| (line, *style))).collect();
    let rows = u16::try_from(page.grid.rows.len()).unwrap_or(u16::MAX);
    let wanted = u16::try_from(said.len()).unwrap_or(u16::MAX);
    // Rows have their half, where both want more than there is.
    let for_rows = if rows == 0 {
        0
    } else {
        (rows.saturating_add(1)).min(inner.height.saturating_sub(wanted).max(inner.height.div_ceil(2)))
    };
    let shown = page.grid.draw(buffer, Rect { height: for_rows, ..inner }, ui.offset(panel), &theme);
    for ((line, style), y) in said.iter().zip(inner.y + for_rows..inner.bottom()) {
        buffer.set_stringn(inner.x, y, line, usize::from(inner.width), *style);
    }
    if shown.len() < page.grid.rows.len() {
        let place = format!(" {}-{} of {} ", shown.start + 1, shown.end, page.grid.rows.len());
        let width = place.cell_width();
        let x = area.right().saturating_sub(width + 2);
        buffer.set_stringn(x, area.bottom() - 1, place, usize::from(width), theme.quiet);
    }
}

/// Bars of eighths of a line, as high as the highest of them.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some lines, and saturating")]
fn picture(buffer: &mut Buffer, area: Rect, bars: &[Bar], quiet: Style) {
    const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    /// One call alone is no peak.
    const LEAST: u64 = 4;
    let highest = bars.iter().map(|bar| bar.value).max().unwrap_or_default().max(LEAST);
    let surplus = bars.len().saturating_sub(usize::from(area.width));
    for (bar, x) in bars.iter().skip(surplus).zip(area.x..area.right()) {
        if bar.value == 0 {
            buffer.set_stringn(x, area.bottom() - 1, "·", 1, quiet);
            continue;
        }
        let mut eighths = ((share(bar.value, highest) * f64::from(area.height) * 8.0).round() as usize).max(1);
        for y in (area.y..area.bottom()).rev() {
            let here = eighths.min(8);
            buffer.set_stringn(x, y, EIGHTHS.get(here).copied().unwrap_or_default(), 1, bar.style);
            eighths -= here;
        }
    }
}

/// A text in lines of so many columns, broken between words where it can be.
fn wrapped(text: &str, width: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if joined.cell_width() <= width {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line = broken(word, width, &mut lines);
    }
    lines.into_iter().chain(once(line)).collect()
}

/// A word that is longer than a line, in as many as it takes; gives the rest.
fn broken(word: &str, width: u16, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    for grapheme in Span::raw(word).styled_graphemes(Style::new()) {
        if line.cell_width() + grapheme.symbol.cell_width() > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(grapheme.symbol);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
