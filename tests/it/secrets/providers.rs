//! Where secrets come from, how a change takes effect, and what happens when one is gone.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{house, last_key, private, soon};
use crate::harness::{House, until};

/// The house with the secret from somewhere else.
fn from(provider: &str) -> House {
    house().without("plugins.@.secret.api_key").with(&format!("plugins.@.secret.api_key = {provider}"))
}

/// The house with the secret from its vault, as `more` says besides.
fn in_vault(path: &str, more: &str) -> (House, String) {
    let house = house().without("plugins.@.secret.api_key");
    private(&house, "vault-token", "hvs.token-of-the-test");
    house.upstreams().order("vault", &json!({ "token": "hvs.token-of-the-test" }));
    let address = house.upstreams().origin("vault").to_owned();
    let provider = format!(
        "plugins.@.secret.api_key = {{ vault = {{ address = \"{address}\", allow_private = [\"127.0.0.1/32\"], path = \"{path}\", field = \"key\", {more} }}, refresh = \"200ms\", stale = \"1s\" }}"
    );
    (house.with(&provider), address)
}

const TOKEN: &str = "token = { file = \"secrets/vault-token\" }";

fn put(house: &House, path: &str, value: &str) {
    house.upstreams().order("vault", &json!({ "put": { "path": path, "data": { "key": value } } }));
}

fn events(house: &House, kind: &str) -> usize {
    house.audit().iter().filter(|record| record["event_type"] == kind).count()
}

#[test]
fn a_changed_file_is_sent_from_the_next_call_on() {
    let mut house = house().serve();
    assert_eq!(last_key(&house).as_deref(), Some(house.secret().value()));
    house.give("another-value-of-it");
    soon("the new value is sent", || last_key(&house).as_deref() == Some("another-value-of-it"));
    // A file that is gone says no.
    fs::remove_file(house.folder().join("secrets/api_key")).unwrap();
    soon("the plugin is not served", || {
        house.try_call("every-credential_run", json!({ "case": "header one" })).map_or(true, |reply| reply.is_error())
    });
    house.close();
    assert_eq!((events(&house, "config.secrets-renewed"), events(&house, "config.secrets-lost")), (1, 1));
    house.give("another-value-of-it");
}

#[test]
fn a_vault_is_asked_anew_and_believed() {
    let (house, _) = in_vault("casemate/key", TOKEN);
    put(&house, "secret/data/casemate/key", "first-value-in-the-vault");
    let mut house = house.serve();
    assert_eq!(last_key(&house).as_deref(), Some("first-value-in-the-vault"));
    put(&house, "secret/data/casemate/key", "second-value-in-the-vault");
    soon("the new value is sent", || last_key(&house).as_deref() == Some("second-value-in-the-vault"));
    // One that says nothing: the last known value is sent for as long as the operator allows, and no longer.
    house.upstreams().order("vault", &json!({ "seal": true }));
    assert_eq!(last_key(&house).as_deref(), Some("second-value-in-the-vault"));
    soon("the plugin is not served", || {
        house.try_call("every-credential_run", json!({ "case": "header one" })).map_or(true, |reply| reply.is_error())
    });
    house.close();
    assert!(events(&house, "config.secrets-kept") == 1 && events(&house, "config.secrets-lost") == 1);
}

#[test]
fn a_vault_that_says_no_is_believed_at_once() {
    let (house, _) = in_vault("casemate/key", TOKEN);
    put(&house, "secret/data/casemate/key", "value-in-the-vault");
    let mut house = house.serve();
    house.upstreams().order("vault", &json!({ "delete": "secret/data/casemate/key" }));
    soon("the plugin is not served", || {
        house.try_call("every-credential_run", json!({ "case": "header one" })).map_or(true, |reply| reply.is_error())
    });
    house.close();
    assert!(events(&house, "config.secrets-kept") == 0 && events(&house, "config.secrets-lost") == 1);
}

/// Two vaults that take connections and say nothing, each with one of the plugin's secrets.
struct Silence([TcpListener; 2]);

impl Silence {
    fn new() -> Self {
        Self([TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()])
    }

    /// A house that is served with what is in files, and configured to ask these from its next reload on.
    fn around(&self, timeout: &str) -> House {
        let house = house().serve();
        private(&house, "vault-token", "hvs.token-of-the-test");
        let vault = |name: &str, vault: &TcpListener| {
            format!(
                "[plugins.@.secret.{name}]\ntimeout = '{timeout}'\nvault = {{ address = 'http://{}', allow_private = ['127.0.0.1/32'], path = 'a', field = 'b', {TOKEN} }}\n",
                vault.local_addr().unwrap()
            )
        };
        let both = vault("api_key", &self.0[0]) + &vault("user", &self.0[1]);
        house.without("plugins.@.secret").with(&both)
    }
}

#[test]
fn two_silent_vaults_delay_a_reload_by_one_timeout_and_no_call() {
    let silence = Silence::new();
    let house = silence.around("4s");
    let started = Instant::now();
    house.hang_up();
    let mut calls = 0;
    let loaded = house.records("config.loaded").len();
    until("the configuration is taken up", || {
        if started.elapsed() < Duration::from_secs(3) {
            assert!(last_key(&house).is_some(), "calls go on meanwhile");
            calls += 1;
        }
        house.records("config.loaded").len() > loaded
    });
    let took = started.elapsed();
    assert!(calls > 3 && took > Duration::from_secs(3) && took < Duration::from_millis(7500), "{calls} calls, {took:?}");
    let refused = house.records("plugin.load-failed").pop().unwrap().to_string();
    assert!(refused.contains("cannot be asked: "), "{refused}");
    assert!(house.try_call("every-credential_run", json!({ "case": "header one" })).map_or(true, |reply| reply.is_error()));
}

#[test]
fn a_revocation_does_not_wait_for_a_silent_vault() {
    let silence = Silence::new();
    let house = silence.around("10s");
    let loaded = house.records("config.loaded").len();
    house.hang_up();
    sleep(Duration::from_millis(500));
    assert!(last_key(&house).is_some());
    let revoked = Instant::now();
    house.revoke();
    until("it is no longer served", || {
        house.try_call("every-credential_run", json!({ "case": "header one" })).map_or(true, |reply| reply.is_error())
    });
    assert!(revoked.elapsed() < Duration::from_secs(5), "{:?}", revoked.elapsed());
    assert_eq!(house.records("config.loaded").len(), loaded, "the vaults are still being waited for");
}

#[test]
fn a_vault_is_read_by_its_documented_paths() {
    for (path, more) in [
        ("kv1/casemate/key", format!("mount = \"kv1\", kv = 1, {TOKEN}")),
        ("team/kv/data/casemate/key", format!("mount = \"kv\", namespace = \"team\", {TOKEN}")),
        (
            "secret/data/casemate/key",
            "approle = { role_id = \"casemate\", secret_id = { file = \"secrets/vault-token\" } }".to_owned(),
        ),
    ] {
        let (house, _) = in_vault("casemate/key", &more);
        house.upstreams().order("vault", &json!({ "secret_id": "hvs.token-of-the-test" }));
        put(&house, path, "value-in-the-vault");
        let checked = house.casemate(&["secret", "check"]).done().stdout;
        assert!(checked.contains("ok    every-credential.api_key: vault http://127.0.0.1"), "{checked}");
        put(&house, path, "short");
        let short = house.casemate(&["secret", "check"]);
        assert!(short.code == 1 && short.stdout.contains("shorter than 6") && !short.stdout.contains("short\n"), "{short:?}");
    }
    let (house, _) = in_vault("casemate/key", TOKEN);
    house.upstreams().order("vault", &json!({ "token": "another" }));
    let refused = house.casemate(&["secret", "check"]);
    assert!(refused.code == 1 && refused.stdout.contains("status 403") && !refused.stdout.contains("hvs."), "{refused:?}");
}

#[test]
fn a_program_writes_the_secret_and_nothing_else_is_shown() {
    let check = |script: &str, more: &str| {
        let house = from("{ env = \"X\" }");
        let program = house.folder().join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let provider = format!("{{ command = [\"{}\", \"$(id)\"]{more} }}", program.display());
        let house = house.without("plugins.@.secret.api_key").with(&format!("plugins.@.secret.api_key = {provider}"));
        house.casemate(&["secret", "check"])
    };
    let fine = check("test \"$1\" = '$(id)' && echo written-by-a-program", "");
    assert!(fine.code == 0 && fine.stdout.contains("command ") && !fine.stdout.contains("written-by"), "{fine:?}");
    for (script, more, why) in [
        ("echo written-by-a-program; echo private words >&2; exit 3", "", "ended with exit status: 3"),
        ("sleep 30", ", timeout = \"300ms\"", "did not end within 300 ms"),
        ("yes written-by-a-program", "", "wrote more than 64 KiB"),
        ("printf abc", "", "shorter than 6 characters"),
        ("printf 'written-\\377-by-a-program'", "", "no text"),
    ] {
        let broken = check(script, more);
        let shown = format!("{}{}", broken.stdout, broken.stderr);
        assert!(broken.code == 1 && shown.contains(why), "{script}: {broken:?}");
        assert!(!shown.contains("written-") && !shown.contains("private words"), "{shown}");
    }
}

#[test]
fn who_may_read_a_file_is_said_by_name() {
    let mounted = |mode: u32, more: &str| {
        // As a kubelet mounts it: a link to a link to a file.
        let house = from(&format!("{{ file = \"mount/key\"{more} }}"));
        let folder = house.folder().join("mount");
        fs::create_dir_all(folder.join("..2026")).unwrap();
        fs::write(folder.join("..2026/key"), "value-of-a-volume").unwrap();
        fs::set_permissions(folder.join("..2026/key"), fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::symlink("..2026", folder.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/key", folder.join("key")).unwrap();
        house.casemate(&["secret", "check"])
    };
    for (mode, more, fine) in [
        (0o600, "", true),
        (0o644, "", false),
        (0o440, "", false),
        (0o440, ", readable_by = \"group\"", true),
        (0o644, ", readable_by = \"group\"", false),
        (0o644, ", readable_by = \"anyone\"", true),
        (0o664, ", readable_by = \"anyone\"", false),
        (0o622, ", readable_by = \"anyone\"", false),
    ] {
        let ran = mounted(mode, more);
        assert_eq!(ran.code, i32::from(!fine), "{mode:o}{more}: {ran:?}");
        assert!(fine || ran.stdout.contains("readable_by"), "{ran:?}");
    }
}

#[test]
fn a_credential_of_the_service_manager_is_one() {
    let house = from("{ credential = \"lab-key\" }");
    let folder = house.folder().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("lab-key"), "value-of-the-unit\n").unwrap();
    fs::set_permissions(folder.join("lab-key"), fs::Permissions::from_mode(0o440)).unwrap();
    let ran = |command: &mut std::process::Command| command.args(["secret", "check"]).output().unwrap();
    assert!(ran(house.command().env("CREDENTIALS_DIRECTORY", &folder)).status.success());
    let without = ran(house.command().env_remove("CREDENTIALS_DIRECTORY"));
    assert!(String::from_utf8_lossy(&without.stdout).contains("LoadCredential=lab-key:/path"), "{without:?}");
}

#[test]
fn an_upstream_has_a_value_of_its_own() {
    let house = house().with("plugins.@.upstream.scheme.secret.api_key.file = \"secrets/own\"");
    private(&house, "own", "value-of-one-upstream");
    let house = house.serve();
    house.run("scheme one").done(&["200"]);
    let received = house.upstreams().received_by("mirror").pop().unwrap();
    assert_eq!(received.headers("authorization"), ["Bearer value-of-one-upstream"]);
    assert_eq!(last_key(&house).as_deref(), Some(house.secret().value()));
    let listed = house.casemate(&["secret", "list"]).done().stdout;
    assert!(listed.contains("every-credential.scheme.api_key: file "), "{listed}");
}

#[test]
fn a_provider_is_exactly_one_and_whole() {
    for (provider, why) in [
        ("{}", "a secret has one provider"),
        ("{ env = \"A\", file = \"b\" }", "a secret has one provider"),
        ("{ command = [] }", "absolute path"),
        ("{ command = [\"sh\", \"-c\", \"x\"] }", "absolute path"),
        ("{ command = \"/bin/sh\" }", "casemate.toml"),
        ("{ env = \"A\", stale = \"1m\" }", "`stale` and `timeout`"),
        ("{ env = \"A\", readable_by = \"group\" }", "`readable_by` is about a file"),
        ("{ credential = \"../x\" }", "a credential is a name"),
        ("{ file = \"a\", refresh = \"soon\" }", "not a length of time"),
        ("{ vault = { address = \"vault:8200\", path = \"a\", field = \"b\", token = { env = \"T\" } } }", "address of a vault"),
        (
            "{ vault = { address = \"https://v\", path = \"../a\", field = \"b\", token = { env = \"T\" } } }",
            "`mount`, `path` and `field`",
        ),
        ("{ vault = { address = \"https://v\", path = \"a\", field = \"b\" } }", "either `token` or `approle`"),
        ("{ keyring = { service = \"a\", account = \"b\", program = \"/bin/sh\" } }", "unknown field `program`"),
        ("{ keyring = { service = \"\", account = \"b\" } }", "a service and an account"),
    ] {
        from(provider).casemate(&["secret", "list"]).refused(&[why]);
    }
}

#[test]
fn a_check_proves_that_credentials_work_and_shows_none() {
    let house = house();
    house.install().done();
    let listed = house.casemate(&["secret", "list", "--format", "json"]).done().stdout;
    assert!(listed.contains("\"fault\": null") || listed.contains("\"fault\":null"), "{listed}");
    let sent = house.casemate(&["secret", "check", "--send"]).done();
    for part in [
        "every-credential header: GET",
        "/self → 200, the credential works",
        "every-credential exchange: POST",
        "/oauth/token → 200",
    ] {
        assert!(sent.stdout.contains(part), "`{part}` is not in {}", sent.stdout);
    }
    assert!(sent.stderr.contains("names no harmless request of `query`"), "{}", sent.stderr);
    house
        .upstreams()
        .script_for("mirror", json!({ "path": "/self", "answer": { "status": 401, "body": house.secret().value() } }));
    let refused = house.casemate(&["secret", "check", "--send"]);
    assert!(refused.code == 1 && refused.stdout.contains("401, the upstream does not take the credential"), "{refused:?}");
    assert!(events(&house, "config.secret-checked") >= 4);
    house.casemate(&["secret", "check", "nobody"]).faulty(&["[plugins.nobody]"]);
}
