//! Finding rules in a collection.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, clip,
    field::{Line, TechniqueId, Uuid, Whole},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    library::{self, Collection},
    rule::Rule,
};

/// Rules of one answer.
const SHOWN: usize = 50;
/// Documents that one call reads as rules.
const READ: usize = 500;

/// Arguments of `search`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The collection that the operator bound
    rules: Collection,
    /// Words that stand in the rule, in this order, without case
    #[serde(default)]
    text: Option<Line<100>>,
    /// An ATT&CK technique of the rule's tags; T1059 also finds T1059.001
    #[serde(default)]
    technique: Option<TechniqueId>,
    /// logsource.product, such as windows
    #[serde(default)]
    product: Option<Line<60>>,
    /// logsource.category, such as process_creation
    #[serde(default)]
    category: Option<Line<60>>,
    /// logsource.service, such as security
    #[serde(default)]
    service: Option<Line<60>>,
    /// Where an earlier answer says to go on
    #[serde(default)]
    next: Option<Whole<0, 1_000_000>>,
}

/// Rules that were found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    rules: Vec<Hit>,
    /// Documents that are no rules, or none without errors
    unread: usize,
    /// The collection was not searched to its end: call again with this
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

/// One rule.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hit {
    /// For show
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    title: String,
    /// Product, category, service
    logsource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    techniques: Vec<String>,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Found, Failure> {
    let text = library::text(cx, &args.rules)?;
    let wanted = Wanted::of(&args);
    let from = args.next.map_or(0, |next| u32::try_from(next.number()).unwrap_or_default());
    let (mut found, mut read) = (Found { rules: Vec::new(), unread: 0, next: None }, 0);
    for (number, document) in library::documents(&text).filter(|(number, _)| *number >= from) {
        if !wanted.may_be(document) {
            continue;
        }
        if read == READ || found.rules.len() == SHOWN {
            found.next = Some(number);
            break;
        }
        read += 1;
        let (rule, findings) = Rule::read(document);
        match findings.is_valid() {
            true if wanted.is(&rule) => found.rules.push(rule.into()),
            true => {}
            false => found.unread += 1,
        }
    }
    Ok(found)
}

/// What is looked for, in lower case.
struct Wanted {
    text: Option<String>,
    tag: Option<String>,
    product: Option<String>,
    category: Option<String>,
    service: Option<String>,
}

impl Wanted {
    fn of(args: &Arguments) -> Self {
        let lower = |line: &Option<Line<60>>| line.as_ref().map(|line| line.as_str().to_ascii_lowercase());
        Self {
            text: args.text.as_ref().map(|text| text.as_str().to_ascii_lowercase()),
            tag: args.technique.as_ref().map(|technique| format!("attack.{}", technique.as_str().to_ascii_lowercase())),
            product: lower(&args.product),
            category: lower(&args.category),
            service: lower(&args.service),
        }
    }

    /// Whether a document holds every word that is looked for, so that it is worth reading.
    fn may_be(&self, document: &str) -> bool {
        let document = document.to_ascii_lowercase();
        let words = [&self.text, &self.tag, &self.product, &self.category, &self.service];
        words.into_iter().flatten().all(|word| document.contains(word.as_str()))
    }

    fn is(&self, rule: &Rule) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| found.as_ref().is_some_and(|found| found.to_ascii_lowercase() == *wanted))
        };
        let tagged = |tag: &String| {
            rule.tags.iter().any(|found| {
                found.to_ascii_lowercase().strip_prefix(tag.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        same(&self.product, &rule.product)
            && same(&self.category, &rule.category)
            && same(&self.service, &rule.service)
            && self.tag.as_ref().is_none_or(tagged)
    }
}

impl From<Rule> for Hit {
    fn from(rule: Rule) -> Self {
        Self {
            title: clip(&rule.title, 256),
            logsource: clip(&rule.source(), 200),
            techniques: rule.techniques().iter().take(20).map(ToString::to_string).collect(),
            id: rule.id,
            status: rule.status,
            level: rule.level,
        }
    }
}

impl Readable for Found {
    fn text(&self) -> String {
        let mut text = format!("{} rules", self.rules.len());
        for Hit { id, title, logsource, status, level, techniques } in &self.rules {
            let of = |part: &Option<String>| part.clone().unwrap_or_else(|| "none".to_owned());
            let id = id.as_ref().map_or("no id", Uuid::as_str);
            let _ = write!(text, "\n{id} {title} ({logsource}; status {}, level {}", of(status), of(level));
            let _ = if techniques.is_empty() { write!(text, ")") } else { write!(text, "; {})", techniques.join(" ")) };
        }
        if self.unread > 0 {
            let _ = write!(text, "\n({} documents are no rules without errors)", self.unread);
        }
        if let Some(next) = self.next {
            let _ = write!(text, "\n(the rest was not searched: go on with next = {next})");
        }
        text
    }
}
