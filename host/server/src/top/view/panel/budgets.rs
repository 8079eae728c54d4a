//! What is used of each budget, in the window that ends now.

use super::{
    super::{
        super::{Model, model::Budget},
        figure,
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    nothing, of_part,
};

const COLUMNS: [Column; 6] = [
    Column::share("PRINCIPAL", 3, 10),
    Column::share("GRANT", 2, 8).rank(2),
    Column::share("COUNTS", 2, 8).rank(1),
    Column::exact("USED", 10),
    Column::exact("", 4).right(),
    Column::share("OF", 5, 20),
];

/// From here on somebody should know.
const MUCH: f64 = 0.75;

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    of_part(&model.books, theme, |books| {
        let mut budgets: Vec<(f64, &Budget)> =
            books.budgets.iter().map(|budget| (figure::share(budget.spent, budget.limit), budget)).collect();
        // The fullest first; those that are as full stay in the order of the configuration.
        budgets.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let says = if budgets.is_empty() { nothing("no grant has a budget", theme) } else { Vec::new() };
        let rows = budgets.into_iter().map(|(share, budget)| row(share, budget, theme)).collect();
        Page { grid: Grid { columns: COLUMNS.to_vec(), rows }, says, ..Page::default() }
    })
}

fn row(share: f64, budget: &Budget, theme: &Theme) -> Vec<Cell> {
    let style = match share {
        1.0.. => theme.bad,
        MUCH.. => theme.warn,
        _ => theme.good,
    };
    let of = format!("{} of {} {}/{}", figure::count(budget.spent), figure::count(budget.limit), budget.unit, budget.per);
    vec![
        Cell::text(&budget.principal, theme.plain),
        Cell::text(&budget.grant, theme.quiet),
        Cell::text(&budget.counts, theme.quiet),
        Cell::Bar(share, style),
        Cell::text(format!("{:.0}%", (share * 100.0).floor()), style),
        Cell::text(of, theme.plain),
    ]
}
