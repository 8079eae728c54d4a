//! Secrets: every way to send one, every place one comes from, and nowhere that one is found.

mod keyrings;
mod modes;
mod providers;
mod surfaces;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use crate::harness::{Guest, House};

/// Each way to authenticate, by the name of its upstream.
const MODES: [&str; 7] = ["header", "scheme", "basic", "query", "path", "signed", "exchange"];
const USER: &str = "operator-of-the-lab";

/// A house with the guest that uses every way, all of them to the upstream that echoes everything.
fn house() -> House {
    let house = House::new(&Guest::new("every_credential"))
        .without("plugins.@.upstream.echo")
        .without("plugins.@.settings")
        .without("grants.tester.scope");
    let mirror = house.upstreams().origin("mirror").to_owned();
    private(&house, "user", USER);
    let house = MODES.iter().fold(house, |house, mode| {
        let origin = format!("plugins.@.upstream.{mode}.origin");
        house.set(&origin, mirror.as_str()).set(&format!("plugins.@.upstream.{mode}.allow_private"), vec!["127.0.0.1/32"])
    });
    house.with("plugins.@.secret.user.file = \"secrets/user\"")
}

/// A file of the house's that nobody else can read.
fn private(house: &House, name: &str, text: &str) {
    let path = house.folder().join("secrets").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Call until it holds: a change of a secret takes effect within a second, and machines are slow.
#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What the mirror was sent in a header last.
fn last_key(house: &House) -> Option<String> {
    house.run("header one");
    house.upstreams().received_by("mirror").last().and_then(|received| received.headers("x-api-key").pop())
}
