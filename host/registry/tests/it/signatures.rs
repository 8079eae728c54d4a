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
async fn several_signatures_come_as_they_were_sent() {
    let registry = Registry::empty().await;
    let texts = [&b"{\"b\":2}"[..], b"{\n  \"a\": 1\n}\n", b"neither JSON nor anything"];
    registry.change(|store| {
        let package = store.package(|_| ());
        texts.iter().for_each(|bundle| store.sign(&package, bundle, |_| ()));
    });
    let pulled = pull(&registry.at(":1.0.0"), settings()).await.unwrap();
    assert_eq!(pulled.bundles, texts.map(<[u8]>::to_vec), "the small ones first");
    assert_eq!(pulled.left_out, []);
    assert_eq!(pull(&registry.at(":1.0.0"), settings()).await.unwrap(), pulled, "always in the same order");
}

/// A package with one good signature, and what somebody else attached to it.
async fn beside_a_good_one(attach: impl Fn(&mut Store, &(String, usize))) -> (Vec<Vec<u8>>, Vec<String>) {
    let registry = Registry::empty().await;
    registry.change(|store| {
        // Through the fallback tag, which lists whatever it is told to.
        store.referrers = false;
        let package = store.package(|_| ());
        store.sign(&package, SIGNATURE, |_| ());
        attach(store, &package);
    });
    let pulled = pull(&registry.at(":1.0.0"), settings()).await.unwrap();
    let codes = pulled.left_out.iter().map(|left_out| left_out.reason.split(':').next().unwrap().to_owned());
    (pulled.bundles, codes.collect())
}

#[tokio::test]
async fn what_somebody_else_attached_does_not_keep_the_package_away() {
    let changes = [
        ("signature-subject", "/subject/digest", json!(Digest::of(b"other"))),
        ("signature-type", "/layers", json!([])),
        ("signature-type", "/layers/0/mediaType", json!("application/json")),
        ("signature-too-large", "/layers/0/size", json!(1024 * 1024 + 1)),
        ("length-differs", "/layers/0/size", json!(3)),
        ("not-found", "/layers/0/digest", json!(Digest::of(b"nowhere"))),
    ];
    for (code, place, value) in changes {
        let change = |manifest: &mut Value| *manifest.pointer_mut(place).unwrap() = value.clone();
        let attached = beside_a_good_one(|store, package| store.sign(package, b"{\"bad\":1}", change)).await;
        assert_eq!(attached, (vec![SIGNATURE.to_vec()], vec![code.to_owned()]));
    }
    // Listed, and not there; or there, and no manifest.
    for (text, code) in [(None, "not-found"), (Some("[]"), "manifest-shape")] {
        let (bundles, codes) = beside_a_good_one(|store, package| {
            let tag = fallback(&package.0);
            let mut index: Value = serde_json::from_slice(&store.manifests[&tag].1).unwrap();
            let digest = Digest::of(text.unwrap_or("nothing").as_bytes()).to_string();
            let descriptor = json!({ "mediaType": IMAGE, "digest": digest, "size": 2, "artifactType": BUNDLE });
            index["manifests"].as_array_mut().unwrap().push(descriptor);
            store.manifest(Some(&tag), INDEX, &index);
            if let Some(text) = text {
                store.manifests.insert(digest, (IMAGE.to_owned(), text.into()));
            }
        })
        .await;
        assert_eq!((bundles, codes), (vec![SIGNATURE.to_vec()], vec![code.to_owned()]));
    }
}

#[tokio::test]
async fn many_and_large_attachments_leave_room_for_a_good_signature() {
    let (bundles, left_out) = beside_a_good_one(|store, package| {
        for at in 0..40_u8 {
            store.sign(package, &vec![at; 1024 * 1024 - usize::from(at)], |_| ());
        }
    })
    .await;
    assert_eq!(bundles.first().unwrap(), SIGNATURE, "the small ones first");
    assert!(bundles.iter().map(Vec::len).sum::<usize>() <= 4 << 20);
    assert!(left_out.iter().all(|code| code == "signature-too-large") && bundles.len() + left_out.len() == 41);
}

#[tokio::test]
async fn a_registry_that_lies_is_not_read_past() {
    // These are not of an attachment's making: the registry sends other bytes than it was asked for, or none.
    for (code, answer) in [
        (
            "digest-differs",
            (|| reply(200, &[], SIGNATURE.iter().rev().copied().collect::<Vec<u8>>())) as fn() -> axum::response::Response,
        ),
        ("status", || reply(500, &[], "")),
        ("denied", || reply(403, &[], "")),
    ] {
        let registry = Registry::new().await;
        let signature = Digest::of(SIGNATURE).to_string();
        registry.fault(move |seen| seen.is("GET", &signature).then(answer));
        registry.change(|store| {
            let package = store.package(|_| ());
            store.sign(&package, b"{\"good\":1}", |_| ());
        });
        assert_eq!(code_of(&registry).await, code);
    }
}

async fn code_of(registry: &Registry) -> &'static str {
    pull(&registry.at(":1.0.0"), settings()).await.map_or_else(|error| error.code(), |_| "ok")
}

#[tokio::test]
async fn more_attachments_than_are_read_are_refused() {
    let many = |count: usize| {
        move |store: &mut Store| {
            let package = store.package(|_| ());
            for at in 0..count {
                store.sign(&package, format!("{{\"a\":{at}}}").as_bytes(), |_| ());
            }
        }
    };
    let registry = Registry::empty().await;
    registry.change(many(64));
    assert_eq!(pull(&registry.at(":1.0.0"), settings()).await.unwrap().bundles.len(), 64);
    store(many(65), "signatures-many").await;
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
