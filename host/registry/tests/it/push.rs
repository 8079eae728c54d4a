//! Packages as they are published.

use casemate_registry::{Client, PushError, Pushed, Upload};
use casemate_signing::Digest;
use serde_json::{Value, json};

use crate::{
    fixture::{BUNDLE, COMPONENT, INDEX, Registry, SIGNATURE, Seen, Store, fallback, pull, reply, settings},
    login::{authorizations, basic, logged_in},
};

fn upload() -> Upload {
    Upload {
        component: COMPONENT.to_vec(),
        bundle: SIGNATURE.to_vec(),
        imports: vec!["wasi:io/streams@0.2.6".to_owned()],
        exports: vec!["casemate:plugin/tools@0.1.0".to_owned()],
    }
}

async fn push(registry: &Registry, version: &str, upload: Upload) -> Result<Pushed, PushError> {
    Client::new(settings()).unwrap().push(&registry.at(version), upload).await
}

fn writes(registry: &Registry) -> Vec<Seen> {
    registry.seen().into_iter().filter(|seen| seen.method == "PUT").collect()
}

/// Published, and pulled back the same.
async fn round(change: impl Fn(&mut Store)) {
    let registry = Registry::empty().await;
    registry.change(change);
    let pushed = push(&registry, ":1.0.0", upload()).await.unwrap();
    assert_eq!(pushed.signatures, 1);
    let pulled = pull(&registry.at(":1.0.0"), settings()).await.unwrap();
    assert_eq!((pulled.component.as_slice(), pulled.bundles.as_slice()), (COMPONENT, &[SIGNATURE.to_vec()][..]));
    assert_eq!((pulled.digest, pulled.reference), (pushed.digest, pushed.reference));

    let written = writes(&registry);
    assert!(written.last().unwrap().path.ends_with("/manifests/1.0.0"), "the tag moves last");
    let before = registry.change(|store| (store.blobs.clone(), store.manifests.clone()));
    push(&registry, ":1.0.0", upload()).await.unwrap();
    assert!(registry.change(|store| (store.blobs.clone(), store.manifests.clone())) == before, "again changes nothing");
    let again = writes(&registry).split_off(written.len());
    assert!(!again.iter().any(|seen| seen.path.contains("/blobs/") || seen.path.contains("sha256-")), "{again:?}");
}

#[tokio::test]
async fn what_is_pushed_is_pulled() {
    round(|_| ()).await;
}

#[tokio::test]
async fn what_is_pushed_is_pulled_without_the_referrers_api() {
    round(|store| store.referrers = false).await;
}

#[tokio::test]
async fn the_layout_is_that_of_wkg() {
    let registry = Registry::empty().await;
    let pushed = push(&registry, ":1.0.0", upload()).await.unwrap();
    registry.change(|store| {
        let (media_type, bytes) = &store.manifests[&pushed.digest.to_string()];
        let manifest: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(manifest["mediaType"], *media_type);
        assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
        let config: Value = serde_json::from_slice(&store.blobs[manifest["config"]["digest"].as_str().unwrap()]).unwrap();
        assert_eq!(config["layerDigests"], json!([Digest::of(COMPONENT)]));
        assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
        assert_eq!(config["component"]["exports"], json!(["casemate:plugin/tools@0.1.0"]));
    });
}

#[tokio::test]
async fn a_list_of_signatures_is_added_to() {
    let registry = Registry::empty().await;
    registry.change(|store| store.referrers = false);
    let pushed = push(&registry, ":1.0.0", upload()).await.unwrap();
    let tag = fallback(&pushed.digest.to_string());
    let report = json!({ "mediaType": "application/x", "digest": Digest::of(b"x"), "size": 1, "annotations": { "a": "b" } });
    registry.change(|store| {
        let mut index: Value = serde_json::from_slice(&store.manifests[&tag].1).unwrap();
        index["manifests"].as_array_mut().unwrap().push(report.clone());
        store.manifest(Some(&tag), INDEX, &index);
    });
    push(&registry, ":1.0.0", Upload { bundle: br#"{"second":2}"#.to_vec(), ..upload() }).await.unwrap();
    let index: Value = registry.change(|store| serde_json::from_slice(&store.manifests[&tag].1).unwrap());
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 3);
    assert_eq!(manifests[1], report);
    assert_eq!(manifests[2]["artifactType"], BUNDLE);
    assert_eq!(pull(&registry.at(":1.0.0"), settings()).await.unwrap().bundles.len(), 2);
}

#[tokio::test]
async fn several_signatures_are_several_referrers() {
    let registry = Registry::empty().await;
    let bundle = b"{\"a\":1}\n{\"b\":2}\n".to_vec();
    assert_eq!(push(&registry, ":1.0.0", Upload { bundle, ..upload() }).await.unwrap().signatures, 2);
    let mut bundles = pull(&registry.at(":1.0.0"), settings()).await.unwrap().bundles;
    bundles.sort();
    assert_eq!(bundles, [b"{\"a\":1}", b"{\"b\":2}"]);
}

#[tokio::test]
async fn what_makes_no_package_is_not_sent() {
    let registry = Registry::empty().await;
    let bundle = |bundle: &[u8]| Upload { bundle: bundle.to_vec(), ..upload() };
    let component = |length: usize| Upload { component: vec![0; length], ..upload() };
    for (version, upload, code) in [
        ("", upload(), "no-tag"),
        (&*format!("@{}", Digest::of(b"x")), upload(), "no-tag"),
        (":1", component(0), "component-size"),
        (":1", component(32 * 1024 * 1024 + 1), "component-size"),
        (":1", bundle(b""), "bundle-invalid"),
        (":1", bundle(b"no json"), "bundle-invalid"),
        (":1", bundle(b"{}\nno json\n"), "bundle-invalid"),
        (":1", bundle(&vec![b' '; 1024 * 1024 + 1]), "bundle-invalid"),
        (":1", bundle("{}\n".repeat(17).as_bytes()), "bundle-invalid"),
    ] {
        assert_eq!(push(&registry, version, upload).await.unwrap_err().code(), code);
    }
    assert!(registry.seen().is_empty());
}

/// A registry that takes uploads in its own way.
async fn fault(fault: impl Fn(&Seen) -> Option<axum::response::Response> + Send + Sync + 'static, expected: &str) {
    let registry = Registry::empty().await;
    registry.change(|store| store.referrers = false);
    registry.fault(fault);
    assert_eq!(push(&registry, ":1.0.0", upload()).await.unwrap_err().code(), expected);
    assert!(!registry.change(|store| store.manifests.contains_key("1.0.0")), "no tag without what it leads to");
}

#[tokio::test]
async fn uploads_stay_with_the_registry() {
    for location in ["https://elsewhere.example/", "http://127.0.0.1:1/x", "file:///x", "http://u:p@127.0.0.1/", "https://["] {
        fault(move |seen| seen.is("POST", "/uploads/").then(|| reply(202, &[("location", location)], "")), "upload-elsewhere")
            .await;
    }
    fault(|seen| seen.is("POST", "/uploads/").then(|| reply(202, &[], "")), "upload-elsewhere").await;
    fault(
        |seen| seen.is("PUT", "/uploads/").then(|| reply(307, &[("location", "https://elsewhere.example/")], "")),
        "redirected",
    )
    .await;
    fault(|seen| seen.is("POST", "/uploads/").then(|| reply(403, &[], "")), "denied").await;
    fault(|seen| seen.is("PUT", "/manifests/").then(|| reply(500, &[], "")), "status").await;
    let other = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    fault(move |seen| seen.is("PUT", "/manifests/").then(|| reply(201, &[("docker-content-digest", other)], "")), "push-digest")
        .await;
    let index = [("content-type", INDEX)];
    fault(move |seen| seen.is("GET", "/manifests/sha256-").then(|| reply(200, &index, "{}")), "fallback-invalid").await;
    fault(move |seen| seen.is("GET", "/manifests/sha256-").then(|| reply(200, &index, "[")), "fallback-invalid").await;
}

#[tokio::test]
async fn publishing_logs_in_where_it_is_asked_to() {
    let registry = Registry::empty().await;
    registry.fault(|seen| {
        (seen.authorization() != Some(&basic())).then(|| crate::fixture::unauthorized(r#"Basic realm="registry""#))
    });
    assert_eq!(push(&registry, ":1.0.0", upload()).await.unwrap_err().code(), "login-needed");
    let client = Client::new(logged_in(&registry.host)).unwrap();
    client.push(&registry.at(":1.0.0"), upload()).await.unwrap();
    assert!(authorizations(&registry).iter().all(|sent| *sent == basic()));
    assert_eq!(registry.seen().iter().filter(|seen| seen.authorization().is_none()).count(), 2, "asked once a session");
}
