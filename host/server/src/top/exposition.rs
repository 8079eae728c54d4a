//! The text format of Prometheus (0.0.4), read strictly: one line that is none, and nothing is believed.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::iter::Peekable;

/// Lines that are read. A host has some hundred.
const MAX_LINES: usize = 20_000;
/// Labels of one sample.
const MAX_LABELS: usize = 8;
/// Bytes of a label's value.
const MAX_VALUE: usize = 256;

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    /// In the order in which they stand there.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Sample {
    /// The value of a label; none where it has none.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }
}

/// A text that is not in this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Which line, from 1.
    #[error("line {0} is not in the text format of Prometheus")]
    Line(usize),
    /// More than a host says.
    #[error("there are more than {MAX_LINES} lines")]
    Long,
}

/// Every sample, in order.
pub(super) fn parse(text: &str) -> Result<Vec<Sample>, Fault> {
    let mut samples = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if at >= MAX_LINES {
            return Err(Fault::Long);
        }
        let line = line.trim_matches([' ', '\t']);
        if !line.is_empty() && !line.starts_with('#') {
            samples.push(sample(line).ok_or(Fault::Line(at + 1))?);
        }
    }
    Ok(samples)
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| !is_name(c)).filter(|end| *end > 0)?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = number(words.next()?)?;
    // A time may follow, in milliseconds, and nothing else.
    if words.next().is_some_and(|time| time.parse::<i64>().is_err()) || words.next().is_some() {
        return None;
    }
    (!name.starts_with(|c: char| c.is_ascii_digit())).then(|| Sample { name: name.to_owned(), labels, value })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// What stands between braces, and what follows.
fn labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let name = name.trim_end();
        if name.is_empty() || !name.chars().all(is_name) || labels.len() == MAX_LABELS || labels.iter().any(|(is, _)| is == name)
        {
            return None;
        }
        let mut characters = after.char_indices().peekable();
        let value = value(&mut characters)?;
        labels.push((name.to_owned(), value));
        let end = characters.peek().map_or(after.len(), |(at, _)| *at);
        rest = after.get(end..)?.trim_start();
        // A comma between two, and one may stand after the last.
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// A label's value, up to its quote.
fn value(characters: &mut Peekable<std::str::CharIndices<'_>>) -> Option<String> {
    let mut value = String::new();
    while let Some((_, c)) = characters.next() {
        match c {
            '"' => return Some(value),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            c => value.push(c),
        }
        if value.len() > MAX_VALUE {
            return None;
        }
    }
    None
}

/// As Go writes a number. Rust reads other words for the same besides, which nobody writes.
fn number(word: &str) -> Option<f64> {
    match word {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) => word.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_as_they_are_written() {
        let text = "# HELP a what it is\n# TYPE a counter\na 1\n\n  a_total{x=\"1\",y=\"a\\\\b\\n\\\"\",} 2.5e3 1700000000000\nb{} +Inf\n";
        let samples = parse(text).unwrap();
        assert_eq!(samples.len(), 3);
        assert_eq!(samples[1].label("y"), Some("a\\b\n\""));
        assert_eq!((samples[1].name.as_str(), samples[1].value, samples[1].label("z")), ("a_total", 2500.0, None));
        assert_eq!(samples[2].value, f64::INFINITY);
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn one_line_that_is_none_is_the_end_of_it() {
        for bad in [
            "<!doctype html>",
            "a",
            "a x",
            "a infinity",
            "a 1 2 3",
            "a 1 soon",
            "1a 1",
            "a{x=\"1\" 1",
            "a{x=\"1\"y=\"2\"} 1",
            "a{x=1} 1",
            "a{x=\"1\",x=\"2\"} 1",
            "a{=\"1\"} 1",
            "a{x=\"\\t\"} 1",
            "{\"json\": 1}",
            "\u{1b}[2J",
        ] {
            assert_eq!(parse(&format!("a 1\n{bad}\n")), Err(Fault::Line(2)), "{bad:?}");
        }
        assert_eq!(parse(&"a 1\n".repeat(MAX_LINES + 1)), Err(Fault::Long));
        assert_eq!(parse(&format!("a{{x=\"{}\"}} 1", "x".repeat(MAX_VALUE + 1))), Err(Fault::Line(1)));
        let many: String = (0..=MAX_LABELS).map(|number| format!("l{number}=\"\",")).collect();
        assert_eq!(parse(&format!("a{{{many}}} 1")), Err(Fault::Line(1)));
    }
}
