//! `casemate top`: what happens now.

use std::{
    io::{IsTerminal as _, stdout},
    net::SocketAddr,
    str::FromStr,
};

use terminal_size::{Height, Width, terminal_size_of};

use super::{Context, Format, print};
use crate::{
    clock,
    exit::{Exit, Outcome},
    log,
    top::{self, Checker, Endpoint, Lines, Model, News, Reader, Theme, Ui},
};

/// Watch what happens now: calls, latencies, denials, budgets, approvals, plugins, paused callers, and whether the audit log is whole.
///
/// Runs beside whatever serves, over stdio or HTTP, and reads what the other commands read; nothing is changed. Latencies by stage come from
/// a server with `[telemetry] metrics`. Keys are shown with `?`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one frame as text, or with --format json all of it, and end. So it is where standard output is no terminal.
    #[arg(long)]
    once: bool,
    /// How large that frame is; default: as the terminal, or 120x42.
    #[arg(long, value_name = "COLUMNSxLINES", requires = "once")]
    size: Option<Size>,
    /// Where a running server says its figures: an address of this machine; default: where `[telemetry]` has them.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
}

/// Columns and lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size(u16, u16);

impl Size {
    /// Where nobody says otherwise: every panel fits.
    const DEFAULT: Self = Self(120, 42);
    /// Nobody has a larger terminal.
    const MOST: u16 = 1000;
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|number| (1..=Self::MOST).contains(number));
        let size = text.split_once('x').and_then(|(columns, lines)| Some(Self(number(columns)?, number(lines)?)));
        size.ok_or_else(|| format!("write it as 120x42, each up to {}", Self::MOST))
    }
}

/// Draw it once, or until somebody quits.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let given = args.metrics.map(Endpoint::new).transpose()?;
    let reader = Reader::open(context)?;
    let environment = reader.environment();
    let checker = Checker::new(context.clone(), context.folders.state(environment));
    let mut model = Model::new(environment.as_str(), clock::now());
    let endpoint = given.or_else(|| match Endpoint::new(reader.metrics()?) {
        Ok(endpoint) => Some(endpoint),
        Err(failure) => {
            model.take(News::Figures(Err(failure.into())), clock::now());
            None
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = if args.once || context.format == Format::Json || !stdout().is_terminal() {
        let model = runtime.block_on(once(model, (reader, checker), endpoint));
        print::result(context.format, || top::plain(&model, size(args)), || top::json(&model));
        Ok(Exit::Done)
    } else {
        let theme = if log::wants_colours(&stdout()) { Theme::colours() } else { Theme::plain() };
        runtime.block_on(top::live(model, Ui::new(theme), (reader, checker), endpoint))
    };
    // Whatever is still being read is of no use to anybody.
    runtime.shutdown_background();
    result
}

fn size(args: &Args) -> (u16, u16) {
    let terminal = || terminal_size_of(stdout()).map(|(Width(columns), Height(lines))| Size(columns, lines));
    let Size(columns, lines) = args.size.or_else(terminal).unwrap_or(Size::DEFAULT);
    (columns, lines)
}

/// Everything, looked at once.
async fn once(mut model: Model, (mut reader, mut checker): (Reader, Checker), endpoint: Option<Endpoint>) -> Model {
    for news in [Some(reader.log()), Some(reader.books()), checker.plugins(), checker.health()].into_iter().flatten() {
        model.take(news, clock::now());
    }
    if let Some(endpoint) = endpoint {
        let figures = endpoint.ask().await.map_err(|why| Lines::of(&why));
        model.take(News::Figures(figures), clock::now());
    }
    model
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!("80x24".parse(), Ok(Size(80, 24)));
        for bad in ["80", "80x", "x24", "0x24", "80x24x1", "-80x24", "80x1001", "70000x1"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
