//! Attributes as MISP sends them, and as they are shown; and tags, which say who may see what.

use casemate_plugin::tolerant::{Few, Flag, Object, Text, Verbatim};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{api::Digits, field::Number};

/// Tags that are looked at. What has more is taken for red: nobody can say what the others are.
const TAGS: usize = 200;
/// Tags that are shown.
const SHOWN: usize = 20;

/// An attribute of an event.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) attribute_id: Number,
    r#type: String,
    category: String,
    /// Cut at 500 characters
    value: String,
    /// Whether it is good for detection
    to_ids: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// The object that it is a part of
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
}

/// An attribute as MISP sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    id: Digits,
    r#type: Text<64>,
    category: Text<64>,
    value: Text<500>,
    to_ids: Flag,
    comment: Text<300>,
    deleted: Flag,
    pub(crate) event_id: Digits,
    #[serde(rename = "Tag")]
    tags: Tags,
    #[serde(rename = "Event")]
    pub(crate) event: Object<Above>,
}

/// What an attribute says of its event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Above {
    pub(crate) info: Text<200>,
    #[serde(rename = "Tag")]
    tags: Tags,
}

impl Item {
    /// Whether nobody may be told of it.
    pub(crate) fn is_hidden(&self) -> bool {
        self.tags.are_red() || self.event.0.tags.are_red() || self.deleted.0 == Some(true)
    }

    pub(crate) fn shown(self, object: Option<&str>) -> Option<Shown> {
        Some(Shown {
            attribute_id: self.id.0.parse().ok()?,
            r#type: self.r#type.0?,
            category: self.category.0.unwrap_or_default(),
            value: self.value.0?,
            to_ids: self.to_ids.0.unwrap_or_default(),
            comment: self.comment.0,
            tags: self.tags.shown(),
            object: object.map(str::to_owned),
        })
    }
}

/// Tags of an event or an attribute.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(Few<Object<Tag>, { TAGS + 1 }>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tag {
    name: Verbatim<300>,
}

impl Tags {
    /// Whether one is tlp:red, in any case and with whatever is between.
    pub(crate) fn are_red(&self) -> bool {
        let is_red = |Object(tag): &Object<Tag>| {
            let plain = tag.name.as_str().bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
            let begin: Vec<u8> = plain.take(6).collect();
            begin == b"tlpred"
        };
        self.0.0.len() > TAGS || self.0.0.iter().any(is_red)
    }

    pub(crate) fn shown(&self) -> Vec<String> {
        let names = self.0.0.iter().map(|Object(tag)| casemate_plugin::clip(tag.name.as_str(), 100));
        names.filter(|name| !name.is_empty()).take(SHOWN).collect()
    }
}

impl Shown {
    /// `ip-dst 198.51.100.7 (Network activity)`
    pub(crate) fn line(&self) -> String {
        let Self { attribute_id, r#type, category, value, .. } = self;
        format!("{attribute_id} {type} {value} ({category})")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::Tags;

    #[test]
    fn red_is_red_however_it_is_written() {
        let are_red = |names: &[&str]| {
            let tags: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
            serde_json::from_value::<Tags>(json!(tags)).unwrap().are_red()
        };
        for red in ["tlp:red", "TLP:RED", "Tlp: Red", "tlp=\"red\"", "tlp-red", "tlp:red:only-us"] {
            assert!(are_red(&["type:OSINT", red]), "{red}");
        }
        for other in ["tlp:green", "tlp:amber+strict", "tlp:clear", "red", "adversary:redhat", "my tlp:red rules"] {
            assert!(!are_red(&[other]), "{other}");
        }
        let many: Vec<String> = (0..201).map(|at| format!("tag-{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(are_red(&many), "nobody knows what the others are");
        assert!(!are_red(many.split_first().unwrap().1) && !are_red(&[]));
    }
}
