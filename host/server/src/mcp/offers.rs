//! What a house offers besides tools: prompts, resources, and values to complete an argument with.

use serde_json::{Map, Value};

use super::{Content, Icon};

/// One prompt as a client sees it. Every text comes from the signed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptListing {
    /// The served name, `{plugin}_{prompt}`.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// What it takes, in order.
    pub arguments: Vec<PromptArgumentListing>,
    /// What is shown beside it.
    pub icon: Option<Icon>,
}

/// One argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptArgumentListing {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether the prompt needs it.
    pub required: bool,
}

/// A prompt, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptText {
    /// What it is for.
    pub description: String,
    /// What the person at the client says to the model with it, one message each.
    pub messages: Vec<Content>,
}

/// Something that can be read, or with a template in place of its address, many things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceListing {
    /// Its URI, or an RFC 6570 template of them.
    pub uri: String,
    /// Its name for programs.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it is.
    pub description: String,
    /// IANA media type.
    pub media_type: String,
}

/// What is in a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// All of it.
    pub body: Body,
    /// IANA media type.
    pub media_type: String,
    /// Labels, provenance, audit id.
    pub meta: Map<String, Value>,
    /// How long a client may keep it, in milliseconds.
    pub ttl_ms: u64,
}

/// Text, or something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Why something is not given.
#[derive(Debug, Clone, PartialEq)]
pub enum Unserved {
    /// There is none of that name for this principal; whether there is one for another is not said.
    NotFound,
    /// What was asked with it does not fit.
    Invalid(String),
    /// It may not be had now, and what the caller is told of that.
    Denied {
        /// For people and models.
        message: String,
        /// The same for programs: `{decision, reason, remedy, audit_id}`.
        data: Option<Value>,
    },
}

/// What is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completing {
    /// An argument of a prompt, by their names.
    Prompt {
        /// The served name.
        name: String,
        /// Its argument.
        argument: String,
    },
    /// A variable of a resource template.
    Template {
        /// The template.
        uri: String,
        /// Its variable.
        variable: String,
    },
}
