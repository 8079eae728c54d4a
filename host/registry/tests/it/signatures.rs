//! The signatures of a package, as registries list them and as they lie about them.

use std::sync::atomic::{AtomicUsize, Ordering};

use casemate_signing::Digest;
use serde_json::{Value, json};

use crate::fixture::{BUNDLE, IMAGE, INDEX, Registry, SIGNATURE, Seen, Store, code, endless, fallback, pull, reply, settings};

async fn store(change: impl FnOnce(&mut Store), expected: &str) {
    let registry = Registry::empty().await;
    registry.change(change);
    assert_eq!(code(&registry, settings()).await, expected);
}

/// One signature, with a change to its manifest.
async fn signature(change: impl FnOnce(&mut Value), expected: &str) {
    // Through the fallback tag, which lists whatever it is told to.
    store(
        |store| {
            store.referrers = false;
            let package = store.package(|_| ());
            store.sign(&package, SIGNATURE, change);
        },
        expected,
    )
    .await;
}

#[tokio::test]
async fn a_registry_without_the_api_has_a_tag_instead() {
    signature(|_| (), "ok").await;
}

#[tokio::test]
async fn a_signature_is_about_this_package_and_is_one_bundle() {
    let other = Digest::of(b"other").to_string();
    signature(|m| m["subject"]["digest"] = json!(other), "signature-subject").await;
    signature(|m| _ = m.as_object_mut().unwrap().remove("subject"), "signature-subject").await;
    signature(|m| m["layers"] = json!([]), "signature-type").await;
    signature(|m| m["layers"] = json!([m["layers"][0], m["layers"][0]]), "signature-type").await;
    signature(|m| m["layers"][0]["mediaType"] = json!("application/json"), "signature-type").await;
    signature(|m| m["layers"][0]["size"] = json!(1024 * 1024 + 1), "signature-too-large").await;
    signature(|m| m["layers"][0]["size"] = json!(SIGNATURE.len() + 1), "length-differs").await;
    // Some other attestation is nobody's business here.
    signature(|m| m["artifactType"] = json!("application/vnd.acme.report"), "not-signed").await;
}

#[tokio::test]
async fn a_list_that_lost_its_types_is_read() {
    let listed = |change: fn(&mut Value)| {
        move |store: &mut Store| {
            store.referrers = false;
            let package = store.package(|_| ());
            store.sign(&package, SIGNATURE, change);
            let tag = fallback(&package.0);
            let mut index: Value = serde_json::from_slice(&store.manifests[&tag].1).unwrap();
            index["manifests"][0].as_object_mut().unwrap().remove("artifactType");
            store.manifest(Some(&tag), INDEX, &index);
        }
    };
    store(listed(|_| ()), "ok").await;
    store(listed(|m| m["artifactType"] = json!("application/vnd.acme.report")), "not-signed").await;
    store(listed(|m| m["subject"]["size"] = json!(1)), "ok").await;
    store(listed(|m| m["subject"]["digest"] = json!(Digest::of(b"other"))), "signature-subject").await;
}

#[tokio::test]
async fn a_package_is_not_its_own_signature() {
    let registry = Registry::new().await;
    registry.fault(|seen| {
        let descriptor = json!({ "mediaType": IMAGE, "digest": seen.path.rsplit('/').next(), "size": 1, "artifactType": BUNDLE });
        seen.is("GET", "/referrers/").then(|| reply(200, &[("content-type", INDEX)], index(&json!([descriptor]))))
    });
    assert_eq!(code(&registry, settings()).await, "signature-subject");
}

#[tokio::test]
async fn several_signatures_stand_one_a_line() {
    let registry = Registry::empty().await;
    registry.change(|store| {
        let package = store.package(|_| ());
        for bundle in [&b"{\n  \"a\": 1\n}\n"[..], b"{\"b\":2}"] {
            store.sign(&package, bundle, |_| ());
        }
    });
    let pulled = pull(&registry.at(":1.0.0"), settings()).await.unwrap();
    let mut lines: Vec<&str> = std::str::from_utf8(&pulled.bundle).unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [r#"{"a":1}"#, r#"{"b":2}"#]);
    assert_eq!(pull(&registry.at(":1.0.0"), settings()).await.unwrap(), pulled, "always in the same order");
}

#[tokio::test]
async fn several_signatures_are_each_one_text_and_not_too_many() {
    let many = |count: usize| {
        move |store: &mut Store| {
            let package = store.package(|_| ());
            for at in 0..count {
                store.sign(&package, format!("{{\"a\":{at}}}").as_bytes(), |_| ());
            }
        }
    };
    let registry = Registry::empty().await;
    registry.change(many(16));
    assert_eq!(pull(&registry.at(":1.0.0"), settings()).await.unwrap().bundle.split(|byte| *byte == b'\n').count(), 17);
    store(many(17), "signatures-many").await;
    let texts = |texts: [Vec<u8>; 2]| {
        move |store: &mut Store| {
            let package = store.package(|_| ());
            texts.iter().for_each(|text| store.sign(&package, text, |_| ()));
        }
    };
    store(texts([b"{\"a\":1}\n{\"a\":2}".to_vec(), b"{}".to_vec()]), "signature-json").await;
    store(texts([b"{\"a\":1,\"a\":2}".to_vec(), b"{}".to_vec()]), "signature-json").await;
    store(texts([vec![b' '; 600_000], vec![b'\n'; 600_000]]), "signature-too-large").await;
}

/// A list of the registry's making.
async fn listed(list: impl Fn(&Seen) -> axum::response::Response + Send + Sync + 'static, expected: &str) {
    let registry = Registry::with(move |seen| seen.is("GET", "/referrers/").then(|| list(seen))).await;
    assert_eq!(code(&registry, settings()).await, expected);
}

fn index(manifests: &Value) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string()
}

fn page(link: &str) -> axum::response::Response {
    reply(200, &[("content-type", INDEX), ("link", link)], index(&json!([])))
}

#[tokio::test]
async fn a_list_is_an_index_and_ends() {
    let typed = [("content-type", INDEX)];
    let descriptor = json!({ "mediaType": IMAGE, "digest": Digest::of(b"x"), "size": 1, "artifactType": BUNDLE });
    listed(move |_| reply(200, &typed, index(&json!([]))), "not-signed").await;
    listed(move |_| reply(200, &typed, endless()), "too-large").await;
    listed(move |_| reply(200, &typed, "[]"), "manifest-shape").await;
    listed(move |_| reply(200, &[("content-type", "application/json")], index(&json!([]))), "manifest-type").await;
    listed(move |_| reply(200, &[("content-type", INDEX), ("content-encoding", "br")], "{}"), "content-encoding").await;
    listed(move |_| reply(301, &[("location", "https://elsewhere.example/")], ""), "redirected").await;
    let gone = descriptor.clone();
    listed(move |_| reply(200, &typed, index(&json!([gone]))), "not-found").await;
    let mut kind = descriptor.clone();
    kind["mediaType"] = json!(INDEX);
    listed(move |_| reply(200, &typed, index(&json!([kind]))), "signature-type").await;
    let huge = json!(
        (0..4000)
            .map(|at: u32| {
                let mut one = descriptor.clone();
                one["digest"] = json!(Digest::of(&at.to_be_bytes()));
                one
            })
            .collect::<Vec<_>>()
    );
    listed(move |_| reply(200, &typed, index(&huge)), "signatures-many").await;
}

#[tokio::test]
async fn pages_are_of_one_list_and_end() {
    listed(|seen| page(&format!("<{}?{}>; rel=\"next\"", seen.path, seen.query)), "pages-endless").await;
    let count = AtomicUsize::new(0);
    listed(move |_| page(&format!("<?n={}>; rel=\"next\"", count.fetch_add(1, Ordering::SeqCst))), "pages-endless").await;
    listed(|_| page("<https://elsewhere.example/>; rel=\"next\""), "page-elsewhere").await;
    listed(|_| page("</v2/other/referrers/x>; rel=\"next\""), "page-elsewhere").await;
    listed(|_| page("nonsense"), "page-invalid").await;
}

#[tokio::test]
async fn a_signature_on_the_second_page_is_found() {
    let registry = Registry::with(|seen| {
        let first = seen.is("GET", "/referrers/") && !seen.query.contains("last=");
        first.then(|| page(&format!("<{}?last=1>; rel=\"next\"", seen.path)))
    })
    .await;
    assert_eq!(code(&registry, settings()).await, "ok");
}
