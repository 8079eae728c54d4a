//! What looks like a credential, in a text that is about to leave the organisation.
//!
//! Only forms that nothing else has are known here: a prefix that its maker reserved for keys, a private key's first line, a password
//! in a URL. A hash, an indicator or a long word is none of these. What passes is not proved to be free of secrets.

/// What in `text` looks like a credential, in words that fit behind "it holds"; nothing where nothing does. What it is is not said.
pub fn found(text: &str) -> Option<&'static str> {
    (0..text.len()).filter_map(|at| text.split_at_checked(at)).find_map(|(before, rest)| {
        if private_key(rest) {
            Some("a private key")
        } else if has_password(rest) {
            Some("a URL with a password")
        } else {
            token(before, rest)
        }
    })
}

/// Prefixes that are reserved for credentials, how many letters and digits follow at least, and what they are.
const TOKENS: [(&str, usize, &str); 28] = [
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghu_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("ghr_", 36, "a GitHub token"),
    ("github_pat_", 22, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 10, "a Slack token"),
    ("xoxp-", 10, "a Slack token"),
    ("xoxa-", 10, "a Slack token"),
    ("xoxr-", 10, "a Slack token"),
    ("xoxs-", 10, "a Slack token"),
    ("xoxe-", 10, "a Slack token"),
    ("xoxe.", 10, "a Slack token"),
    ("xapp-", 10, "a Slack token"),
    ("AIza", 35, "a Google API key"),
    ("ya29.", 20, "a Google access token"),
    ("sk_live_", 16, "a Stripe key"),
    ("rk_live_", 16, "a Stripe key"),
    ("sk-ant-", 20, "an Anthropic key"),
    ("sk-proj-", 20, "an OpenAI key"),
    ("npm_", 36, "an npm token"),
    ("pypi-", 50, "a PyPI token"),
    ("hvs.", 20, "a Vault token"),
    ("dop_v1_", 64, "a DigitalOcean token"),
    ("SG.", 40, "a SendGrid key"),
];

/// What tokens are made of; a dot too, between the parts of some.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// What begins between these two.
fn token(before: &str, rest: &str) -> Option<&'static str> {
    match before.as_bytes() {
        // Escapes, of JSON and of URLs.
        [] | [.., b'\\', _] | [.., b'\\', b'u', _, _, _, _] | [.., b'%', _, _] => {}
        [.., last] if last.is_ascii_alphanumeric() => return None,
        _ => {}
    }
    let follows = |prefix: &str, least: usize| {
        let word = rest.strip_prefix(prefix)?.bytes().take_while(|byte| is_word(*byte));
        (word.filter(u8::is_ascii_alphanumeric).take(least).count() == least).then_some(())
    };
    let known = TOKENS.iter().find(|(prefix, least, _)| follows(prefix, *least).is_some());
    known.map(|(_, _, what)| *what).or_else(|| is_jwt(before, rest).then_some("a signed token (JWT)"))
}

/// Three parts in base64url, of which two are JSON objects: `{"` is `eyJ`. The second one is where `rest` begins.
fn is_jwt(before: &str, rest: &str) -> bool {
    let is_other = |letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-';
    let Some(before) = before.strip_suffix('.').filter(|_| rest.starts_with("eyJ")) else { return false };
    let header = before.rsplit(is_other).next().and_then(|part| part.split_once("eyJ"));
    let mut parts = rest.split('.');
    let mut long = || parts.next().and_then(|part| part.split(is_other).next()).is_some_and(|part| part.len() >= 10);
    header.is_some_and(|(_, part)| part.len() >= 7) && long() && long()
}

/// The first line of one, to the end of its label.
fn private_key(rest: &str) -> bool {
    let label = rest.strip_prefix("-----BEGIN ").and_then(|rest| rest.split(['-', '\n']).next());
    label.is_some_and(|label| label.contains("PRIVATE KEY"))
}

/// `://user:password@host`
fn has_password(rest: &str) -> bool {
    let is_end = |letter: char| letter.is_whitespace() || "/?#<>\"'`()|".contains(letter);
    let authority = rest.strip_prefix("://").and_then(|rest| rest.split(is_end).next()).unwrap_or_default();
    authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made here, so that no scanner finds one in this file.
    fn key(prefix: &str, length: usize) -> String {
        format!("{prefix}{}", "Ab3d".repeat(20).get(..length).unwrap_or_default())
    }

    #[test]
    fn each_reserved_prefix_is_known_with_enough_behind_it() {
        for (prefix, least, what) in TOKENS {
            let whole = format!("see `{}`, rotate it", key(prefix, least));
            assert_eq!(found(&whole), Some(what), "{prefix}");
            assert_eq!(found(&format!("{prefix} is how they begin; {}", key(prefix, least - 1))), None, "{prefix}");
        }
    }

    #[test]
    fn keys_passwords_and_tokens_are_known() {
        let jwt = format!("{}.{}.{}", key("eyJ", 20), key("eyJ", 30), key("", 30));
        for (text, what) in [
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE".to_owned(), "a private key"),
            ("x -----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "a private key"),
            ("psql postgres://app:hunter2@db.example/x".to_owned(), "a URL with a password"),
            (format!("token={}", key("ghp_", 36)), "a GitHub token"),
            (format!("Authorization: Bearer {jwt}"), "a signed token (JWT)"),
        ] {
            assert_eq!(found(&text), Some(what), "{text}");
        }
    }

    #[test]
    fn a_token_is_known_behind_an_escape_and_in_the_middle_of_a_word() {
        let jwt = format!("{}.{}.{}", key("eyJ", 20), key("eyJ", 30), key("", 30));
        for before in ["", "x-", "key_", "-", "a.", "é", r"first\n", r"\t", r"x\u000a", "x%20"] {
            assert_eq!(found(&format!("{before}{}", key("ghp_", 36))), Some("a GitHub token"), "{before}");
            assert_eq!(found(&format!("{before}{}", key("AKIA", 16))), Some("an AWS access key"), "{before}");
            assert_eq!(found(&format!("{before}{jwt}")), Some("a signed token (JWT)"), "{before}");
        }
        // A letter before it makes it another word.
        for before in ["x", "7", "x-y", r"\nx", "%20x"] {
            assert_eq!(found(&format!("{before}{}", key("AKIA", 16))), None, "{before}");
        }
    }

    #[test]
    fn each_url_of_a_word_is_looked_at() {
        for text in [
            "https://a.example/?next=postgres://app:hunter2@db/x",
            "amqp://h1,amqp://u:p@h2",
            "https://a.example/https://b.example/ftp://u:p@c.example",
        ] {
            assert_eq!(found(text), Some("a URL with a password"), "{text}");
        }
        assert_eq!(found("https://a.example/?next=https://b.example:8443/x,https://c.example/@d:e"), None);
    }

    /// Whoever writes the text decides how it goes on.
    #[test]
    fn a_long_text_is_looked_at_in_one_go() {
        for part in ["-----BEGIN ", "eyJ-", "eyJ.", ".eyJ", "://", "ghp_-", "a:@", r"\u00"] {
            let text = part.repeat((256 << 10) / part.len());
            let begun = std::time::Instant::now();
            found(&text);
            assert!(begun.elapsed().as_secs() < 5, "{part}");
        }
    }

    #[test]
    fn what_analysts_write_is_none() {
        for text in [
            "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f on 185.220.101.1:443, CVE-2024-3094",
            "https://login.example.com/verify?id=7#a@b:c and soc@example.com:22",
            "ssh://git@github.com/x, user@host:/path, https://user@example.com/",
            "-----BEGIN CERTIFICATE-----",
            "eyJ is how they begin; eyJhbGciOi.eyJ",
            "rotate the AKIA keys; sk-learn, npm_config, pypi-server",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
