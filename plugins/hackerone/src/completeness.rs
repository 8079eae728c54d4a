//! What a report has to hold before anybody is asked to agree to it.
//!
//! The manifest demands the same of the request: a weakness or vulnerability by its number, a section that says how it is shown, and an
//! impact. Here it is told in words, all of it at once, and what nobody filled in is found too.

/// What introduces a proof of concept; the manifest has the same words.
const PROOFS: [&str; 5] = ["proof of concept", "proof-of-concept", "steps to reproduce", "reproduction steps", "poc:"];
/// Characters that a proof of concept has at least, white space aside.
const PROOF: usize = 40;
/// Characters that an impact has at least, white space aside.
const IMPACT: usize = 20;
/// What is left of templates that nobody filled in; the last two are HackerOne's own.
const PLACEHOLDERS: [&str; 6] = ["lorem ipsum", "[todo", "todo:", "<insert", "[add summary", "[add step"];

/// Everything that is missing, each in words that fit behind "the report"; nothing where nothing is.
pub(crate) fn missing(information: &str, impact: &str) -> Vec<&'static str> {
    // Letters of ASCII only: a letter that gets longer in lower case would move what is found.
    let lower = information.to_ascii_lowercase();
    let mut missing = Vec::new();
    if !names_weakness(&lower) {
        missing.push("names no weakness or vulnerability, such as CWE-79 or CVE-2024-3094");
    }
    match proof(&lower) {
        None => missing.push("has no section `Proof of concept` or `Steps to reproduce`"),
        Some(text) if letters(text) < PROOF => missing.push("has a proof of concept with next to nothing in it"),
        Some(_) => {}
    }
    if letters(impact) < IMPACT {
        missing.push("does not say what the impact is");
    }
    if PLACEHOLDERS.iter().any(|it| lower.contains(it) || impact.to_ascii_lowercase().contains(it)) {
        missing.push("still has a place that nobody filled in");
    }
    missing
}

fn letters(text: &str) -> usize {
    text.chars().filter(|letter| !letter.is_whitespace()).count()
}

/// What stands behind the first words that introduce a proof.
fn proof(lower: &str) -> Option<&str> {
    let begin = |words: &&str| lower.find(*words).map(|at| at + words.len());
    lower.get(PROOFS.iter().filter_map(begin).min()?..)
}

/// `cwe-79`, `cve-2024-3094`
fn names_weakness(lower: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let cwe = |rest: &str| (1..=5).contains(&digits(rest));
    let cve = |rest: &str| {
        digits(rest) == 4
            && rest.get(4..).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| (4..=7).contains(&digits(rest)))
    };
    let after = |prefix: &'static str| lower.match_indices(prefix).filter_map(move |(at, _)| lower.get(at + prefix.len()..));
    after("cwe-").any(cwe) || after("cve-").any(cve)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPACT: &str = "Anybody can read every customer's invoices.";
    const WHOLE: &str =
        "CWE-639 in /invoices.\n\n## Steps to reproduce\n1. Log in as A.\n2. GET /invoices/2 and see B's invoice.";

    #[test]
    fn a_whole_report_misses_nothing() {
        assert_eq!(missing(WHOLE, IMPACT), Vec::<&str>::new());
        for (from, to) in
            [("CWE-639", "cve-2024-30940"), ("Steps to reproduce", "PROOF OF CONCEPT"), ("## Steps to reproduce", "PoC:")]
        {
            assert_eq!(missing(&WHOLE.replace(from, to), IMPACT), Vec::<&str>::new(), "{to}");
        }
    }

    #[test]
    fn everything_that_is_missing_is_told() {
        for (information, impact, part) in [
            (WHOLE.replace("CWE-639", "CWE"), IMPACT, "names no weakness"),
            (WHOLE.replace("CWE-639", "CWE-"), IMPACT, "names no weakness"),
            (WHOLE.replace("CWE-639", "CVE-24-1"), IMPACT, "names no weakness"),
            (WHOLE.replace("CWE-639", "CWE-1234567"), IMPACT, "names no weakness"),
            (WHOLE.replace("Steps to reproduce", "Details"), IMPACT, "has no section"),
            ("CWE-79\n## Proof of concept\n\n\n(none)".to_owned(), IMPACT, "next to nothing"),
            (WHOLE.to_owned(), "bad", "impact"),
            (WHOLE.to_owned(), "                         ", "impact"),
            (WHOLE.replace("Log in as A.", "[add step]"), IMPACT, "nobody filled in"),
            (WHOLE.to_owned(), "TODO: say what an attacker gets from it", "nobody filled in"),
        ] {
            let found = missing(&information, impact);
            assert!(found.len() == 1 && found.iter().all(|it| it.contains(part)), "{part}: {found:?}");
        }
        assert_eq!(missing("it is broken", "").len(), 3);
    }
}
