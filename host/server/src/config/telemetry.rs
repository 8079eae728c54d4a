//! `[telemetry]`: whether metrics are served, and what a collector is sent. Nothing, unless it is written here.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use casemate_registry::{Authority, HostRule};
use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::{Resolver, SecretSource, forward::roots, secret::SecretFile};
use crate::exit::Failure;

/// `[telemetry]`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryFile {
    /// Where Prometheus reads `/metrics`, such as `127.0.0.1:9464`; default: nowhere.
    pub metrics: Option<Spanned<String>>,
    /// Accepted values of `Host` there, besides loopback names and the address itself.
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    /// Serve metrics on another address than loopback, which is without TLS and without a token; default: false.
    #[serde(default)]
    pub plaintext: bool,
    /// A collector that traces, metrics and log lines are sent to; default: none.
    pub otlp: Option<Spanned<OtlpFile>>,
}

/// `[telemetry.otlp]`, as typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpFile {
    /// `https://HOST:4318`, or http on this machine. `/v1/traces` and its like are put behind it.
    pub endpoint: Spanned<String>,
    /// Send a trace of each call; default: true.
    #[serde(default = "yes")]
    pub traces: bool,
    /// Send metrics; default: true.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// Send the program's own log lines; default: false.
    #[serde(default)]
    pub logs: bool,
    /// Name the principal in a call's span and in log lines; default: false.
    #[serde(default)]
    pub principals: bool,
    /// How often metrics are sent; default: 30s.
    pub interval: Option<Spanned<String>>,
    /// What proves to the collector who sends.
    pub token: Option<Spanned<SecretFile>>,
    /// The header that has the token, as it is; default: `authorization`, with `Bearer` before it.
    pub header: Option<Spanned<String>>,
    /// Root certificates that it is trusted by besides the system's, in PEM; relative to the configuration file.
    pub ca: Option<PathBuf>,
    /// Networks that it may be in although they are not public.
    #[serde(default)]
    pub allow_private: Vec<Spanned<String>>,
}

fn yes() -> bool {
    true
}

/// `[telemetry]`, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Where metrics are served.
    pub metrics: Option<MetricsSettings>,
    /// Where telemetry is sent to.
    pub otlp: Option<OtlpSettings>,
}

/// Where metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsSettings {
    /// The address. Only loopback, unless the operator said otherwise.
    pub address: SocketAddr,
    /// Accepted values of `Host` besides loopback names and the address itself.
    pub hosts: Vec<String>,
}

/// What a collector is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpSettings {
    /// https, or http on this machine.
    pub endpoint: Url,
    /// Traces of calls.
    pub traces: bool,
    /// Metrics.
    pub metrics: bool,
    /// The program's own log lines.
    pub logs: bool,
    /// Whether principals are named.
    pub principals: bool,
    /// How often metrics are sent.
    pub interval: Duration,
    /// What proves who sends.
    pub token: Option<TokenSettings>,
    /// What it is trusted by besides the system's.
    pub ca: Option<PathBuf>,
    /// Networks that it may be in although they are not public.
    pub allow_private: Vec<IpNet>,
}

/// A token and the header that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Where it comes from.
    pub source: SecretSource,
    /// Its header; none for `authorization: Bearer`.
    pub header: Option<http::HeaderName>,
}

impl OtlpSettings {
    /// What it is trusted by besides the system's.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn roots(&self) -> Result<Vec<Vec<u8>>, Failure> {
        roots(self.ca.as_deref())
    }

    /// What is said about its host.
    pub fn host(&self) -> Option<(Authority, HostRule)> {
        let host = self.endpoint.host_str()?.parse().ok()?;
        Some((host, HostRule { allow_private: self.allow_private.clone(), ..HostRule::default() }))
    }

    /// What it is sent, in words.
    pub fn signals(&self) -> String {
        let signals = [("traces", self.traces), ("metrics", self.metrics), ("logs", self.logs)];
        signals.into_iter().filter(|(_, sent)| *sent).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// How often metrics are sent unless the operator says otherwise.
const INTERVAL: Duration = Duration::from_secs(30);

impl Resolver<'_> {
    pub(super) fn telemetry(&mut self, file: TelemetryFile) -> TelemetrySettings {
        let TelemetryFile { metrics, hosts, plaintext, otlp } = file;
        if let (None, Some(host)) = (&metrics, hosts.first()) {
            let place = self.place(host.span());
            self.faults.push(format!("{place}: `hosts` is about metrics, and none are served\nhelp: set `metrics` beside it"));
        }
        TelemetrySettings {
            metrics: metrics.and_then(|address| self.metrics(&address, hosts, plaintext)),
            otlp: otlp.and_then(|otlp| self.otlp(otlp)),
        }
    }

    fn metrics(&mut self, text: &Spanned<String>, hosts: Vec<Spanned<String>>, plaintext: bool) -> Option<MetricsSettings> {
        let help = "write an address and a port: 127.0.0.1:9464";
        let address: SocketAddr = self.form_of(text, "an address to listen on", help)?;
        let place = self.place(text.span());
        if !plaintext && !address.ip().to_canonical().is_loopback() {
            self.faults.push(format!(
                "{place}: `{address}` is reached from other machines, and whoever asks there reads the metrics\n\
                 help: write 127.0.0.1:{}; or set `plaintext = true` beside it, where the network or a proxy says who may ask",
                address.port()
            ));
            return None;
        }
        Some(MetricsSettings { address, hosts: hosts.into_iter().map(Spanned::into_inner).collect() })
    }

    fn otlp(&mut self, file: Spanned<OtlpFile>) -> Option<OtlpSettings> {
        let place = self.place(file.span());
        let file = file.into_inner();
        if !(file.traces || file.metrics || file.logs) {
            self.faults.push(format!(
                "{place}: nothing is sent to the collector\nhelp: set one of traces, metrics and logs, or remove the section"
            ));
        }
        let beside = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let endpoint = self.address(&file.endpoint, "a collector");
        let interval = self.time(file.interval, INTERVAL, SECOND..=600 * SECOND);
        let header = file.header.as_ref().and_then(|header| self.token_header(header, file.token.is_some()));
        let source = file.token.and_then(|token| {
            let at = self.place(token.span()).to_string();
            self.secret(token.into_inner(), &at)
        });
        let allow_private = self.networks(&file.allow_private);
        Some(OtlpSettings {
            endpoint: endpoint?,
            traces: file.traces,
            metrics: file.metrics,
            logs: file.logs,
            principals: file.principals,
            interval,
            token: source.map(|source| TokenSettings { source, header }),
            ca: file.ca.map(|ca| beside.join(ca)),
            allow_private,
        })
    }

    /// The field that a token is sent in: none that frames a request or says where it goes.
    fn token_header(&mut self, text: &Spanned<String>, has_token: bool) -> Option<http::HeaderName> {
        const TAKEN: [&str; 6] =
            ["content-type", "content-length", "content-encoding", "host", "transfer-encoding", "connection"];
        let name: http::HeaderName = self.form_of(text, "the name of a header", "write it as `x-api-key`")?;
        let why = match (has_token, TAKEN.contains(&name.as_str())) {
            (false, _) => "there is no token that it could have\nhelp: set `token` beside it",
            (_, true) => "the host sets it\nhelp: write the header that the collector reads a token from, such as `x-api-key`",
            _ => return Some(name),
        };
        let place = self.place(text.span());
        self.faults.push(format!("{place}: `header`: {why}"));
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::{super::Config, TelemetrySettings};

    fn parse(text: &str) -> Result<TelemetrySettings, String> {
        let text = format!("environment = \"dev\"\n{text}");
        Config::parse(Path::new("casemate.toml"), &text).map(|config| config.telemetry).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_served_or_sent_where_nothing_is_written() {
        assert_eq!(parse("").unwrap(), TelemetrySettings::default());
        assert_eq!(parse("[telemetry]").unwrap(), TelemetrySettings::default());
    }

    #[test]
    fn a_section_is_resolved_with_defaults() {
        let settings = parse(
            "[telemetry]\nmetrics = \"127.0.0.1:9464\"\n[telemetry.otlp]\nendpoint = \"https://collector.example:4318\"\n\
             token = { file = \"/run/secrets/otlp\" }\nheader = \"X-Api-Key\"",
        )
        .unwrap();
        assert_eq!(settings.metrics.unwrap().address.port(), 9464);
        let otlp = settings.otlp.unwrap();
        assert_eq!((otlp.signals().as_str(), otlp.interval.as_secs(), otlp.principals), ("traces, metrics", 30, false));
        assert_eq!(otlp.token.unwrap().header.unwrap(), "x-api-key");
        for near in ["127.0.0.1:0", "[::1]:9464", "[::ffff:127.0.0.1]:9464"] {
            assert!(parse(&format!("[telemetry]\nmetrics = \"{near}\"")).is_ok(), "{near}");
        }
        assert!(parse("[telemetry]\nmetrics = \"0.0.0.0:9464\"\nplaintext = true\nhosts = [\"casemate.example:9464\"]").is_ok());
    }

    #[test]
    fn what_would_tell_others_or_makes_no_sense_is_refused_with_its_line() {
        for (text, part) in [
            ("metrics = \"0.0.0.0:9464\"", "reached from other machines"),
            ("metrics = \"10.0.0.1:9464\"", "plaintext = true"),
            ("metrics = \"[::ffff:10.0.0.1]:9464\"", "reached from other machines"),
            ("metrics = \"9464\"", "is not an address to listen on"),
            ("metrics = \"localhost:9464\"", "is not an address to listen on"),
            ("metrics = true", "casemate.toml:3"),
            ("hosts = [\"a\"]", "none are served"),
            ("metrcis = \"127.0.0.1:9464\"", "did you mean `metrics`"),
            ("otlp = { endpoint = \"http://collector.example:4318\" }", "is not a collector"),
            ("otlp = { endpoint = \"https://u:p@collector.example\" }", "is not a collector"),
            ("otlp = { endpoint = \"https://collector.example?token=x\" }", "is not a collector"),
            ("otlp = { endpoint = \"collector:4318\" }", "is not a collector"),
            ("otlp = { endpoint = \"https://a_collector.example:4318\" }", "is not a collector"),
            ("otlp = { traces = true }", "endpoint"),
            ("otlp = { endpoint = \"https://c.example\", traces = false, metrics = false }", "nothing is sent"),
            ("otlp = { endpoint = \"https://c.example\", interval = \"1ms\" }", "out of range"),
            ("otlp = { endpoint = \"https://c.example\", header = \"x-key\" }", "no token"),
            ("otlp = { endpoint = \"https://c.example\", token = { env = \"A\" }, header = \"Host\" }", "the host sets it"),
            (
                "otlp = { endpoint = \"https://c.example\", token = { env = \"A\" }, header = \"a b\" }",
                "not the name of a header",
            ),
            ("otlp = { endpoint = \"https://c.example\", token = { env = \"A\", file = \"b\" } }", "one provider"),
            ("otlp = { endpoint = \"https://c.example\", token = \"secret-in-the-file\" }", "casemate.toml:3"),
            ("otlp = { endpoint = \"https://c.example\", allow_private = [\"10.0.0.0\"] }", "is not a network"),
            ("otlp = { endpoint = \"https://c.example\", trace = true }", "did you mean `traces`"),
        ] {
            let error = parse(&format!("[telemetry]\n{text}")).err().unwrap_or_default();
            assert!(error.contains(part) && error.contains("casemate.toml:3"), "{text}: {error}");
        }
    }
}
