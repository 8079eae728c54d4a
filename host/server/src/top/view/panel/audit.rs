//! Whether the audit log is whole, and how far behind it is.

use super::{
    super::{
        super::{Model, model::Part},
        figure,
        page::Page,
        theme::Theme,
    },
    trouble,
};
use crate::{approval::sheet::left, command::print::counted};

pub(super) fn page(model: &Model, theme: &Theme) -> Page {
    let mut says = Vec::new();
    let mut detail = String::new();
    match &model.health {
        Part::Unread if model.calls.newest().is_none() => says.push(("nothing was written yet".to_owned(), theme.quiet)),
        Part::Unread => says.push(("being verified …".to_owned(), theme.quiet)),
        Part::Here((extent, at)) => {
            detail = format!("verified {} ago", left(model.now, *at));
            says.push(("whole".to_owned(), theme.good));
            says.push((format!("{} records in {}", figure::count(extent.records), counted(extent.chains, "chain")), theme.plain));
            says.push((format!("{} under signed checkpoints", figure::count(extent.covered)), theme.plain));
        }
        Part::Absent(why) => says.extend(trouble(why, theme)),
    }
    if let Some(newest) = model.calls.newest() {
        says.push((format!("newest record {} ago", left(model.now, newest)), theme.plain));
    }
    if let Some(lag) = model.figures.here().and_then(|figures| figures.lag) {
        says.push((format!("{} not on the disk yet", figure::seconds(lag)), if lag > 1.0 { theme.warn } else { theme.plain }));
    }
    says.extend(model.unreadable.iter().flat_map(|why| trouble(why, theme)));
    Page { detail, says, ..Page::default() }
}
