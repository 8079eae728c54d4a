//! Where everything of the picture stands.

use super::super::chain::Chain;

/// How wide a box is.
pub(super) const BOX: usize = 400;
pub(super) const MARGIN: usize = 16;
/// Where text begins in a box.
pub(super) const INDENT: usize = 18;
/// How far below a box's top its name stands.
pub(super) const NAME: usize = 22;
/// From one line in a box to the next.
const STEP: usize = 17;
/// From a line of text to the line that is drawn to its middle.
const MIDDLE: usize = 4;
/// Between two boxes.
const GAP: usize = 16;
/// Between the lines beside the boxes, and where there are many of them.
const LANE: usize = 12;
const NARROW_LANE: usize = 5;
const MANY_LANES: usize = 40;

/// The picture's measures.
pub(super) struct Layout {
    /// By step.
    pub(super) places: Vec<Place>,
    /// One for each step that led to others.
    pub(super) lanes: Vec<Lane>,
    /// One for each reason of each step.
    pub(super) joints: Vec<Joint>,
    /// Where the boxes begin.
    pub(super) left: usize,
    /// Of all of it.
    pub(super) height: usize,
    lane_width: usize,
}

/// One box.
pub(super) struct Place {
    pub(super) y: usize,
    pub(super) height: usize,
    /// What stands below its name.
    pub(super) lines: Vec<Line>,
}

/// A line of text.
pub(super) struct Line {
    pub(super) class: &'static str,
    pub(super) y: usize,
    pub(super) text: String,
}

/// The line of a step that led to others: beside the boxes, from its own to the last of those.
pub(super) struct Lane {
    of: usize,
    /// 0 is next to the boxes.
    pub(super) number: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Where lanes join a step.
pub(super) struct Joint {
    pub(super) y: usize,
    /// Which, by number.
    pub(super) lanes: Vec<usize>,
}

impl Layout {
    pub(super) fn of(chain: &Chain) -> Self {
        let (mut places, mut joined) = (Vec::new(), Vec::new());
        let mut y = MARGIN;
        for (at, step) in chain.steps.iter().enumerate() {
            let time = step.at.get(..19).map_or_else(|| step.at.clone(), |time| format!("{} UTC", time.replace('T', " ")));
            let mut texts = vec![("", format!("{}, {time}", step.principal)), ("", step.came_of_it())];
            texts.extend(Some(("note", step.targets.join(" "))).filter(|(_, targets)| !targets.is_empty()));
            let told = texts.len();
            let reasons = chain.reasons(at);
            texts.extend(reasons.iter().map(|reason| ("note", reason.text.clone())));
            let line = |(number, (class, text))| Line { class, y: y + NAME + STEP * (number + 1), text };
            let lines: Vec<Line> = texts.into_iter().enumerate().map(line).collect();
            joined.extend(lines.iter().skip(told).zip(reasons).map(|(line, reason)| (line.y - MIDDLE, reason.from)));
            let height = NAME + STEP * lines.len() + 12;
            places.push(Place { y, height, lines });
            y += height + GAP;
        }
        let lanes = lanes(&places, &joined);
        let number = |from: &usize| lanes.iter().find(|lane| lane.of == *from).map(|lane| lane.number);
        let joints = joined.iter().map(|(y, from)| Joint { y: *y, lanes: from.iter().filter_map(number).collect() }).collect();
        let most = lanes.iter().map(|lane| lane.number + 1).max().unwrap_or_default();
        let lane_width = if most > MANY_LANES { NARROW_LANE } else { LANE };
        let left = if most == 0 { MARGIN } else { MARGIN + most * lane_width + 14 };
        Self { places, joints, left, height: y - GAP + MARGIN, lane_width, lanes }
    }

    /// Where a lane stands.
    pub(super) fn x(&self, number: usize) -> usize {
        self.left.saturating_sub(20 + number * self.lane_width)
    }
}

/// A lane for each step that led to others, as near to the boxes as those that are there already let it.
fn lanes(places: &[Place], joined: &[(usize, Vec<usize>)]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (of, place) in places.iter().enumerate() {
        let from = place.y + NAME - MIDDLE;
        let Some(to) = joined.iter().filter(|(_, steps)| steps.contains(&of)).map(|(y, _)| *y).max() else { continue };
        let taken = |number: usize| lanes.iter().any(|lane| lane.number == number && lane.to >= from);
        let number = (0..).find(|number| !taken(*number)).unwrap_or_default();
        lanes.push(Lane { of, number, from, to });
    }
    lanes
}
