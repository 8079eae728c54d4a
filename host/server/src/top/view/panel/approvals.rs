//! The calls that wait for people.

use super::{
    super::{
        super::{Model, model::Waiting},
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    nothing, of_part,
};
use crate::approval::sheet::left;

const COLUMNS: [Column; 6] = [
    Column::share("TOOL", 3, 14),
    Column::share("ASKED BY", 2, 10),
    Column::exact("AGO", 7).right(),
    Column::exact("LEFT", 7).right().rank(1),
    Column::exact("AGREED", 6),
    Column::share("ID", 3, 14).rank(2),
];

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    of_part(&model.books, theme, |books| {
        let row = |waiting: &Waiting| {
            vec![
                Cell::text(&waiting.tool, theme.warn),
                Cell::text(&waiting.principal, theme.plain),
                Cell::text(left(model.now, waiting.asked), theme.plain),
                Cell::text(left(waiting.expires, model.now), theme.quiet),
                Cell::text(format!("{} of {}", waiting.agreed, waiting.quorum), theme.plain),
                Cell::text(&waiting.id, theme.quiet),
            ]
        };
        let says = match books.waiting.is_empty() {
            true => nothing("nothing waits for anybody", theme),
            false => nothing("casemate approvals show ID", theme),
        };
        let grid = Grid { columns: COLUMNS.to_vec(), rows: books.waiting.iter().map(row).collect() };
        Page { grid, says, ..Page::default() }
    })
}
