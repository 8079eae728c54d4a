//! Faithful loopback fakes of the services that plugins talk to, and two that are anything but faithful.
//!
//! | listener | what it is |
//! |---|---|
//! | `virustotal` | VirusTotal API v3: envelopes, cursors, submissions, quota, every documented error |
//! | `echo` | answers with exactly what it received, credential included |
//! | `hostile` | the path chooses a misbehaviour: `/gzip-bomb?mib=64` |
//! | `caldera` | MITRE Caldera 5.3.0: operations that run, agents that beacon, and every surprise of its API |
//! | `oauth` | an authorization server that signs whatever it is asked to |
//! | `mirror` | answers with every credential it is sent, in every spelling; hands out tokens |
//! | `vault` | HashiCorp Vault and OpenBao: KV version 1 and 2, namespaces, AppRole |
//! | `collector` | an OpenTelemetry collector: OTLP over HTTP, in JSON |
//! | `hackerone` | HackerOne's API for hackers: reports in numbered pages, and submitting one |
//! | `slack` | Slack's Web API: status 200 for everything, mentions, cursors |
//! | `github` | GitHub's contents API: a repository with branches, blobs and conflicts |
//! | `shodan` | Shodan's REST API: hosts, searches, credits |
//! | `sentinelone` | SentinelOne: threats, agents, actions by filter, and PowerQueries as long running queries |
//! | `limacharlie` | LimaCharlie's API: sensors, a hive of rules, detections; 400 for everything, and a code |
//! | `limacharlie-jwt` | the service that makes tokens for it |
//! | `mitmproxy` | mitmweb with casemate.py: six recorded flows, and replays of copies |
//! | `crowdsec` | CrowdSec's local API: decisions by a bouncer's key, alerts by a machine's token |
//! | `abuseipdb` | AbuseIPDB's API: scores, reports, a whitelist |
//! | `crowdsec-cti` | CrowdSec's CTI: what is known of an address, or 404 |
//! | `siem-sentinel`, `entra` | the query API of Log Analytics, and what makes tokens for it: spans, partial answers, errors three deep |
//! | `caido` | Caido's GraphQL API in both its ways to replay: what is recorded, sessions, findings |
//! | `siem-splunk` | Splunk's REST API: searches as jobs, XML where JSON is not asked for, and every index that a query names |
//! | `misp` | MISP: events of several organisations, tags, searches, sightings and publishing |
//! | `stratus` | AWS as Stratus Red Team meets it: STS, IAM, CloudTrail and S3 |
//! | `siem-victorialogs` | VictoriaLogs: JSON lines, and what is beside a query is in it |
//! | `atomic` | WinRM on a Windows machine: shells, commands, output and faults, and Invoke-AtomicTest |
//! | `burp` | Burp Suite's MCP extension over HTTP with SSE: answers on a stream, and one text with items that are cut |
//! | `control` | what was received, and scripts that make the others misbehave: see [`control`] |
//!
//! Each is its own listener, so each is its own origin. HTTP is spoken by hand ([`http`]): tests assert what really reached an
//! upstream, byte by byte, and a hostile upstream writes what no HTTP library would.
//!
//! A new fake is one module with one [`Upstream`] and a line in [`start`]. [`postgres`] is none: it is not HTTP, and stands before a real server.

pub mod abuseipdb;
pub mod burp;
pub mod caido;
pub mod caldera;
pub mod collector;
pub mod control;
pub mod crowdsec;
pub mod crowdsec_cti;
pub mod echo;
pub mod github;
pub mod hackerone;
pub mod hostile;
pub mod http;
pub mod key;
pub mod limacharlie;
pub mod mirror;
pub mod misbehaviour;
pub mod misp;
pub mod mitmproxy;
pub mod oauth;
pub mod postgres;
pub mod record;
pub mod script;
pub mod sentinel;
pub mod sentinelone;
mod serve;
pub mod shodan;
pub mod slack;
pub mod splunk;
pub mod stratus;
pub mod vault;
pub mod victorialogs;
pub mod virustotal;
pub mod winrm;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use control::Control;
use http::{Request, Response};
use misbehaviour::Misbehaviour;
use record::Record;
use script::Scripts;

/// What an upstream says to one request: an answer, and what to do to that answer on its way out.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub response: Response,
    /// How to spoil it, when the request asked for that.
    pub misbehaviour: Option<Misbehaviour>,
    /// Where the answer will come from, when it has to wait for something; until then nothing is sent, however long that is.
    pub held: Option<oneshot::Receiver<Response>>,
    /// Where the rest of the body comes from, piece by piece, when it is a stream: until nothing more can come, or the client leaves.
    pub stream: Option<mpsc::UnboundedReceiver<Vec<u8>>>,
}

impl Reply {
    /// An answer that has to wait. The connection closes if it never comes.
    #[must_use]
    pub fn held(answer: oneshot::Receiver<Response>) -> Self {
        Reply { held: Some(answer), ..Response::empty(200).into() }
    }

    /// An answer whose body goes on. It is what the stream has, and begins with the body of `response`.
    #[must_use]
    pub fn stream(response: Response, pieces: mpsc::UnboundedReceiver<Vec<u8>>) -> Self {
        Reply { stream: Some(pieces), ..response.into() }
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Reply { response, misbehaviour: None, held: None, stream: None }
    }
}

/// One fake service.
pub trait Upstream: Send + Sync + 'static {
    /// Its name: the key in the ready line, in the record and in scripts.
    fn name(&self) -> &'static str;

    /// Answers one request. `origin` is this listener's own, such as `http://127.0.0.1:4000`.
    fn answer(&self, request: &Request, origin: &str) -> Reply;

    /// The answer that carries one of the service's documented error codes; `None` for a code it does not document.
    fn failure(&self, code: &str) -> Option<Response> {
        let _ = code;
        None
    }

    /// Does what a test wants of it beyond its own protocol: an order in JSON, of the upstream's own making.
    ///
    /// # Errors
    /// Why the order is none of its.
    fn tell(&self, order: &[u8]) -> Result<(), String> {
        let _ = order;
        Err(format!("`{}` takes no orders", self.name()))
    }

    /// Forgets what earlier requests left behind.
    fn reset(&self) {}
}

/// What to serve, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. With port 0 every listener gets a free port; otherwise they take this port and those after it, in the
    /// order of the table above.
    pub listen: SocketAddr,
    /// The one API key that the VirusTotal fake takes.
    pub virustotal_key: String,
    /// The red team's key that the Caldera fake takes.
    pub caldera_key: String,
    /// Calls a minute the VirusTotal fake allows; `None` for no limit.
    pub quota: Option<u32>,
    /// How often the agents of the Caldera fake beacon; `None` for not before they are told to.
    pub beat: Option<Duration>,
    /// A file that gets one line of JSON for each request, the key blotted out.
    pub log: Option<PathBuf>,
}

/// Why the fakes could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not loopback.
    #[error("`{0}` is not a loopback address\nhelp: these fakes misbehave on purpose and are for this machine only")]
    NotLoopback(SocketAddr),
    /// A listener could not be bound.
    #[error("cannot listen on `{0}`: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The log file could not be opened.
    #[error("cannot write the log file `{0}`: {1}")]
    Log(PathBuf, std::io::Error),
}

/// Starts every fake on the current tokio runtime and returns their origins by name.
///
/// # Errors
/// See [`StartError`].
pub async fn start(settings: &Settings) -> Result<BTreeMap<&'static str, String>, StartError> {
    if !settings.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(settings.listen));
    }
    let keys = [settings.virustotal_key.as_str(), caldera::BLUE_KEY, settings.caldera_key.as_str()].map(str::to_owned);
    let record = Arc::new(Record::new(settings.log.as_deref(), keys.into())?);
    let scripts = Arc::new(Scripts::default());
    let caldera = caldera::Caldera::new(settings.caldera_key.clone());
    if let Some(beat) = settings.beat {
        caldera.simulate_all(beat);
    }
    let (limacharlie, limacharlie_tokens) = limacharlie::services();
    let (sentinel, entra) = sentinel::services();
    let upstreams: Vec<Arc<dyn Upstream>> = vec![
        Arc::new(virustotal::VirusTotal::new(settings.virustotal_key.clone(), settings.quota)),
        Arc::new(echo::Echo),
        Arc::new(hostile::Hostile),
        Arc::new(caldera),
        Arc::new(oauth::OAuth::new()),
        Arc::new(mirror::Mirror::default()),
        Arc::new(vault::Vault::default()),
        Arc::new(collector::Collector::default()),
        Arc::new(hackerone::HackerOne::default()),
        Arc::new(slack::Slack::default()),
        Arc::new(github::GitHub::default()),
        Arc::new(shodan::Shodan::default()),
        Arc::new(sentinelone::SentinelOne::default()),
        Arc::new(limacharlie),
        Arc::new(limacharlie_tokens),
        Arc::new(burp::Burp::default()),
        Arc::new(caido::Caido::default()),
        Arc::new(mitmproxy::Mitmproxy::default()),
        Arc::new(crowdsec::CrowdSec::default()),
        Arc::new(abuseipdb::AbuseIpDb::default()),
        Arc::new(crowdsec_cti::CrowdSecCti::default()),
        Arc::new(sentinel),
        Arc::new(entra),
        Arc::new(splunk::Splunk::default()),
        Arc::new(misp::Misp::default()),
        Arc::new(stratus::Stratus::default()),
        Arc::new(victorialogs::VictoriaLogs::default()),
        Arc::new(winrm::WinRm::default()),
    ];

    let mut origins = BTreeMap::new();
    let mut address = settings.listen;
    for upstream in &upstreams {
        let (listener, origin) = listen(address).await?;
        origins.insert(upstream.name(), origin.clone());
        tokio::spawn(serve::upstream(listener, origin, Arc::clone(upstream), Arc::clone(&record), Arc::clone(&scripts)));
        address = next(address);
    }
    let (listener, origin) = listen(address).await?;
    origins.insert(control::NAME, origin);
    tokio::spawn(serve::control(listener, Arc::new(Control::new(upstreams, record, scripts))));
    Ok(origins)
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, String), StartError> {
    let listener = TcpListener::bind(address).await.map_err(|error| StartError::Listen(address, error))?;
    let bound = listener.local_addr().map_err(|error| StartError::Listen(address, error))?;
    Ok((listener, format!("http://{bound}")))
}

fn next(mut address: SocketAddr) -> SocketAddr {
    if address.port() != 0 {
        address.set_port(address.port().wrapping_add(1));
    }
    address
}
