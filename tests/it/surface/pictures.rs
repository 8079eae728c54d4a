//! Icons, and what goes with a prompt: signed bytes, given as they were signed.

use casemate_signing::manifest::Image;
use serde_json::json;

use super::{client::Client, guest, shared};
use crate::harness::House;

const PIXEL: &[u8] = include_bytes!("../../../signing/tests/data/pixel.png");

fn pixel() -> Image {
    Image::of(PIXEL).unwrap()
}

/// A house whose plugin has an icon, and a prompt with a picture and a document.
fn house() -> House {
    let attach = format!(
        r#"
        title = "Guide"
        description = "How to look at it."
        argument = [{{ name = "resourceUri", description = "Where from", required = true }}]
        attach = [
            {{ image = "{}" }},
            {{ uri = "{{resourceUri}}", media_type = "text/markdown", text = "From {{resourceUri}}: {{{{}}}}" }},
        ]
        text = "Read the guide."
        "#,
        pixel().as_uri()
    );
    shared(House::new(&guest().with("plugin", "icon", pixel().as_uri()).prompt("guide", &attach)))
}

#[test]
fn an_icon_is_in_the_lists_of_the_revisions_that_have_icons() {
    let house = house();
    let token = house.token("ann");
    let mut clients = Client::all(&house, &token);
    clients.push(Client::stdio(&house, "2025-06-18"));
    for (at, mut client) in clients.into_iter().enumerate() {
        let knows = client.revision() > "2025-06-18";
        let icons = json!([{ "src": pixel().as_uri(), "mimeType": "image/png", "sizes": ["1x1"] }]);
        for (method, list) in [("tools/list", "tools"), ("prompts/list", "prompts")] {
            let listed = client.result(method, json!({}))[list].clone();
            let items = listed.as_array().unwrap();
            assert!(!items.is_empty());
            for item in items {
                assert_eq!(item.get("icons"), knows.then_some(&icons), "client {at}, {method}: {item:#}");
            }
        }
    }
}

#[test]
fn a_prompt_gives_what_goes_with_it_before_its_text() {
    let house = house();
    let (token, name) = (house.token("ann"), house.served("guide"));
    for mut client in Client::all(&house, &token) {
        let got =
            client.result("prompts/get", json!({ "name": name, "arguments": { "resourceUri": "test://example-resource" } }));
        let data = pixel().as_uri().strip_prefix("data:image/png;base64,").unwrap().to_owned();
        let resource =
            json!({ "uri": "test://example-resource", "mimeType": "text/markdown", "text": "From test://example-resource: {}" });
        let messages = json!([
            { "role": "user", "content": { "type": "image", "data": data, "mimeType": "image/png" } },
            { "role": "user", "content": { "type": "resource", "resource": resource } },
            { "role": "user", "content": { "type": "text", "text": "Read the guide." } },
        ]);
        assert_eq!(got["messages"], messages, "{got:#}");
        for uri in ["casemate://audit/self", "file:///etc/passwd", "javascript://x", "{resourceUri}"] {
            let error = client.fault("prompts/get", json!({ "name": name, "arguments": { "resourceUri": uri } }), -32602);
            assert!(error["message"].as_str().unwrap().contains("would name the address"), "{error:#}");
        }
    }
}

#[test]
fn whoever_agrees_is_shown_digests() {
    let house = house();
    let shown = house.casemate(&["inspect", "plain-request"]).done().stdout;
    assert_eq!(shown.matches(&pixel().to_string()).count(), 2, "{shown}");
    assert!(shown.contains("text/markdown, said to be from {resourceUri}") && !shown.contains("base64"), "{shown}");
}

#[test]
fn an_author_names_files_and_packs_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guest();
    let component = guest.with("plugin", "icon", "art/icon.png").write_source(folder.path());
    let house = super::house();
    let pack = || {
        let [source, component] = [folder.path(), &component].map(|path| path.to_str().unwrap().to_owned());
        let out = folder.path().join("out");
        house.casemate(&["pack", &source, "--component", &component, "--out", out.to_str().unwrap()])
    };
    pack().faulty(&["plugin.toml:", "plugin.icon:", "art/icon.png"]);
    std::fs::create_dir(folder.path().join("art")).unwrap();
    let write = |bytes: &[u8]| std::fs::write(folder.path().join("art/icon.png"), bytes).unwrap();
    write(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>");
    pack().faulty(&["plugin.icon:", "no PNG, JPEG or WebP"]);
    write(&[PIXEL, b"<script>"].concat());
    pack().faulty(&["plugin.icon:", "no PNG, JPEG or WebP"]);
    write(&vec![0; 40 << 10]);
    pack().faulty(&["plugin.icon:"]);
    write(PIXEL);
    pack().done();
    let toml = std::fs::read_to_string(folder.path().join("plugin.toml")).unwrap();
    for (elsewhere, says) in [
        ("/etc/passwd", "no file in the plugin's folder"),
        ("../icon.png", "no file in the plugin's folder"),
        ("art/../../icon.png", "no file in the plugin's folder"),
        ("https://example.com/icon.png", "a client would go there"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "no PNG, JPEG or WebP"),
    ] {
        std::fs::write(folder.path().join("plugin.toml"), toml.replace("art/icon.png", elsewhere)).unwrap();
        pack().faulty(&["plugin.icon:", says]);
    }
}
