//! How long calls, their stages and upstreams take.

use super::{
    super::{
        super::{
            Model,
            figures::Quantile,
            model::{Latency, Part},
        },
        figure,
        grid::{Cell, Column, Grid},
        page::Page,
        theme::Theme,
    },
    trouble,
};

const COLUMNS: [Column; 6] = [
    Column::share("STAGE", 3, 12),
    Column::share("", 2, 6).rank(1),
    Column::exact("P50", 8).right(),
    Column::exact("P95", 8).right(),
    Column::exact("P99", 8).right().rank(2),
    Column::exact("COUNT", 6).right(),
];

/// What to set where no server says its figures.
const UNSET: &str = "stages are shown of a server with `metrics = \"127.0.0.1:9464\"` in [telemetry]";

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    let latencies = model.latencies();
    let all: Vec<(&Latency, _)> = std::iter::once((&latencies.calls, theme.title))
        .chain(latencies.stages.iter().map(|stage| (stage, theme.plain)))
        .chain(latencies.upstreams.iter().map(|upstream| (upstream, theme.accent)))
        .collect();
    let longest = all.iter().map(|(latency, _)| end(latency.p95)).fold(0.0, f64::max);
    let row = |(latency, style): &(&Latency, _)| {
        let share = if longest > 0.0 { end(latency.p95) / longest } else { 0.0 };
        let number = |quantile| Cell::text(figure::quantile(quantile), theme.plain);
        vec![
            Cell::text(&latency.name, *style),
            Cell::Bar(share, theme.accent),
            number(latency.p50),
            number(latency.p95),
            number(latency.p99),
            Cell::text(figure::count(latency.count), theme.quiet),
        ]
    };
    let (detail, says) = match &model.figures {
        Part::Here(figures) => {
            let when = if latencies.of_late { "last 5 min" } else { "since the server began" };
            let places = figures.places.map(|places| format!(", {places} places in use")).unwrap_or_default();
            let queue = figures.queue.filter(|queue| *queue > 0).map(|queue| format!(", {queue} wait")).unwrap_or_default();
            (format!("{when}{places}{queue}"), Vec::new())
        }
        Part::Unread => ("last 5 min".to_owned(), vec![(UNSET.to_owned(), theme.quiet)]),
        Part::Absent(why) => ("last 5 min".to_owned(), trouble(why, theme)),
    };
    Page { detail, grid: Grid { columns: COLUMNS.to_vec(), rows: all.iter().map(row).collect() }, says, ..Page::default() }
}

fn end(quantile: Option<Quantile>) -> f64 {
    match quantile {
        Some(Quantile::At(at) | Quantile::Above(at)) => at,
        None => 0.0,
    }
}
