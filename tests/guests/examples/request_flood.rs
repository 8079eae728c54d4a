//! Sends as many requests as the case says, one after the other or all at once.

use casemate_guests::{Answer, Invocation, Request, case, guest, receive, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let case = case(&invocation);
    let (how, count) = case.split_once(' ').unwrap_or(("", "0"));
    let count: usize = count.parse().unwrap_or_default();
    let target = |n: usize| format!("/items/{n}");
    let answers: Vec<_> = match how {
        "at-once" => {
            let under_way: Vec<_> = (0..count).map(|n| Request::get(&target(n)).start()).collect();
            under_way.into_iter().map(|future| future.and_then(receive)).collect()
        }
        _ => (0..count).map(|n| Request::get(&target(n)).send()).collect(),
    };
    text(format!("{} answers", answers.iter().filter(|answer| answer.is_ok()).count()))
}
