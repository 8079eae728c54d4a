//! Packages as they come, and every way in which a registry can lie about one.

use std::sync::atomic::{AtomicUsize, Ordering};

use casemate_registry::{Authority, Client, HostRule, Settings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::fixture::{
    BUNDLE, COMPONENT, IMAGE, INDEX, Registry, SIGNATURE, Seen, chunked, code, drip, endless, pull, reply, settings, silence,
};

#[tokio::test]
async fn a_package_comes_as_it_was_published() {
    let registry = Registry::new().await;
    let mut heard = Vec::new();
    let client = Client::new(settings()).unwrap();
    let pulled = client.pull(&registry.at(":1.0.0"), &mut |progress| heard.push(progress)).await.unwrap();
    assert_eq!((pulled.component.as_slice(), pulled.bundles.as_slice()), (COMPONENT, &[SIGNATURE.to_vec()][..]));
    assert_eq!(pulled.reference, registry.at(&format!("@{}", pulled.digest)));
    assert_eq!(heard.last().unwrap().done, COMPONENT.len() as u64);
    assert_eq!(heard.last().unwrap().total, COMPONENT.len() as u64);
    assert_eq!(pull(&pulled.reference, settings()).await.unwrap(), pulled);
    assert!(!format!("{pulled:?}").contains("asm"));
}

#[tokio::test]
async fn a_version_has_to_be_said() {
    let registry = Registry::new().await;
    assert_eq!(pull(&registry.at(""), settings()).await.unwrap_err().code(), "no-version");
    assert!(registry.seen().is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let registry = Registry::new().await;
    assert_eq!(pull(&registry.at(":2.0.0"), settings()).await.unwrap_err().code(), "not-found");
}

#[tokio::test]
async fn a_tag_that_moves_meanwhile_changes_nothing() {
    let registry = Registry::new().await;
    let asked = AtomicUsize::new(0);
    registry.fault(move |seen| {
        let moved = seen.is("GET", "manifests/1.0.0") && asked.fetch_add(1, Ordering::SeqCst) > 0;
        moved.then(|| reply(200, &[("content-type", IMAGE)], "{}"))
    });
    assert_eq!(code(&registry, settings()).await, "ok");
    let by_tag = registry.seen().iter().filter(|seen| seen.path.contains("1.0.0")).count();
    assert_eq!(by_tag, 1, "the tag is asked for once");
}

/// A package whose manifest has one change.
async fn manifest(change: impl FnOnce(&mut Value), expected: &str) {
    let registry = Registry::empty().await;
    registry.change(|store| {
        let package = store.package(change);
        store.sign(&package, SIGNATURE, |_| ());
    });
    assert_eq!(code(&registry, settings()).await, expected);
}

#[tokio::test]
async fn a_manifest_is_one_of_a_component() {
    let size = COMPONENT.len();
    manifest(|m| m["artifactType"] = json!("application/vnd.wasm.config.v0+json"), "ok").await;
    manifest(|m| m["artifactType"] = json!("application/vnd.acme"), "artifact-type").await;
    manifest(|m| m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json"), "config-type").await;
    manifest(|m| m["layers"][0]["mediaType"] = json!("application/wasm+gzip"), "layer-type").await;
    manifest(|m| m["layers"][0]["mediaType"] = json!("\u{1b}[2Japplication/x"), "layer-type").await;
    manifest(|m| m["layers"] = json!([]), "layer-count").await;
    manifest(|m| m["layers"] = json!([m["layers"][0], m["layers"][0]]), "layer-count").await;
    manifest(|m| m["layers"][0]["size"] = json!(32 * 1024 * 1024 + 1), "component-too-large").await;
    manifest(|m| m["layers"][0]["size"] = json!(u64::MAX), "component-too-large").await;
    manifest(|m| m["layers"][0]["size"] = json!(-1), "manifest-shape").await;
    manifest(|m| m["layers"][0]["size"] = json!(size - 1), "length-differs").await;
    manifest(|m| m["layers"][0]["size"] = json!(size + 1), "length-differs").await;
    manifest(|m| m["layers"][0]["digest"] = json!("sha512:00"), "manifest-shape").await;
    manifest(|m| m["layers"][0]["digest"] = json!("sha256:../../etc/passwd"), "manifest-shape").await;
    manifest(|m| m["schemaVersion"] = json!(1), "manifest-shape").await;
    manifest(|m| m["mediaType"] = json!(INDEX), "manifest-type").await;
    manifest(|m| *m = json!([]), "manifest-shape").await;
}

/// An honest registry, but for one answer.
async fn fault(fault: impl Fn(&Seen) -> Option<axum::response::Response> + Send + Sync + 'static, expected: &str) {
    assert_eq!(code(&Registry::with(fault).await, settings()).await, expected);
}

#[tokio::test]
async fn a_manifest_ends_and_is_what_it_says() {
    let is = |seen: &Seen| seen.is("GET", "manifests/1.0.0");
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", IMAGE)], endless())), "too-large").await;
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", IMAGE)], vec![b' '; 1024 * 1024 + 1])), "too-large").await;
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", IMAGE)], drip())), "deadline").await;
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", IMAGE)], silence())), "stalled").await;
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", INDEX)], "{}")), "manifest-index").await;
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", "text/html")], "<html>")), "manifest-type").await;
    fault(move |seen| is(seen).then(|| reply(200, &[], "{}")), "manifest-type").await;
    let twice = r#"{"schemaVersion":2,"schemaVersion":2}"#;
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", IMAGE)], twice)), "manifest-json").await;
    let nested = "[".repeat(100_000);
    fault(move |seen| is(seen).then(|| reply(200, &[("content-type", IMAGE)], nested.clone())), "manifest-json").await;
    let other = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let headers = [("content-type", IMAGE), ("docker-content-digest", other)];
    fault(move |seen| is(seen).then(|| reply(200, &headers, "{}")), "manifest-digest").await;
    let headers = [("content-type", IMAGE), ("content-encoding", "gzip")];
    fault(move |seen| is(seen).then(|| reply(200, &headers, "{}")), "content-encoding").await;
    for (status, expected) in [(403, "denied"), (429, "rate-limited"), (500, "status"), (204, "status"), (206, "status")] {
        fault(move |seen| is(seen).then(|| reply(status, &[], "")), expected).await;
    }
    fault(move |seen| is(seen).then(|| reply(307, &[("location", "/v2/acme/plugin/manifests/2")], "")), "redirected").await;
}

#[tokio::test]
async fn a_digest_names_one_manifest() {
    let registry = Registry::new().await;
    let pulled = pull(&registry.at(":1.0.0"), settings()).await.unwrap();
    registry.fault(|seen| {
        seen.is("GET", "manifests/sha256:").then(|| reply(200, &[("content-type", IMAGE)], r#"{"schemaVersion":2}"#))
    });
    assert_eq!(pull(&pulled.reference, settings()).await.unwrap_err().code(), "digest-differs");
}

/// The component's blob is asked for.
fn is_component(seen: &Seen) -> bool {
    seen.is("GET", &format!("blobs/{}", casemate_signing::Digest::of(COMPONENT)))
}

#[tokio::test]
async fn a_component_is_the_bytes_that_were_announced() {
    let other = COMPONENT.to_ascii_uppercase();
    fault(move |seen| is_component(seen).then(|| reply(200, &[], other.clone())), "digest-differs").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], chunked(COMPONENT))), "ok").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], chunked(&COMPONENT[1..]))), "length-differs").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], chunked(&[COMPONENT, b"x"].concat()))), "length-differs").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], [COMPONENT, b"x"].concat())), "length-differs").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], endless())), "length-differs").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], drip())), "length-differs").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[], silence())), "stalled").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[("content-encoding", "gzip")], COMPONENT)), "content-encoding").await;
    fault(|seen| is_component(seen).then(|| reply(200, &[("content-encoding", "identity")], COMPONENT)), "ok").await;
    fault(|seen| is_component(seen).then(|| reply(206, &[], COMPONENT)), "status").await;
    fault(|seen| is_component(seen).then(|| reply(404, &[], "")), "not-found").await;
}

#[tokio::test]
async fn a_length_that_is_not_kept_is_an_answer_that_broke_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await.unwrap();
            socket
                .write_all(format!("HTTP/1.1 200 OK\r\ncontent-type: {IMAGE}\r\ncontent-length: 100\r\n\r\n{{}}").as_bytes())
                .await
                .unwrap();
        }
    });
    let reference = format!("oci://{host}/acme/plugin:1.0.0").parse().unwrap();
    assert_eq!(pull(&reference, settings()).await.unwrap_err().code(), "answer-broken");
}

#[tokio::test]
async fn a_registry_that_answers_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = format!("oci://{}/acme/plugin:1.0.0", listener.local_addr().unwrap()).parse().unwrap();
    assert_eq!(pull(&reference, settings()).await.unwrap_err().code(), "stalled");
    drop(listener);
    assert_eq!(pull(&reference, settings()).await.unwrap_err().code(), "unreachable");
}

/// Where the component is said to be.
async fn redirect(location: &str, expected: &str) {
    let location = location.to_owned();
    fault(move |seen| is_component(seen).then(|| reply(307, &[("location", &location)], "")), expected).await;
}

#[tokio::test]
async fn a_component_is_not_fetched_from_anywhere() {
    redirect("http://169.254.169.254/latest/meta-data/", "redirect-insecure").await;
    redirect("https://169.254.169.254/latest/meta-data/", "redirect-host").await;
    redirect("https://[::ffff:a9fe:a9fe]/", "redirect-host").await;
    redirect("https://elsewhere.example/blob", "redirect-host").await;
    redirect("//elsewhere.example/blob", "redirect-insecure").await;
    redirect("http://elsewhere.example/blob", "redirect-insecure").await;
    redirect("https://user:password@elsewhere.example/blob", "redirect-invalid").await;
    redirect("http://127.0.0.1:1/blob", "redirect-host").await;
    redirect("https://127.0.0.1:1/blob", "redirect-invalid").await;
    redirect("http://localhost:1/blob", "redirect-host").await;
    redirect("file:///etc/passwd", "redirect-insecure").await;
    redirect("ftp://elsewhere.example/", "redirect-insecure").await;
    redirect("data:application/wasm,x", "redirect-insecure").await;
    redirect("https://[", "redirect-invalid").await;
    fault(|seen| is_component(seen).then(|| reply(307, &[], "")), "redirect-invalid").await;
}

#[tokio::test]
async fn redirects_end() {
    fault(|seen| is_component(seen).then(|| reply(307, &[("location", &seen.path)], "")), "redirect-loop").await;
    fault(|seen| is_component(seen).then(|| reply(302, &[("location", "/elsewhere")], "")), "not-found").await;
}

fn rule(host: &str, rule: HostRule) -> (Authority, HostRule) {
    (host.parse().unwrap(), rule)
}

#[tokio::test]
async fn a_listed_host_serves_blobs_where_it_may_be() {
    let blobs = Registry::new().await;
    let location = format!("http://{}/v2/acme/plugin/blobs/{}", blobs.host, casemate_signing::Digest::of(COMPONENT));
    let registry = Registry::with(move |seen| is_component(seen).then(|| reply(307, &[("location", &location)], ""))).await;
    assert_eq!(code(&registry, settings()).await, "redirect-host");

    let redirects = HostRule { redirects: vec![blobs.host.parse().unwrap()], ..HostRule::default() };
    let listed = |more: Vec<(Authority, HostRule)>| Settings {
        hosts: [rule(&registry.host, redirects.clone())].into_iter().chain(more).collect(),
        ..settings()
    };
    // A registry that a person named may be this machine; what it points to may not, unless that is said too.
    assert_eq!(code(&registry, listed(vec![])).await, "address-refused");
    assert!(blobs.seen().is_empty());
    let loopback = HostRule { allow_private: vec!["127.0.0.1/32".parse().unwrap()], ..HostRule::default() };
    assert_eq!(code(&registry, listed(vec![rule(&blobs.host, loopback)])).await, "ok");
    assert_eq!(blobs.seen().len(), 1);
}

#[tokio::test]
async fn a_listed_host_is_not_a_metadata_service() {
    let registry =
        Registry::with(|seen| is_component(seen).then(|| reply(307, &[("location", "https://169.254.169.254/x")], ""))).await;
    let redirects = HostRule { redirects: vec!["169.254.169.254".parse().unwrap()], ..HostRule::default() };
    let listed = Settings { hosts: [rule(&registry.host, redirects)].into(), ..settings() };
    assert_eq!(code(&registry, listed).await, "address-refused");
}

#[tokio::test]
async fn what_is_not_a_component_is_not_downloaded() {
    let registry = Registry::empty().await;
    registry.change(|store| store.package(|_| ()));
    assert_eq!(code(&registry, settings()).await, "not-signed");
    assert!(!registry.seen().iter().any(is_component));
    assert!(registry.seen().iter().any(|seen| seen.query.contains(&BUNDLE.replace('/', "%2F").replace('+', "%2B"))));
}
