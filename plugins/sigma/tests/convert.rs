//! Every rule of tests/pysigma/rules.yml, converted here and by pySigma: the same query, or one of the differences below.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use casemate_plugin::{Context, yaml};
use casemate_sigma::TOOLS;
use serde_json::{Value, json};

const RULES: &str = include_str!("pysigma/rules.yml");
/// What pySigma makes of them: see pysigma/make.py.
const QUERIES: &str = include_str!("pysigma/queries.json");

/// What is said here in place of what pySigma says.
enum Instead {
    Query(&'static str),
    /// Refused, in words with this part.
    Refused(&'static str),
}
use Instead::{Query, Refused};

/// Rule, language, what is said instead, and what is wrong with what pySigma says.
const DIFFERENCES: [(&str, &str, Instead, &str); 34] = [
    ("numbers in a list", "kusto", Query("EventID in (4624, 4625)"), "a column of numbers is not compared with texts"),
    ("numbers and texts in a list", "kusto", Refused("numbers and texts in one list"), "a column has one type"),
    ("truths", "kusto", Query("Initiated == true and Signed == false"), "`=~` is for texts alone"),
    ("a null value", "kusto", Query("isempty(User)"), "a string is never null, so `isnull` finds nothing"),
    ("not null", "kusto", Query("A =~ \"x\" and (not(isempty(User)))"), "the same"),
    ("null negated directly", "kusto", Query("not(isempty(A))"), "the same"),
    ("any value", "kusto", Query("isnotempty(A)"), "every text starts with the empty one, and so does none"),
    ("wildcard inside", "kusto", Refused("a wildcard inside"), "the expression has no anchors and minds the case"),
    ("wildcard inside a list", "kusto", Refused("a wildcard inside"), "it loses the order of the pieces"),
    ("one character", "kusto", Refused("a wildcard inside"), "the expression has no anchors and minds the case"),
    ("keywords", "kusto", Refused("a value without a field"), "a text is no predicate"),
    ("keywords all", "kusto", Refused("a value without a field"), "a text is no predicate"),
    ("keyword and field", "kusto", Refused("a value without a field"), "a text is no predicate"),
    ("mixed list", "kusto", Refused("a value without a field"), "a text is no predicate"),
    ("network of ipv6", "kusto", Refused("a network of IPv6"), "`ipv4_is_in_range` of IPv6 is null"),
    ("regular expression looking around", "kusto", Refused("looks around"), "RE2 does not"),
    ("dotted field", "kusto", Refused("a field called"), "what is in single quotes is a text and no column"),
    ("field with a space", "kusto", Refused("a field called"), "the same"),
    ("field with a hyphen", "kusto", Refused("a field called"), "the same"),
    ("whole texts all", "kusto", Query("A =~ \"x\" and A =~ \"y\""), "`has_all` looks for words, and not for the whole"),
    ("contains and whole all", "kusto", Query("A contains \"x\" and A =~ \"y\""), "the same"),
    ("cased", "kusto", Refused("`cased`"), "refused there, too"),
    ("cased", "splunk", Refused("`cased`"), "refused there, too"),
    ("fieldref", "kusto", Refused("`fieldref`"), "refused there, too"),
    ("fieldref", "splunk", Refused("`fieldref`"), "not done here"),
    ("not null", "splunk", Query("A=\"x\" NOT (NOT User=*)"), "said so that it is read in one way"),
    ("null negated directly", "splunk", Query("NOT (NOT A=*)"), "the same"),
    ("one character", "splunk", Refused("the wildcard `?`"), "`*` is more than one character"),
    ("asterisk itself", "splunk", Refused("an asterisk"), "Splunk has no way to escape it"),
    ("regular expressions any", "splunk", Refused("beside `or`"), "not done here"),
    (
        "regular expression in a negated selection",
        "splunk",
        Refused("negated"),
        "the expression is asked for, and not negated with the rest",
    ),
    (
        "windash negated",
        "splunk",
        Query(
            "A=\"x\" NOT (CommandLine=\"* -a*\" OR CommandLine=\"* /a*\" OR CommandLine=\"* –a*\" OR CommandLine=\"* —a*\" OR CommandLine=\"* ―a*\")",
        ),
        "only the first is negated",
    ),
    (
        "utf16le base64offset",
        "splunk",
        Query("CommandLine=\"*eA*\" OR CommandLine=\"*gA*\" OR CommandLine=\"*4A*\""),
        "the specification has it as another name of `wide`",
    ),
    (
        "utf16le base64offset",
        "kusto",
        Query("CommandLine contains \"eA\" or CommandLine contains \"gA\" or CommandLine contains \"4A\""),
        "the same",
    ),
];

fn convert(rule: &str, target: &str) -> Result<String, String> {
    let arguments = json!({ "rule": rule, "target": target });
    let outcome = casemate_plugin::testing::call(TOOLS, "convert", &arguments, &Context::scripted([]));
    let outcome = outcome.map_err(|failure| failure.to_string())?;
    let structured: Value = serde_json::from_str(&outcome.structured).unwrap();
    Ok(structured["query"].as_str().unwrap().to_owned())
}

fn title(rule: &str) -> String {
    yaml::read(rule).unwrap().get("title").and_then(yaml::Yaml::text).unwrap().to_owned()
}

#[test]
fn queries_are_those_of_pysigma_but_for_what_is_known() {
    let queries: Value = serde_json::from_str(QUERIES).unwrap();
    let rules: Vec<&str> = yaml::documents(RULES).collect();
    assert_eq!(rules.len(), queries.as_object().unwrap().len());
    let mut wrong = Vec::new();
    for rule in rules {
        let title = title(rule);
        for target in ["splunk", "kusto"] {
            let (here, there) = (convert(rule, target), &queries[&title][target]);
            let known = DIFFERENCES.iter().find(|(rule, language, ..)| *rule == title && *language == target);
            let fits = match (known, &here) {
                (None, Ok(query)) => there == query,
                (None, Err(_)) => false,
                (Some((_, _, Query(expected), _)), Ok(query)) => query == expected,
                (Some((_, _, Refused(part), _)), Err(why)) => why.contains("not supported for") && why.contains(part),
                _ => false,
            };
            if !fits {
                wrong.push(format!("{title}, {target}\n  here:    {here:?}\n  pySigma: {there}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No difference is left in the list that is none any more.
#[test]
fn every_difference_is_one_of_a_rule_that_is_there() {
    let queries: Value = serde_json::from_str(QUERIES).unwrap();
    for (title, target, instead, why) in &DIFFERENCES {
        let there = &queries[*title][*target];
        assert!(!there.is_null(), "{title}, {target}: {why}");
        if let Query(query) = instead {
            assert!(there != query, "{title}, {target} is no difference");
        }
    }
}
