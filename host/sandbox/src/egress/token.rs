//! Tokens that the host gets for secrets: one at a time for each upstream, kept until shortly before they end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use casemate_signing::{
    Timestamp,
    manifest::{Credential, Effect, ExchangeCredential, Manifest, Method, UpstreamName},
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{
    supplied::{shown, written},
    transport::{self, Asking, Raw, SendError, Upstreams},
};
use crate::call::{Exchange, ExchangeStatus};

/// An answer with a token is short.
const MAX_ANSWER: usize = 64 << 10;
/// Longer than this fits no header.
const MAX_TOKEN: usize = 16 << 10;
/// Shorter ones would be found in, and cut out of, ordinary text.
const MIN_TOKEN: usize = 6;
/// How long a token is good of which nothing is said.
const LASTS: u64 = 300;
/// The longest that a token is kept, whatever is said of it.
const MAX_LASTS: u64 = 24 * 60 * 60;
/// How long before its end a token is had anew: clocks differ, and requests take a while.
const MARGIN: Duration = Duration::from_secs(30);
/// How long nobody asks again after an exchange failed: whoever waited for it gets the same answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an exchange may take. It is beside the call's own deadline, which ends it sooner.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who writes down what the host sends by itself.
pub(crate) trait Witness: Send + Sync {
    /// A request is about to leave. `None` where it must not.
    fn begin(&self, exchange: Exchange) -> Option<usize>;
    /// What came of it.
    fn end(&self, at: usize, status: ExchangeStatus);
}

/// A token in use.
#[derive(Clone)]
pub(super) struct Held {
    value: SecretString,
    /// Counts the exchanges of its upstream.
    number: u64,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// Until when it is sent, and for which renewal of the secrets it was got.
    until: Option<Instant>,
    renewal: u64,
    exchanges: u64,
    failed: Option<(Instant, String)>,
}

/// One place for each upstream that wants tokens; whoever holds it gets the next one, and the others wait for it.
pub(super) struct Tokens(BTreeMap<UpstreamName, Mutex<Slot>>);

impl Tokens {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let wants = |(name, upstream): (&UpstreamName, &casemate_signing::manifest::Upstream)| {
            matches!(upstream.credential, Some(Credential::Exchange(_))).then(|| (name.clone(), Mutex::default()))
        };
        Self(manifest.upstream.iter().filter_map(wants).collect())
    }
}

impl Upstreams {
    /// A token for an upstream, other than `stale`.
    pub(super) async fn token(
        &self,
        upstream: &UpstreamName,
        credential: &ExchangeCredential,
        stale: Option<&Held>,
        witness: &dyn Witness,
    ) -> Result<Held, SendError> {
        let none = || SendError::Token(format!("there is no place for a token of `{upstream}`"));
        let mut slot = self.tokens.0.get(upstream).ok_or_else(none)?.lock().await;
        let (_, renewal) = self.secrets.now();
        let good = slot.renewal == renewal && slot.until.is_some_and(|until| Instant::now() < until);
        if let Some(held) = slot.held.as_ref().filter(|held| good && stale.is_none_or(|stale| stale.number != held.number)) {
            return Ok(held.clone());
        }
        if let Some((at, why)) = &slot.failed
            && slot.renewal == renewal
            && at.elapsed() < PAUSE
        {
            return Err(SendError::Token(why.clone()));
        }
        slot.renewal = renewal;
        slot.held = None;
        let got = tokio::time::timeout(PATIENCE, self.ask(upstream, credential, witness)).await;
        let name = &credential.exchange.name;
        let got = got.unwrap_or_else(|_| {
            Err(SendError::Token(format!("the token exchange `{name}` was not answered within {PATIENCE:?}")))
        });
        match got {
            Ok((value, lasts)) => {
                slot.exchanges += 1;
                slot.until = Some(Instant::now() + lasts.saturating_sub(MARGIN.min(lasts / 10)));
                slot.failed = None;
                // Looked for before it is sent anywhere.
                self.secrets.token(upstream, name.as_str(), &value);
                let held = Held { value, number: slot.exchanges };
                slot.held = Some(held.clone());
                Ok(held)
            }
            Err(error) => {
                if let SendError::Token(why) = &error {
                    slot.failed = Some((Instant::now(), why.clone()));
                }
                Err(error)
            }
        }
    }

    /// Make the exchange.
    async fn ask(
        &self,
        upstream: &UpstreamName,
        credential: &ExchangeCredential,
        witness: &dyn Witness,
    ) -> Result<(SecretString, Duration), SendError> {
        let exchange = &credential.exchange;
        let name = &exchange.name;
        let target = exchange.upstream.as_ref().unwrap_or(upstream);
        let failed = |why: &str| SendError::Token(format!("the token exchange `{name}` {why}"));
        let (Some(Asking::Http(client)), Some((origin, allow_private))) = (self.clients.get(target), self.gate.place(target))
        else {
            return Err(failed("has no upstream"));
        };
        transport::permitted(origin.host_str().as_ref(), allow_private)?;
        let (secrets, _) = self.secrets.now();
        let (path, body) = written(exchange, |supplied| self.settings.text(supplied, upstream, &secrets))
            .ok_or_else(|| failed("lacks a secret or a setting\nhelp: `casemate secret check` says which"))?;
        let url = Zeroizing::new(format!("{origin}{}", *path));
        let (shown_path, shown_body) = shown(exchange);
        let at = witness.begin(Exchange {
            upstream: target.clone(),
            contract: name.clone(),
            method: Method::Post,
            url: format!("{origin}{shown_path}"),
            effect: Effect::Read,
            // Of what is shown: the length and the digest of a secret are something of it.
            request_bytes: shown_body.len(),
            request_sha256: Sha256::digest(&shown_body).iter().map(|byte| format!("{byte:02x}")).collect(),
            status: ExchangeStatus::Pending,
            began: Instant::now(),
            ended: None,
        });
        let Some(at) = at else { return std::future::pending().await };
        let request = client
            .post(url.as_str())
            .header(CONTENT_TYPE, exchange.body.media_type())
            .header(reqwest::header::ACCEPT, "application/json")
            .body(body.to_vec());
        let result = transport::exchange(request, MAX_ANSWER, &self.redactor()).await;
        let (status, result) = match result {
            Ok(raw) => {
                let answered = ExchangeStatus::Answered { status: raw.status, bytes: raw.body.len(), address: raw.address };
                let token = if (200..300).contains(&raw.status) {
                    read(credential, &raw).map_err(failed)
                } else {
                    Err(failed(&format!(
                        "was answered with status {}\nhelp: check the secrets that it sends: `casemate secret check --send`",
                        raw.status
                    )))
                };
                (answered, token)
            }
            Err(SendError::TooLarge) => (
                ExchangeStatus::Broken { reason: format!("larger than {MAX_ANSWER} bytes") },
                Err(failed("was answered at too great length")),
            ),
            Err(SendError::Connect(reason)) => {
                (ExchangeStatus::NotSent { reason: reason.clone() }, Err(failed(&format!("was not sent: {reason}"))))
            }
            Err(SendError::Broken(reason)) => {
                (ExchangeStatus::Broken { reason: reason.clone() }, Err(failed(&format!("broke: {reason}"))))
            }
            Err(SendError::Prohibited(prohibited)) => {
                (ExchangeStatus::NotSent { reason: prohibited.to_string() }, Err(SendError::Prohibited(prohibited)))
            }
            Err(other) => (ExchangeStatus::NotSent { reason: "it could not be made".to_owned() }, Err(other)),
        };
        witness.end(at, status);
        result
    }
}

/// The token in an answer, and how long it is good. Nothing of the answer is quoted: it holds a token, or might.
fn read(credential: &ExchangeCredential, raw: &Raw) -> Result<(SecretString, Duration), &'static str> {
    let exchange = &credential.exchange;
    let answer: Value = serde_json::from_slice(&raw.body).map_err(|_| "was answered with something else than JSON")?;
    let token = answer.pointer(&exchange.token).and_then(Value::as_str).ok_or("was answered without a token")?;
    let fits = (MIN_TOKEN..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        return Err("was answered with a token that no header carries");
    }
    let said = match (&exchange.lifetime, &exchange.expires) {
        (Some(place), _) => answer.pointer(place).and_then(seconds),
        (None, Some(place)) => answer.pointer(place).and_then(Value::as_str).and_then(left),
        (None, None) => None,
    };
    let lasts = said.or(exchange.lasts).unwrap_or(LASTS).min(MAX_LASTS);
    Ok((SecretString::from(token), Duration::from_secs(lasts)))
}

/// A number of seconds, or the text of one: some servers write a string.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The seconds until an instant.
fn left(until: &str) -> Option<u64> {
    until.parse::<Timestamp>().ok().map(|until| until.since(transport::now()) / 1000)
}

/// Put a token where its upstream looks for it.
pub(super) fn put(credential: &ExchangeCredential, held: &Held, headers: &mut HeaderMap) -> Result<(), String> {
    let unusable = || format!("the token of `{}` cannot be sent as the manifest asks", credential.exchange.name);
    let token = held.value.expose_secret();
    let (name, value) = match (&credential.header, &credential.scheme) {
        (Some(header), _) => (HeaderName::try_from(header.as_str()).map_err(|_| unusable())?, token.to_owned()),
        (None, Some(scheme)) => (AUTHORIZATION, format!("{scheme} {token}")),
        (None, None) => return Err(unusable()),
    };
    let value = Zeroizing::new(value);
    let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| unusable())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
