//! No credential and no token in an error, in a `Debug`, or in what the libraries underneath log.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use serde_json::json;

use crate::{
    fixture::{Registry, pull, reply, unauthorized},
    login::{PASSWORD, TOKEN, basic, logged_in},
};

/// Everything that anything logs.
struct Lines(Mutex<String>);

static LINES: Lines = Lines(Mutex::new(String::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push_str(&format!("{} {}\n", record.target(), record.args()));
    }

    fn flush(&self) {}
}

fn check(text: &str) {
    let encoded = basic();
    for secret in [PASSWORD, TOKEN, encoded.trim_start_matches("Basic "), "s1gned-query"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);

    // All goes well; the credential is not accepted; the realm fails; a blob is elsewhere, at a signed URL that is not there.
    for (token_status, accepted, location) in [
        (200, true, None),
        (200, false, None),
        (401, true, None),
        (500, true, None),
        (200, true, Some("http://127.0.0.1:1/x?signature=s1gned-query")),
        (200, true, Some("https://elsewhere.example/x?signature=s1gned-query")),
    ] {
        let registry = Registry::new().await;
        let challenge = format!(r#"Bearer realm="http://{}/token",service="registry""#, registry.host);
        registry.fault(move |seen| {
            if seen.path == "/token" {
                return Some(reply(token_status, &[], json!({ "token": TOKEN }).to_string()));
            }
            if !accepted || seen.authorization() != Some(&format!("Bearer {TOKEN}")) {
                return Some(unauthorized(&challenge));
            }
            location.filter(|_| seen.is("GET", "/blobs/")).map(|location| reply(307, &[("location", location)], ""))
        });
        let mut settings = logged_in(&registry.host);
        let here = casemate_registry::HostRule {
            allow_private: vec!["127.0.0.1/32".parse().unwrap()],
            redirects: vec!["127.0.0.1:1".parse().unwrap()],
            realms: vec![],
        };
        settings.hosts = [(registry.host.parse().unwrap(), here.clone()), ("127.0.0.1:1".parse().unwrap(), here)].into();
        check(&format!("{:?}", settings.credentials));
        match pull(&registry.at(":1.0.0"), settings).await {
            Ok(pulled) => check(&format!("{pulled:?}")),
            Err(error) => check(&format!("{error}\n{error:?}\n{error:#?}")),
        }
        assert!(registry.seen().iter().any(|seen| seen.authorization() == Some(&basic())), "the secret was in play");
    }
    let logged = LINES.0.lock().unwrap().clone();
    assert!(logged.contains("127.0.0.1"), "the libraries log: {logged}");
    check(&logged);
}
