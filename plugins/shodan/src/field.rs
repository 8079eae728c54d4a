//! The words of Shodan's API.

use casemate_plugin::word;
use schemars::JsonSchema;
use serde::Deserialize;

word! {
    /// A search.
    pub(crate) Query, "a search: 1 to 512 printable ASCII characters", 1..=512, "^[ -~]{1,512}$",
    |text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), str::to_owned
}

/// What a count can be broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Facet {
    #[serde(rename = "asn")]
    Asn,
    #[serde(rename = "country")]
    Country,
    #[serde(rename = "domain")]
    Domain,
    #[serde(rename = "org")]
    Org,
    #[serde(rename = "os")]
    Os,
    #[serde(rename = "port")]
    Port,
    #[serde(rename = "product")]
    Product,
    #[serde(rename = "vuln")]
    Vuln,
}

impl Facet {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Asn => "asn",
            Self::Country => "country",
            Self::Domain => "domain",
            Self::Org => "org",
            Self::Os => "os",
            Self::Port => "port",
            Self::Product => "product",
            Self::Vuln => "vuln",
        }
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::Query;

    #[test]
    fn a_search_is_a_line_of_ascii() {
        check::<Query>(
            &["product:nginx country:\"DE\"", "net:8.8.8.0/24"],
            &["", "a\nb", "größe", "a\u{0}", &"x".repeat(513)],
            true,
        );
    }
}
