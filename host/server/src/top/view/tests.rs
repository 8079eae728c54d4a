//! What is drawn, compared with pictures that somebody has looked at. `SNAPSHOTS=overwrite` draws them anew.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{env, fs, path::Path};

use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::*;
use crate::top::{
    Lines, Text,
    model::{Books, Budget, News},
    sample::{self, NOW, at, entry, stopped},
};

/// A frame on a terminal of this size.
fn frame(model: &Model, ui: &mut Ui, (columns, lines): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal
        .draw(|frame| {
            let area = frame.area();
            draw(frame.buffer_mut(), area, model, ui);
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

#[track_caller]
fn check(name: &str, model: &Model, keys: &[Key], size: (u16, u16)) {
    let mut ui = Ui::new(Theme::plain());
    keys.iter().for_each(|key| ui.press(*key));
    let drawn = text(&frame(model, &mut ui, size));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/view/snapshots").join(format!("{name}.txt"));
    if env::var("SNAPSHOTS").is_ok_and(|wanted| wanted == "overwrite") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &drawn).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == known, "{name} is drawn otherwise:\n{drawn}\nand was\n{known}");
    assert!(drawn.lines().count() == usize::from(size.1) && drawn.lines().all(|line| line.cell_width() <= size.0));
}

#[test]
fn a_large_terminal_shows_everything() {
    check("140x45", &sample::model(), &[], (140, 45));
    check("120x42", &sample::model(), &[], (120, 42));
}

#[test]
fn a_small_terminal_shows_a_panel_at_a_time() {
    let model = sample::model();
    for (number, panel) in Panel::ALL.into_iter().enumerate() {
        check(&format!("80x24-{}", panel.name().to_lowercase()), &model, &[Key::Panel(number)], (80, 24));
    }
}

#[test]
fn keys_and_pause_are_seen() {
    let model = sample::model();
    check("80x24-help", &model, &[Key::Help], (80, 24));
    check("80x24-paused", &model, &[Key::Pause, Key::PageDown, Key::Down], (80, 24));
    check("80x24-last", &model, &[Key::Last], (80, 24));
}

#[test]
fn a_host_that_has_done_nothing_says_so() {
    check("140x45-empty", &Model::new("dev", at(NOW)), &[], (140, 45));
}

#[test]
fn what_cannot_be_read_says_so_and_hides_nothing_else() {
    let mut model = sample::model();
    let why = |message: &str| Lines::of(message);
    model.take(
        News::Log(Vec::new(), Some(why("chain-1: record 7 is not a record\nhelp: `casemate audit verify` says what is wrong"))),
        at(NOW),
    );
    model.take(News::Books(Err(why("there is no ledger yet\nhelp: `casemate serve` begins one"))), at(NOW));
    model.take(
        News::Plugins(Err(why(
            "the lock file cannot be read: somewhere, something that takes a long sentence to say\nhelp: `casemate lock --check`",
        ))),
        at(NOW),
    );
    model.take(News::Health(Err(why("chain-0: the record at 7 has another hash\nhelp: `casemate audit verify`"))), at(NOW));
    model.take(
        News::Figures(Err(why("127.0.0.1:9464 cannot be reached\nhelp: `metrics = \"127.0.0.1:9464\"` in [telemetry]"))),
        at(NOW),
    );
    check("140x45-faults", &model, &[], (140, 45));
}

/// Every size that a terminal can have, with every panel, is drawn without going wrong.
#[test]
fn no_size_breaks_it() {
    let model = sample::model();
    for columns in [1, 2, 30, 59, 60, 61, 79, 80, 109, 110, 140, 200, 400] {
        for lines in [1, 2, 11, 12, 13, 24, 31, 32, 45, 100] {
            for panel in 0..Panel::ALL.len() {
                let mut ui = Ui::new(Theme::colours());
                [Key::Panel(panel), Key::Last, Key::Help].into_iter().for_each(|key| ui.press(key));
                frame(&model, &mut ui, (columns, lines));
            }
        }
    }
}

#[test]
fn names_cannot_speak_to_the_terminal() {
    let hostile = "\u{1b}[2J\u{1b}]52;c;cHduZWQ=\u{7}\u{202e}eve\n\r\u{9b}31m\u{e0041}\u{200b}";
    let mut model = Model::new("dev", at(NOW));
    let mut entries = vec![stopped("a", NOW - 10, "denied", (hostile, hostile, hostile))];
    entries.extend(sample::ran(hostile, NOW - 10, (hostile, hostile), (hostile, hostile, 1)));
    entries.push(entry(
        "b",
        NOW - 5,
        "plugin.load-failed",
        ("casemate", "", "denied"),
        serde_json::json!({ "fields": { "plugin": hostile, "reason": hostile } }),
    ));
    model.take(News::Log(entries, Some(Lines::of(hostile))), at(NOW));
    let budget = Budget {
        principal: Text::of(hostile),
        grant: Text::of(hostile),
        counts: Text::of(hostile),
        spent: 1,
        limit: 2,
        unit: Text::of(hostile),
        per: Text::of(hostile),
    };
    model.take(News::Books(Ok(Books { budgets: vec![budget], waiting: Vec::new(), paused: Vec::new() })), at(NOW));
    let drawn = plain(&model, (200, 50));
    assert!(drawn.contains("\\u{1b}[2J") && drawn.contains("\\u{202e}eve"), "{drawn}");
    for text in [drawn, crate::top::json(&model).to_string()] {
        assert_eq!(casemate_policy::text::visible(&text), text);
        assert!(!text.contains('\r') && !text.contains('\u{1b}'), "{text:?}");
    }
}

/// Arguments, messages and results of calls are in the log. They are nobody's business here.
#[test]
fn no_argument_and_no_message_is_shown() {
    let model = sample::model();
    for text in [plain(&model, (400, 100)), crate::top::json(&model).to_string()] {
        assert!(!text.contains("argument-value") && !text.contains("secret-message"), "{text}");
    }
}

#[test]
fn colours_are_there_for_whoever_wants_them() {
    let coloured = |theme| {
        let buffer = frame(&sample::model(), &mut Ui::new(theme), (140, 45));
        buffer.content().iter().filter(|cell| cell.fg != Color::Reset || !cell.modifier.is_empty()).count()
    };
    assert!(coloured(Theme::colours()) > 500);
    assert_eq!(coloured(Theme::plain()), 0);
}
