//! Access tokens of the operator's authorization server: this server is their resource server (OAuth 2.1, RFC 9728).
//!
//! What a token proves is for [`casemate_oauth`] to say, by keys that [`Keys`] keeps current. Nothing is kept of a token: it is verified
//! with every request, which takes less time than the request's TLS record.

use std::path::PathBuf;

use casemate_oauth::{Algorithm, Discovery, KeySet, Presented, Refused as Theirs, Rules, places};
use casemate_policy::{Principal, Timestamp, TokenScope};
use casemate_registry::{Authority, Client, HostRule, Settings};
use ipnet::IpNet;
use url::Url;

use super::{
    Refused,
    keys::{Fetch, Keys},
};
use crate::{exit::Failure, house::store};

/// Bytes of a JWK Set: 64 keys with a chain of certificates each.
const MAX_KEYS_DOCUMENT: usize = 512 * 1024;
/// Bytes of an authorization server's metadata.
const MAX_METADATA: usize = 64 * 1024;
/// A bundle of root certificates.
const MAX_ROOTS: usize = 1 << 20;
/// How long one document may take; requests may wait for it.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

/// `[http.oauth]`, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthSettings {
    /// Which tokens are accepted.
    pub rules: Rules,
    /// The same issuer as an address.
    pub issuer: Url,
    /// This server's canonical URI as an address.
    pub resource: Url,
    /// Where the issuer's keys are, if not where its metadata says.
    pub keys: Option<Url>,
    /// Networks that the issuer may be in although they are not public.
    pub allow_private: Vec<IpNet>,
    /// Root certificates that it is trusted by besides the system's, in PEM.
    pub ca: Option<PathBuf>,
    /// Every scope that means something here, to be told to clients.
    pub scopes: Vec<TokenScope>,
}

/// An authorization server whose tokens are believed.
pub struct OAuth {
    settings: OAuthSettings,
    keys: Keys,
}

impl OAuth {
    /// Believes the issuer of `settings`, by the keys that `fetch` gives.
    #[must_use]
    pub fn new(settings: OAuthSettings, fetch: Fetch) -> Self {
        Self { settings, keys: Keys::new(fetch) }
    }

    /// The authorization server that the operator named, not asked yet.
    pub(crate) fn open(settings: &OAuthSettings) -> Result<Self, Failure> {
        let roots = settings.ca.iter().map(|ca| store::file(ca, MAX_ROOTS)).collect::<Result<_, _>>()?;
        Ok(Self::new(settings.clone(), fetch(settings, roots).map_err(Failure::invalid)?))
    }

    /// What the operator said about it.
    #[must_use]
    pub fn settings(&self) -> &OAuthSettings {
        &self.settings
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where this server says which authorization server it believes (RFC 9728 section 3.1): before the resource's own path.
    #[must_use]
    pub fn metadata_url(&self) -> Url {
        let mut url = self.settings.resource.clone();
        url.set_path(&format!("{WELL_KNOWN}{}", self.settings.resource.path().trim_end_matches('/')));
        url
    }

    /// The principal that the bearer of `token` is.
    ///
    /// # Errors
    ///
    /// [`Refused`]; a token that names a key which is not known is looked at again with newer keys, where there may be any.
    pub async fn bearer(&self, token: &str, now: Timestamp) -> Result<Principal, Refused> {
        let rules = &self.settings.rules;
        let presented = Presented::read(token, rules)?;
        let mut keys = self.keys.current().ok_or(Refused::NoKeys)?;
        if !presented.is_known_to(&keys) {
            keys = self.keys.newer().await.ok_or(Refused::NoKeys)?;
        }
        let caller = presented.verify(&keys, rules, now)?;
        Ok(Principal::new(caller.id).with_roles(caller.roles).with_scopes(caller.scopes))
    }
}

/// RFC 9728 section 3.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Fetches the issuer's keys as registries are fetched from: no redirects, no proxies, capped, in time, from checked addresses.
///
/// # Errors
///
/// What is wrong with the settings.
pub fn fetch(settings: &OAuthSettings, roots: Vec<Vec<u8>>) -> Result<Fetch, String> {
    let rule = HostRule { allow_private: settings.allow_private.clone(), ..HostRule::default() };
    let places = std::iter::once(&settings.issuer).chain(&settings.keys);
    let hosts = places.filter_map(authority).map(|host| (host, rule.clone())).collect();
    let client = Client::new(Settings { roots, hosts, deadline: DEADLINE, stall: DEADLINE, ..Settings::default() })
        .map_err(|error| error.to_string())?;
    let settings = settings.clone();
    Ok(std::sync::Arc::new(move || {
        let (client, settings) = (client.clone(), settings.clone());
        Box::pin(async move {
            let place = match &settings.keys {
                Some(named) => named.clone(),
                None => discovered(&client, &settings).await?,
            };
            let document = client.fetch(&place, MAX_KEYS_DOCUMENT).await.map_err(|error| error.to_string())?;
            parse(&document, &settings.rules.algorithms)
        })
    }))
}

fn parse(document: &[u8], algorithms: &[Algorithm]) -> Result<KeySet, String> {
    KeySet::parse(document, algorithms).map_err(|error| error.to_string())
}

async fn discovered(client: &Client, settings: &OAuthSettings) -> Result<Url, String> {
    let mut reason = "the authorization server has no metadata".to_owned();
    for place in places(&settings.issuer) {
        match client.fetch(&place, MAX_METADATA).await {
            Ok(document) => match Discovery::parse(&document, &settings.rules.issuer) {
                Ok(found) => return Ok(found.keys),
                Err(error) => reason = error.to_string(),
            },
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}

fn authority(url: &Url) -> Option<Authority> {
    let host = url.host_str()?;
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")).parse().ok()
}

impl Refused {
    /// Whether the token is good, and is not for what was asked: a client can get another (RFC 6750 section 3.1).
    pub(crate) fn is_for_less(&self) -> bool {
        matches!(self, Self::Theirs(Theirs::Scope))
    }
}
