//! What is installed: each plugin's sheet, and what a newer release would change.

use http::StatusCode;
use maud::{Markup, html};

use crate::{
    command::verify::provenance,
    console::{
        part::{Kind, block, data, facts, frame, head, long, nothing, state, table, text, token, trouble},
        route::{Answer, Desk, status},
    },
    exit::Failure,
    installed::{self, Installed, VERIFIED},
    installing::{
        Installing,
        newer::{self, Standing},
    },
    sheet::{self, changes},
};

fn standing(installed: &Installed) -> Markup {
    let kind = if installed.status == VERIFIED { Kind::Good } else { Kind::Bad };
    state(kind, &installed.status)
}

/// All of them.
pub(in crate::console) fn list(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let all = installed::all(&desk.console.context)?;
    let row = |installed: &Installed| {
        let (id, locked) = (&installed.id, &installed.locked);
        vec![
            html! { a href={ "/console/plugins/" (id) } { (data(&id.to_string())) } },
            html! { (data(&locked.version.to_string())) @if locked.pinned { " " (state(Kind::Quiet, "pinned")) } },
            html! { (locked.release) },
            html! { (locked.tools.len()) },
            standing(installed),
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let body = html! {
        (head("Plugins", "Each is signed, pinned by digest, and can do what its sheet says and nothing else."))
        div data-live="plugins" {
            @if rows.is_empty() { (nothing("Nothing is installed.")) } @else { (table("Plugins", &["Plugin", "Version", "Release", "Tools", "Status"], &rows)) }
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, "Plugins", "plugins", &body)))
}

/// One of them.
pub(in crate::console) fn show(desk: &Desk<'_>, name: &str) -> Result<Answer, Failure> {
    page(desk, name, StatusCode::OK, None)
}

/// Look for a newer release where this one came from, and show what it would change. Nothing is installed.
pub(in crate::console) fn compare(desk: &Desk<'_>, name: &str) -> Result<Answer, Failure> {
    if !desk.who().is_local() {
        return Err(Failure::denied(
            "only a local session asks a registry for a newer release\nhelp: `casemate console login` begins one",
        ));
    }
    match newer(desk, name) {
        Ok(news) => page(desk, name, StatusCode::OK, Some(&news)),
        Err(failure) => page(desk, name, status(&failure), Some(&trouble(&failure))),
    }
}

fn newer(desk: &Desk<'_>, name: &str) -> Result<Markup, Failure> {
    let installing = Installing::begin(&desk.console.context)?;
    let (id, locked) = installing.named(name)?;
    let found = newer::compare(None, (&id, &locked), &installing)?;
    let next = found.candidate.package.manifest();
    Ok(html! {
        section.notice role="status" {
            @match found.standing {
                Standing::Current => p { (state(Kind::Good, "Current")) " There is nothing newer where it came from." },
                Standing::Incomplete => p { (state(Kind::Warns, "Incomplete")) " It is locked, and not in order here: " code { "casemate update" } " makes it good." },
                Standing::Newer => {
                    h2 { "Release " (next.plugin.release) ", version " (data(&next.plugin.version.to_string())) }
                    p { "To take it: " code { "casemate update " (text(id.name.as_str())) } }
                    @match &found.changes {
                        Some(changes) => (block("What changes", &changes::page(changes))),
                        None => (block("Its sheet", &sheet::page(next, &provenance(&found.candidate.package)))),
                    }
                }
            }
        }
    })
}

fn page(desk: &Desk<'_>, name: &str, status: StatusCode, news: Option<&Markup>) -> Result<Answer, Failure> {
    let all = installed::all(&desk.console.context)?;
    let installed = all.iter().find(|installed| installed.id.to_string() == name);
    let installed =
        installed.ok_or_else(|| Failure::invalid(format!("no plugin `{name}` is installed\nhelp: the list shows what is")))?;
    let sheet = installed::inspect(&desk.console.context, name);
    let locked = &installed.locked;
    let body = html! {
        p.crumbs { a href="/console/plugins" { "Plugins" } }
        (head(name, &sheet.as_ref().map(|(manifest, _)| text(&manifest.plugin.description)).unwrap_or_default()))
        @if let Some(news) = news { (news) }
        div.summary.card {
            p.top { (standing(installed)) @if locked.pinned { (state(Kind::Quiet, "pinned")) } }
            (facts(&[
                ("Version", html! { (data(&locked.version.to_string())) ", release " (locked.release) }),
                ("Component", long(&locked.component.to_hex())),
                ("Signed by", html! { @for signer in &locked.signers { (long(&signer.to_string())) br; } }),
                ("Tools", html! { @for tool in installed.tools() { (data(&tool)) br; } }),
            ]))
            @if desk.who().is_local() {
                form method="post" action={ "/console/plugins/" (name) } {
                    (token(desk))
                    button type="submit" { "Look for a newer release" }
                }
            }
        }
        section {
            h2 { "Everything it can ever do" }
            @match &sheet {
                Ok((manifest, provenance)) => (block("Capability sheet", &sheet::page(manifest, provenance))),
                Err(failure) => (trouble(failure)),
            }
        }
    };
    Ok(Answer(status, frame(desk, name, "plugins", &body)))
}
