//! What a field is held against: a value of the rule, after its modifiers.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{field::IpCidr, yaml::Scalar};

use crate::pattern::Pattern;

/// Values that one value may stand for, once its dashes are any dashes.
const MOST: usize = 125;

/// A value as the rule has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plain {
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}

impl Plain {
    /// What a scalar is. YAML 1.1 and 1.2 read some words in two ways, and so do the programs that read rules.
    pub(crate) fn of(scalar: &Scalar) -> Result<Self, String> {
        let text = scalar.text.as_str();
        match text {
            _ if !scalar.plain => Ok(Self::Text(text.to_owned())),
            _ if scalar.is_null() => Ok(Self::Null),
            "true" | "True" | "TRUE" => Ok(Self::Bool(true)),
            "false" | "False" | "FALSE" => Ok(Self::Bool(false)),
            _ => match number(text) {
                Some(number) => Ok(Self::Number(number)),
                None if is_two_things(text) => {
                    Err(format!("`{text}` is read as another thing by older YAML: put quotes around it if it is a text"))
                }
                None => Ok(Self::Text(text.to_owned())),
            },
        }
    }
}

/// A whole or decimal number as everybody reads it, in its shortest form.
fn number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let all_digits = |part: &str| !part.is_empty() && part.len() <= 15 && part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = all_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(all_digits);
    if !plain || text == "-0" {
        return None;
    }
    Some(match fraction.map(|fraction| fraction.trim_end_matches('0')) {
        None | Some("") => text.split('.').next().unwrap_or_default().to_owned(),
        Some(fraction) => format!("{}{whole}.{fraction}", if text.starts_with('-') { "-" } else { "" }),
    })
}

/// Words of YAML 1.1 that are texts in YAML 1.2, and the other way round: truths, numbers in other bases, times.
fn is_two_things(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.strip_prefix(['-', '+']).unwrap_or(&lower);
    let made_of = |text: &str, besides: &[u8]| {
        text.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            && text.bytes().all(|byte| byte.is_ascii_digit() || besides.contains(&byte))
            && text.bytes().any(|byte| byte.is_ascii_digit())
    };
    // An address has dots and digits too, and is a text everywhere.
    let number = |text: &str| made_of(text, b"_.:") && text.matches('.').count() < 2;
    let based = |base: &&str| {
        unsigned.strip_prefix(*base).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_'))
    };
    let scientific = || {
        let (mantissa, exponent) = unsigned.split_once('e')?;
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        Some(number(mantissa) && made_of(exponent, b""))
    };
    let date = || unsigned.as_bytes().get(4) == Some(&b'-') && made_of(unsigned, b"-:.tz +");
    matches!(lower.as_str(), "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "=" | "<<")
        || matches!(unsigned, ".inf" | ".nan")
        || number(unsigned)
        || ["0x", "0o", "0b"].iter().any(based)
        || scientific().unwrap_or_default()
        || date()
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A regular expression, and the letters of its flags, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Regex {
    pub(crate) text: String,
    pub(crate) flags: String,
}

/// A value after its modifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Pattern),
    /// One of these, whatever the values beside it are linked by.
    OneOf(Vec<Pattern>),
    Number(String),
    Bool(bool),
    Null,
    Exists(bool),
    Regex(Regex),
    Network(IpCidr),
    Compare(Order, String),
}

/// The modifiers of one item, and what they say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modifiers {
    /// All values have to match, and not any.
    pub(crate) all: bool,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Changes of a text, one after another.
    Text(Vec<Change>),
    Regex(String),
    Network,
    Compare(Order),
    Exists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Contains,
    Begins,
    Ends,
    Wide,
    Base64,
    Base64Offset,
    Windash,
}

/// Modifiers that the specification has and that nothing is made of here.
const KNOWN: [&str; 12] =
    ["cased", "expand", "fieldref", "neq", "neg", "utf16", "utf16be", "minute", "hour", "day", "week", "month"];

impl Modifiers {
    /// The second of the two is `true` where the specification has the modifier and this plugin does not.
    pub(crate) fn parse(names: &[&str]) -> Result<Self, (String, bool)> {
        let (mut all, mut changes, mut kind) = (false, Vec::new(), None);
        let fault = |text: String| Err((text, false));
        for name in names {
            let change = match *name {
                "all" => {
                    all = true;
                    continue;
                }
                "contains" => Change::Contains,
                "startswith" => Change::Begins,
                "endswith" => Change::Ends,
                "wide" | "utf16le" => Change::Wide,
                "base64" => Change::Base64,
                "base64offset" => Change::Base64Offset,
                "windash" => Change::Windash,
                other => {
                    let flag = match other {
                        "i" | "ignorecase" => 'i',
                        "m" | "multiline" => 'm',
                        "s" | "dotall" => 's',
                        _ => {
                            let found = match other {
                                "re" => Kind::Regex(String::new()),
                                "cidr" => Kind::Network,
                                "lt" => Kind::Compare(Order::Less),
                                "lte" => Kind::Compare(Order::AtMost),
                                "gt" => Kind::Compare(Order::More),
                                "gte" => Kind::Compare(Order::AtLeast),
                                "exists" => Kind::Exists,
                                _ if KNOWN.contains(&other) || other == "year" => {
                                    return Err((format!("the modifier `{other}` is not supported here"), true));
                                }
                                _ => return fault("there is no such modifier".to_owned()),
                            };
                            if kind.is_some() || !changes.is_empty() {
                                return fault(format!("`{other}` does not go with the modifiers before it"));
                            }
                            kind = Some(found);
                            continue;
                        }
                    };
                    match &mut kind {
                        Some(Kind::Regex(flags)) if !flags.contains(flag) => {
                            let at = flags.find(|known| known > flag).unwrap_or(flags.len());
                            flags.insert(at, flag);
                        }
                        _ => return fault(format!("`{other}` is for a regular expression, once")),
                    }
                    continue;
                }
            };
            if let Some(Kind::Regex(_)) = kind {
                return Err((format!("a regular expression with `{name}` is not supported here"), true));
            }
            if kind.is_some() {
                return fault(format!("`{name}` does not go with the modifiers before it"));
            }
            changes.push(change);
        }
        let encodes = |change: &Change| matches!(change, Change::Base64 | Change::Base64Offset);
        if let Some(at) = changes.iter().position(|change| *change == Change::Wide)
            && !changes.get(at + 1).is_some_and(encodes)
        {
            return Err(("`wide` without `base64` or `base64offset` behind it is not supported here".to_owned(), true));
        }
        Ok(Self { all, kind: kind.unwrap_or(Kind::Text(changes)) })
    }

    /// What a value is with them.
    pub(crate) fn apply(&self, plain: &Plain) -> Result<Value, String> {
        match (&self.kind, plain) {
            (Kind::Text(changes), Plain::Text(text)) => changed(Pattern::parse(text), changes),
            (Kind::Text(changes), plain) if changes.is_empty() => Ok(match plain {
                Plain::Number(number) => Value::Number(number.clone()),
                Plain::Bool(truth) => Value::Bool(*truth),
                Plain::Text(_) | Plain::Null => Value::Null,
            }),
            (Kind::Text(_), _) => Err("these modifiers are for texts: put quotes around the value".to_owned()),
            (Kind::Regex(flags), Plain::Text(text)) if !text.is_empty() => {
                Ok(Value::Regex(Regex { text: text.clone(), flags: flags.clone() }))
            }
            (Kind::Regex(_), _) => Err("a regular expression is a text: put quotes around it".to_owned()),
            (Kind::Network, Plain::Text(text)) => {
                Ok(Value::Network(network(text).ok_or("this is no network such as 10.0.0.0/8, with no bits behind its prefix")?))
            }
            (Kind::Network, _) => Err("a network is a text such as 10.0.0.0/8".to_owned()),
            (Kind::Compare(order), Plain::Number(number)) => Ok(Value::Compare(*order, number.clone())),
            (Kind::Compare(_), _) => Err("only numbers are compared so".to_owned()),
            (Kind::Exists, Plain::Bool(truth)) => Ok(Value::Exists(*truth)),
            (Kind::Exists, _) => Err("`exists` is true or false".to_owned()),
        }
    }
}

fn changed(pattern: Pattern, changes: &[Change]) -> Result<Value, String> {
    let (mut patterns, mut several) = (vec![pattern], false);
    for change in changes {
        let mut next = Vec::new();
        for pattern in patterns {
            match change {
                Change::Contains => next.push(pattern.ending().beginning()),
                Change::Begins => next.push(pattern.beginning()),
                Change::Ends => next.push(pattern.ending()),
                Change::Windash => {
                    several = true;
                    next.extend(pattern.windash(MOST).ok_or("this has more dashes than `windash` is done for here")?);
                }
                Change::Wide | Change::Base64 | Change::Base64Offset => {
                    let text = pattern.text().ok_or("a text with wildcards cannot be encoded")?;
                    match change {
                        Change::Wide if text.is_ascii() => {
                            next.push(Pattern::plain(text.chars().flat_map(|letter| [letter, '\0']).collect()));
                        }
                        Change::Wide => return Err("`wide` is for ASCII".to_owned()),
                        Change::Base64 => next.push(Pattern::plain(STANDARD.encode(text))),
                        _ => {
                            several = true;
                            next.extend((0..3).map(|offset| Pattern::plain(shifted(text, offset))));
                        }
                    }
                }
            }
        }
        patterns = next;
    }
    if several {
        return Ok(Value::OneOf(patterns));
    }
    patterns.pop().map(Value::Text).ok_or_else(|| "there is no value".to_owned())
}

/// What of a text's base64 is always there, when the text begins at that place of a group of three bytes.
fn shifted(text: &str, offset: usize) -> String {
    let encoded = STANDARD.encode(format!("{}{text}", " ".repeat(offset)));
    let start = [0, 2, 3].get(offset).copied().unwrap_or_default();
    let cut = [0, 3, 2].get((text.len() + offset) % 3).copied().unwrap_or_default();
    encoded.get(start..encoded.len().saturating_sub(cut)).unwrap_or_default().to_owned()
}

/// A network, or the one of a single address.
fn network(text: &str) -> Option<IpCidr> {
    let whole = if text.contains(':') { 128 } else { 32 };
    if text.contains('/') { text.parse() } else { format!("{text}/{whole}").parse() }.ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn plain(text: &str) -> Result<Plain, String> {
        Plain::of(&Scalar { text: text.to_owned(), plain: true })
    }

    fn texts(value: Value) -> Vec<String> {
        let patterns = match value {
            Value::OneOf(patterns) => patterns,
            Value::Text(pattern) => vec![pattern],
            other => panic!("{other:?}"),
        };
        patterns.iter().map(|pattern| pattern.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_scalar_is_what_everybody_reads_or_nothing() {
        for (text, expected) in [
            ("4624", Plain::Number("4624".into())),
            ("-1", Plain::Number("-1".into())),
            ("1.50", Plain::Number("1.5".into())),
            ("2.0", Plain::Number("2".into())),
            ("true", Plain::Bool(true)),
            ("~", Plain::Null),
            ("cmd.exe", Plain::Text("cmd.exe".into())),
            ("10.0.0.1", Plain::Text("10.0.0.1".into())),
            ("1e", Plain::Text("1e".into())),
            ("0a1b2c", Plain::Text("0a1b2c".into())),
        ] {
            assert_eq!(plain(text), Ok(expected), "{text}");
        }
        for text in [
            "no",
            "Yes",
            "ON",
            "off",
            "010",
            "0x1F",
            "0o17",
            "1_000",
            "12:30",
            "12:30:45",
            "2024-01-01",
            "1e3",
            "+5",
            ".5",
            ".inf",
            "-0",
            "tRue",
        ] {
            assert!(plain(text).unwrap_err().contains("put quotes"), "{text}");
            assert_eq!(Plain::of(&Scalar { text: text.to_owned(), plain: false }), Ok(Plain::Text(text.to_owned())));
        }
    }

    /// As Python's base64 says of the text behind none, one and two other bytes.
    #[test]
    fn texts_are_encoded_at_every_offset() {
        let apply =
            |names: &[&str], text: &str| texts(Modifiers::parse(names).unwrap().apply(&Plain::Text(text.into())).unwrap());
        assert_eq!(apply(&["base64"], "foobar"), ["Zm9vYmFy"]);
        assert_eq!(apply(&["base64offset"], "foobar"), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
        assert_eq!(apply(&["wide", "base64"], "ab"), ["YQBiAA=="]);
        assert_eq!(apply(&["base64offset"], "/bin"), ["L2Jpb", "9iaW", "vYmlu"]);
    }

    #[test]
    fn networks_have_no_bits_behind_their_prefix() {
        for (text, fits) in [
            ("10.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("192.0.2.1", true),
            ("fe80::/10", true),
            ("10.0.0.1/8", false),
            ("10.0.0.0/33", false),
            ("10.0.0.0/+8", false),
            ("10.0.0/8", false),
            ("fe80::1/64", false),
            ("", false),
        ] {
            assert_eq!(network(text).is_some(), fits, "{text}");
        }
    }

    #[test]
    fn modifiers_that_do_not_go_together_are_refused() {
        for (names, supported, part) in [
            (&["contians"][..], true, "no such modifier"),
            (&["contains", "re"], true, "does not go with"),
            (&["cidr", "contains"], true, "does not go with"),
            (&["i"], true, "for a regular expression"),
            (&["re", "i", "i"], true, "once"),
            (&["re", "contains"], false, "a regular expression with `contains`"),
            (&["cased"], false, "`cased`"),
            (&["fieldref"], false, "`fieldref`"),
            (&["wide"], false, "`wide` without"),
        ] {
            let (fault, known) = Modifiers::parse(names).unwrap_err();
            assert!(fault.contains(part) && known != supported, "{names:?}: {fault}");
        }
        let fault = |names: &[&str], plain: Plain| Modifiers::parse(names).unwrap().apply(&plain).unwrap_err();
        assert!(fault(&["contains"], Plain::Number("1".into())).contains("quotes"));
        assert!(fault(&["base64"], Plain::Text("a*".into())).contains("wildcards"));
        assert!(fault(&["windash"], Plain::Text("-a -b -c -d".into())).contains("more dashes"));
        assert!(fault(&["gt"], Plain::Text("5".into())).contains("numbers"));
        assert!(fault(&["exists"], Plain::Text("yes".into())).contains("true or false"));
        assert!(fault(&["re"], Plain::Null).contains("text"));
        assert_eq!(Modifiers::parse(&["re", "s", "i"]).unwrap().kind, Kind::Regex("is".into()));
    }
}
