//! Who may read the metrics: where, under which name, and how.

use super::Metrics;
use crate::harness::{Guest, House};

fn served() -> (Metrics, House) {
    let metrics = Metrics::somewhere();
    (metrics, metrics.of(House::new(&Guest::new("plain_request"))).serve())
}

#[test]
fn only_reading_is_answered_and_only_there() {
    let (metrics, _house) = served();
    let own = metrics.address();
    let host = ("host", own.as_str());
    let read = metrics.ask("GET", "/metrics", &[host]);
    assert_eq!(read.status, 200);
    assert!(read.head.contains("content-type: text/plain; version=0.0.4") && read.head.contains("cache-control: no-store"));
    let head = metrics.ask("HEAD", "/metrics", &[host]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(metrics.ask(method, "/metrics", &[host, ("content-length", "0")]).status, 405, "{method}");
    }
    for path in ["/", "/mcp", "/console", "/healthz", "/metrics/../mcp", "/debug/pprof"] {
        assert_eq!(metrics.ask("GET", path, &[host]).status, 404, "{path}");
    }
}

#[test]
fn a_name_that_is_not_its_own_is_refused() {
    let (metrics, _house) = served();
    let port = metrics.0;
    for good in ["localhost".to_owned(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(metrics.ask("GET", "/metrics", &[("host", &good)]).status, 200, "{good}");
    }
    for bad in ["evil.example", "127.0.0.1.evil.example", "evil.example:9464", "localhost.evil.example", ""] {
        let answer = metrics.ask("GET", "/metrics", &[("host", bad)]);
        let refused = answer.body.starts_with("metrics-refused: ") && !answer.body.contains("casemate_");
        assert!(answer.status == 403 && refused, "{bad}: {answer:?}");
    }
    let twice = metrics.ask("GET", "/metrics", &[("host", "localhost"), ("host", "localhost")]);
    assert!(twice.status >= 400, "{twice:?}");
    let page = [("host", "localhost"), ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(metrics.ask("GET", "/metrics", &page).status, 403);
}

#[test]
fn other_machines_read_nothing_unless_the_operator_says_so() {
    let house = House::new(&Guest::new("plain_request"));
    house.install().done();
    let house = house.set("telemetry.metrics", "0.0.0.0:0");
    house.casemate(&["check"]).refused(&["reached from other machines", "plaintext = true"]);
    house.casemate(&["serve"]).refused(&["reached from other machines"]);
    let house = house.set("telemetry.plaintext", true);
    let checked = house.casemate(&["check"]).done();
    assert!(checked.stdout.contains("0.0.0.0:0/metrics") && checked.stdout.contains("LOW metrics-reachable"), "{checked:?}");
}

/// Every client starts a server of its own over stdio: the second goes on without.
#[test]
fn a_second_server_over_stdio_goes_on_without() {
    let (metrics, house) = served();
    house.goes_on();
    let second = house.casemate(&["serve"]).done();
    assert!(second.stderr.contains("another process has the address"), "{second:?}");
    metrics.read();
    let refused = house.casemate(&["serve", "--http", "127.0.0.1:0"]);
    assert!(refused.code == 1 && refused.stderr.contains("metrics: cannot listen on"), "{refused:?}");
}

/// What is listened on, and who is sent what, is settled at the start: a change is refused as a whole, and the rest stays in force.
#[test]
fn a_change_takes_a_restart_and_is_said_so() {
    let metrics = Metrics::somewhere();
    let house = metrics.of(House::new(&Guest::new("plain_request"))).serve();
    let text = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    house.write_whole("casemate.toml", &text.replace(&metrics.address(), "127.0.0.1:1"));
    house.hang_up();
    crate::harness::until("the change is refused", || !house.records("config.refused").is_empty());
    house.goes_on();
    metrics.read().has_more_than("casemate_calls_total", &[], 0.0);
}

/// Nothing is served, and nothing is sent, where nothing is configured.
#[test]
fn without_a_word_in_the_configuration_there_is_none() {
    let house = House::serving(&Guest::new("plain_request"));
    house.run("one").done(&["200"]);
    assert!(house.upstreams().received_by("collector").is_empty());
    assert_eq!(house.received()[0].headers("traceparent"), Vec::<String>::new());
}
