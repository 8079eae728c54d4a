//! The catalogue of Stratus Red Team, shipped as data: ids, names, platforms, tactics, and what a second detonation does. The facts are those
//! of docs/index.yaml of <https://github.com/DataDog/stratus-red-team> at 021ce4af7704c17aff0cd24ed3f34a43ac37ed77.

use std::fmt::Write as _;

use casemate_plugin::{Failure, Readable, field::Line};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{field::TechniqueName, technique::Technique};

/// One technique a line: id, name, platform, tactics, `slow`, `idempotent` or `once`.
const TECHNIQUES: &str = include_str!("techniques.tsv");

/// Arguments of `list_techniques`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// AWS, Azure, EKS, Entra ID, GCP or Kubernetes
    #[serde(default)]
    platform: Option<Line<20>>,
    /// A tactic of ATT&CK, such as Defense Evasion
    #[serde(default)]
    tactic: Option<Line<40>>,
    /// Only those that can be carried out here
    #[serde(default)]
    supported_only: bool,
}

/// Some techniques.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    techniques: Vec<Entry>,
}

/// Arguments of `show_technique`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowArguments {
    /// The technique's id, such as aws.defense-evasion.cloudtrail-stop
    technique: TechniqueName,
}

/// One technique.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Entry {
    id: &'static str,
    name: &'static str,
    platform: &'static str,
    tactics: Vec<&'static str>,
    /// Whether warming it up or detonating it takes minutes
    slow: bool,
    /// Whether it can be detonated again without being reverted
    idempotent: bool,
    /// Whether it can be carried out here
    supported: bool,
}

/// One technique, and what it does here.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    technique: Entry,
    /// What each step does; absent where the technique cannot be carried out here
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Steps>,
    /// Where it is described
    documentation: String,
}

/// What each step does.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Steps {
    pub(crate) warm_up: &'static str,
    pub(crate) detonate: &'static str,
    pub(crate) revert: &'static str,
    pub(crate) clean_up: &'static str,
}

fn all() -> impl Iterator<Item = Entry> {
    TECHNIQUES.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        let (id, name, platform, tactics, slow, repeats) = (next()?, next()?, next()?, next()?, next()?, next()?);
        Some(Entry {
            id,
            name,
            platform,
            tactics: tactics.split(',').collect(),
            slow: slow == "slow",
            idempotent: repeats == "idempotent",
            supported: Technique::of(id).is_some(),
        })
    })
}

/// Whether a technique can be detonated again without being reverted.
pub(crate) fn is_idempotent(technique: Technique) -> bool {
    all().any(|entry| entry.id == technique.id() && entry.idempotent)
}

pub(crate) fn list(args: &Arguments) -> Result<Listing, Failure> {
    let is = |wanted: Option<&str>, value: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
    let fits = |entry: &Entry| {
        let tactic = args.tactic.as_ref().map(Line::as_str);
        is(args.platform.as_ref().map(Line::as_str), entry.platform)
            && entry.tactics.iter().any(|of_it| is(tactic, of_it))
            && (entry.supported || !args.supported_only)
    };
    Ok(Listing { techniques: all().filter(fits).collect() })
}

pub(crate) fn show(args: &ShowArguments) -> Result<Shown, Failure> {
    let id = args.technique.as_str();
    let Some(technique) = all().find(|entry| entry.id == id) else {
        return Err(Failure::not_found(format!("the catalogue has no technique `{id}`; list_techniques has all")));
    };
    // The folders of the project's pages.
    let folder = match technique.platform {
        "Azure" => "azure",
        "Entra ID" => "entra-id",
        "Kubernetes" => "kubernetes",
        platform => platform,
    };
    Ok(Shown {
        steps: Technique::of(id).map(Technique::steps),
        documentation: format!("https://stratus-red-team.cloud/attack-techniques/{folder}/{id}/"),
        technique,
    })
}

impl Entry {
    fn line(&self) -> String {
        let marks = [(self.supported, "can be carried out here"), (self.slow, "slow"), (!self.idempotent, "once")];
        let marks: Vec<&str> = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark)).collect();
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        format!("{}: {}; {}{marks}", self.id, self.name, self.tactics.join(", "))
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = format!("{} techniques", self.techniques.len());
        for entry in &self.techniques {
            let _ = write!(text, "\n{}", entry.line());
        }
        text
    }
}

impl Readable for Shown {
    fn text(&self) -> String {
        let mut text = self.technique.line();
        match &self.steps {
            None => text.push_str("\nit cannot be carried out here; the stratus program can"),
            Some(Steps { warm_up, detonate, revert, clean_up }) => {
                let _ = write!(text, "\nwarm_up: {warm_up}\ndetonate: {detonate}\nrevert: {revert}\nclean_up: {clean_up}");
            }
        }
        let _ = write!(text, "\n{}", self.documentation);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::technique::ALL;

    #[test]
    fn every_line_is_a_technique_and_those_of_this_plugin_are_among_them() {
        assert_eq!((all().count(), TECHNIQUES.lines().count()), (72, 72));
        assert!(all().all(|entry| entry.id.parse::<TechniqueName>().is_ok()));
        assert_eq!(all().filter(|entry| entry.supported).count(), ALL.len());
        for technique in ALL {
            let once = matches!(technique, Technique::CreateAdminUser | Technique::DeleteTrail);
            assert_eq!(is_idempotent(technique), !once, "{}", technique.id());
        }
    }
}
