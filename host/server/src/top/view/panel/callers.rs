//! The breaker: callers that may not go on until a person says so.

use super::{
    super::{
        super::{Model, model::Paused},
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    nothing, of_part,
};
use crate::approval::sheet::left;

const COLUMNS: [Column; 3] = [Column::share("PAUSED", 2, 10), Column::exact("AGO", 7).right(), Column::share("WHY", 3, 10)];

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    of_part(&model.books, theme, |books| {
        let row = |paused: &Paused| {
            vec![
                Cell::text(&paused.principal, theme.bad),
                Cell::text(left(model.now, paused.since), theme.plain),
                Cell::text(&paused.why, theme.plain),
            ]
        };
        let says = match books.paused.is_empty() {
            true => nothing("nobody is paused", theme),
            false => nothing("casemate breaker resume PRINCIPAL", theme),
        };
        Page { grid: Grid { columns: COLUMNS.to_vec(), rows: books.paused.iter().map(row).collect() }, says, ..Page::default() }
    })
}
