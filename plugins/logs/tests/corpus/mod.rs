//! Lines and patterns, made up the same way each time.

use std::fmt::Write as _;

/// Numbers that are the same each time: xorshift64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const USERS: [&str; 7] = ["root", "ann", "admin", "oracle", "groot", "id", "a.b@corp"];

/// Lines of the usual logs, and lines that are made of what patterns are.
pub(crate) fn ascii() -> Vec<u8> {
    let (mut random, mut text) = (Random::new(7), String::new());
    for number in 0..120 {
        let (user, last, port) = (random.one(&USERS), random.below(255), 1024 + random.below(60_000));
        let (hour, minute) = (random.below(24), random.below(60));
        let _ = match random.below(8) {
            0 => writeln!(
                text,
                "Nov 22 {hour:02}:{minute:02}:01 web sshd[{number}]: Failed password for {user} from 203.0.113.{last} port {port} ssh2"
            ),
            1 => writeln!(
                text,
                "Nov  2 {hour:02}:{minute:02}:01 web sshd[{number}]: Failed password for invalid user {user} from 10.0.0.{last} port {port} ssh2"
            ),
            2 => writeln!(
                text,
                "203.0.113.{last} - {user} [22/Nov/2026:{hour:02}:{minute:02}:01 +0000] \"GET /../../{user}?q=%2e%2e HTTP/1.1\" 40{} {port}",
                number % 5
            ),
            3 => writeln!(
                text,
                "2026/11/22 {hour:02}:{minute:02}:01 [error] 7#7: *{number} open() \"/srv/{user}\" failed (2: No such file), client: ${{jndi:ldap://x}}"
            ),
            4 => writeln!(text, "kernel: [{number}.{port}] eth0: 0a:1b:2c:3d:4e:{last:02x} {port} bytes deadbeef{last:08x}"),
            5 => writeln!(text, "  \tat x.y.Z(Z.java:{number})  id=\"{user}\" 'quoted' a|b*c+d?e"),
            6 => writeln!(text, "{user}"),
            _ => writeln!(text, "a{} -f --help {{x}} [y] ^z$ \\ / aab abab{}", "a".repeat(number % 4), "b".repeat(number % 3)),
        };
    }
    for line in [
        "",
        " ",
        "x",
        "aa",
        "ab",
        "abc",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "\t\tx",
        "]",
        "-",
        "^",
        "a]",
        ".*+?",
        "%",
        "nul \0 in it",
        "\u{1b}[31mred",
    ] {
        text.push_str(line);
        text.push('\n');
    }
    text.into_bytes()
}

/// The same, with letters that are not ASCII.
pub(crate) fn letters() -> Vec<u8> {
    let mut bytes = ascii();
    for line in [
        "café",
        "cafè de Paris",
        "größe",
        "grosse",
        "Straße 7",
        "日本語 ログ",
        "日x語",
        "é",
        "éé éé",
        "ann@größe",
        "root é root",
        "ёлка",
        "😀 ok",
    ] {
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

/// The same, with bytes that are no letters.
pub(crate) fn broken() -> Vec<u8> {
    let mut bytes = letters();
    let lines: [&[u8]; 9] = [
        b"a\xffb",
        b"\xff",
        b"caf\xc3",
        b"\xe6\x97 root",
        b"x\x80y root",
        b"\xf0\x9f\x98",
        b"root\xfe",
        b"\xc0\xafroot",
        b"\xed\xa0\x80x",
    ];
    for line in lines {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    bytes
}

const PIECES: [&str; 34] = [
    "root",
    "ann",
    "ssh",
    "a",
    "b",
    "ab",
    "o",
    "0",
    "22",
    " ",
    ":",
    "from ",
    ".",
    ".",
    "[a-z]",
    "[^a-z]",
    "[0-9]",
    "[^ ]",
    "[ab]",
    "[^0-9:]",
    "[A-Fa-f]",
    "[[:digit:]]",
    "[[:space:]]",
    "\\.",
    "\\[",
    "\\]",
    "/",
    "\"",
    "\\w",
    "\\W",
    "\\b",
    "\\<",
    "\\>",
    "=",
];
const LETTERS: [&str; 6] = ["é", "ö", "日", "[é日]", "[^é]", "ß"];
const TIMES: [&str; 10] = ["*", "+", "?", "{2}", "{1,3}", "{2,}", "{,2}", "", "", ""];

/// So many patterns.
pub(crate) fn generated(random: &mut Random, count: usize, letters: bool) -> Vec<String> {
    std::iter::repeat_with(|| pattern(random, 3, letters)).filter(|pattern| pattern.chars().count() <= 256).take(count).collect()
}

fn pattern(random: &mut Random, depth: usize, letters: bool) -> String {
    let mut text = String::new();
    if depth == 3 && random.below(6) == 0 {
        text.push('^');
    }
    for _ in 0..=random.below(4) {
        match random.below(8) {
            0 if depth > 0 => {
                let (one, other) = (pattern(random, depth - 1, letters), pattern(random, depth - 1, letters));
                let _ = write!(text, "({one}|{other}){}", random.one(&TIMES));
            }
            1 if depth > 0 => {
                let inner = pattern(random, depth - 1, letters);
                let _ = write!(text, "({inner}){}", random.one(&TIMES));
            }
            _ => {
                let piece = if letters && random.below(5) == 0 { random.one(&LETTERS) } else { random.one(&PIECES) };
                text.push_str(piece);
                // An edge of a word is not repeated, and a word is only in its last letter.
                if !matches!(piece, "\\b" | "\\<" | "\\>") {
                    text.push_str(random.one(&TIMES));
                }
            }
        }
    }
    if depth == 3 && random.below(6) == 0 {
        text.push('$');
    }
    text
}
