//! A publisher takes a release back: its signed list reaches hosts from a file or a URL, and running servers follow.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Guest, House};

/// From the moment the list is there to the moment nothing is served any more.
const PROMISE: Duration = Duration::from_secs(1);
const FAR: &str = "2099-01-01T00:00:00Z";

/// The publisher's next list: what it names is taken back.
fn list(house: &House, previous: Option<&Path>, release: &str, expires: &str) -> PathBuf {
    let out = house.folder().join(format!("list-{}.json", release.replace(['/', '@'], "-")));
    let key = house.key_file().display().to_string();
    let previous = previous.map(|previous| previous.display().to_string());
    let mut arguments = vec!["revoke", "--release", release, "--reason", "leaks", "--expires", expires, "--key", &key];
    match &previous {
        Some(previous) => arguments.extend(["--previous", previous]),
        None => arguments.extend(["--publisher", "fortress"]),
    }
    let shown = out.display().to_string();
    arguments.extend(["--out", &shown]);
    house.casemate(&arguments).done();
    out
}

/// A first list that takes back what nobody has.
fn harmless(house: &House) -> PathBuf {
    list(house, None, "fortress/other@1", FAR)
}

/// Nothing of the guest is served any more, soon.
#[track_caller]
fn stops(house: &House) {
    let started = Instant::now();
    while house.call("ping", json!({})).decision() != "denied" {
        assert!(started.elapsed() < PROMISE, "it is still served");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A web server that gives whatever a file holds, or an answer without an end.
fn web(file: Option<PathBuf>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
            let Some(file) = &file else {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                while stream.write_all(&[b' '; 4096]).is_ok() {}
                continue;
            };
            let body = fs::read(file).unwrap();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&body);
        }
    });
    format!("http://{address}/revoked.json")
}

#[test]
fn a_file_that_takes_a_release_back_stops_it_while_it_is_served() {
    let house = House::new(&Guest::new("empty_answer"));
    let first = harmless(&house);
    let watched = house.folder().join("watched.json");
    fs::copy(&first, &watched).unwrap();
    house.casemate(&["trust", "revocations", "fortress", "--from", &watched.display().to_string()]).done();
    let house = house.serve();
    house.goes_on();
    let next = list(&house, Some(&first), "fortress/empty-answer@1", FAR);
    // In one step, as whoever keeps such a file does.
    let scratch = house.folder().join("scratch.json");
    fs::copy(next, &scratch).unwrap();
    fs::rename(&scratch, &watched).unwrap();
    stops(&house);
    house.install().refused(&["revoked-release: "]);
}

#[test]
fn a_change_that_takes_long_holds_neither_the_server_nor_a_list_for_good() {
    let house = House::new(&Guest::new("empty_answer"));
    let first = harmless(&house);
    let watched = house.folder().join("watched.json");
    fs::copy(&first, &watched).unwrap();
    house.casemate(&["trust", "revocations", "fortress", "--from", &watched.display().to_string()]).done();
    let mut house = house.serve();
    let next = list(&house, Some(&first), "fortress/empty-answer@1", FAR);
    let changing = fs::File::options().write(true).open(house.folder().join(".changing")).unwrap();
    rustix::fs::flock(&changing, rustix::fs::FlockOperation::LockExclusive).unwrap();
    fs::copy(next, &watched).unwrap();
    thread::sleep(PROMISE);
    house.goes_on();
    drop(changing);
    stops(&house);
    // And one that is being made when the server is told to stop does not keep it.
    let changing = fs::File::options().write(true).open(house.folder().join(".changing")).unwrap();
    rustix::fs::flock(&changing, rustix::fs::FlockOperation::LockExclusive).unwrap();
    fs::copy(&first, &watched).unwrap();
    thread::sleep(PROMISE);
    let started = Instant::now();
    house.close();
    assert!(started.elapsed() < 3 * PROMISE, "{:?}", started.elapsed());
}

#[test]
fn a_list_at_a_url_is_taken_and_followed() {
    let house = House::new(&Guest::new("empty_answer"));
    let first = harmless(&house);
    let published = house.folder().join("published.json");
    fs::copy(&first, &published).unwrap();
    let url = web(Some(published.clone()));
    house.casemate(&["trust", "revocations", "fortress", "--from", &url]).done();
    let house = house.serve();
    house.goes_on();
    fs::copy(list(&house, Some(&first), "fortress/empty-answer@1", FAR), &published).unwrap();
    house.casemate(&["trust", "refresh"]).done();
    stops(&house);
    // What was seen does not go back.
    fs::copy(&first, &published).unwrap();
    house.casemate(&["trust", "refresh"]).refused(&["older"]);
}

#[test]
fn a_url_that_is_no_place_for_a_list_is_refused() {
    let house = House::new(&Guest::new("empty_answer"));
    let from = |url: &str| house.casemate(&["trust", "revocations", "fortress", "--from", url]);
    for url in ["http://lists.example/revoked.json", "https://me:secret@lists.example/x", "ftp://lists.example/x"] {
        let ran = from(url);
        assert!(ran.code != 0 && !ran.stderr.contains("secret@"), "{url}: {ran:#?}");
    }
    from(&web(None)).refused(&["too-large: "]);
    fs::write(house.folder().join("page.html"), "<html>not found</html>").unwrap();
    from(&web(Some(house.folder().join("page.html")))).refused(&["revocations-invalid: "]);
    house.install().done();
}

#[test]
fn a_list_is_extended_only_if_its_publisher_signed_it() {
    let house = House::new(&Guest::new("empty_answer"));
    let stranger = House::new(&Guest::new("empty_answer"));
    let (ours, forged) = (harmless(&house), harmless(&stranger));
    let (key, other) = (house.key_file().display().to_string(), stranger.key_file().display().to_string());
    let out = house.folder().join("next.json").display().to_string();
    let extend = |at: &House, previous: &Path, key: &str| {
        let previous = previous.display().to_string();
        at.casemate(&["revoke", "--previous", &previous, "--expires", FAR, "--key", key, "--out", &out])
    };
    // Another's words do not become the publisher's by being extended.
    let refused = extend(&house, &forged, &key);
    refused.refused(&["revocations-signatures-missing: ", "help: "]);
    assert!(!Path::new(&out).exists());
    // One signature taken away or changed, or the entries: nobody said that.
    let whole = fs::read_to_string(&ours).unwrap();
    let changed = house.folder().join("changed.json");
    for text in [whole.replacen("\"sig\":\"", "\"sig\":\"AAAA", 1), whole.replacen("\"payload\":\"ey", "\"payload\":\"eyJ9", 1)] {
        assert_ne!(text, whole);
        fs::write(&changed, text).unwrap();
        assert_ne!(extend(&house, &changed, &key).code, 0);
    }
    let signature = whole.split_once("\"sig\":\"").unwrap().1.split('"').next().unwrap();
    let theirs = fs::read_to_string(&forged).unwrap();
    let other_signature = theirs.split_once("\"sig\":\"").unwrap().1.split('"').next().unwrap();
    fs::write(&changed, whole.replace(signature, other_signature)).unwrap();
    extend(&house, &changed, &key).refused(&["revocations-signatures-missing: "]);
    assert!(!Path::new(&out).exists());
    // Where the publisher is trusted, whoever may sign the next one extends it; elsewhere, who signed the one before.
    extend(&house, &ours, &other).done();
    extend(&stranger, &forged, &other).done();
    let nobody = House::new(&Guest::new("empty_answer"));
    fs::remove_file(nobody.folder().join("trust.toml")).unwrap();
    extend(&nobody, &ours, &key).done();
    extend(&nobody, &ours, &other).refused(&["revocations-unknown-publisher: ", "help: "]);
}

#[test]
fn a_list_by_a_key_that_was_taken_back_is_not_extended() {
    let house = House::new(&Guest::new("empty_answer"));
    let first = harmless(&house);
    let stranger = House::new(&Guest::new("empty_answer"));
    let other = stranger.key_file().display().to_string();
    house.casemate(&["trust", "revoke", &house.fingerprint()]).done();
    let out = house.folder().join("next.json").display().to_string();
    let previous = first.display().to_string();
    house
        .casemate(&["revoke", "--previous", &previous, "--expires", FAR, "--key", &other, "--out", &out])
        .refused(&["revocations-signatures-missing: "]);
}
