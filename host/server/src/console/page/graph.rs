//! What led to a call: drawn as a picture, and told as a tree for whoever does not see one.

use maud::{Markup, PreEscaped, html};

use crate::{
    console::{
        part::{block, nothing},
        route::Desk,
    },
    trail::{self, Look, chain},
};

/// The chain of a record, a call or an approval. Where the log says nothing of it, neither does the page.
pub(super) fn show(desk: &Desk<'_>, id: &str) -> Markup {
    let Ok(chain) = chain::chain(&desk.console.state, id) else { return html! {} };
    html! {
        section {
            h2 { "What led here" span.count { (chain.steps.len()) } }
            @if chain.links.is_empty() { (nothing("Nothing that is on record: this call stands alone.")) } @else {
                // The one text that is put into a page as it is: its maker escapes whatever it shows.
                div.picture tabindex="0" role="region" aria-label="What led here, as a picture" { (PreEscaped(trail::svg(&chain, Look::Inside))) }
                details {
                    summary { "As text" }
                    (block("What led here, as text", &trail::tree(&chain)))
                }
            }
        }
    }
}
