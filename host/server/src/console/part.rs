//! Parts of pages: the frame, words, states, times, tables. Every text is made visible and then escaped; none becomes HTML, or a link.

use casemate_policy::text::visible;
use maud::{DOCTYPE, Markup, html};

use super::{route::Desk, session::Who};
use crate::exit::Failure;

/// Where one can go: the path, the word, and the icon's path data (24×24, drawn in lines).
const PLACES: [(&str, &str, &str); 7] = [
    ("", "Overview", "M4 13h6V4H4zm0 7h6v-4H4zm10 0h6v-9h-6zm0-16v4h6V4z"),
    ("approvals", "Approvals", "M4 12l5 5L20 6"),
    ("audit", "Audit", "M5 4h14M5 9h14M5 14h9M5 19h6"),
    ("plugins", "Plugins", "M4 8l8-4 8 4-8 4zM4 8v8l8 4 8-4V8M12 12v8"),
    ("grants", "Grants", "M14 10a4 4 0 1 0-3 3l1 1h2v2h2v2h4v-3z"),
    ("callers", "Callers", "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c1-4 4-6 8-6s7 2 8 6"),
    ("posture", "Posture", "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z"),
];

/// A whole page for whoever has come in. `place` is where in the navigation it stands.
pub(super) fn frame(desk: &Desk<'_>, title: &str, place: &str, body: &Markup) -> Markup {
    let who = desk.who();
    shell(
        desk.theme(),
        title,
        &html! {
            a.skip href="#main" { "Skip to the content" }
            header.bar {
                a.brand href="/console" { img src="/console/asset/mark.svg" alt="" width="26" height="26"; span { "Casemate" } }
                span.environment.{ "is-" (desk.console.environment) } title="The environment" { (desk.console.environment) }
                nav aria-label="Console" {
                    ul {
                        @for (path, word, icon) in PLACES {
                            li {
                                a href=(if path.is_empty() { "/console".to_owned() } else { format!("/console/{path}") })
                                    aria-current=[(path == place || (place == "/" && path.is_empty())).then_some("page")] {
                                    svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" { path d=(icon); }
                                    span { (word) }
                                }
                            }
                        }
                    }
                }
                div.who {
                    p { span.quiet { "Signed in as " } strong { (text(&who.name())) } }
                    @if !matches!(who, Who::Approver(_)) { p.quiet.small { (if who.is_local() { "sees all, resumes callers" } else { "looks, and no more" }) } }
                    @if !desk.session.form.is_empty() {
                        form method="post" action="/console/logout" { (token(desk)) button.link type="submit" { "Sign out" } }
                    }
                    (theme_choice(desk.theme(), &desk.asked.page()))
                }
            }
            main #main tabindex="-1" { (body) }
        },
    )
}

/// A page for somebody who has not come in.
pub(super) fn outside(theme: &'static str, title: &str, body: &Markup) -> Markup {
    shell(
        theme,
        title,
        &html! {
            a.skip href="#main" { "Skip to the content" }
            main.outside #main tabindex="-1" {
                p.brand { img src="/console/asset/mark.svg" alt="" width="34" height="34"; span { "Casemate" } }
                (body)
            }
        },
    )
}

fn shell(theme: &'static str, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme) {
            head {
                meta charset="utf-8";
                title { (text(title)) " · Casemate" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="/console/asset/mark.svg" type="image/svg+xml";
                link rel="stylesheet" href="/console/asset/console.css";
                script src="/console/asset/console.js" defer {}
            }
            body { (body) }
        }
    }
}

fn theme_choice(theme: &str, next: &str) -> Markup {
    html! {
        form.theme method="post" action="/console/theme" {
            input type="hidden" name="next" value=(next);
            fieldset {
                legend.unseen { "Colours" }
                @for (value, word) in [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")] {
                    button type="submit" name="theme" value=(value) aria-pressed=(if theme == value { "true" } else { "false" }) { (word) }
                }
            }
        }
    }
}

/// What shows that a form was made for this session.
pub(super) fn token(desk: &Desk<'_>) -> Markup {
    html! { input type="hidden" name="form" value=(desk.session.form); }
}

/// A text from anywhere, with what cannot be seen made visible. Escaped where it is put into a page.
pub(super) fn text(text: &str) -> String {
    visible(text).into_owned()
}

/// Data: as it is, in its own order of characters, in letters of one width.
pub(super) fn data(value: &str) -> Markup {
    html! { span.data { (text(value)) } }
}

/// Data that may be as long as it likes, such as a URL: it is broken anywhere.
pub(super) fn long(value: &str) -> Markup {
    html! { span.data.long { (text(value)) } }
}

/// A page's head: what it is, and a sentence. A name may be broken behind its underscores.
pub(super) fn head(title: &str, lead: &str) -> Markup {
    let title = text(title);
    html! { header.head { h1 { @for (number, part) in title.split('_').enumerate() { @if number > 0 { "_" wbr; } (part) } } @if !lead.is_empty() { p.lead { (text(lead)) } } } }
}

/// How something is: said in a word and by a shape, and by a colour too.
pub(super) fn state(kind: Kind, word: &str) -> Markup {
    html! {
        span.state.{ "is-" (kind.name()) } {
            svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" { path d=(kind.shape()); }
            (text(word))
        }
    }
}

/// What a state means to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    Bad,
    Waits,
    Warns,
    /// It may do harm; nothing is wrong with it.
    Grave,
    Quiet,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Waits => "waits",
            Self::Warns => "warns",
            Self::Grave => "grave",
            Self::Quiet => "quiet",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Self::Good => "M3 8.5l3.2 3.2L13 4.8",
            Self::Bad => "M4 4l8 8M12 4l-8 8",
            Self::Waits => "M8 4v4.2l2.6 1.8M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
            Self::Warns => "M8 2.5l6 11H2zM8 6.5v3M8 11.6v.2",
            Self::Grave => "M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5zM8 5v3.2M8 10.9v.2",
            Self::Quiet => "M4 8h8",
        }
    }

    /// Of an audit record.
    pub(super) fn of_outcome(outcome: &str) -> Self {
        match outcome {
            "allowed" => Self::Good,
            "denied" => Self::Bad,
            "deferred" => Self::Waits,
            "error" | "unknown" => Self::Warns,
            _ => Self::Quiet,
        }
    }
}

/// A moment, in UTC, to the second.
pub(super) fn time(at: &str) -> Markup {
    let (day, rest) = at.split_once('T').unwrap_or((at, ""));
    let clock = rest.get(..8).unwrap_or(rest);
    html! { time datetime=(at) { span.day { (day) } " " span.clock { (clock) } } }
}

/// Nothing is there, and that is no fault.
pub(super) fn nothing(sentence: &str) -> Markup {
    html! { p.nothing { (text(sentence)) } }
}

/// What went wrong, and what to do.
pub(super) fn trouble(failure: &Failure) -> Markup {
    let (what, help) = failure.message.split_once("\nhelp: ").unwrap_or((&failure.message, ""));
    html! {
        section.notice.is-bad role="alert" {
            h1 { "This was refused" }
            p { (text(what)) }
            @if !help.is_empty() { p.help { (text(help)) } }
        }
    }
}

/// Something was done.
pub(super) fn done(sentence: &str) -> Markup {
    html! { section.notice.is-good role="status" { p { (state(Kind::Good, "Done")) " " (text(sentence)) } } }
}

/// Names and what they are.
pub(super) fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } } }
}

/// A table that a phone can scroll and a keyboard can reach.
pub(super) fn table(caption: &str, columns: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            // The roles are written out: on a phone the rows are drawn as cards, and browsers then forget that they are rows.
            table role="table" {
                caption.unseen { (caption) }
                thead role="rowgroup" { tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } } }
                tbody role="rowgroup" {
                    @for row in rows {
                        tr role="row" { @for (cell, column) in row.iter().zip(columns) { td role="cell" data-column=(column) { (cell) } } }
                    }
                }
            }
        }
    }
}

/// Text as it is, line by line.
pub(super) fn block(label: &str, value: &str) -> Markup {
    html! { pre.block tabindex="0" role="region" aria-label=(label) { code { (text(value)) } } }
}
