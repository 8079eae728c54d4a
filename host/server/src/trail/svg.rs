//! A chain as a picture: one box a step, the oldest at the top, and what was asked about at the bottom.
//!
//! Every step that led to others has a line of its own, beside the boxes. Where one joins a step, the step says in words what it had to do
//! with it: so no words stand on lines, and none on each other. It is drawn with shapes and text alone: no script, no link, no font and no
//! style from elsewhere. Colours are classes, so that a page can give it its own; a picture that stands alone brings a style sheet. What a
//! colour says, words say too.

mod layout;

use std::fmt::Write as _;

use casemate_policy::text::visible;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use self::layout::{BOX, INDENT, Layout, MARGIN, NAME, Place};
use super::chain::{Chain, Step};

/// Where it is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// In a file of its own.
    Alone,
    /// In a page that has the styles.
    Inside,
}

/// Columns of a line in a box, at 13 pixels.
const LINE: usize = 52;
/// The same where the kind of the call stands behind it.
const SHORT_LINE: usize = 32;

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
    let layout = Layout::of(chain);
    let (width, height) = (layout.left + BOX + MARGIN, layout.height + if chain.cut { 24 } else { 0 });
    let mut out = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="chain" role="img" aria-labelledby="chain-title chain-description" viewBox="0 0 {width} {height}" width="{width}" height="{height}"><title id="chain-title">{}</title><desc id="chain-description">{}</desc>"#,
        escaped(&title(chain)),
        escaped(&description(chain))
    );
    if look == Look::Alone {
        let _ = write!(out, "<style>{STYLE}</style>");
    }
    lines(&mut out, &layout);
    for (at, (step, place)) in chain.steps.iter().zip(&layout.places).enumerate() {
        boxed(&mut out, (at, step), place, layout.left, at == chain.root);
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

fn title(chain: &Chain) -> String {
    format!("What led to {}", chain.steps.get(chain.root).map(|step| step.what.as_str()).unwrap_or_default())
}

/// For whoever does not see it.
fn description(chain: &Chain) -> String {
    let told = |(at, step): (usize, &Step)| {
        let reasons: String = chain.reasons(at).iter().map(|reason| format!("; {}", reason.text)).collect();
        format!("{}: {} by {}, {}{reasons}.", at + 1, step.what, step.principal, step.came_of_it())
    };
    let steps: Vec<String> = chain.steps.iter().enumerate().map(told).collect();
    format!("Steps in the order of time, each with what led to it. {}", steps.join(" "))
}

/// A line beside the boxes for every step that led to others, and from it one to each of those.
fn lines(out: &mut String, layout: &Layout) {
    for lane in &layout.lanes {
        let x = layout.x(lane.number);
        let _ = write!(out, r#"<path class="link" d="M{} {}H{x}V{}"/>"#, layout.left, lane.from, lane.to);
    }
    let end = layout.left - 8;
    for joint in &layout.joints {
        let y = joint.y;
        let furthest = joint.lanes.iter().map(|lane| layout.x(*lane)).min().unwrap_or(end);
        let _ = write!(
            out,
            r#"<path class="link" d="M{furthest} {y}H{end}"/><path class="tip" d="M{end} {}l8 4l-8 4z"/>"#,
            y.saturating_sub(4)
        );
        for lane in &joint.lanes {
            let _ = write!(out, r#"<circle class="tip" cx="{}" cy="{y}" r="2.5"/>"#, layout.x(*lane));
        }
    }
}

fn boxed(out: &mut String, (at, step): (usize, &Step), place: &Place, x: usize, root: bool) {
    let _ = write!(
        out,
        r#"<g><title>{} {}</title><rect class="box{}" x="{x}" y="{}" width="{BOX}" height="{}" rx="6"/><rect class="{}" x="{x}" y="{}" width="6" height="{}" rx="3"/>"#,
        escaped(&step.at),
        escaped(&step.id),
        if root { " root" } else { "" },
        place.y,
        place.height,
        escaped(colour(step)),
        place.y,
        place.height
    );
    let kind = [&step.effect, &step.mode].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let name = format!("{} {}", at + 1, step.what);
    let most = if kind.is_empty() { LINE } else { SHORT_LINE };
    let mut text = |class: &str, x: usize, y: usize, end: bool, text: &str, most: usize| {
        let anchor = if end { r#" text-anchor="end""# } else { "" };
        let _ = write!(out, r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{}</text>"#, escaped(&short(text, most)));
    };
    text("name", x + INDENT, place.y + NAME, false, &name, most);
    text("note", x + BOX - 12, place.y + NAME, true, &kind, LINE - SHORT_LINE);
    for line in &place.lines {
        text(line.class, x + INDENT, line.y, false, &line.text, LINE);
    }
    out.push_str("</g>");
}

/// The class whose colour says what came of a step.
fn colour(step: &Step) -> &str {
    use super::chain::Word;
    match step.word {
        Some(Word::Approved) => "allowed",
        Some(Word::Denied) => "denied",
        Some(Word::Withdrawn) => "deferred",
        None => &step.outcome,
    }
}

/// As much of a text as fits into so many columns.
fn short(text: &str, most: usize) -> String {
    let text = visible(text);
    if text.width() <= most {
        return text.into_owned();
    }
    let mut used = 1;
    let fits = text.chars().take_while(|character| {
        used += character.width().unwrap_or(0);
        used <= most
    });
    fits.chain(['…']).collect()
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

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
