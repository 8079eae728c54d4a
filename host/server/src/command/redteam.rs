//! `casemate redteam`: named attacks on these very rules, and what stops each.

use std::collections::BTreeMap;

use casemate_policy::text::visible;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    clock,
    exit::{Exit, Outcome},
    house::{Rulebook, store},
    redteam::{Escape, Findings, Report, attack},
};

/// Attack a host with your own configuration, and show what stops each attack.
///
/// Nothing real is touched: no upstream is asked, no secret is read, and nothing of yours is changed. The attacks are made on a made-up
/// plugin, under your environment, flow rules, breaker and policies, and on your own grants and tools as they are written. Attacks that no
/// configuration can let through (on signatures, requests, votes, results) are made on the host itself.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also tell what was tried, and what was said.
    #[arg(long, short)]
    verbose: bool,
}

/// Attack, and say what came of it. An attack that is not stopped fails.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let book = Rulebook::read(context)?;
    let Findings { reports, left_out } = {
        let _waiting = print::Waiting::for_what("attacking");
        attack(&book, store::trust(&context.folders)?, clock::now())?
    };
    if let Some(why) = &left_out {
        print::note(format_args!(
            "casemate: your policies fit your own tools only: the range was attacked without them\n{}\nhelp: name the tools that each policy is about",
            visible(why)
        ));
    }
    print::result(context.format, || text(&reports, args.verbose), || json(&reports, left_out.as_deref()));
    Ok(if reports.iter().all(|report| report.result.is_ok()) { Exit::Done } else { Exit::Failed })
}

/// Attacks by what stopped them.
fn by_layer(reports: &[Report]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut layers = BTreeMap::<_, Vec<_>>::new();
    for (stop, code) in reports.iter().filter_map(|report| Some((report.result.as_ref().ok()?, report.attack.code))) {
        for layer in std::iter::once(stop.by).chain(stop.also.iter().copied()) {
            layers.entry(layer).or_default().push(code);
        }
    }
    layers
}

fn text(reports: &[Report], verbose: bool) -> String {
    let mut text = String::new();
    let width = reports.iter().map(|report| report.attack.code.len()).max().unwrap_or_default();
    let mut family = "";
    for report in reports {
        if report.family != family {
            family = report.family;
            text.push_str(&format!("{}{family}\n", if text.is_empty() { "" } else { "\n" }));
        }
        let code = report.attack.code;
        match &report.result {
            Ok(stop) => {
                let also = if stop.also.is_empty() { String::new() } else { format!(" (also {})", stop.also.join(", ")) };
                text.push_str(&format!("  stopped  {code:<width$}  {}: {}{also}\n", stop.by, stop.code));
            }
            Err(Escape::Through(reached)) => text.push_str(&format!("  THROUGH  {code:<width$}  {}\n", one_line(reached))),
            Err(Escape::Broken(why)) => text.push_str(&format!("  UNSHOWN  {code:<width$}  {}\n", one_line(why))),
        }
        if verbose || report.result.is_err() {
            text.push_str(&format!("           {:<width$}  tried: {}\n", "", report.attack.what));
        }
        if let (true, Ok(stop)) = (verbose, &report.result) {
            text.push_str(&format!("           {:<width$}  said: {}\n", "", one_line(&stop.said)));
        }
    }
    text.push_str("\nby layer\n");
    let layers = by_layer(reports).into_iter().map(|(layer, attacks)| vec![format!("  {layer}"), attacks.len().to_string()]);
    text.push_str(&print::table(&layers.collect::<Vec<_>>()));
    let of =
        |pick: fn(&Result<crate::redteam::Stop, Escape>) -> bool| reports.iter().filter(|report| pick(&report.result)).count();
    let through = of(|result| matches!(result, Err(Escape::Through(_))));
    let unshown = of(|result| matches!(result, Err(Escape::Broken(_))));
    let met = reports.iter().filter(|report| report.met_rules).count();
    text.push_str(&format!(
        "\n{}, {met} of them on your rules and the others on the host: {} stopped, {through} through, {unshown} not shown\n",
        print::counted(reports.len(), "attack"),
        of(Result::is_ok)
    ));
    text
}

fn one_line(text: &str) -> String {
    visible(text).replace('\n', " · ")
}

fn json(reports: &[Report], left_out: Option<&str>) -> Value {
    let one = |report: &Report| {
        let mut value = json!({
            "family": report.family, "attack": report.attack.code, "what": report.attack.what,
            "against": if report.met_rules { "rules" } else { "host" },
        });
        let result = match &report.result {
            Ok(stop) => json!({ "result": "stopped", "by": stop.by, "code": stop.code, "also": stop.also, "said": stop.said }),
            Err(Escape::Through(reached)) => json!({ "result": "through", "reached": reached }),
            Err(Escape::Broken(why)) => json!({ "result": "not-shown", "why": why }),
        };
        if let (Some(value), Value::Object(result)) = (value.as_object_mut(), result) {
            value.extend(result);
        }
        value
    };
    let stopped = reports.iter().filter(|report| report.result.is_ok()).count();
    json!({
        "attacks": reports.iter().map(one).collect::<Vec<_>>(), "layers": by_layer(reports), "count": reports.len(), "stopped": stopped,
        "policies_left_out": left_out,
    })
}
