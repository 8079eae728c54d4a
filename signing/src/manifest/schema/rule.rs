//! What a schema may break.

use crate::manifest::{pattern::PatternError, text::TextError};

/// A rule that a schema breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{at}`: {rule}")]
pub struct SchemaError {
    /// JSON Pointer into the schema; empty for the root.
    pub at: String,
    /// What is wrong there.
    pub rule: SchemaRule,
}

/// One rule of schemas.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaRule {
    /// Larger than a client should be made to read.
    #[error("the schema has {size} bytes, and at most {max} are allowed")]
    TooLarge {
        /// Written compactly.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// MCP takes and gives objects.
    #[error("the root does not say `type` = `object`")]
    RootNotObject,
    /// Another dialect's keywords mean other things.
    #[error("the dialect {0} is not draft 2020-12")]
    Dialect(String),
    /// `true`, or something that is no schema.
    #[error("the schema is not an object\nhelp: `true` accepts anything; say what is accepted")]
    NotASchema,
    /// A keyword outside the supported part.
    #[error("the keyword `{0}` is not supported here")]
    Keyword(String),
    /// A keyword with a value of the wrong kind.
    #[error("the value of `{0}` does not fit the keyword")]
    KeywordValue(String),
    /// Neither type, enumeration, reference nor alternatives.
    #[error("nothing says what is accepted\nhelp: give a `type`, an `enum`, a `$ref` or `oneOf`")]
    Untyped,
    /// Not a type of JSON Schema.
    #[error("`{0}` is not a type")]
    UnknownType(String),
    /// Fractions compare differently from one reader to the next.
    #[error("a `number` may be a fraction\nhelp: use `integer`, or a string with a pattern")]
    Float,
    /// Would accept properties that nobody described.
    #[error("the object is open\nhelp: add `additionalProperties` = `false` (`#[serde(deny_unknown_fields)]`)")]
    OpenObject,
    /// Could hold any number of characters.
    #[error("the string has no bound\nhelp: add `maxLength` of at most {max}, or an `enum`")]
    UnboundedString {
        /// The greatest bound.
        max: u64,
    },
    /// Could hold any number of elements.
    #[error("the array has no bound\nhelp: add `maxItems` of at most {max}")]
    UnboundedArray {
        /// The greatest bound.
        max: u64,
    },
    /// Elements that nothing describes.
    #[error("the array's elements are not described\nhelp: add `items`")]
    UntypedItems,
    /// Could be any number.
    #[error("the integer has no bounds\nhelp: add `minimum` and `maximum`")]
    UnboundedInteger,
    /// More properties than anyone can review.
    #[error("the object has {count} properties, and at most {max} are allowed")]
    TooManyProperties {
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// Not a name an argument may have.
    #[error("`{0}` is not a property name\nhelp: it has the form ^[A-Za-z_][A-Za-z0-9_.-]{{0,63}}$")]
    PropertyName(String),
    /// Required and never accepted.
    #[error("`{0}` is required, but is no property")]
    RequiredUnknown(String),
    /// Remote, or leading nowhere.
    #[error("the reference `{0}` is not `#/$defs/` and the name of a definition of this schema")]
    Reference(String),
    /// Never ends.
    #[error("the definition `{0}` leads back to itself")]
    Cycle(String),
    /// A pattern that cannot hold.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A text a person or a model would read.
    #[error(transparent)]
    Text(#[from] TextError),
}
