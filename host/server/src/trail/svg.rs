//! A chain as a picture: time goes to the right, and what was asked about is at the right end.
//!
//! It is drawn with shapes and text alone: no script, no link, no font and no style from elsewhere. Colours are classes, so that a page can
//! give it its own; a picture that stands alone brings a style sheet. What a colour says, words say too.

use std::fmt::Write as _;

use casemate_policy::text::visible;

use super::chain::{Chain, Step};

/// Where it is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// In a file of its own.
    Alone,
    /// In a page that has the styles.
    Inside,
}

const BOX: (usize, usize) = (300, 96);
const GAP: (usize, usize) = (150, 28);
const MARGIN: usize = 16;
/// Characters of a line in a box, at 13 pixels.
const LINE: usize = 38;

const STYLE: &str = "\
svg{background:#fff;color:#1a1d21}\
.box{fill:#f6f7f9;stroke:#8a929c}.root{stroke:#1a1d21;stroke-width:2}\
.allowed{fill:#1f7a3d}.denied{fill:#b3261e}.error{fill:#b3261e}.deferred{fill:#8a5a00}.unknown{fill:#8a5a00}.pending{fill:#5b6570}\
.link{fill:none;stroke:#5b6570;stroke-width:1.5}.tip{fill:#5b6570}\
text{font:13px ui-sans-serif,system-ui,sans-serif;fill:currentColor}.name{font-weight:600}.note{font-size:11px;fill:#5b6570}\
@media (prefers-color-scheme:dark){svg{background:#14171a;color:#e8eaed}.box{fill:#1e2328;stroke:#6b7682}.root{stroke:#e8eaed}\
.allowed{fill:#5fce86}.denied,.error{fill:#ff8a80}.deferred,.unknown{fill:#f0c060}.pending{fill:#9aa5b1}\
.link{stroke:#9aa5b1}.tip,.note{fill:#9aa5b1}}";

/// The picture.
pub(crate) fn svg(chain: &Chain, look: Look) -> String {
    let places = places(chain);
    let (width, height) = places.iter().fold((0, 0), |(width, height), (x, y)| (width.max(x + BOX.0), height.max(y + BOX.1)));
    let (width, height) = (width + MARGIN, height + MARGIN + if chain.cut { 24 } else { 0 });
    let mut out = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="chain" role="img" aria-label="What led to {}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">"#,
        chain.steps.get(chain.root).map(|step| escaped(&step.what)).unwrap_or_default()
    );
    if look == Look::Alone {
        let _ = write!(out, "<style>{STYLE}</style>");
    }
    for (number, link) in chain.links.iter().enumerate() {
        // Words about the same two stand above each other.
        let above = chain.links.iter().take(number).filter(|other| (other.from, other.to) == (link.from, link.to)).count();
        if let (Some(&(x, y)), Some(&(to_x, to_y))) = (places.get(link.from), places.get(link.to)) {
            let (x, y, to_y) = (x + BOX.0, y + BOX.1 / 2, to_y + BOX.1 / 2);
            let (middle, half) = (x + to_x.saturating_sub(x) / 2, usize::midpoint(y, to_y));
            let _ = write!(
                out,
                r#"<path class="link" d="M{x} {y}C{middle} {y} {middle} {to_y} {} {to_y}"/><path class="tip" d="M{} {}l8 4l-8 4z"/>"#,
                to_x.saturating_sub(8),
                to_x.saturating_sub(8),
                to_y.saturating_sub(4),
            );
            let why = link.why.to_string();
            let _ = write!(
                out,
                r#"<text class="note" x="{middle}" y="{}" text-anchor="middle"><title>{}</title>{}</text>"#,
                half.saturating_sub(5 + 14 * above),
                escaped(&why),
                escaped(&short(&why, 24))
            );
        }
    }
    for (at, step) in chain.steps.iter().enumerate() {
        if let Some(&(x, y)) = places.get(at) {
            boxed(&mut out, step, x, y, at == chain.root);
        }
    }
    if chain.cut {
        let _ = write!(
            out,
            r#"<text class="note" x="{MARGIN}" y="{}">There is more: the chain is longer than is shown here.</text>"#,
            height - 10
        );
    }
    out.push_str("</svg>\n");
    out
}

fn boxed(out: &mut String, step: &Step, x: usize, y: usize, root: bool) {
    let kind = [&step.effect, &step.mode].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let time = step.at.get(11..19).unwrap_or(&step.at);
    let came = if step.why.is_empty() { step.outcome.clone() } else { format!("{}: {}", step.outcome, step.why) };
    let lines = [("name", step.what.clone()), ("", format!("{} at {time}", step.principal)), ("", came), ("note", kind)];
    let target = ("note", step.targets.join(" "));
    let _ = write!(
        out,
        r#"<g><title>{} {}</title><rect class="box{}" x="{x}" y="{y}" width="{}" height="{}" rx="6"/><rect class="{}" x="{x}" y="{y}" width="6" height="{}" rx="3"/>"#,
        escaped(&step.at),
        escaped(&step.id),
        if root { " root" } else { "" },
        BOX.0,
        BOX.1,
        escaped(&step.outcome),
        BOX.1
    );
    let filled = lines.iter().chain(std::iter::once(&target)).filter(|(_, text)| !text.is_empty());
    for (number, (class, text)) in filled.enumerate() {
        let _ = write!(
            out,
            r#"<text class="{class}" x="{}" y="{}">{}</text>"#,
            x + 18,
            y + 22 + number * 17,
            escaped(&short(text, LINE))
        );
    }
    out.push_str("</g>");
}

/// Where each step is: a column for each link that is still to go, rows in the order of time.
fn places(chain: &Chain) -> Vec<(usize, usize)> {
    let mut columns = vec![0_usize; chain.steps.len()];
    // Links lead from lower to higher numbers: so whatever a step leads to has its column before the step has.
    for at in (0..chain.steps.len()).rev() {
        let after = chain.links.iter().filter(|link| link.from == at).filter_map(|link| columns.get(link.to)).max();
        let column = after.map_or(0, |after| after + 1);
        if let Some(own) = columns.get_mut(at) {
            *own = column;
        }
    }
    let most = columns.iter().max().copied().unwrap_or_default();
    let mut rows = vec![0_usize; most + 1];
    columns
        .into_iter()
        .map(|column| {
            let row = rows.get_mut(column).map(|row| std::mem::replace(row, *row + 1)).unwrap_or_default();
            (MARGIN + (most - column) * (BOX.0 + GAP.0), MARGIN + row * (BOX.1 + GAP.1))
        })
        .collect()
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// As text and in attributes, whatever it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in visible(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
