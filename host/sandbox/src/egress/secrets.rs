//! The secrets of one plugin: added to requests behind the gate, removed from whatever comes back.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_policy::{
    egress::{Checked, path_segment},
    output::{LiveRedactor, Redactor},
};
use casemate_signing::manifest::{Credential, Manifest, SecretName, UpstreamName};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// How long a value is looked for after another took its place: an answer that is under way may echo the old one.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// Values that are remembered at most: each makes every search longer.
const MAX_REMEMBERED: usize = 32;

/// A plugin's secrets by name, and those that an upstream has of its own. Without `Debug` or `Display`, on purpose.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<SecretName, SecretString>,
    own: BTreeMap<UpstreamName, BTreeMap<SecretName, SecretString>>,
}

/// A credential that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error(
    "secret `{0}` cannot be sent as the manifest's credential asks\nhelp: it must be set, without line breaks or control characters"
)]
pub(crate) struct UnusableSecret(SecretName);

impl UnusableSecret {
    pub(super) fn new(name: &SecretName) -> Self {
        Self(name.clone())
    }
}

impl Secrets {
    /// Secrets as the operator's configuration resolved them.
    pub fn new(values: BTreeMap<SecretName, SecretString>) -> Self {
        Self { values, own: BTreeMap::new() }
    }

    /// The same, with others for some upstreams.
    #[must_use]
    pub fn with_own(self, own: BTreeMap<UpstreamName, BTreeMap<SecretName, SecretString>>) -> Self {
        Self { own, ..self }
    }

    /// Whether each value is the other's.
    pub fn is(&self, other: &Self) -> bool {
        let same = |a: &BTreeMap<SecretName, SecretString>, b: &BTreeMap<SecretName, SecretString>| {
            a.len() == b.len() && a.iter().zip(b).all(|((a, one), (b, two))| a == b && one.expose_secret() == two.expose_secret())
        };
        same(&self.values, &other.values)
            && self.own.len() == other.own.len()
            && self.own.iter().zip(&other.own).all(|((a, one), (b, two))| a == b && same(one, two))
    }

    fn all(&self) -> impl Iterator<Item = (&SecretName, &SecretString)> {
        self.values.iter().chain(self.own.values().flatten())
    }

    /// The value that an upstream is sent; nothing where there is none.
    pub(super) fn find(&self, upstream: &UpstreamName, name: &SecretName) -> Option<&str> {
        let value = self.own.get(upstream).and_then(|own| own.get(name)).or_else(|| self.values.get(name))?;
        Some(value.expose_secret()).filter(|value| !value.is_empty())
    }

    pub(super) fn get(&self, upstream: &UpstreamName, name: &SecretName) -> Result<&str, UnusableSecret> {
        self.find(upstream, name).ok_or_else(|| UnusableSecret::new(name))
    }

    /// Add a credential that is nothing but secrets in a place: headers in place, and the URL to ask for.
    pub(super) fn inject<'a>(&self, request: &'a Checked, headers: &mut HeaderMap) -> Result<Cow<'a, str>, UnusableSecret> {
        let Some(credential) = request.credential() else { return Ok(request.url().into()) };
        let get = |name: &SecretName| self.get(request.upstream(), name);
        match credential {
            Credential::Header(c) => put(headers, &c.header, get(&c.secret)?, &c.secret)?,
            Credential::Scheme(c) => authorize(headers, &format!("{} {}", c.scheme, get(&c.secret)?), &c.secret)?,
            Credential::Basic(c) => {
                let pair = Zeroizing::new(STANDARD.encode(pair(get(&c.username)?, get(&c.secret)?).as_bytes()));
                authorize(headers, &format!("Basic {}", *pair), &c.secret)?;
            }
            Credential::Query(c) => return Ok(request.url_with_query(&c.query, get(&c.secret)?).into()),
            Credential::Path(c) => return Ok(request.url_under(&c.filled(&path_segment(get(&c.secret)?))).into()),
            // What is made of secrets, and not a secret: see `token` and `sigv4`.
            Credential::Exchange(_) | Credential::SigV4(_) => {}
        }
        Ok(request.url().into())
    }
}

fn pair(username: &str, password: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("{username}:{password}"))
}

/// `Authorization: VALUE`
pub(super) fn authorize(headers: &mut HeaderMap, value: &str, secret: &SecretName) -> Result<(), UnusableSecret> {
    put(headers, AUTHORIZATION.as_str(), value, secret)
}

/// A header that no log of the transport shows.
pub(super) fn put(headers: &mut HeaderMap, name: &str, value: &str, secret: &SecretName) -> Result<(), UnusableSecret> {
    let unusable = || UnusableSecret::new(secret);
    let name = HeaderName::try_from(name).map_err(|_| unusable())?;
    let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// The secrets of a loaded plugin: they are renewed while it is served, and what they were is looked for a while longer.
pub(crate) struct LiveSecrets {
    /// Where a user name stands beside a password.
    pairs: Vec<(UpstreamName, SecretName, SecretName)>,
    /// What is a name rather than a key: it stands in innocent requests.
    user_names: Vec<SecretName>,
    state: RwLock<State>,
    /// For what comes back: everything.
    redactor: LiveRedactor,
    /// For what a guest sends: all but user names.
    guard: Arc<LiveRedactor>,
}

#[derive(Default)]
struct State {
    now: Arc<Secrets>,
    /// Counts the renewals: a token that was got for other secrets is none.
    number: u64,
    /// The token of each upstream, by the name of its exchange.
    tokens: BTreeMap<UpstreamName, (String, SecretString)>,
    before: Vec<Before>,
}

/// What was sent once.
#[derive(Clone)]
struct Before {
    name: String,
    value: SecretString,
    until: Instant,
}

impl LiveSecrets {
    pub(crate) fn new(manifest: &Manifest, secrets: Secrets) -> Self {
        let credentials = || manifest.upstream.iter().filter_map(|(name, upstream)| Some((name, upstream.credential.as_ref()?)));
        let pairs = credentials().filter_map(|(upstream, credential)| match credential {
            Credential::Basic(c) => Some((upstream.clone(), c.username.clone(), c.secret.clone())),
            _ => None,
        });
        let live = Self {
            pairs: pairs.collect(),
            user_names: credentials().flat_map(|(_, credential)| credential.user_names()).cloned().collect(),
            state: RwLock::new(State { now: Arc::new(secrets), ..State::default() }),
            redactor: LiveRedactor::default(),
            guard: Arc::default(),
        };
        live.change(|_| {});
        live
    }

    /// What is sent from here on, and which renewal it is.
    pub(super) fn now(&self) -> (Arc<Secrets>, u64) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&state.now), state.number)
    }

    /// Send these from here on.
    pub(crate) fn renew(&self, secrets: Secrets) {
        self.change(|state| {
            let gone: Vec<Before> = state.now.all().map(|(name, value)| before(name.as_str(), value)).collect();
            state.before.extend(gone);
            state.now = Arc::new(secrets);
            state.number += 1;
        });
    }

    /// A token that is sent from here on, looked for before it is.
    pub(super) fn token(&self, upstream: &UpstreamName, name: &str, token: &SecretString) {
        self.change(|state| {
            let gone = state.tokens.insert(upstream.clone(), (name.to_owned(), token.clone()));
            state.before.extend(gone.map(|(name, token)| before(&name, &token)));
        });
    }

    /// Whether it has this value now.
    pub(crate) fn has(&self, secrets: &Secrets) -> bool {
        self.now().0.is(secrets)
    }

    /// Look for what another had, too: it was loaded in that one's place.
    pub(crate) fn inherit(&self, other: &Self) {
        let theirs = {
            let state = other.state.read().unwrap_or_else(PoisonError::into_inner);
            let tokens = state.tokens.values().map(|(name, token)| before(name, token));
            let values = state.now.all().map(|(name, value)| before(name.as_str(), value));
            values.chain(tokens).chain(state.before.iter().cloned()).collect::<Vec<_>>()
        };
        self.change(|state| state.before.extend(theirs));
    }

    /// What removes every secret from a text.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        self.redactor.now()
    }

    /// What refuses requests that hold one.
    pub(crate) fn guard(&self) -> Arc<LiveRedactor> {
        Arc::clone(&self.guard)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let now = Instant::now();
        state.before.retain(|before| before.until > now);
        let over = state.before.len().saturating_sub(MAX_REMEMBERED);
        state.before.drain(..over);
        let pairs: Vec<(&str, Zeroizing<String>)> = self
            .pairs
            .iter()
            .filter_map(|(upstream, user, name)| {
                let (user, value) = (state.now.find(upstream, user)?, state.now.find(upstream, name)?);
                Some((name.as_str(), pair(user, value)))
            })
            .collect();
        let known = |names: bool| {
            let innocent = |name: &str| !names && self.user_names.iter().any(|known| known.as_str() == name);
            let values = state.now.all().map(|(name, value)| (name.as_str(), value.expose_secret()));
            let tokens = state.tokens.values().map(|(name, token)| (name.as_str(), token.expose_secret()));
            let before = state.before.iter().map(|before| (before.name.as_str(), before.value.expose_secret()));
            let pairs = pairs.iter().map(|(name, pair)| (*name, pair.as_str()));
            let all: Vec<(&str, &str)> =
                pairs.chain(values).chain(tokens).chain(before).filter(|(name, _)| !innocent(name)).collect();
            Redactor::new(&all)
        };
        self.redactor.replace(known(true));
        self.guard.replace(known(false));
    }
}

fn before(name: &str, value: &SecretString) -> Before {
    Before { name: name.to_owned(), value: value.clone(), until: Instant::now() + REMEMBERED }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef-key";

    fn secrets(value: &str) -> Secrets {
        Secrets::new(BTreeMap::from([("api_key".parse().unwrap(), SecretString::from(value))]))
    }

    fn live(value: &str) -> LiveSecrets {
        let manifest = include_str!("../../../../signing/tests/data/manifest.json");
        LiveSecrets::new(&serde_json::from_str(manifest).unwrap(), secrets(value))
    }

    #[test]
    fn a_secret_is_removed_from_text_and_from_bytes() {
        for body in [format!("a {KEY} b").into_bytes(), [b"\xff\xfe ", KEY.as_bytes(), b" \xff"].concat()] {
            let clean = live(KEY).redactor().redact_bytes(&body).0.into_owned();
            assert!(!clean.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{clean:?}");
        }
    }

    #[test]
    fn a_renewed_secret_is_looked_for_beside_the_old_one() {
        let live = live(KEY);
        live.renew(secrets("another-key-456"));
        live.token(&"server".parse().unwrap(), "log-in", &SecretString::from("token-number-one"));
        live.token(&"server".parse().unwrap(), "log-in", &SecretString::from("token-number-two"));
        let text = format!("{KEY} another-key-456 token-number-one token-number-two");
        let clean = "‹secret api_key› ‹secret api_key› ‹secret log-in› ‹secret log-in›";
        assert_eq!(live.redactor().redact(&text).0, clean);
        assert!(live.guard().now().is_in(b"token-number-one") && live.has(&secrets("another-key-456")));
        let next = self::live("third-key-789");
        next.inherit(&live);
        assert_eq!(next.redactor().redact(&text).0, clean);
    }

    #[test]
    fn an_upstream_may_have_a_value_of_its_own() {
        let (server, other): (UpstreamName, UpstreamName) = ("server".parse().unwrap(), "other".parse().unwrap());
        let name: SecretName = "api_key".parse().unwrap();
        let own = BTreeMap::from([(other.clone(), BTreeMap::from([(name.clone(), SecretString::from("of-the-other"))]))]);
        let both = secrets(KEY).with_own(own);
        assert_eq!((both.find(&server, &name), both.find(&other, &name)), (Some(KEY), Some("of-the-other")));
        assert!(both.is(&both.clone()) && !both.is(&secrets(KEY)) && !secrets(KEY).is(&secrets("x")));
    }

    #[test]
    fn an_empty_secret_is_none() {
        assert!(secrets("").get(&"server".parse().unwrap(), &"api_key".parse().unwrap()).is_err());
    }
}
