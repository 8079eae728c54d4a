use std::{path::Path, sync::Arc};

use casemate_audit::EventKind;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    config::{OtlpCollector, SyslogCollector},
    house::write_down,
    trail::export::Form,
};

fn config(to: Collector) -> ForwardConfig {
    ForwardConfig { name: "siem".to_owned(), to }
}

fn syslog(port: u16, form: Form) -> ForwardConfig {
    config(Collector::Syslog(SyslogCollector { host: "127.0.0.1".to_owned(), port, tls: false, ca: None, form }))
}

/// As a command does it, in a process of its own.
fn write(state: &Path, count: usize) {
    let written = || (0..count).try_for_each(|_| write_down(state, EventKind::TrustChanged, json!({ "line\nbreak": "]\"\\" })));
    std::thread::scope(|scope| scope.spawn(written).join()).unwrap().unwrap();
}

/// Messages of a stream that is framed by counting octets.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(blank) = bytes.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&bytes[..blank]).unwrap().parse().unwrap();
        messages.push(String::from_utf8(bytes[blank + 1..blank + 1 + length].to_vec()).unwrap());
        bytes = &bytes[blank + 1 + length..];
    }
    assert!(bytes.is_empty());
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_sent_once_and_a_restart_sends_none_again() {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), 3);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = syslog(listener.local_addr().unwrap().port(), Form::Jsonl);
    let received = tokio::spawn(async move {
        let mut all = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            all.push(messages(&bytes));
        }
        all
    });
    let mut forwarding = Forwarding::begin(state.path(), &config).unwrap().unwrap();
    assert!(Forwarding::begin(state.path(), &config).unwrap().is_none(), "one at a time");
    assert_eq!((forwarding.step().await, forwarding.step().await), (Ok(3), Ok(0)));
    drop(forwarding);
    write(state.path(), 1);
    let mut forwarding = Forwarding::begin(state.path(), &config).unwrap().unwrap();
    assert_eq!(forwarding.step().await, Ok(1));
    drop(forwarding);
    let all = received.await.unwrap();
    assert_eq!((all[0].len(), all[1].len()), (3, 1));
    let (head, record) = all[0][0].split_once('\u{feff}').unwrap();
    assert!(
        head.starts_with("<110>1 20") && head.contains(" casemate ") && head.contains(" config.trust [casemate@32473 id="),
        "{head}"
    );
    assert_eq!(serde_json::from_str::<Value>(record).unwrap()["event_type"], "config.trust");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_did_not_take_is_sent_again() {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), 2);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let config = syslog(port, Form::Cef);
    let mut forwarding = Forwarding::begin(state.path(), &config).unwrap().unwrap();
    assert!(forwarding.step().await.unwrap_err().contains("127.0.0.1"));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    assert_eq!(forwarding.step().await, Ok(2));
    let (stream, _) = listener.accept().await.unwrap();
    // The collector goes away: what comes next is not written into nowhere.
    drop(stream);
    drop(listener);
    write(state.path(), 1);
    assert!(forwarding.step().await.is_err());
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    assert_eq!(forwarding.step().await, Ok(1));
    let (mut stream, _) = listener.accept().await.unwrap();
    drop(forwarding);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(messages(&bytes)[0].contains("CEF:0|Casemate|casemate|"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_whose_certificate_nobody_vouches_for_gets_nothing() {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), 1);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut bytes = Vec::new();
            // A client that just goes away is an end as well.
            let _ = stream.read_to_end(&mut bytes).await;
            return bytes;
        }
    });
    let pem = state.path().join("ca.pem");
    std::fs::write(&pem, cert.pem()).unwrap();
    let of = |ca| {
        let host = "localhost".to_owned();
        config(Collector::Syslog(SyslogCollector { host, port, tls: true, ca, form: Form::Ocsf }))
    };
    let unknown = of(None);
    assert!(Forwarding::begin(state.path(), &unknown).unwrap().unwrap().step().await.is_err());
    let known = of(Some(pem));
    assert_eq!(Forwarding::begin(state.path(), &known).unwrap().unwrap().step().await, Ok(1));
    assert_eq!(messages(&received.await.unwrap()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otlp_collector_that_refuses_some_is_asked_again() {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), 2);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers = [
        ("200 OK", r#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#),
        ("503 Service Unavailable", ""),
        ("200 OK", r#"{"partialSuccess":{}}"#),
    ];
    let received = tokio::spawn(async move {
        let mut bodies = Vec::new();
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            loop {
                let mut chunk = vec![0; 64 << 10];
                let read = stream.read(&mut chunk).await.unwrap();
                bytes.extend_from_slice(&chunk[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next().map(str::to_owned));
                if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                    bodies.push(serde_json::from_str::<Value>(body).unwrap());
                    break;
                }
            }
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        bodies
    });
    let url = format!("http://127.0.0.1:{port}/v1/logs").parse().unwrap();
    let config = config(Collector::Otlp(Box::new(OtlpCollector { url, ca: None, allow_private: Vec::new(), auth: None })));
    let mut forwarding = Forwarding::begin(state.path(), &config).unwrap().unwrap();
    assert!(forwarding.step().await.unwrap_err().contains("refused 1"));
    assert!(forwarding.step().await.unwrap_err().contains("503"));
    assert_eq!((forwarding.step().await, forwarding.step().await), (Ok(2), Ok(0)));
    let bodies = received.await.unwrap();
    let records = bodies[2].pointer("/resourceLogs/0/scopeLogs/0/logRecords").unwrap().as_array().unwrap();
    assert_eq!((records.len(), &records[0]["eventName"]), (2, &json!("casemate.config.trust")));
}

#[test]
fn a_cursor_that_is_damaged_sends_nothing_until_somebody_looks() {
    let state = tempfile::tempdir().unwrap();
    let config = syslog(1, Form::Jsonl);
    std::fs::create_dir(state.path().join("forward")).unwrap();
    std::fs::write(state.path().join("forward/siem.json"), "{").unwrap();
    assert!(Forwarding::begin(state.path(), &config).err().unwrap().message.contains("is damaged"));
}
