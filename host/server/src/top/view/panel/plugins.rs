//! What is installed, and whether a server has loaded it.

use super::{
    super::{
        super::{
            Model,
            model::{Load, Row},
        },
        figure,
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    nothing, of_part,
};
use crate::approval::sheet::left;

const COLUMNS: [Column; 6] = [
    Column::share("PLUGIN", 3, 12),
    Column::exact("VERSION", 9),
    Column::exact("TOOLS", 5).right().rank(1),
    Column::share("STATUS", 4, 14),
    Column::exact("AGE", 7).right(),
    Column::exact("FUEL", 7).right().rank(2),
];

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    of_part(&model.plugins(), theme, |rows| {
        let row = |row: &Row| {
            let plugin = &row.plugin;
            let (status, style, since) = match (&plugin.refused, &row.load) {
                // What would not be loaded now is what somebody has to look at, whatever a server still does with it.
                (Some(why), Load::Loaded(since) | Load::Refused(since, _)) => {
                    (format!("refused: {why}"), theme.bad, Some(*since))
                }
                (Some(why), Load::Unknown) => (format!("refused: {why}"), theme.bad, None),
                (None, Load::Refused(since, why)) => (format!("not loaded: {why}"), theme.bad, Some(*since)),
                (None, Load::Loaded(since)) => ("loaded".to_owned(), theme.good, Some(*since)),
                (None, Load::Unknown) => ("verified".to_owned(), theme.quiet, None),
            };
            vec![
                Cell::text(&plugin.id, theme.plain),
                Cell::text(&plugin.version, theme.plain),
                Cell::text(plugin.tools, theme.quiet),
                Cell::text(status, style),
                Cell::text(since.map(|since| left(model.now, since)).unwrap_or_default(), theme.quiet),
                Cell::text(row.fuel.map(figure::count).unwrap_or_default(), theme.quiet),
            ]
        };
        let says = if rows.is_empty() { nothing("nothing is installed", theme) } else { Vec::new() };
        Page { grid: Grid { columns: COLUMNS.to_vec(), rows: rows.iter().map(row).collect() }, says, ..Page::default() }
    })
}
