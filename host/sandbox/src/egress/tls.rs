//! How the host speaks TLS: as the system verifies certificates, to every upstream.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig,
    client::{Resumption, danger::ServerCertVerifier},
    crypto::ring,
};
use rustls_platform_verifier::Verifier;

/// What certificates are verified with: the system's, read once, when the first plugin that has an upstream is loaded. To read them takes
/// milliseconds, and there is a client for every upstream.
#[derive(Default)]
pub(crate) struct Tls(OnceLock<Arc<dyn ServerCertVerifier>>);

impl Tls {
    /// A configuration of one client's own: nothing of a session is another client's.
    pub(super) fn client(&self, protocols: &[&[u8]]) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = match self.0.get() {
            Some(verifier) => verifier,
            // What could not be read is tried again for the next client.
            None => {
                let made: Arc<dyn ServerCertVerifier> = Arc::new(Verifier::new(Arc::clone(&provider))?);
                self.0.get_or_init(|| made)
            }
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(verifier))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::default();
        Ok(config)
    }
}
