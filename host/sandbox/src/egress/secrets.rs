//! The secrets of one plugin: added to requests behind the gate, removed from whatever comes back.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_policy::{egress::Checked, output::Redactor};
use casemate_signing::manifest::{Credential, SecretName};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// A plugin's secrets by name. Without `Debug` or `Display`, on purpose.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<SecretName, SecretString>,
}

/// A credential that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "secret `{0}` cannot be sent as the manifest's credential asks\nhelp: it must be set, without line breaks or control characters"
)]
pub(crate) struct UnusableSecret(SecretName);

impl Secrets {
    /// Secrets as the operator's configuration resolved them.
    pub fn new(values: BTreeMap<SecretName, SecretString>) -> Self {
        Self { values }
    }

    /// What removes every one of them from a text.
    pub fn redactor(&self) -> Redactor {
        self.redactor_without(&BTreeSet::new())
    }

    /// The same, without some: user names stand in innocent texts.
    pub(crate) fn redactor_without(&self, names: &BTreeSet<&SecretName>) -> Redactor {
        let secrets = self.values.iter().filter(|(name, _)| !names.contains(name));
        let exposed: Vec<(&str, &str)> = secrets.map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        Redactor::new(&exposed)
    }

    fn get(&self, name: &SecretName) -> Result<&str, UnusableSecret> {
        self.values
            .get(name)
            .map(ExposeSecret::expose_secret)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| UnusableSecret(name.clone()))
    }

    /// Add the credential to a request: headers in place, and the URL to ask for.
    pub(crate) fn inject<'a>(&self, request: &'a Checked, headers: &mut HeaderMap) -> Result<Cow<'a, str>, UnusableSecret> {
        let Some(credential) = request.credential() else { return Ok(request.url().into()) };
        let mut put = |name: HeaderName, value: String, secret: &SecretName| {
            let mut value = HeaderValue::try_from(value).map_err(|_| UnusableSecret(secret.clone()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Ok(())
        };
        match credential {
            Credential::Header(c) => {
                let name = HeaderName::try_from(c.header.as_str()).map_err(|_| UnusableSecret(c.secret.clone()))?;
                put(name, self.get(&c.secret)?.to_owned(), &c.secret)?;
            }
            Credential::Scheme(c) => put(AUTHORIZATION, format!("{} {}", c.scheme, self.get(&c.secret)?), &c.secret)?,
            Credential::Basic(c) => {
                let pair = STANDARD.encode(format!("{}:{}", self.get(&c.username)?, self.get(&c.secret)?));
                put(AUTHORIZATION, format!("Basic {pair}"), &c.secret)?;
            }
            Credential::Query(c) => return Ok(request.url_with_query(&c.query, self.get(&c.secret)?).into()),
        }
        Ok(request.url().into())
    }
}

/// A body with every secret removed, whatever its encoding.
pub(crate) fn scrub(redactor: &Redactor, body: Vec<u8>) -> Vec<u8> {
    if let Ok(text) = std::str::from_utf8(&body) {
        return match redactor.redact(text) {
            (_, 0) => body,
            (clean, _) => clean.into_owned().into_bytes(),
        };
    }
    match redactor.redact_bytes(&body) {
        (_, 0) => body,
        (clean, _) => clean.into_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef-key";

    fn redactor() -> Redactor {
        Secrets::new(BTreeMap::from([("api_key".parse().unwrap(), SecretString::from(KEY))])).redactor()
    }

    #[test]
    fn a_secret_is_removed_from_text_and_from_bytes() {
        for body in [format!("a {KEY} b").into_bytes(), [b"\xff\xfe ", KEY.as_bytes(), b" \xff"].concat()] {
            let clean = scrub(&redactor(), body);
            assert!(!clean.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{clean:?}");
        }
    }

    #[test]
    fn a_secret_beyond_ascii_is_removed_from_bytes_that_are_no_text() {
        let secret = "pässwörd-kéy";
        let redactor = Secrets::new(BTreeMap::from([("api_key".parse().unwrap(), SecretString::from(secret))])).redactor();
        let latin: &[u8] = b"p\xe4ssw\xf6rd-k\xe9y";
        for spelling in [secret.as_bytes(), latin] {
            let clean = scrub(&redactor, [b"\xff ", spelling, b" \xfe"].concat());
            assert_eq!(clean, [b"\xff ".as_slice(), "‹secret api_key›".as_bytes(), b" \xfe"].concat());
        }
    }

    #[test]
    fn other_bytes_are_left_alone() {
        let body = vec![0xff, 0, 1, 2, 0xfe];
        assert_eq!(scrub(&redactor(), body.clone()), body);
        let clean = scrub(&redactor(), [b"\xff", KEY.as_bytes(), b"\xfe"].concat());
        assert_eq!((clean.first(), clean.last()), (Some(&0xff), Some(&0xfe)));
    }
}
