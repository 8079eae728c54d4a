//! The words of MISP.

use casemate_plugin::word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number that MISP gives, without a zero before it: one thing has one.
fn is_number(text: &str) -> bool {
    !text.starts_with('0') && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| {
        if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_digit() || matches!(byte, b'a'..=b'f') }
    };
    text.len() == 36 && text.bytes().enumerate().all(shape)
}

word! {
    /// An event or an attribute, by the number that this MISP gives it.
    pub(crate) Number, "a number: 1 to 10 digits, no zero first", 1..=10, "^[1-9][0-9]{0,9}$", is_number, str::to_owned
}

word! {
    /// An event, by its number or by the UUID that it has everywhere.
    pub(crate) EventId, "an event's number, or its UUID in lower case", 1..=36,
    "^([1-9][0-9]{0,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$", |text| is_number(text) || is_uuid(text), str::to_owned
}

word! {
    /// The type of an attribute.
    pub(crate) Type, "a type such as ip-dst, sha256 or filename|md5", 1..=64, "^[A-Za-z0-9][A-Za-z0-9|/._ -]{0,63}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && b"|/._ -".contains(&byte)), str::to_owned
}

word! {
    /// A tag. One that begins with `!` or holds `%` means others to MISP.
    pub(crate) Tag, "a tag such as tlp:green: up to 100 letters, digits and _:=\"./+()- and spaces, a letter or digit first", 1..=100,
    "^[A-Za-z0-9][A-Za-z0-9_:=\"./+() -]{0,99}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && b"_:=\"./+() -".contains(&byte)), str::to_owned
}

word! {
    /// How long ago.
    pub(crate) Last, "a time such as 24h or 30d: up to 4 digits, then m, h or d", 2..=5, "^[1-9][0-9]{0,3}[mhd]$",
    |text| {
        let digits = text.trim_end_matches(['m', 'h', 'd']);
        digits.len() + 1 == text.len() && is_number(digits)
    },
    str::to_owned
}

/// What kind of thing an attribute is evidence of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Category {
    #[serde(rename = "Internal reference")]
    InternalReference,
    #[serde(rename = "Targeting data")]
    TargetingData,
    #[serde(rename = "Antivirus detection")]
    AntivirusDetection,
    #[serde(rename = "Payload delivery")]
    PayloadDelivery,
    #[serde(rename = "Artifacts dropped")]
    ArtifactsDropped,
    #[serde(rename = "Payload installation")]
    PayloadInstallation,
    #[serde(rename = "Persistence mechanism")]
    PersistenceMechanism,
    #[serde(rename = "Network activity")]
    NetworkActivity,
    #[serde(rename = "Payload type")]
    PayloadType,
    Attribution,
    #[serde(rename = "External analysis")]
    ExternalAnalysis,
    #[serde(rename = "Financial fraud")]
    FinancialFraud,
    #[serde(rename = "Support Tool")]
    SupportTool,
    #[serde(rename = "Social network")]
    SocialNetwork,
    Person,
    Other,
}

/// What is said of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Seen,
    FalsePositive,
    Expired,
}

impl Kind {
    /// As MISP counts them.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::Seen => "0",
            Self::FalsePositive => "1",
            Self::Expired => "2",
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::FalsePositive => "a false positive",
            Self::Expired => "expired",
        }
    }
}

/// Who gets an event when it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Distribution {
    YourOrganisationOnly,
    ThisCommunityOnly,
    ConnectedCommunities,
    AllCommunities,
    SharingGroup,
}

impl Distribution {
    /// As MISP counts them.
    pub(crate) fn of(number: &str) -> Option<Self> {
        Some(match number {
            "0" => Self::YourOrganisationOnly,
            "1" => Self::ThisCommunityOnly,
            "2" => Self::ConnectedCommunities,
            "3" => Self::AllCommunities,
            "4" => Self::SharingGroup,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::YourOrganisationOnly => "your-organisation-only",
            Self::ThisCommunityOnly => "this-community-only",
            Self::ConnectedCommunities => "connected-communities",
            Self::AllCommunities => "all-communities",
            Self::SharingGroup => "sharing-group",
        }
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    const UUID: &str = "5e6f1c2a-0b3d-4c4e-9f5a-6b7c8d9e0f10";

    #[test]
    fn ids_types_tags_and_times() {
        let upper = UUID.to_ascii_uppercase();
        check::<Number>(&["1", "1234567890"], &["", "0", "01", "-1", "1.0", "1/edit", "12345678901", UUID], true);
        check::<EventId>(&["42", UUID], &["", "0", "index", "1:2", "../1", &upper, &UUID.replace('-', "")], true);
        check::<Type>(&["ip-dst", "filename|sha512/224", "named pipe", "AS"], &["", "-x", "a\nb", "a;b", "é"], true);
        check::<Tag>(&["tlp:green", "misp-galaxy:threat-actor=\"APT 28\""], &["", "!tlp:red", "%", "tlp:%", "a&&b", "a\n"], true);
        check::<Last>(&["7d", "24h", "9999m"], &["", "d", "0d", "07d", "7", "7dd", "7w", "10000d", "7 d", "-7d"], true);
    }

    #[test]
    fn distributions_have_numbers() {
        let all: Vec<&str> =
            (0..5).filter_map(|number: u8| Distribution::of(&number.to_string())).map(Distribution::as_str).collect();
        assert_eq!(all.len(), 5);
        assert!(Distribution::of("5").is_none() && Distribution::of("").is_none());
    }
}
