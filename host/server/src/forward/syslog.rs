//! Syslog over TLS (RFC 5425), or over TCP on this machine (RFC 6587).

use std::{sync::Arc, time::Duration};

use casemate_audit::Entry;
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls_platform_verifier::Verifier;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    config::SyslogCollector,
    trail::export::{Form, syslog},
};

/// To connect, and to write one batch.
const PATIENCE: Duration = Duration::from_secs(15);

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(super) struct Stream {
    duplex: Box<dyn Duplex>,
    form: Form,
    host: String,
}

impl Stream {
    pub(super) async fn open(to: &SyslogCollector) -> Result<Self, String> {
        let opened = timeout(PATIENCE, connect(to)).await;
        let duplex = opened.map_err(|_| format!("no connection to {} within {} s", to.address(), PATIENCE.as_secs()))??;
        // Where there is no such file, the nil value stands in its place.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Self { duplex, form: to.form, host: host.trim_end().to_owned() })
    }

    pub(super) async fn send(&mut self, entries: &[Entry]) -> Result<(), String> {
        let text: String = entries.iter().map(|entry| syslog(entry, self.form, &self.host)).collect();
        let written = async {
            // A collector says nothing: a byte, or the end, means that it is not listening any more. What was written into a
            // connection that is closed would seem to be sent.
            let mut byte = [0];
            let gone = tokio::select! {
                biased;
                read = self.duplex.read(&mut byte) => Some(read),
                () = std::future::ready(()) => None,
            };
            if let Some(read) = gone {
                return Err(match read {
                    Ok(0) => std::io::Error::other("the collector closed the connection"),
                    Ok(_) => std::io::Error::other("the collector answered, which syslog does not"),
                    Err(error) => error,
                });
            }
            self.duplex.write_all(text.as_bytes()).await?;
            self.duplex.flush().await
        };
        let ended = timeout(PATIENCE, written).await;
        let ended = ended.map_err(|_| format!("the collector took nothing for {} s", PATIENCE.as_secs()))?;
        ended.map_err(|error| error.to_string())
    }
}

async fn connect(to: &SyslogCollector) -> Result<Box<dyn Duplex>, String> {
    let stream = TcpStream::connect((to.host.as_str(), to.port)).await.map_err(|error| format!("{}: {error}", to.address()))?;
    if !to.tls {
        return Ok(Box::new(stream));
    }
    let pem = to.roots().map_err(|failure| failure.message)?;
    let roots = pem.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem)).collect::<Result<Vec<_>, _>>();
    let roots = roots.map_err(|error| format!("the collector's `ca`: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(to.host.clone()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    stream.map(|stream| Box::new(stream) as Box<dyn Duplex>).map_err(|error| format!("{}: {error}", to.address()))
}
