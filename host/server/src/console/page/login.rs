//! The ways in, for somebody of whom nothing is known yet.

use casemate_policy::approval::ApproverName;
use maud::{Markup, html};

use crate::{
    config::Config,
    console::{
        part::{data, outside, text},
        route::Asked,
    },
    exit::Failure,
};

fn next(asked: &Asked) -> Markup {
    html! { input type="hidden" name="next" value=(asked.next()); }
}

/// All of them; or, where a link was followed, that one.
pub(in crate::console) fn show(asked: &Asked, config: &Config, failure: Option<&Failure>) -> Markup {
    let once = asked.query.get("once").filter(|_| failure.is_none());
    let body = html! {
        @if let Some(failure) = failure { (crate::console::part::trouble(failure)) }
        @if let Some(once) = once {
            h1 { "Sign in" }
            p.lead { "This link is yours, and good once." }
            form.card method="post" action="/console/login" #once {
                (next(asked))
                input type="hidden" name="once" value=(once);
                button.primary type="submit" { "Continue" }
            }
        } @else {
            @if failure.is_none() { h1 { "Sign in" } }
            section.card {
                h2 { "On this machine" }
                p { "Whoever can read the state of this host makes a link. It is good once, for a minute." }
                pre.block { code { "casemate console login" } }
            }
            section.card {
                h2 { "As an approver" }
                p { "You sign with your own key, which stays where it is. This session then gives your word, for a few hours." }
                form method="post" action="/console/login" {
                    (next(asked))
                    label for="approver" { "Your name, as in " code { "[approvers.NAME]" } }
                    input #approver name="approver" required maxlength="63" autocomplete="username" autocapitalize="none" spellcheck="false";
                    button type="submit" { "Continue" }
                }
            }
            @if !config.console.viewers.is_empty() {
                section.card {
                    h2 { "With a token" }
                    p { "A token that the operator lets look. It is not kept on disk." }
                    form method="post" action="/console/login" {
                        (next(asked))
                        label for="token" { "Bearer token" }
                        input #token type="password" name="token" required maxlength="16384" autocomplete="off";
                        button type="submit" { "Look" }
                    }
                }
            }
        }
    };
    outside(asked.theme(), "Sign in", &body)
}

/// What an approver signs, and where the signature goes.
pub(in crate::console) fn sign(asked: &Asked, name: &ApproverName, challenge: &str) -> Markup {
    let body = html! {
        h1 { "Sign as " (text(name.as_str())) }
        p.lead { "Run this where your key is, and paste what it prints. Sign only what your own browser shows you." }
        section.card {
            pre.block.wraps { code { "casemate console login --as " (text(name.as_str())) " --key " (text(name.as_str())) ".key --challenge " (data(challenge)) } }
            form method="post" action="/console/login" {
                (next(asked))
                input type="hidden" name="challenge" value=(challenge);
                label for="signature" { "What it printed" }
                textarea #signature name="signature" required rows="3" maxlength="400" autocomplete="off" spellcheck="false" {}
                button.primary type="submit" { "Sign in" }
            }
        }
        p { a href="/console/login" { "Another way in" } }
    };
    outside(asked.theme(), "Sign in", &body)
}
