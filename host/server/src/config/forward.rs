//! Where the audit log is forwarded to.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use casemate_registry::Authority;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use toml::Spanned;
use url::Url;
use zeroize::Zeroizing;

use super::{Located, Resolver, SecretSource, file};
use crate::{exit::Failure, house::store, trail::export::Form};

/// Bytes of a file of root certificates.
const MAX_ROOTS: usize = 1 << 20;
/// Headers that say how a message is read: a credential in one of them would change that.
const FRAMING: [&str; 8] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
    "upgrade",
];
/// Where syslog over TLS listens (RFC 5425).
const SYSLOG_TLS: u16 = 6514;

/// `[audit.forward.NAME]`, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardConfig {
    /// What it is called in the host's log, and its files in the state folder.
    pub name: String,
    /// Where to.
    pub to: Collector,
}

/// A system that collects logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collector {
    /// Syslog.
    Syslog(SyslogCollector),
    /// OpenTelemetry.
    Otlp(Box<OtlpCollector>),
}

/// A syslog server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogCollector {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to over TLS. Without, only on this machine.
    pub tls: bool,
    /// Root certificates that it is trusted by besides the system's, in PEM.
    pub ca: Option<PathBuf>,
    /// How records are written.
    pub form: Form,
}

/// An OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpCollector {
    /// Where logs are posted to: https, or http on this machine.
    pub url: Url,
    /// As for syslog.
    pub ca: Option<PathBuf>,
    /// Networks that are not public and that it may be in.
    pub allow_private: Vec<IpNet>,
    /// How this host proves itself to it.
    pub auth: Option<CollectorAuth>,
}

/// What a collector knows this host by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorAuth {
    header: HeaderName,
    scheme: Option<String>,
    source: SecretSource,
}

impl Collector {
    /// For people: where, and nothing of with what.
    pub fn shown(&self) -> String {
        match self {
            Self::Syslog(to) => format!("syslog {}{}", to.address(), if to.tls { " over TLS" } else { "" }),
            Self::Otlp(to) => {
                let by = to.auth.as_ref().map(|auth| format!(", known by its {}: {}", auth.header, auth.source.shown()));
                format!("OTLP {}{}", to.url, by.unwrap_or_default())
            }
        }
    }
}

impl CollectorAuth {
    /// Read it, as it is sent.
    ///
    /// # Errors
    /// When it cannot be had, or is nothing that a header can hold. Nothing of it is in what is said.
    pub fn read(&self) -> Result<(HeaderName, HeaderValue), String> {
        let secret = self.source.read().map_err(|fault| format!("its credential{fault}"))?;
        let before = self.scheme.as_ref().map(|scheme| format!("{scheme} ")).unwrap_or_default();
        let text = Zeroizing::new(format!("{before}{}", secret.expose_secret()));
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            "its credential is nothing that a header can hold\nhelp: check that the right file, variable or field is named"
                .to_owned()
        })?;
        value.set_sensitive(true);
        Ok((self.header.clone(), value))
    }
}

impl SyslogCollector {
    /// For people.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What it is trusted by besides the system's.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, Failure> {
        roots(self.ca.as_deref())
    }
}

impl OtlpCollector {
    /// What it is trusted by besides the system's.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, Failure> {
        roots(self.ca.as_deref())
    }
}

pub(super) fn roots(ca: Option<&Path>) -> Result<Vec<Vec<u8>>, Failure> {
    ca.map(|path| store::file(path, MAX_ROOTS)).into_iter().collect()
}

impl Resolver<'_> {
    pub(super) fn forward(&mut self, name: &Spanned<String>, file: file::Forward) -> Option<Located<ForwardConfig>> {
        if !is_name(name.get_ref()) {
            let what = "a forwarding's name has the form ^[a-z][a-z0-9-]{0,39}$";
            self.faults.push(format!("{}: {what}", self.place(name.span())));
            return None;
        }
        let place = self.place(name.span());
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let ca = file.ca.map(|ca| beside.join(ca));
        let more = file.allow_private.is_some() || file.auth.is_some();
        match collector(file.to.get_ref(), ca, file.form) {
            Ok(Collector::Syslog(_)) if more => {
                self.faults.push(format!(
                    "{place}: `auth` and `allow_private` are about OTLP\nhelp: remove them: syslog has no credential"
                ));
                None
            }
            Ok(Collector::Otlp(to)) => {
                let allow_private = self.networks(&file.allow_private.unwrap_or_default());
                let auth = match file.auth {
                    Some(auth) => Some(self.collector_auth(auth)?),
                    None => None,
                };
                let to = Collector::Otlp(Box::new(OtlpCollector { allow_private, auth, ..*to }));
                Some(Located { value: ForwardConfig { name: name.get_ref().clone(), to }, place })
            }
            Ok(to) => Some(Located { value: ForwardConfig { name: name.get_ref().clone(), to }, place }),
            Err(why) => {
                self.faults.push(format!(
                    "{}: {why}\nhelp: write `syslog+tls://HOST:6514`, `https://HOST/v1/logs`, or on this machine `syslog+tcp://127.0.0.1:PORT` or `http://127.0.0.1:4318/v1/logs`",
                    self.place(file.to.span())
                ));
                None
            }
        }
    }

    fn collector_auth(&mut self, file: file::ForwardAuth) -> Option<CollectorAuth> {
        let header = match &file.header {
            None => Some(AUTHORIZATION),
            Some(name) => HeaderName::try_from(name.get_ref()).ok().filter(|name| !FRAMING.contains(&name.as_str())),
        };
        let at = file.header.as_ref().map_or_else(|| file.secret.span(), Spanned::span);
        if header.is_none() {
            self.faults.push(format!(
                "{}: no credential can be sent in this header\nhelp: header = \"authorization\" with scheme = \"Bearer\", or what the collector names, such as \"api-key\"",
                self.place(at)
            ));
        }
        let scheme = file.scheme.as_ref().map(|scheme| (scheme.get_ref().clone(), self.place(scheme.span())));
        // RFC 9110, section 11.1: a scheme is a token.
        if let Some((_, place)) = scheme.as_ref().filter(|(scheme, _)| HeaderName::try_from(scheme.as_str()).is_err()) {
            self.faults.push(format!("{place}: a scheme is one word, such as `Bearer`\nhelp: what follows it is the secret"));
            return None;
        }
        let at = self.place(file.secret.span()).to_string();
        let source = self.secret(file.secret.into_inner(), &at)?;
        Some(CollectorAuth { header: header?, scheme: scheme.map(|(scheme, _)| scheme), source })
    }
}

/// It becomes a file's name.
fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn collector(to: &str, ca: Option<PathBuf>, form: Option<Form>) -> Result<Collector, &'static str> {
    let url = Url::parse(to).map_err(|_| "this is no URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("there is more in it than a host and a path");
    }
    // Of a scheme that it does not know, the URL's reader takes an address for a name.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        return Err("there is no host in it");
    }
    if matches!(url.scheme(), "http" | "https") && Authority::of(&url).is_none() {
        return Err("its host is no name: letters, digits and hyphens, with dots between");
    }
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" | "http" if form.is_some() => Err("OTLP has a form of its own: leave `form` out"),
        "https" => Ok(otlp(url, ca)),
        "http" if here => Ok(otlp(url, ca)),
        "syslog+tls" | "syslog+tcp" if !matches!(url.path(), "" | "/") => Err("syslog has no paths"),
        scheme @ ("syslog+tls" | "syslog+tcp") => {
            let tls = scheme == "syslog+tls";
            if !tls && !here {
                return Err("without TLS, records go to this machine alone");
            }
            let port = url.port().or(tls.then_some(SYSLOG_TLS)).ok_or("there is no port in it")?;
            Ok(Collector::Syslog(SyslogCollector { host, port, tls, ca, form: form.unwrap_or(Form::Jsonl) }))
        }
        "http" => Err("without TLS, records go to this machine alone"),
        _ => Err("nothing is known of this scheme"),
    }
}

fn otlp(url: Url, ca: Option<PathBuf>) -> Collector {
    Collector::Otlp(Box::new(OtlpCollector { url, ca, allow_private: Vec::new(), auth: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_leave_this_machine_over_tls_only() {
        let of = |to: &str| collector(to, None, None).is_ok();
        for good in [
            "syslog+tls://siem.example",
            "syslog+tls://siem.example:601",
            "syslog+tcp://127.0.0.1:514",
            "syslog+tcp://[::1]:514",
            "https://otel.example/v1/logs",
            "http://localhost:4318/v1/logs",
        ] {
            assert!(of(good), "{good}");
        }
        for bad in [
            "siem.example:514",
            "syslog://siem.example:514",
            "syslog+tcp://siem.example:514",
            "syslog+tcp://127.0.0.1",
            "syslog+tcp://127.0.0.1.evil.example:514",
            "syslog+tls://siem.example/path",
            "http://otel.example/v1/logs",
            "https://user:secret@otel.example/v1/logs",
            "https://otel.example/v1/logs?token=secret",
            "https://otel_collector.example/v1/logs",
            "file:///tmp/log",
            "",
        ] {
            assert!(!of(bad), "{bad}");
        }
        assert!(collector("https://otel.example/v1/logs", None, Some(Form::Cef)).is_err());
    }
}
