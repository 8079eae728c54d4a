//! The endpoint behind TLS: who is let through the handshake, and what is taken up while it is served.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::{HttpSettings, Options, PATIENCE, Server, modern, options, request};
use crate::{
    config::{ClientAuth, ClientSettings, TlsSettings},
    mcp::http::{Acceptor, TlsError},
};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// An authority, and a folder for what it issues.
struct Office {
    folder: TempDir,
    issuer: Issuer,
}

impl Office {
    fn open() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer");
        let office = Self { folder: tempfile::tempdir().expect("a folder"), issuer };
        office.write("ca.pem", &office.issuer.pem());
        office
    }

    fn write(&self, name: &str, text: &str) {
        let scratch = self.folder.path().join("scratch");
        fs::write(&scratch, text).expect("it is written");
        fs::set_permissions(&scratch, fs::Permissions::from_mode(0o600)).expect("it is ours");
        fs::rename(scratch, self.folder.path().join(name)).expect("it is put in place");
    }

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write("server.pem", &certificate.pem());
        self.write("server.key", &key.serialize_pem());
        (certificate.der().clone(), key)
    }

    fn settings(&self) -> TlsSettings {
        let folder = self.folder.path();
        TlsSettings { certificate: folder.join("server.pem"), key: folder.join("server.key"), clients: None }
    }

    fn asking(&self, auth: ClientAuth, principal: bool) -> TlsSettings {
        TlsSettings {
            clients: Some(ClientSettings { ca: self.folder.path().join("ca.pem"), auth, principal }),
            ..self.settings()
        }
    }
}

/// What a client presents.
type Own = Option<(CertificateDer<'static>, KeyPair)>;

fn client(office: &Office, own: &Own) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(office.issuer.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    TlsConnector::from(Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate.clone()], key).expect("a key of its own")
        }
    }))
}

/// One request over TLS: its status and what follows, or why there is none.
async fn asked(server: &Server, connector: &TlsConnector, request: &str) -> Result<String, std::io::Error> {
    let answer = async {
        let stream = TcpStream::connect(server.address).await?;
        let mut stream = connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    tokio::time::timeout(PATIENCE, answer).await.expect("in time")
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// A call of `whoami`, with a token or without.
fn whoami(token: Option<&str>) -> String {
    let body = request(1, "tools/call", modern(json!({"name": "whoami", "arguments": {}}))).to_string();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{token}mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: whoami\r\n\
         accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn server(tls: &TlsSettings) -> Server {
    let acceptor = Arc::new(Acceptor::open(tls).expect("good files"));
    Server::with(Options { tls: Some(acceptor), ..options(HttpSettings::default()) }).await
}

#[tokio::test]
async fn tls_is_spoken_and_nothing_else() {
    let office = Office::open();
    office.issue("localhost", |_| ());
    let server = server(&office.settings()).await;
    let connector = client(&office, &None);
    assert!(asked(&server, &connector, HEALTH).await.expect("an answer").starts_with("HTTP/1.1 200 "));
    let answer = asked(&server, &connector, &whoami(Some(&server.ann))).await.expect("an answer");
    assert!(answer.contains("token:ann"), "{answer}");
    assert!(asked(&server, &connector, &whoami(None)).await.expect("an answer").starts_with("HTTP/1.1 401 "));
    // In the clear there is no answer.
    let mut plain = TcpStream::connect(server.address).await.expect("a connection");
    plain.write_all(HEALTH.as_bytes()).await.expect("it reads");
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut bytes)).await.expect("it ends");
    assert!(!String::from_utf8_lossy(&bytes).contains("200"), "{bytes:?}");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let office = Office::open();
    office.issue("localhost", |_| ());
    let settings = HttpSettings { handshake_time: Duration::from_millis(200), ..HttpSettings::default() };
    let acceptor = Arc::new(Acceptor::open(&office.settings()).expect("good files"));
    let server = Server::with(Options { tls: Some(acceptor), ..options(settings) }).await;
    let mut silent = TcpStream::connect(server.address).await.expect("a connection");
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut bytes)).await.expect("it ends");
    assert!(asked(&server, &client(&office, &None), HEALTH).await.is_ok());
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_and_held_to_its_authority() {
    let (office, stranger) = (Office::open(), Office::open());
    let own = Some(office.issue("scanner.example", |_| ()));
    let foreign = Some(stranger.issue("scanner.example", |_| ()));
    let expired = Some(office.issue("scanner.example", |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    }));
    office.issue("localhost", |_| ());
    let open = |tls: TlsSettings| async move { server(&tls).await };

    let required = open(office.asking(ClientAuth::Required, false)).await;
    assert!(asked(&required, &client(&office, &own), HEALTH).await.is_ok_and(|answer| answer.contains("200")));
    for nobody in [&None, &foreign, &expired] {
        assert!(asked(&required, &client(&office, nobody), HEALTH).await.is_err());
    }
    // A certificate is no token, where nobody said so.
    let answer = asked(&required, &client(&office, &own), &whoami(None)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let answer = asked(&required, &client(&office, &own), &whoami(Some(&required.ann))).await.expect("an answer");
    assert!(answer.contains("token:ann"), "{answer}");

    let optional = open(office.asking(ClientAuth::Optional, true)).await;
    assert!(asked(&optional, &client(&office, &None), HEALTH).await.is_ok());
    for bad in [&foreign, &expired] {
        assert!(asked(&optional, &client(&office, bad), HEALTH).await.is_err());
    }
    assert!(asked(&optional, &client(&office, &None), &whoami(None)).await.expect("an answer").starts_with("HTTP/1.1 401 "));
    let answer = asked(&optional, &client(&office, &own), &whoami(None)).await.expect("an answer");
    assert!(answer.contains("cert:scanner.example"), "{answer}");
    // A token says who it is, whatever certificate came with it; a bad one is not made good by one.
    let answer = asked(&optional, &client(&office, &own), &whoami(Some(&optional.ann))).await.expect("an answer");
    assert!(answer.contains("token:ann"), "{answer}");
    let answer = asked(&optional, &client(&office, &own), &whoami(Some("casemate_wrong"))).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused() {
    let office = Office::open();
    office.issue("localhost", |_| ());
    let (tls, folder) = (office.settings(), office.folder.path());
    let refused = |tls: &TlsSettings| Acceptor::open(tls).expect_err("it is refused").to_string();
    let at = |path: &str| TlsSettings { certificate: folder.join(path), ..office.settings() };

    assert!(matches!(Acceptor::open(&at("nothing.pem")), Err(TlsError::File { .. })));
    assert!(matches!(Acceptor::open(&at(".")), Err(TlsError::File { .. })));
    assert!(matches!(Acceptor::open(&at("server.key")), Err(TlsError::Empty { what: "certificate", .. })));
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(mode)).expect("it is ours");
        assert!(refused(&tls).contains("chmod 600"), "{mode:o}");
    }
    fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o600)).expect("it is ours");
    assert!(Acceptor::open(&tls).is_ok());
    office.write("server.key", &KeyPair::generate().expect("a key").serialize_pem());
    assert!(refused(&tls).contains("cannot be used"));
    office.issue("localhost", |params| params.not_after = date_time_ymd(2021, 1, 1));
    assert!(matches!(Acceptor::open(&tls), Err(TlsError::Expired { .. })));
    office.issue("localhost", |params| params.not_before = date_time_ymd(2090, 1, 1));
    assert!(matches!(Acceptor::open(&tls), Err(TlsError::Expired { .. })));
}

#[tokio::test]
async fn new_files_are_taken_up_within_a_second_and_bad_ones_are_not() {
    let office = Office::open();
    office.issue("localhost", |_| ());
    let tls = office.settings();
    let acceptor = Arc::new(Acceptor::open(&tls).expect("good files"));
    let (_sender, settings) = watch::channel(Arc::new(HttpSettings { tls: Some(tls), ..HttpSettings::default() }));
    let ended = CancellationToken::new();
    let following = tokio::spawn(Arc::clone(&acceptor).follow(settings.clone(), ended.clone()));
    let server = Server::with(Options { tls: Some(acceptor), settings, ..options(HttpSettings::default()) }).await;
    let connector = client(&office, &None);
    assert!(asked(&server, &connector, HEALTH).await.is_ok());

    // Bad: half a file. What was there before stays.
    office.write("server.pem", "-----BEGIN CERTIFICATE-----\n");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(asked(&server, &connector, HEALTH).await.is_ok());

    // Good, and of another authority: the old client no longer knows the server, the new one does.
    let other = Office::open();
    other.issue("localhost", |_| ());
    let copy = |name: &str| fs::read_to_string(Path::new(other.folder.path()).join(name)).expect("it is there");
    office.write("server.key", &copy("server.key"));
    office.write("server.pem", &copy("server.pem"));
    let started = Instant::now();
    while asked(&server, &client(&other, &None), HEALTH).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(2), "not within a second");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(asked(&server, &connector, HEALTH).await.is_err());
    ended.cancel();
    following.await.expect("no panic");
}
