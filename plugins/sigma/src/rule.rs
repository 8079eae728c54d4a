//! Rules: what a document says, held against the specification of Sigma rules, version 2.
//!
//! <https://github.com/SigmaHQ/sigma-specification/blob/main/specification/sigma-rules-specification.md>

use casemate_plugin::{
    clip,
    field::{TechniqueId, Uuid},
    yaml::{self, Yaml},
};

use crate::{detection::Detection, finding::Findings};

/// Bytes of one rule. The longest of SigmaHQ's has 20,000.
pub(crate) const LONGEST: usize = 64 * 1024;
/// Characters of a title.
const TITLE: usize = 256;

const STATUSES: [&str; 5] = ["unsupported", "deprecated", "experimental", "test", "stable"];
const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// A rule as far as it can be read. Texts are as they stand there.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) title: String,
    pub(crate) id: Option<Uuid>,
    pub(crate) status: Option<String>,
    pub(crate) level: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) tags: Vec<String>,
    /// Columns that somebody wants to see.
    pub(crate) fields: Vec<String>,
    pub(crate) detection: Detection,
}

impl Rule {
    /// Read a document. What is wrong with it is among the findings; a rule with an error is not to be used.
    pub(crate) fn read(text: &str) -> (Self, Findings) {
        let mut findings = Findings::default();
        let mut rule = Self::default();
        if text.len() > LONGEST {
            findings.error("rule", format!("it is longer than {LONGEST} bytes"));
            return (rule, findings);
        }
        match yaml::read(text) {
            Err(error) => findings.error("yaml", error.to_string()),
            Ok(Yaml::Map(entries)) => {
                let document = Yaml::Map(entries);
                if let Some(kind) = ["correlation", "filter", "action"].iter().find(|kind| document.get(kind).is_some()) {
                    findings.error(*kind, "this is no rule of its own: correlations, filters and collections are not read here");
                    return (rule, findings);
                }
                rule.take(&document, &mut findings);
            }
            Ok(_) => findings.error("rule", "it is no mapping"),
        }
        (rule, findings)
    }

    fn take(&mut self, document: &Yaml, findings: &mut Findings) {
        match document.get("title").map(Yaml::text) {
            Some(Some(title)) if !title.trim().is_empty() && title.chars().count() <= TITLE => self.title = title.to_owned(),
            Some(_) => findings.error("title", format!("it is no text of 1 to {TITLE} characters")),
            None => findings.error("title", "there is none"),
        }
        match document.get("id").map(|id| id.text().and_then(|id| id.parse().ok())) {
            Some(Some(id)) => self.id = Some(id),
            Some(None) => findings.error("id", "it is no UUID"),
            None => findings.warning("id", "there is none, so nothing can refer to the rule"),
        }
        self.status = word(document, "status", &STATUSES, findings);
        self.level = word(document, "level", &LEVELS, findings);
        for (name, found) in [("status", &self.status), ("level", &self.level)] {
            if found.is_none() && document.get(name).is_none() {
                findings.warning(name, "there is none");
            }
        }
        self.description = text(document, "description", findings);
        for name in ["author", "license", "name", "taxonomy"] {
            text(document, name, findings);
        }
        for name in ["references", "falsepositives", "related", "scope"] {
            if document.get(name).is_some_and(|list| !matches!(list, Yaml::List(_))) {
                findings.error(name, "it is no list");
            }
        }
        for name in ["date", "modified"] {
            if document.get(name).is_some_and(|date| !date.text().is_some_and(is_date)) {
                findings.error(name, "it is no date such as 2024-11-22");
            }
        }
        self.tags = texts(document, "tags", findings);
        for tag in self.tags.iter().filter(|tag| !is_tag(tag)) {
            findings.error("tags", format!("`{}` is no namespace and name with a dot between them", clip(tag, 60)));
        }
        self.fields = texts(document, "fields", findings);
        self.log_source(document, findings);
        match document.get("detection") {
            Some(detection) => self.detection = Detection::read(detection, findings),
            None => findings.error("detection", "there is none"),
        }
    }

    fn log_source(&mut self, document: &Yaml, findings: &mut Findings) {
        let Some(source) = document.get("logsource") else {
            findings.error("logsource", "there is none");
            return;
        };
        let mut part = |name: &str| match source.get(name) {
            Some(part) if part.text().is_none() => {
                findings.error(format!("logsource.{name}"), "it is no text");
                None
            }
            part => part.and_then(Yaml::text).map(str::to_owned),
        };
        (self.category, self.product, self.service) = (part("category"), part("product"), part("service"));
        if self.category.is_none() && self.product.is_none() && self.service.is_none() {
            findings.error("logsource", "it has neither category nor product nor service");
        }
    }

    /// The techniques of ATT&CK that its tags name.
    pub(crate) fn techniques(&self) -> Vec<TechniqueId> {
        let technique = |tag: &String| tag.strip_prefix("attack.")?.to_ascii_uppercase().parse().ok();
        self.tags.iter().filter_map(technique).collect()
    }

    /// Such as `windows process_creation`.
    pub(crate) fn source(&self) -> String {
        let parts: Vec<&str> = [&self.product, &self.category, &self.service].into_iter().flatten().map(String::as_str).collect();
        parts.join(" ")
    }
}

fn text(document: &Yaml, name: &str, findings: &mut Findings) -> Option<String> {
    let found = document.get(name)?;
    match found.text() {
        Some(text) => Some(text.to_owned()),
        None => {
            findings.error(name, "it is no text");
            None
        }
    }
}

fn texts(document: &Yaml, name: &str, findings: &mut Findings) -> Vec<String> {
    let Some(list) = document.get(name) else { return Vec::new() };
    let texts: Option<Vec<String>> = list.items().iter().map(|item| item.text().map(str::to_owned)).collect();
    match texts {
        Some(texts) if matches!(list, Yaml::List(_)) => texts,
        _ => {
            findings.error(name, "it is no list of texts");
            Vec::new()
        }
    }
}

fn word(document: &Yaml, name: &str, words: &[&str], findings: &mut Findings) -> Option<String> {
    let found = document.get(name)?;
    let word = found.text().filter(|text| words.contains(text));
    if word.is_none() {
        findings.error(name, format!("it is none of {}", words.join(", ")));
    }
    word.map(str::to_owned)
}

/// `2024-11-22`, or with slashes as older rules have it.
fn is_date(text: &str) -> bool {
    let separator = if text.contains('/') { '/' } else { '-' };
    let parts: Vec<&str> = text.split(separator).collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |part: &str, lengths: std::ops::RangeInclusive<usize>, from: u16, to: u16| {
        lengths.contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse().is_ok_and(|number: u16| (from..=to).contains(&number))
    };
    let shortest = if separator == '/' { 1 } else { 2 };
    number(year, 4..=4, 1000, 3999) && number(month, shortest..=2, 1, 12) && number(day, shortest..=2, 1, 31)
}

fn is_tag(tag: &str) -> bool {
    tag.split_once('.').is_some_and(|(namespace, name)| {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        plain(namespace) && plain(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "\
title: Whoami
id: 5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11
status: test
description: Somebody asks who they are
references: ['https://example.com']
author: A. Nalyst
date: 2024-11-22
tags: [attack.discovery, attack.t1033]
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '\\whoami.exe'}
  condition: selection
level: low
";

    fn found(text: &str) -> Vec<String> {
        Rule::read(text).1.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rule_is_read() {
        let (rule, findings) = Rule::read(RULE);
        assert!(findings.into_vec().is_empty());
        assert_eq!((rule.title.as_str(), rule.source().as_str()), ("Whoami", "windows process_creation"));
        assert_eq!(rule.techniques().iter().map(ToString::to_string).collect::<Vec<_>>(), ["T1033"]);
    }

    #[test]
    fn what_the_specification_forbids_is_an_error() {
        for (from, to, part) in [
            ("title: Whoami\n", "", "error: title: there is none"),
            ("title: Whoami", "title: ''", "error: title"),
            ("5c9b5f0e-8a0f", "5c9b5f0e_8a0f", "error: id: it is no UUID"),
            ("status: test", "status: Stable", "error: status: it is none of"),
            ("level: low", "level: [low]", "error: level"),
            ("2024-11-22", "22.11.2024", "error: date"),
            ("2024-11-22", "2024-13-01", "error: date"),
            ("[attack.discovery, attack.t1033]", "attack.t1033", "error: tags: it is no list"),
            ("attack.t1033", "t1033", "error: tags: `t1033`"),
            ("['https://example.com']", "https://example.com", "error: references"),
            ("{category: process_creation, product: windows}", "{definition: x}", "error: logsource"),
            ("logsource: {category: process_creation, product: windows}\n", "", "error: logsource: there is none"),
            ("condition: selection", "condition: selektion", "error: detection.condition"),
            ("title: Whoami", "title: &a Whoami", "error: yaml: line 1: an anchor"),
            ("level: low", "level: low\ntitle: again", "error: yaml: line 14: a key stands twice"),
            ("title: Whoami", "correlation: {}\ntitle: Whoami", "error: correlation"),
        ] {
            let findings = found(&RULE.replacen(from, to, 1));
            assert!(findings.iter().any(|finding| finding.contains(part)), "{part}: {findings:?}");
        }
        assert!(found("- a").first().is_some_and(|finding| finding.contains("no mapping")));
        assert!(found(&"#".repeat(LONGEST + 1)).first().is_some_and(|finding| finding.contains("longer")));
    }

    #[test]
    fn what_is_only_odd_is_a_warning() {
        for (from, to, part) in [
            ("id: 5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11\n", "", "warning: id"),
            ("status: test\n", "", "warning: status"),
            ("  condition", "  other: {A: 1}\n  condition", "warning: detection.other"),
        ] {
            let text = RULE.replacen(from, to, 1);
            assert!(found(&text).iter().any(|finding| finding.contains(part)), "{part}: {:?}", found(&text));
            assert!(Rule::read(&text).1.is_valid());
        }
    }
}
