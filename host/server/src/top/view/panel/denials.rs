//! What was refused, by reason.

use super::{
    super::{
        super::{Model, model::Denials},
        figure,
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    nothing,
};
use crate::approval::sheet::left;

const COLUMNS: [Column; 6] = [
    Column::share("REASON", 4, 16),
    Column::share("", 2, 6).rank(2),
    Column::exact("COUNT", 5).right(),
    Column::exact("AGO", 7).right(),
    Column::share("LAST TOOL", 3, 10).rank(1),
    Column::share("BY", 2, 8).rank(1),
];

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    let denials = model.calls.denials(model.now);
    let most = denials.first().map_or(0, |denials| denials.count);
    let row = |denials: &Denials| {
        vec![
            Cell::text(&denials.reason, theme.bad),
            Cell::Bar(figure::share(denials.count, most), theme.bad),
            Cell::text(figure::count(denials.count), theme.plain),
            Cell::text(left(model.now, denials.last), theme.quiet),
            Cell::text(&denials.tool, theme.plain),
            Cell::text(&denials.principal, theme.quiet),
        ]
    };
    let says = if denials.is_empty() { nothing("nothing was refused in the last hour", theme) } else { Vec::new() };
    Page {
        detail: "last hour".to_owned(),
        grid: Grid { columns: COLUMNS.to_vec(), rows: denials.iter().map(row).collect() },
        says,
        ..Page::default()
    }
}
