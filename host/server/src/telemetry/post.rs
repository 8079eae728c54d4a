//! OTLP over HTTP, in its JSON encoding: one parcel to one collector. What it answers is bounded, and only counted.

use std::{sync::Arc, time::Duration};

use casemate_registry::{Client, Posted, Settings};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::{sync::RwLock, task::spawn_blocking, time::sleep};
use url::Url;

use super::outbox::Signal;
use crate::config::{OtlpSettings, TokenSettings};

/// For one attempt.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 64 << 10;
/// What is waited before another attempt; after the last, it is lost. Meanwhile the line fills.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Posts to one collector. Clones share their connections.
#[derive(Clone)]
pub(super) struct Poster {
    client: Client,
    endpoint: Url,
    token: Option<Arc<Token>>,
}

/// What proves who sends.
struct Token {
    settings: TokenSettings,
    value: RwLock<SecretString>,
}

/// Why a parcel did not arrive.
enum Fault {
    /// Trying again may help.
    Passing(String),
    /// It does not.
    Lasting(String),
    /// The token is not taken.
    Unauthorized(StatusCode),
}

impl Poster {
    /// For this collector.
    ///
    /// # Errors
    /// When its certificates or the token cannot be read.
    pub(super) fn open(to: &OtlpSettings) -> Result<Self, String> {
        let roots = to.roots().map_err(|failure| failure.message)?;
        let settings = Settings {
            roots,
            deadline: DEADLINE,
            stall: DEADLINE,
            hosts: to.host().into_iter().collect(),
            ..Settings::default()
        };
        let client = Client::new(settings).map_err(|error| error.to_string())?;
        let token = to.token.as_ref().map(|settings| {
            let value = settings.source.read().map_err(|fault| format!("the token of `[telemetry.otlp]`{fault}"))?;
            Ok::<_, String>(Arc::new(Token { settings: settings.clone(), value: RwLock::new(value) }))
        });
        Ok(Self { client, endpoint: to.endpoint.clone(), token: token.transpose()? })
    }

    /// Post it; gives how many items of it the collector refused.
    pub(super) async fn post(&self, signal: Signal, body: Vec<u8>) -> Result<u64, String> {
        let (mut retries, mut renewed) = (RETRIES.into_iter(), false);
        loop {
            let why = match self.attempt(signal, body.clone()).await {
                Ok(refused) => return Ok(refused),
                Err(Fault::Lasting(why)) => return Err(why),
                // It may have been changed where it comes from.
                Err(Fault::Unauthorized(_)) if !renewed && self.renew().await => {
                    renewed = true;
                    continue;
                }
                Err(Fault::Unauthorized(status)) => return Err(format!("the collector answered {status}")),
                Err(Fault::Passing(why)) => why,
            };
            match retries.next() {
                Some(wait) => sleep(wait).await,
                None => return Err(why),
            }
        }
    }

    /// Whether it takes what it is sent: a parcel with nothing in it.
    pub(super) async fn try_once(&self, signal: Signal) -> Result<(), String> {
        match self.attempt(signal, b"{}".to_vec()).await {
            Ok(_) => Ok(()),
            Err(Fault::Passing(why) | Fault::Lasting(why)) => Err(why),
            Err(Fault::Unauthorized(status)) => Err(format!("the collector answered {status}")),
        }
    }

    async fn attempt(&self, signal: Signal, body: Vec<u8>) -> Result<u64, Fault> {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/v1/{}", url.path().trim_end_matches('/'), signal.as_str()));
        let headers = self.headers().await?;
        // Nothing was sent twice that may have arrived: of an answer that broke off, it is not known.
        let answer = self.client.post(&url, headers, body, MAX_ANSWER).await.map_err(|error| match error.code() {
            "unreachable" => Fault::Passing(error.to_string()),
            _ => Fault::Lasting(error.to_string()),
        })?;
        judge(signal, &answer)
    }

    async fn headers(&self) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        if let Some(token) = &self.token {
            let value = token.value.read().await;
            let (name, text) = match &token.settings.header {
                Some(name) => (name.clone(), SecretString::from(value.expose_secret())),
                None => (header::AUTHORIZATION, SecretString::from(format!("Bearer {}", value.expose_secret()))),
            };
            let unfit = |_| Fault::Lasting("the token is nothing that a header can carry".to_owned());
            let mut value = HeaderValue::from_str(text.expose_secret()).map_err(unfit)?;
            value.set_sensitive(true);
            headers.insert::<HeaderName>(name, value);
        }
        Ok(headers)
    }

    /// Read the token anew; gives whether it is another.
    async fn renew(&self) -> bool {
        let Some(token) = self.token.clone() else { return false };
        let source = token.settings.source.clone();
        let Ok(Ok(read)) = spawn_blocking(move || source.read()).await else { return false };
        let mut value = token.value.write().await;
        let another = value.expose_secret() != read.expose_secret();
        *value = read;
        another
    }
}

/// What an answer means (OTLP 1.x, "OTLP/HTTP Response"). No redirect is followed, so one is a refusal.
fn judge(signal: Signal, answer: &Posted) -> Result<u64, Fault> {
    let said = || format!("the collector answered {}", answer.status);
    match answer.status {
        status if status.is_success() => Ok(refused(signal, &answer.body)),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(Fault::Unauthorized(status)),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(Fault::Passing(said())),
        _ => Err(Fault::Lasting(said())),
    }
}

/// How many items a collector that took the rest did not take. What it says besides is not read: it is nobody's word but its own.
fn refused(signal: Signal, body: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let count = answer.pointer(match signal {
        Signal::Traces => "/partialSuccess/rejectedSpans",
        Signal::Metrics => "/partialSuccess/rejectedDataPoints",
        Signal::Logs => "/partialSuccess/rejectedLogRecords",
    });
    // A 64-bit number is a text in this encoding, and readers take it as a number too.
    count.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok())).unwrap_or_default()
}
