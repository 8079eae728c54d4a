//! The vocabulary of arguments: strings and numbers that are checked once, when read.
//!
//! Each type states its form twice: as JSON Schema (`pattern`, `maxLength`), which the host holds arguments against
//! and a model can read, and as the check in its `Deserialize`, which is the exact one. What the check accepts, the
//! pattern accepts.

/// Defines a field of a plugin's own vocabulary: a word whose form a pattern says completely.
///
/// ```
/// casemate_plugin::word! {
///     /// A case's number in the tracker.
///     pub CaseNumber, "a case number such as CASE-7", 6..=12, "^CASE-[0-9]{1,7}$",
///     |text| text.strip_prefix("CASE-").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())),
///     str::to_owned
/// }
/// # fn main() {
/// casemate_plugin::testing::check_field::<CaseNumber>(&["CASE-7"], &["CASE-", "case-7", "CASE-12345678"], true);
/// # }
/// ```
///
/// In order: the type, what it expects in words, its length in characters, its pattern, the same as a function (so that
/// no regular expressions end up in the component), and how it is kept. [`crate::testing::check_field`] tests that they agree.
#[macro_export]
macro_rules! word {
    ($(#[$doc:meta])* $vis:vis $type:ident, $expected:literal, $min:literal..=$max:literal, $pattern:literal, $fits:expr, $keep:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $type(String);

        impl $type {
            /// The text.
            $vis fn as_str(&self) -> &str {
                &self.0
            }

            fn read(text: &str) -> ::core::result::Result<Self, $crate::field::InvalidField> {
                let fits: fn(&str) -> bool = $fits;
                let keep: fn(&str) -> String = $keep;
                if ($min..=$max).contains(&text.chars().count()) && fits(text) {
                    Ok(Self(keep(text)))
                } else {
                    Err($crate::field::InvalidField::new($expected))
                }
            }
        }

        impl ::core::fmt::Display for $type {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        $crate::__text_field!($type, $expected, $min, $max, $pattern);
    };
}

/// The traits of a field whose value is text: `read` makes one of a `&str`, `Display` writes it back.
#[doc(hidden)]
#[macro_export]
macro_rules! __text_field {
    ($type:ident, $expected:expr, $min:expr, $max:expr, $pattern:expr) => {
        impl ::core::str::FromStr for $type {
            type Err = $crate::field::InvalidField;
            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                Self::read(text)
            }
        }

        impl<'de> $crate::reexport::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::reexport::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                deserializer.deserialize_str($crate::field::TextVisitor { expected: $expected, read: Self::read })
            }
        }

        impl $crate::reexport::serde::Serialize for $type {
            fn serialize<S: $crate::reexport::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl $crate::reexport::schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut $crate::reexport::schemars::SchemaGenerator) -> $crate::reexport::schemars::Schema {
                $crate::reexport::schemars::json_schema!({
                    "type": "string",
                    "minLength": $min,
                    "maxLength": $max,
                    "pattern": $pattern,
                })
            }
        }
    };
}

mod bytes;
mod list;
mod network;
mod passage;
mod url;
mod word;

use std::fmt;

pub use bytes::Base64;
pub use list::{List, Whole};
pub use network::{DomainName, IpAddress, IpCidr};
pub use passage::Passage;
pub use url::HttpUrl;
pub use word::{FileHash, FileName, Line, Md5, Name, Sha1, Sha256, TechniqueId, Uuid};

/// A value that does not have the form its field requires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}{}", self.why.map(|why| format!("; {why}")).unwrap_or_default())]
pub struct InvalidField {
    expected: &'static str,
    why: Option<&'static str>,
}

impl InvalidField {
    /// It is not what was expected.
    pub fn new(expected: &'static str) -> Self {
        Self { expected, why: None }
    }

    /// It is not what was expected, and this is why.
    pub fn because(expected: &'static str, why: &'static str) -> Self {
        Self { expected, why: Some(why) }
    }
}

impl From<InvalidField> for crate::Failure {
    fn from(error: InvalidField) -> Self {
        Self::invalid_arguments(error.to_string())
    }
}

/// Visits a string by reference, so that a long one is not copied before it is refused.
#[doc(hidden)]
pub struct TextVisitor<T> {
    pub expected: &'static str,
    pub read: fn(&str) -> Result<T, InvalidField>,
}

impl<T> serde::de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}
