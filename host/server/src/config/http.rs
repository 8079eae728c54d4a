//! `[http]` and `[calls]`: who may connect, what a connection may do, and how many calls a principal may have going.
//!
//! Every bound has a range. A value outside it is refused with its line: none switches a bound off.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use casemate_policy::Window;
use serde::Deserialize;
use toml::Spanned;

use super::{Resolver, file::OAuth};
use crate::identity::oauth::OAuthSettings;

/// `[http]`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpFile {
    /// Accepted values of `Host` besides loopback names.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Accepted values of `Origin` besides loopback origins.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Serve without TLS on addresses other than loopback; default: false.
    #[serde(default)]
    pub plaintext: bool,
    /// TLS; default: none.
    pub tls: Option<TlsFile>,
    /// An authorization server whose tokens are believed; default: none.
    pub oauth: Option<OAuth>,
    /// Connections in all; default: 2048.
    pub connections: Option<Spanned<u64>>,
    /// Connections from one address; default: 256.
    pub connections_per_address: Option<Spanned<u64>>,
    /// KiB of a request's line and headers; default: 64.
    pub header_kib: Option<Spanned<u64>>,
    /// Header fields of a request; default: 64.
    pub header_fields: Option<Spanned<u64>>,
    /// KiB of a request's body; default: 8192.
    pub message_kib: Option<Spanned<u64>>,
    /// How long a TLS handshake may take; default: 10s.
    pub handshake_time: Option<Spanned<String>>,
    /// How long a request's line and headers may take, from their first byte on; default: 10s.
    pub header_time: Option<Spanned<String>>,
    /// How long a request's body may take; default: 30s.
    pub body_time: Option<Spanned<String>>,
    /// How long a connection may be kept without a request; default: 2m.
    pub idle_time: Option<Spanned<String>>,
    /// How long a client may leave what is sent to it unread; default: 30s.
    pub stall_time: Option<Spanned<String>>,
    /// How long calls may run on when the server is told to stop; default: 10s.
    pub drain: Option<Spanned<String>>,
}

/// `[http.tls]`, as typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// The certificate chain, in PEM; relative to the configuration file.
    pub certificate: PathBuf,
    /// Its private key, in PEM, readable by the server's user alone; relative to the configuration file.
    pub key: PathBuf,
    /// Root certificates of clients, in PEM; relative to the configuration file. Clients then present one too.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is let in; default: `required` where there is `client_ca`.
    pub client_auth: Option<Spanned<ClientAuth>>,
    /// Whether a client certificate alone, without a token, names a principal, `cert:NAME`; default: false.
    pub principal: Option<Spanned<bool>>,
}

/// Whether clients present a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// Nobody comes in without.
    #[default]
    Required,
    /// One that is presented has to be good.
    Optional,
}

/// `[calls]`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallsFile {
    /// Calls of one principal that may run at once; default: 192.
    pub running: Option<Spanned<u64>>,
    /// Calls of one principal that may run or wait at once; default: 1024.
    pub in_flight: Option<Spanned<u64>>,
    /// How long a call waits for its turn; default: 5s.
    pub wait: Option<Spanned<String>>,
}

/// Settings of the HTTP transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Accepted values of `Host` besides loopback names.
    pub hosts: Vec<String>,
    /// Accepted values of `Origin` besides loopback origins.
    pub origins: Vec<String>,
    /// Whether addresses other than loopback are served without TLS.
    pub plaintext: bool,
    /// TLS, where the server speaks it.
    pub tls: Option<TlsSettings>,
    /// The authorization server whose tokens are believed.
    pub oauth: Option<OAuthSettings>,
    /// Connections at once, in all.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// Bytes of a request's line and headers.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_fields: usize,
    /// Bytes of a request's body.
    pub message_bytes: usize,
    /// The longest TLS handshake.
    pub handshake_time: Duration,
    /// The longest a request's line and headers may take.
    pub header_time: Duration,
    /// The longest a request's body may take.
    pub body_time: Duration,
    /// The longest a connection is kept without a request.
    pub idle_time: Duration,
    /// The longest a client may leave what is sent to it unread.
    pub stall_time: Duration,
    /// How long calls may run on when the server stops.
    pub drain: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            plaintext: false,
            tls: None,
            oauth: None,
            connections: 2048,
            connections_per_address: 256,
            // A bearer token that is a JWT with many claims, and a proxy's headers, with room to spare.
            header_bytes: 64 << 10,
            header_fields: 64,
            // A tool takes up to 4 MiB of file content as base64 (5.4 MiB), with room for the rest.
            message_bytes: 8 << 20,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(120),
            stall_time: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

impl HttpSettings {
    /// Whether this address may be served with these settings.
    ///
    /// # Errors
    /// What to do instead, where tokens and results would travel in the clear between machines.
    pub fn may_listen_on(&self, address: IpAddr) -> Result<(), String> {
        if self.tls.is_some() || self.plaintext || address.to_canonical().is_loopback() {
            return Ok(());
        }
        Err(format!(
            "`{address}` is reached from other machines, and there is no TLS: tokens and results would travel in the clear\n\
             help: set `[http.tls] certificate` and `key`; behind a proxy that does TLS, set `[http] plaintext = true`"
        ))
    }
}

/// Settings of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate chain, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// What clients' certificates are held to, where they have any.
    pub clients: Option<ClientSettings>,
}

/// Settings of TLS for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// Root certificates, in PEM.
    pub ca: PathBuf,
    /// Whether a client without a certificate is let in.
    pub auth: ClientAuth,
    /// Whether a certificate names a principal.
    pub principal: bool,
}

/// How many calls one principal may have going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSettings {
    /// Calls that may run at once.
    pub running: usize,
    /// Calls that may run or wait at once.
    pub in_flight: usize,
    /// How long one waits for its turn.
    pub wait: Duration,
}

impl Default for CallSettings {
    fn default() -> Self {
        // Three quarters of the sandbox: no principal has all of it, whatever runs long.
        Self { running: 192, in_flight: 1024, wait: Duration::from_secs(5) }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

impl Resolver<'_> {
    pub(super) fn http(&mut self, file: HttpFile) -> HttpSettings {
        let default = HttpSettings::default();
        HttpSettings {
            hosts: file.hosts,
            origins: file.origins,
            plaintext: file.plaintext,
            tls: file.tls.and_then(|tls| self.tls(tls)),
            // Resolved beside the guards, which hold a part of it.
            oauth: None,
            connections: self.count(file.connections, default.connections, 1..=65_536, 1),
            connections_per_address: self.count(file.connections_per_address, default.connections_per_address, 1..=65_536, 1),
            header_bytes: self.count(file.header_kib, default.header_bytes, 8..=1024, 1024),
            header_fields: self.count(file.header_fields, default.header_fields, 16..=1024, 1),
            message_bytes: self.count(file.message_kib, default.message_bytes, 64..=65_536, 1024),
            handshake_time: self.time(file.handshake_time, default.handshake_time, SECOND..=MINUTE),
            header_time: self.time(file.header_time, default.header_time, SECOND..=MINUTE),
            body_time: self.time(file.body_time, default.body_time, SECOND..=10 * MINUTE),
            idle_time: self.time(file.idle_time, default.idle_time, SECOND..=60 * MINUTE),
            stall_time: self.time(file.stall_time, default.stall_time, SECOND..=10 * MINUTE),
            drain: self.time(file.drain, default.drain, SECOND..=60 * MINUTE),
        }
    }

    pub(super) fn calls(&mut self, file: CallsFile) -> CallSettings {
        let default = CallSettings::default();
        CallSettings {
            running: self.count(file.running, default.running, 1..=256, 1),
            in_flight: self.count(file.in_flight, default.in_flight, 1..=4096, 1),
            wait: self.time(file.wait, default.wait, Duration::from_millis(100)..=MINUTE),
        }
    }

    fn tls(&mut self, file: TlsFile) -> Option<TlsSettings> {
        let beside = self.path.parent().unwrap_or(std::path::Path::new("")).to_owned();
        let clients = match file.client_ca {
            Some(ca) => Some(ClientSettings {
                ca: beside.join(ca),
                auth: file.client_auth.map(Spanned::into_inner).unwrap_or_default(),
                principal: file.principal.is_some_and(Spanned::into_inner),
            }),
            None => {
                for (name, span) in [
                    ("client_auth", file.client_auth.as_ref().map(Spanned::span)),
                    ("principal", file.principal.as_ref().map(Spanned::span)),
                ] {
                    if let Some(span) = span {
                        let place = self.place(span);
                        self.faults.push(format!(
                            "{place}: `{name}` is about client certificates, and none is asked for\nhelp: set `client_ca` beside it"
                        ));
                    }
                }
                None
            }
        };
        Some(TlsSettings { certificate: beside.join(file.certificate), key: beside.join(file.key), clients })
    }

    /// A number in a range, times its unit.
    fn count(&mut self, given: Option<Spanned<u64>>, default: usize, range: RangeInclusive<u64>, unit: usize) -> usize {
        let Some(given) = given else { return default };
        let (place, value) = (self.place(given.span()), given.into_inner());
        let sized = usize::try_from(value).ok().filter(|_| range.contains(&value));
        sized.map(|value| value.saturating_mul(unit)).unwrap_or_else(|| {
            let (least, most) = range.into_inner();
            self.faults.push(format!("{place}: {value} is out of range\nhelp: write a number from {least} to {most}"));
            default
        })
    }

    /// A length of time in a range.
    pub(super) fn time(
        &mut self,
        given: Option<Spanned<String>>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(given) = given else { return default };
        let Some(window) = self.form::<Window>(&given) else { return default };
        let value = Duration::from_millis(window.as_millis());
        if range.contains(&value) {
            return value;
        }
        let place = self.place(given.span());
        let (least, most) = range.into_inner();
        self.faults.push(format!("{place}: {window} is out of range\nhelp: write a length of time from {least:?} to {most:?}"));
        default
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::{ClientAuth, HttpSettings};

    fn parse(text: &str) -> Result<Config, String> {
        let text = format!("environment = \"dev\"\n{text}");
        Config::parse(Path::new("/etc/casemate.toml"), &text).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(text: &str, expected: &[&str]) {
        let error = parse(text).err().unwrap_or_default();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    }

    #[test]
    fn what_is_not_written_is_the_default() {
        let config = parse("[http]\n").unwrap();
        assert_eq!(config.http, HttpSettings::default());
        assert_eq!(config.calls, super::CallSettings::default());
    }

    #[test]
    fn bounds_are_resolved_in_bytes_and_lengths_of_time() {
        let config = parse("[http]\nconnections = 9\nheader_kib = 8\nidle_time = \"5s\"\n[calls]\nrunning = 3").unwrap();
        assert_eq!((config.http.connections, config.http.header_bytes, config.calls.running), (9, 8192, 3));
        assert_eq!(config.http.idle_time.as_secs(), 5);
    }

    #[test]
    fn a_bound_cannot_be_switched_off() {
        refused("[http]\nconnections = 0", &["casemate.toml:3", "0 is out of range", "from 1 to 65536"]);
        refused("[http]\nheader_kib = 4", &["casemate.toml:3", "from 8 to 1024"]);
        refused("[http]\nmessage_kib = 10000000", &["casemate.toml:3", "out of range"]);
        refused("[http]\nheader_time = \"0s\"", &["casemate.toml:3", "not a length of time"]);
        refused("[http]\nstall_time = \"1d\"", &["casemate.toml:3", "1d is out of range"]);
        refused("[http]\ndrain = 5", &["casemate.toml:3"]);
        refused("[calls]\nrunning = 257\nin_flight = 0", &["casemate.toml:3", "casemate.toml:4"]);
        refused("[http]\nheader_tiem = \"5s\"", &["casemate.toml:3", "did you mean `header_time`"]);
    }

    #[test]
    fn tls_files_are_beside_the_configuration() {
        let tls =
            parse("[http.tls]\ncertificate = \"tls/a.pem\"\nkey = \"/k.pem\"\nclient_ca = \"ca.pem\"").unwrap().http.tls.unwrap();
        assert_eq!((tls.certificate.as_path(), tls.key.as_path()), (Path::new("/etc/tls/a.pem"), Path::new("/k.pem")));
        let clients = tls.clients.unwrap();
        assert_eq!((clients.auth, clients.principal), (ClientAuth::Required, false));
    }

    #[test]
    fn half_of_tls_is_refused() {
        refused("[http.tls]\ncertificate = \"a.pem\"", &["casemate.toml:2", "key"]);
        for line in ["client_auth = \"optional\"", "principal = true"] {
            refused(&format!("[http.tls]\ncertificate = \"a\"\nkey = \"b\"\n{line}"), &["casemate.toml:5", "client_ca"]);
        }
        refused("[http.tls]\ncertificate = \"a\"\nkey = \"b\"\nclient_ca = \"c\"\nclient_auth = \"none\"", &["casemate.toml:6"]);
    }

    #[test]
    fn what_other_machines_reach_needs_tls() {
        let plain = HttpSettings::default();
        for near in ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"] {
            plain.may_listen_on(near.parse().unwrap()).unwrap();
        }
        for far in ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "::ffff:10.0.0.1"] {
            let refusal = plain.may_listen_on(far.parse().unwrap()).unwrap_err();
            assert!(refusal.contains("plaintext = true"), "{refusal}");
            HttpSettings { plaintext: true, ..plain.clone() }.may_listen_on(far.parse().unwrap()).unwrap();
        }
    }
}
