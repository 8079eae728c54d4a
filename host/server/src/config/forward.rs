//! Where the audit log is forwarded to.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use toml::Spanned;
use url::Url;

use super::{Resolver, file};
use crate::{exit::Failure, house::store, trail::export::Form};

/// Bytes of a file of root certificates.
const MAX_ROOTS: usize = 1 << 20;
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
    Otlp(OtlpCollector),
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

fn roots(ca: Option<&Path>) -> Result<Vec<Vec<u8>>, Failure> {
    ca.map(|path| store::file(path, MAX_ROOTS)).into_iter().collect()
}

impl Resolver<'_> {
    pub(super) fn forward(&mut self, name: &Spanned<String>, file: file::Forward) -> Option<ForwardConfig> {
        if !is_name(name.get_ref()) {
            let what = "a forwarding's name has the form ^[a-z][a-z0-9-]{0,39}$";
            self.faults.push(format!("{}: {what}", self.place(name.span())));
            return None;
        }
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let ca = file.ca.map(|ca| beside.join(ca));
        match collector(file.to.get_ref(), ca, file.form) {
            Ok(to) => Some(ForwardConfig { name: name.get_ref().clone(), to }),
            Err(why) => {
                self.faults.push(format!(
                    "{}: {why}\nhelp: write `syslog+tls://HOST:6514`, `https://HOST/v1/logs`, or on this machine `syslog+tcp://127.0.0.1:PORT` or `http://127.0.0.1:4318/v1/logs`",
                    self.place(file.to.span())
                ));
                None
            }
        }
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
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" | "http" if form.is_some() => Err("OTLP has a form of its own: leave `form` out"),
        "https" => Ok(Collector::Otlp(OtlpCollector { url, ca })),
        "http" if here => Ok(Collector::Otlp(OtlpCollector { url, ca })),
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
            "file:///tmp/log",
            "",
        ] {
            assert!(!of(bad), "{bad}");
        }
        assert!(collector("https://otel.example/v1/logs", None, Some(Form::Cef)).is_err());
    }
}
