//! Tags of a repository, and where a host says its packages are.

use casemate_registry::Client;

use crate::fixture::{Registry, endless, reply, settings};

#[tokio::test]
async fn tags_are_listed_page_by_page() {
    let registry = Registry::with(|seen| {
        let (path, query) = (seen.path.as_str(), seen.query.as_str());
        match query {
            _ if !path.ends_with("/tags/list") => None,
            "n=1000" => {
                Some(reply(200, &[("link", "</v2/acme/plugin/tags/list?last=b>; rel=\"next\"")], r#"{"tags":["a","b"]}"#))
            }
            _ => Some(reply(200, &[], r#"{"name":"acme/plugin","tags":["c"]}"#)),
        }
    })
    .await;
    let tags = Client::new(settings()).unwrap().tags(&registry.at("")).await.unwrap();
    assert_eq!(tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_list_of_tags_ends_and_holds_tags() {
    for (body, code) in [
        (r#"{"tags":null}"#, "ok"),
        (r#"{"tags":["../x"]}"#, "tag-invalid"),
        (r#"{"tags":["\u001b[2J"]}"#, "tag-invalid"),
        (r#"{"tags":7}"#, "manifest-shape"),
        ("", "manifest-json"),
    ] {
        let registry = Registry::with(move |_| Some(reply(200, &[], body))).await;
        let found = Client::new(settings()).unwrap().tags(&registry.at("")).await;
        assert_eq!(found.map_or_else(|error| error.code(), |_| "ok"), code, "{body}");
    }
    let many = format!(r#"{{"tags":[{}"x"]}}"#, "\"x\",".repeat(10_000));
    let registry = Registry::with(move |_| Some(reply(200, &[], many.clone()))).await;
    assert_eq!(Client::new(settings()).unwrap().tags(&registry.at("")).await.unwrap_err().code(), "tags-many");
    let registry = Registry::with(|seen| {
        Some(reply(200, &[("link", &format!("<?n={}0>; rel=next", seen.query.trim_start_matches("n=")))], r#"{"tags":[]}"#))
    })
    .await;
    assert_eq!(Client::new(settings()).unwrap().tags(&registry.at("")).await.unwrap_err().code(), "pages-endless");
    let registry = Registry::with(|_| Some(reply(200, &[], endless()))).await;
    assert_eq!(Client::new(settings()).unwrap().tags(&registry.at("")).await.unwrap_err().code(), "too-large");
}

#[tokio::test]
async fn a_host_says_where_its_packages_are() {
    let registry = Registry::empty().await;
    let host = registry.host.parse().unwrap();
    let plugin = "acme/plugin".parse().unwrap();
    let client = Client::new(settings()).unwrap();
    assert_eq!(client.locate(&host, &plugin).await.unwrap(), registry.at(""));
    assert_eq!(registry.seen()[0].path, "/.well-known/wasm-pkg/registry.json");

    registry.fault(|_| Some(reply(200, &[], r#"{"oci":{"registry":"ghcr.io","namespacePrefix":"owner/"}}"#)));
    assert_eq!(client.locate(&host, &plugin).await.unwrap().to_string(), "oci://ghcr.io/owner/acme/plugin");
    for (body, code) in [
        (r#"{"oci":{"registry":"127.0.0.1:1"}}"#, "metadata-loopback"),
        (r#"{"preferredProtocol":"warg"}"#, "metadata-protocol"),
        (r#"{"oci":7}"#, "manifest-shape"),
        ("<html>", "manifest-json"),
    ] {
        registry.fault(move |_| Some(reply(200, &[], body)));
        assert_eq!(client.locate(&host, &plugin).await.unwrap_err().code(), code, "{body}");
    }
    registry.fault(|_| Some(reply(302, &[("location", "https://elsewhere.example/")], "")));
    assert_eq!(client.locate(&host, &plugin).await.unwrap_err().code(), "redirected");
    registry.fault(|_| Some(reply(200, &[], endless())));
    assert_eq!(client.locate(&host, &plugin).await.unwrap_err().code(), "too-large");
}
