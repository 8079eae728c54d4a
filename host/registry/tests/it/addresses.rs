//! Where a registry may be, and TLS everywhere but on the machine itself.

use std::{net::IpAddr, sync::Arc};

use axum::serve::Listener;
use casemate_registry::{HostRule, Reference, Settings};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
    server::TlsStream,
};

use crate::fixture::{COMPONENT, Registry, pull, settings};

/// Every name is here.
fn at(addresses: &[&str]) -> Settings {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Settings {
        lookup: Arc::new(move |_| {
            let addresses = addresses.clone();
            Box::pin(async move { Ok(addresses) })
        }),
        ..settings()
    }
}

async fn code(reference: &str, settings: Settings) -> &'static str {
    pull(&reference.parse().unwrap(), settings).await.map_or_else(|error| error.code(), |_| "ok")
}

#[tokio::test]
async fn a_name_at_an_internal_address_is_refused() {
    for address in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1", "::1", "::ffff:10.0.0.1", "0.0.0.0"] {
        assert_eq!(code("oci://registry.example/a:1", at(&[address])).await, "address-refused", "{address}");
        assert_eq!(code("oci://registry.example/a:1", at(&["8.8.8.8", address])).await, "address-refused", "{address}");
    }
}

#[tokio::test]
async fn an_internal_address_that_a_person_types_is_refused_too() {
    for host in ["10.0.0.1", "169.254.169.254", "[fd00::1]", "[::ffff:7f00:1]", "0.0.0.0", "192.168.1.1:5000"] {
        assert_eq!(code(&format!("oci://{host}/a:1"), settings()).await, "address-refused", "{host}");
    }
}

#[tokio::test]
async fn localhost_is_this_machine_and_nothing_else() {
    let registry = Registry::new().await;
    let port = registry.host.rsplit_once(':').unwrap().1;
    let reference = format!("oci://localhost:{port}/acme/plugin:1.0.0");
    assert_eq!(code(&reference, at(&["127.0.0.1"])).await, "ok");
    // Plain text would be spoken to it.
    assert_eq!(code(&reference, at(&["8.8.8.8"])).await, "address-refused");
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    assert_eq!(code("oci://registry.example/a:1", at(&[])).await, "unreachable");
}

/// An axum listener behind TLS.
struct Tls(TcpListener, TlsAcceptor);

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (socket, address) = self.0.accept().await.unwrap();
            // A client that trusts nobody ends the handshake.
            if let Ok(stream) = self.1.accept(socket).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

#[tokio::test]
async fn a_named_registry_speaks_tls_with_a_certificate_that_is_trusted() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["registry.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let registry = Registry::new().await;
    tokio::spawn(axum::serve(Tls(listener, TlsAcceptor::from(Arc::new(config))), registry.router()).into_future());

    let host = format!("registry.example:{port}");
    let reference: Reference = format!("oci://{host}/acme/plugin:1.0.0").parse().unwrap();
    let here = HostRule { allow_private: vec!["127.0.0.1/32".parse().unwrap()], ..HostRule::default() };
    let listed = || Settings { hosts: [(host.parse().unwrap(), here.clone())].into(), ..at(&["127.0.0.1"]) };
    let trusting = || vec![cert.pem().into_bytes()];

    let pulled = pull(&reference, Settings { roots: trusting(), ..listed() }).await.unwrap();
    assert_eq!(pulled.component, COMPONENT);
    assert_eq!(code(&reference.to_string(), listed()).await, "unreachable", "nobody vouches for it");
    assert_eq!(code(&reference.to_string(), Settings { roots: trusting(), ..at(&["127.0.0.1"]) }).await, "address-refused");
    let plain = reference.to_string().replace("registry.example", "other.example");
    let other = Settings { hosts: [(format!("other.example:{port}").parse().unwrap(), here.clone())].into(), ..listed() };
    assert_eq!(code(&plain, Settings { roots: trusting(), ..other }).await, "unreachable", "the certificate is another's");
}

#[tokio::test]
async fn a_root_certificate_is_one() {
    for pem in [&b""[..], b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let made = casemate_registry::Client::new(Settings { roots: vec![pem.to_vec()], ..settings() });
        assert!(made.is_err(), "{}", String::from_utf8_lossy(pem));
    }
}
