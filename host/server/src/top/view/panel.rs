//! The panels: what each shows of the model.

mod approvals;
mod audit;
mod budgets;
mod callers;
mod calls;
mod denials;
mod latency;
mod plugins;

use ratatui::style::Style;

use super::{
    super::{Lines, Model, model::Part},
    page::Page,
    theme::Theme,
};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Panel {
    Calls,
    Latency,
    Denials,
    Budgets,
    Approvals,
    Plugins,
    Callers,
    Audit,
}

/// One bar of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub(super) value: u64,
    pub(super) style: Style,
}

impl Panel {
    /// In the order of the tabs.
    pub(super) const ALL: [Self; 8] =
        [Self::Calls, Self::Latency, Self::Denials, Self::Budgets, Self::Approvals, Self::Plugins, Self::Callers, Self::Audit];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calls => "Calls",
            Self::Latency => "Latency",
            Self::Denials => "Denials",
            Self::Budgets => "Budgets",
            Self::Approvals => "Approvals",
            Self::Plugins => "Plugins",
            Self::Callers => "Breaker",
            Self::Audit => "Audit",
        }
    }

    /// What it shows, on so many columns.
    pub(super) fn page(self, model: &Model, theme: &Theme, width: u16) -> Page {
        match self {
            Self::Calls => calls::page(model, theme, width),
            Self::Latency => latency::page(model, theme),
            Self::Denials => denials::page(model, theme),
            Self::Budgets => budgets::page(model, theme),
            Self::Approvals => approvals::page(model, theme),
            Self::Plugins => plugins::page(model, theme),
            Self::Callers => callers::page(model, theme),
            Self::Audit => audit::page(model, theme),
        }
    }
}

/// The page of a part that is there; or why there is none.
fn of_part<T>(part: &Part<T>, theme: &Theme, page: impl FnOnce(&T) -> Page) -> Page {
    match part {
        Part::Here(part) => page(part),
        Part::Unread => Page { says: vec![("not looked at yet".to_owned(), theme.quiet)], ..Page::default() },
        Part::Absent(why) => Page { says: trouble(why, theme), ..Page::default() },
    }
}

/// What went wrong, and what to do about it.
fn trouble(why: &Lines, theme: &Theme) -> Vec<(String, Style)> {
    let line = |line: &str| (line.to_owned(), if line.starts_with("help:") { theme.quiet } else { theme.bad });
    why.iter().map(|text| line(text.as_str())).collect()
}

/// A word where there is nothing to list.
fn nothing(said: &str, theme: &Theme) -> Vec<(String, Style)> {
    vec![(said.to_owned(), theme.quiet)]
}
