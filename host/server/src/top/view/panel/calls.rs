//! Calls: how many, and the last of them.

use ratatui::style::Style;

use super::{
    super::{
        super::{
            Model,
            model::{Call, STEP_MS, Standing, Tally},
        },
        clock, figure,
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    Bar, nothing, trouble,
};

const COLUMNS: [Column; 6] = [
    Column::exact("TIME", 8),
    Column::share("TOOL", 10, 14),
    Column::share("PRINCIPAL", 7, 10),
    Column::exact("DECISION", 8),
    Column::share("WHY", 9, 10).rank(1),
    Column::exact("TOOK", 7).right(),
];

pub(super) fn page(model: &Model, theme: &Theme, width: u16) -> Page {
    let calls = &model.calls;
    let steps = calls.steps(model.now, usize::from(width.saturating_sub(4)));
    let peak = steps.iter().map(|tally| tally.calls).max().unwrap_or_default();
    let minutes = i64::try_from(steps.len()).unwrap_or_default() * STEP_MS / 60_000;
    let mut says = model.unreadable.as_ref().map(|why| trouble(why, theme)).unwrap_or_default();
    if calls.last().len() == 0 && says.is_empty() {
        says = nothing("no call was made lately", theme);
    }
    Page {
        detail: format!("{} in the last minute, peak {peak} in {} s ({minutes} min)", calls.in_minute(model.now), STEP_MS / 1000),
        picture: steps.iter().map(|tally| bar(*tally, theme)).collect(),
        grid: Grid { columns: COLUMNS.to_vec(), rows: calls.last().map(|call| row(call, theme)).collect() },
        says,
    }
}

/// As high as there were calls, in the colour of the worst that became of one at once.
fn bar(tally: Tally, theme: &Theme) -> Bar {
    let style = match tally {
        Tally { denied: 1.., .. } => theme.bad,
        Tally { waits: 1.., .. } => theme.warn,
        Tally { .. } => theme.accent,
    };
    Bar { value: tally.calls, style }
}

fn row(call: &Call, theme: &Theme) -> Vec<Cell> {
    // What is as it should be needs no word.
    let why = if call.why.as_str() == "returned" { "" } else { call.why.as_str() };
    vec![
        Cell::text(clock(call.at), theme.quiet),
        Cell::text(&call.tool, theme.plain),
        Cell::text(&call.principal, theme.plain),
        Cell::text(call.standing.as_str(), style(call.standing, theme)),
        Cell::text(why, theme.quiet),
        Cell::text(call.took.map(figure::micros).unwrap_or_default(), theme.plain),
    ]
}

fn style(standing: Standing, theme: &Theme) -> Style {
    match standing {
        Standing::Running => theme.busy,
        Standing::Allowed => theme.good,
        Standing::Denied => theme.bad,
        Standing::Waits => theme.warn,
        Standing::Failed | Standing::Unknown => theme.warn,
    }
}
