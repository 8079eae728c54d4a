//! Rules about pictures: no address stands for one, and what is signed is what it says it is.

use super::*;
use crate::manifest::image::{Image, ImageError};

const PIXEL: &[u8] = include_bytes!("../../../../tests/data/pixel.png");

fn pixel() -> Value {
    json!(Image::of(PIXEL).unwrap())
}

fn prompt(attach: Value) -> Value {
    json!({ "triage": { "title": "Triage", "description": "Look.", "text": "Look.", "attach": attach } })
}

#[test]
fn a_plugin_its_tools_and_its_prompts_have_pictures() {
    let pictures =
        [("/plugin/icon", pixel()), ("/tool/agents/icon", pixel()), ("/prompt", prompt(json!([{ "image": pixel() }])))];
    assert_eq!(findings(changed(&pictures)), []);
    let manifest: Manifest = serde_json::from_value(changed(&pictures[..1])).unwrap();
    assert!(manifest.tool.values().all(|tool| manifest.icon(tool) == manifest.plugin.icon.as_ref()));
}

#[test]
fn what_is_no_picture_is_no_icon() {
    let svg = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciPjxzY3JpcHQ+PC9zY3JpcHQ+PC9zdmc+";
    let large = format!("data:image/png;base64,{}", "A".repeat(8 << 10));
    for (icon, error) in [
        ("https://example.com/icon.png", ImageError::Address),
        ("//example.com/icon.png", ImageError::Address),
        ("icon.png", ImageError::Address),
        (svg, ImageError::Kind),
        ("data:image/png;base64,PHN2Zy8+", ImageError::Shape("PNG")),
        (&large, ImageError::Bytes { bytes: 6144, max: 4096 }),
    ] {
        for (place, at) in [("/plugin/icon", "plugin.icon"), ("/tool/agents/icon", "tool.agents.icon")] {
            let found = findings(changed(&[(place, json!(icon))]));
            assert_eq!(found, [RuleError { at: at.to_owned(), rule: error.clone().into() }], "{icon}");
        }
    }
}

#[test]
fn a_prompt_shows_no_address_either() {
    let found =
        findings(changed(&[("/prompt", prompt(json!([{ "image": pixel() }, { "image": "https://example.com/x.png" }])))]));
    assert_eq!(found, [RuleError { at: "prompt.triage.attach[1].image".to_owned(), rule: ImageError::Address.into() }]);
}

#[test]
fn pictures_are_few_and_small_together() {
    let room = |length: usize| {
        let end = PIXEL.len() - 12;
        let filler = [&u32::try_from(length).unwrap().to_be_bytes()[..], b"fiLl", &vec![0; length + 4]].concat();
        json!({ "image": Image::of(&[&PIXEL[..end], &filler, &PIXEL[end..]].concat()).unwrap() })
    };
    let found = findings(changed(&[("/prompt", prompt(json!([room(32_000), room(32_000), room(32_000), room(4_000)])))]));
    let bytes = 100_000 + 4 * (PIXEL.len() + 12);
    assert_eq!(found, [RuleError { at: "plugin".to_owned(), rule: Rule::PictureBytes { bytes, max: 98_304 } }]);
    let found = findings(changed(&[("/prompt", prompt(json!(vec![json!({ "image": pixel() }); 9])))]));
    assert_eq!(found[0].rule, Rule::TooMany { what: "attachments", count: 9, max: 8 });
    let prompts: serde_json::Map<String, Value> = (0..9)
        .map(|number| (format!("p_{number}"), prompt(json!(vec![json!({ "image": pixel() }); 8]))["triage"].clone()))
        .collect();
    assert_eq!(findings(changed(&[("/prompt", prompts.into())]))[0].rule, Rule::TooMany { what: "pictures", count: 72, max: 64 });
}

/// What was signed before there were pictures is the same bytes still.
#[test]
fn a_manifest_without_pictures_does_not_speak_of_them() {
    let manifest: Manifest = serde_json::from_value(valid()).unwrap();
    let text = serde_json::to_string(&manifest).unwrap();
    assert!(!text.contains("icon") && !text.contains("attach"));
}
