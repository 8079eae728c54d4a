//! What looks like a credential, in a text that is about to leave the organisation.
//!
//! Only forms that nothing else has are known here: a prefix that its maker reserved for keys, a private key's first line, a password
//! in a URL. A hash, an indicator or a long word is none of these. What passes is not proved to be free of secrets.

/// What in `text` looks like a credential, in words that fit behind "it holds"; nothing where nothing does. What it is is not said.
pub fn found(text: &str) -> Option<&'static str> {
    if private_key(text) {
        return Some("a private key");
    }
    if text.split(|letter: char| letter.is_whitespace() || "<>\"'`()|".contains(letter)).any(has_password) {
        return Some("a URL with a password");
    }
    text.split(|letter: char| !is_word(letter)).find_map(token)
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
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-.".contains(letter)
}

fn token(word: &str) -> Option<&'static str> {
    let follows = |prefix: &str, least: usize| {
        let rest = word.strip_prefix(prefix)?;
        (rest.bytes().filter(u8::is_ascii_alphanumeric).count() >= least).then_some(())
    };
    let known = TOKENS.iter().find(|(prefix, least, _)| follows(prefix, *least).is_some());
    known.map(|(_, _, what)| *what).or_else(|| is_jwt(word).then_some("a signed token (JWT)"))
}

/// Three parts in base64url, of which two are JSON objects: `{"` is `eyJ`.
fn is_jwt(word: &str) -> bool {
    let mut parts = word.split('.');
    let long = |part: Option<&str>, start: &str| part.is_some_and(|part| part.len() >= 10 && part.starts_with(start));
    long(parts.next(), "eyJ") && long(parts.next(), "eyJ") && long(parts.next(), "")
}

fn private_key(text: &str) -> bool {
    text.match_indices("-----BEGIN ").any(|(at, begin)| {
        let line = text.get(at + begin.len()..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        line.contains("PRIVATE KEY")
    })
}

/// `scheme://user:password@host`
fn has_password(word: &str) -> bool {
    let Some((_, rest)) = word.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
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
