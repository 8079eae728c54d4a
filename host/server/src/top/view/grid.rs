//! Rows in columns that line up: what does not fit is cut with an ellipsis, and columns that matter least go first.

use ratatui::{
    buffer::{Buffer, CellWidth as _},
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::Span,
};

use super::theme::Theme;

/// Between two columns.
const GAP: u16 = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    width: Width,
    is_right: bool,
    /// The highest goes first where there is no room; 0 stays.
    rank: u8,
}

#[derive(Debug, Clone, Copy)]
enum Width {
    Exact(u16),
    /// A share of what is left, and the least that makes sense.
    Share(u16, u16),
}

impl Column {
    pub(super) const fn exact(title: &'static str, width: u16) -> Self {
        Self { title, width: Width::Exact(width), is_right: false, rank: 0 }
    }

    pub(super) const fn share(title: &'static str, share: u16, least: u16) -> Self {
        Self { title, width: Width::Share(share, least), is_right: false, rank: 0 }
    }

    pub(super) const fn right(self) -> Self {
        Self { is_right: true, ..self }
    }

    pub(super) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    fn least(self) -> u16 {
        match self.width {
            Width::Exact(width) => width,
            Width::Share(_, least) => least,
        }
    }

    fn constraint(self) -> Constraint {
        match self.width {
            Width::Exact(width) => Constraint::Length(width),
            Width::Share(share, _) => Constraint::Fill(share),
        }
    }
}

/// What stands in a row and a column.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Text(String, Style),
    /// A share of the column's width.
    Bar(f64, Style),
}

impl Cell {
    pub(super) fn text(text: impl std::fmt::Display, style: Style) -> Self {
        Self::Text(text.to_string(), style)
    }
}

/// Rows under their heads.
#[derive(Debug, Clone, Default)]
pub(super) struct Grid {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// Draw what fits, from this row on; gives which rows those are. An offset that leaves room below the last row is put back.
    pub(super) fn draw(&self, buffer: &mut Buffer, area: Rect, offset: &mut usize, theme: &Theme) -> std::ops::Range<usize> {
        if area.is_empty() || self.rows.is_empty() {
            *offset = 0;
            return 0..0;
        }
        let columns = self.places(area);
        for (column, place) in &columns {
            let Some(column) = self.columns.get(*column) else { continue };
            put(buffer, *place, &Cell::text(column.title, theme.quiet), column.is_right);
        }
        let height = usize::from(area.height) - 1;
        *offset = (*offset).min(self.rows.len().saturating_sub(height));
        let shown = *offset..self.rows.len().min(*offset + height);
        for (row, y) in self.rows.iter().skip(shown.start).take(shown.len()).zip(area.y + 1..) {
            for (column, place) in &columns {
                let (Some(cell), Some(is_right)) = (row.get(*column), self.columns.get(*column).map(|column| column.is_right))
                else {
                    continue;
                };
                put(buffer, Rect { y, ..*place }, cell, is_right);
            }
        }
        shown
    }

    /// The columns that there is room for, by number, and where the first line of each is.
    fn places(&self, area: Rect) -> Vec<(usize, Rect)> {
        let mut kept: Vec<(usize, Column)> = self.columns.iter().copied().enumerate().collect();
        let needed = |kept: &[(usize, Column)]| {
            let gaps = GAP.saturating_mul(u16::try_from(kept.len().saturating_sub(1)).unwrap_or(u16::MAX));
            kept.iter().fold(gaps, |sum, (_, column)| sum.saturating_add(column.least()))
        };
        while needed(&kept) > area.width
            && let Some((place, _)) =
                kept.iter().enumerate().filter(|(_, (_, column))| column.rank > 0).max_by_key(|(_, (_, column))| column.rank)
        {
            kept.remove(place);
        }
        let layout = Layout::horizontal(kept.iter().map(|(_, column)| column.constraint())).spacing(GAP);
        let line = Rect { height: 1, ..area };
        kept.into_iter().map(|(number, _)| number).zip(layout.split(line).iter().copied()).collect()
    }
}

fn put(buffer: &mut Buffer, area: Rect, cell: &Cell, is_right: bool) {
    match cell {
        Cell::Text(text, style) => {
            let text = cut(text, area.width);
            let free = area.width.saturating_sub(text.cell_width());
            let x = if is_right { area.x + free } else { area.x };
            buffer.set_stringn(x, area.y, &text, usize::from(area.width), *style);
        }
        Cell::Bar(share, style) => {
            buffer.set_stringn(area.x, area.y, bar(*share, area.width), usize::from(area.width), *style);
        }
    }
}

/// So much of a text as there are columns for.
pub(super) fn cut(text: &str, width: u16) -> String {
    if text.cell_width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |symbol: &&str| match left.checked_sub(symbol.cell_width()) {
        Some(less) => {
            left = less;
            true
        }
        None => false,
    };
    let span = Span::raw(text);
    let mut cut: String = span.styled_graphemes(Style::new()).map(|grapheme| grapheme.symbol).take_while(fits).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// A bar of so many columns, in eighths of one; something is never nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some columns, and saturating")]
fn bar(share: f64, width: u16) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let least = if share > 0.0 { 1 } else { 0 };
    let eighths = ((share.clamp(0.0, 1.0) * f64::from(width) * 8.0).round() as usize).max(least);
    let full = "█".repeat(eighths / 8);
    let rest = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    let used = eighths.div_ceil(8);
    format!("{full}{rest}{}", "·".repeat(usize::from(width).saturating_sub(used)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_by_columns_and_not_by_characters() {
        assert_eq!(cut("eye_look", 8), "eye_look");
        assert_eq!(cut("eye_look_up", 8), "eye_loo…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(cut("abc", 0), "");
        // One character of many marks is one.
        assert_eq!(cut(&format!("a{}bcd", "\u{301}".repeat(50)), 3).cell_width(), 3);
    }

    #[test]
    fn a_bar_is_as_wide_as_its_share() {
        assert_eq!(bar(0.0, 4), "····");
        assert_eq!(bar(0.001, 4), "▏···");
        assert_eq!(bar(0.5, 4), "██··");
        assert_eq!(bar(0.53, 4), "██▏·");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(7.0, 4), "████");
    }

    #[test]
    fn the_columns_that_matter_least_go_first() {
        let columns = vec![
            Column::exact("A", 4),
            Column::share("B", 1, 6).rank(2),
            Column::share("C", 1, 6).rank(1),
            Column::exact("D", 4),
        ];
        let grid = Grid { columns, rows: Vec::new() };
        let kept =
            |width| -> Vec<usize> { grid.places(Rect::new(0, 0, width, 5)).into_iter().map(|(number, _)| number).collect() };
        assert_eq!(kept(40), [0, 1, 2, 3]);
        assert_eq!(kept(25), [0, 2, 3]);
        assert_eq!(kept(12), [0, 3]);
        assert_eq!(kept(2), [0, 3]);
    }
}
