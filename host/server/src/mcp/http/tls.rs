//! TLS by rustls: the server's certificate, what clients' certificates are held to, and both taken up anew when their files change.
//!
//! Versions 1.2 and 1.3, with the cipher suites that rustls offers. Files that cannot be used are refused whole, and what was there before
//! stays in force.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use casemate_policy::{Principal, Timestamp};
use rustix::fs::{Mode, OFlags};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use crate::{
    clock,
    config::{ClientAuth, HttpSettings, TlsSettings},
};

/// How often the files are looked at: a new certificate counts within a second.
const LOOK: Duration = Duration::from_millis(500);

/// Bytes of one file. A chain and a bundle of roots are far below.
const FILE_BYTES: u64 = 1 << 20;

/// Why TLS cannot be served with what the configuration names.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{path}` cannot be read: {error}\nhelp: `[http.tls]` names files in PEM, relative to the configuration file")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read the private key.
    #[error("others than its owner may read the private key `{path}` (mode {mode:o})\nhelp: chmod 600 `{path}`")]
    Open {
        /// Which.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// There is not in it what should be.
    #[error("`{path}` holds no {what} in PEM\nhelp: it has a section that begins with `-----BEGIN`")]
    Empty {
        /// Which.
        path: PathBuf,
        /// A certificate or a private key.
        what: &'static str,
    },
    /// The certificate does not count at this time.
    #[error(
        "the certificate in `{path}` is valid from {from} to {until}, and not now\nhelp: renew it, and check the machine's clock"
    )]
    Expired {
        /// Which.
        path: PathBuf,
        /// From when.
        from: String,
        /// Until when.
        until: String,
    },
    /// Certificate, key or roots do not go together, or are of a kind that is not served.
    #[error("the files of `[http.tls]` cannot be used: {0}\nhelp: the key belongs to the first certificate of the chain")]
    Unusable(String),
}

/// Who a client's certificate says it is: the issuer is one that the operator named, and the handshake proved the key.
#[derive(Debug, Clone)]
pub(crate) struct ClientCertificate {
    principal: Option<Principal>,
}

impl ClientCertificate {
    /// Whom it stands for where no token is presented; none where certificates name nobody here.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    fn of(certificate: &CertificateDer<'_>, names: bool) -> Self {
        let principal = names.then(|| name(certificate)).flatten();
        if names && principal.is_none() {
            tracing::warn!("a client certificate has not exactly one name that a principal can have; it names nobody");
        }
        Self { principal }
    }
}

/// The one name of a certificate as a principal: its only alternative name, or where it has none, its common name. More than one is none:
/// whoever reads the log must not have to guess.
fn name(certificate: &CertificateDer<'_>) -> Option<Principal> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = match certificate.subject_alternative_name().ok()? {
        Some(names) => match names.value.general_names.as_slice() {
            [GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name)] => *name,
            _ => return None,
        },
        None => {
            let mut names = certificate.subject().iter_common_name();
            let name = names.next()?.as_str().ok()?;
            if names.next().is_some() {
                return None;
            }
            name
        }
    };
    if name.is_empty() {
        return None;
    }
    Some(Principal::new(format!("cert:{name}").parse().ok()?))
}

/// What hands are shaken with, as it is now.
#[derive(Debug)]
pub struct Acceptor(RwLock<Arc<Terms>>);

#[derive(Debug)]
struct Terms {
    config: Arc<ServerConfig>,
    /// Whether a client's certificate names a principal.
    principal: bool,
}

impl Acceptor {
    /// With the files that the settings name.
    ///
    /// # Errors
    /// [`TlsError`] about the first that cannot be used.
    pub fn open(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self(RwLock::new(Arc::new(Terms::read(settings)?))))
    }

    /// Take up changed files and settings, until `shutdown`.
    pub async fn follow(self: Arc<Self>, settings: watch::Receiver<Arc<HttpSettings>>, shutdown: CancellationToken) {
        let mut known = settings.borrow().tls.as_ref().map(|tls| (tls.clone(), marks(tls)));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(LOOK) => {}
            }
            // Taken before the files are read: a change in between is seen as one.
            let now = settings.borrow().tls.as_ref().map(|tls| (tls.clone(), marks(tls)));
            let Some((tls, _)) = now.as_ref().filter(|_| now != known) else { continue };
            match Terms::read(tls) {
                Ok(terms) => {
                    *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(terms);
                    tracing::info!(certificate = %tls.certificate.display(), "the TLS files were taken up");
                }
                Err(error) => tracing::error!(%error, "the TLS files were not taken up; those before stay in force"),
            }
            known = now;
        }
    }

    /// Shakes hands. Gives the client's certificate where it presented one.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<ClientCertificate>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let terms = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let stream = TlsAcceptor::from(Arc::clone(&terms.config)).accept(stream).await?;
        let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = presented.map(|certificate| ClientCertificate::of(certificate, terms.principal));
        Ok((stream, certificate))
    }
}

impl Terms {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(&settings.certificate)?;
        if let Some(first) = chain.first() {
            in_force(&settings.certificate, first)?;
        }
        let key = private_key(&settings.key)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?;
        let builder = match &settings.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(&clients.ca)? {
                    roots.add(root).map_err(|error| unusable(&error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match clients.auth {
                    ClientAuth::Required => verifier,
                    ClientAuth::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| unusable(&error))?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if settings.clients.is_some() {
            // A session that is resumed would bring a certificate along that nobody looks at again.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        let principal = settings.clients.as_ref().is_some_and(|clients| clients.principal);
        Ok(Self { config: Arc::new(config), principal })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (bytes, _) = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Empty { path: path.to_owned(), what: "certificate" })
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (bytes, mode) = read(path)?;
    if mode & 0o077 != 0 {
        return Err(TlsError::Open { path: path.to_owned(), mode });
    }
    let bytes = zeroize::Zeroizing::new(bytes);
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| TlsError::Empty { path: path.to_owned(), what: "private key" })
}

/// A certificate that every client would refuse is better refused here, where there is somebody to read why.
fn in_force(path: &Path, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| TlsError::Unusable(error.to_string()))?;
    let valid = parsed.validity();
    let now = i64::try_from(clock::now().since(Timestamp::from_millis(0)) / 1000).unwrap_or(i64::MAX);
    if valid.not_before.timestamp() <= now && now <= valid.not_after.timestamp() {
        return Ok(());
    }
    Err(TlsError::Expired { path: path.to_owned(), from: valid.not_before.to_string(), until: valid.not_after.to_string() })
}

/// The bytes of a regular file, and its permission bits. Links are followed: that is how certificates are commonly renewed.
fn read(path: &Path) -> Result<(Vec<u8>, u32), TlsError> {
    let fail = |error: io::Error| TlsError::File { path: path.to_owned(), error };
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty());
    let file = File::from(file.map_err(|error| fail(error.into()))?);
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file of at most 1 MiB")));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(fail)?;
    Ok((bytes, metadata.mode() & 0o777))
}

/// Inode, size, and the times of the last change of content and of anything.
type Mark = (u64, u64, (i64, i64), (i64, i64));

/// Which files are there, through links.
fn marks(settings: &TlsSettings) -> Vec<Option<Mark>> {
    let files = [Some(&settings.certificate), Some(&settings.key), settings.clients.as_ref().map(|clients| &clients.ca)];
    let mark = |path: &PathBuf| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.ino(), file.size(), (file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec())))
    };
    files.into_iter().flatten().map(mark).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[track_caller]
    fn check(common: &[&str], others: Vec<SanType>, expected: Option<&str>) {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = others;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let named = name(certificate.der());
        assert_eq!(named.as_ref().map(|principal| principal.id().as_str()), expected);
        assert!(
            ClientCertificate::of(certificate.der(), false).principal().is_none(),
            "nobody said that certificates name anybody"
        );
    }

    #[test]
    fn a_certificate_names_one_principal_or_none() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        check(&["scanner"], vec![], Some("cert:scanner"));
        check(&["scanner"], vec![dns("scanner.example")], Some("cert:scanner.example"));
        check(&[], vec![SanType::Rfc822Name("ann@example.org".try_into().unwrap())], Some("cert:ann@example.org"));
        check(&[], vec![SanType::URI("spiffe://example/agent".try_into().unwrap())], Some("cert:spiffe://example/agent"));
        check(&[], vec![], None);
        check(&["a"], vec![dns("a.example"), dns("b.example")], None);
        check(&["a"], vec![SanType::IpAddress("192.0.2.1".parse().unwrap())], None);
        // What no principal's name can be.
        check(&["two words"], vec![], None);
        check(&[""], vec![], None);
        check(&["x\n"], vec![], None);
    }
}
