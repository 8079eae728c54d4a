//! The house as the protocol sees it: what a principal is shown, and calls.

use std::sync::Arc;

use casemate_ledger::Ledger;
use casemate_policy::{Principal, Reason, TokenScope, approval::ApprovalId};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::trace::TraceParent;

use super::{Completing, Contents, ProgressSink, PromptListing, PromptText, ResourceListing, Revision, Unserved};

/// What answers the protocol's questions. The server's pipeline is one; tests have another. A house offers nothing but tools, unless it says so.
pub trait House: Send + Sync + 'static {
    /// The tools `principal` may see. Asked on every listing, so it should be prepared and cheap.
    ///
    /// Order does not matter here: clients are shown the list in the order of the names.
    fn tools(&self, principal: &Principal) -> Arc<[ToolListing]>;

    /// The tool of that list with this name. Asked on every call over HTTP, so a house that makes its lists anew looks for the one.
    fn tool(&self, principal: &Principal, name: &str) -> Option<ToolListing> {
        self.tools(principal).iter().find(|tool| tool.name == name).cloned()
    }

    /// The scopes that a call of this tool needs and the principal's access token was not issued for. The call is refused for them
    /// anyhow; a transport that can tells the client what to ask for.
    fn lacking(&self, _principal: &Principal, _tool: &str) -> Vec<TokenScope> {
        Vec::new()
    }

    /// The oldest revision that is served.
    fn oldest(&self) -> Revision {
        Revision::default()
    }

    /// Whether clients may hear what plugins say of their calls.
    fn logs(&self) -> bool {
        false
    }

    /// The prompts `principal` may see.
    fn prompts(&self, _principal: &Principal) -> Vec<PromptListing> {
        Vec::new()
    }

    /// One of them, filled in.
    ///
    /// # Errors
    /// When there is none of that name for this principal, or the arguments do not fit.
    fn prompt(
        &self,
        _principal: &Principal,
        _name: &str,
        _arguments: &Map<String, Value>,
    ) -> impl Future<Output = Result<PromptText, Unserved>> + Send {
        async { Err(Unserved::NotFound) }
    }

    /// What `principal` may read.
    fn resources(&self, _principal: &Principal) -> Vec<ResourceListing> {
        Vec::new()
    }

    /// The templates of what else it may read.
    fn templates(&self, _principal: &Principal) -> Vec<ResourceListing> {
        Vec::new()
    }

    /// Reads one resource. `cancel` fires when nobody waits for it any more.
    fn read(
        &self,
        _principal: Principal,
        _uri: String,
        _cancel: CancellationToken,
    ) -> impl Future<Output = Result<Contents, Unserved>> + Send {
        async { Err(Unserved::NotFound) }
    }

    /// Something that differs whenever a resource may have: none where this principal cannot read it. Asked once a second while
    /// somebody watches, so it reads nothing.
    fn stamp(&self, _principal: &Principal, _uri: &str) -> Option<u64> {
        None
    }

    /// Values that what is typed could become, in order; none where none are known. Values of others are not among them.
    fn complete(&self, _principal: &Principal, _what: &Completing) -> Vec<String> {
        Vec::new()
    }

    /// Changes whenever what [`House::tools`] and the other lists answer may have become another.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Looks at the ledger, which keeps the tasks. The caller's thread waits for a file meanwhile, and the runtime has to be told.
    fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T;

    /// Makes one call and gives what the client is told.
    ///
    /// A tool that does not exist comes here like any other: whether and how that differs from a tool that is not
    /// allowed is for the house to say. `cancel` fires when nobody waits for the answer any more (the client cancelled
    /// or went away, or the server is stopping). The future is never dropped half way: it must end soon after.
    fn call(
        &self,
        principal: Principal,
        request: CallRequest,
        cancel: CancellationToken,
        progress: Option<ProgressSink>,
    ) -> impl Future<Output = Reply> + Send;
}

/// One tool as a client sees it. Every text and schema comes from the signed manifest and is passed on as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolListing {
    /// The served name, `{plugin}_{tool}`; fits `^[a-zA-Z0-9_-]{1,64}$`.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What the tool does, for the model.
    pub description: String,
    /// JSON Schema of the arguments, an object schema. Keys keep their order.
    pub input_schema: Arc<Map<String, Value>>,
    /// JSON Schema of the structured result, where the tool declares one.
    pub output_schema: Option<Arc<Map<String, Value>>>,
    /// What the signed effect says about the tool.
    pub annotations: Annotations,
    /// What is shown beside it.
    pub icon: Option<Icon>,
}

/// A picture beside a name. Its bytes are in it: a client has nowhere to go for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icon {
    /// `data:…`, from the signed manifest.
    pub uri: String,
    /// IANA media type.
    pub media_type: &'static str,
    /// Pixels: width and height.
    pub size: (u32, u32),
}

/// Something a plugin said while it ran, checked for whoever made the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose words they are: the plugin's served name.
    pub logger: String,
    /// How much they matter.
    pub weight: Weight,
    /// The words.
    pub text: String,
}

/// How much a line matters, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in wit/log.wit")]
pub enum Weight {
    Debug,
    Info,
    Warn,
    Error,
}

/// Hints about what a tool does, derived by the house from the signed effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotations {
    /// The tool changes nothing.
    pub read_only: bool,
    /// The tool may destroy or overwrite.
    pub destructive: bool,
    /// Calling it twice does no more than calling it once.
    pub idempotent: bool,
    /// The tool talks to something outside this server.
    pub open_world: bool,
}

/// A call as the client asked for it, unchecked.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRequest {
    /// The served name the client used; it may be the name of nothing.
    pub tool: String,
    /// The arguments; absent arguments are an empty object.
    pub arguments: Map<String, Value>,
    /// What the person at the client said, where an earlier call's [`Reply::question`] was put to them.
    pub answer: Option<Answer>,
    /// Where the call is made because of this approval: then it is made under it, or still waits for it, and asks for no other.
    pub awaits: Option<ApprovalId>,
    /// Under which trace the client says it makes the call.
    pub trace: Option<TraceParent>,
}

/// Something that the person at the client is asked, to be answered with yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// All of what they are asked, for people.
    pub text: String,
    /// To be brought back with the answer. A client may hold it, change it or make one up: the house has to notice.
    pub state: String,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question's [`Question::state`], as the client brought it back.
    pub state: String,
    /// What was said.
    pub said: Said,
}

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Yes, in so many words.
    Yes,
    /// No.
    No,
    /// Nothing: the question was put away, or not shown.
    Nothing,
    /// Something that is neither.
    Unclear,
}

/// What the client is told about a call, finished, failed or denied.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What the model reads.
    pub content: Vec<Content>,
    /// The same for programs, where there is one. Clients of the 2025 revisions get it only if it is an object.
    pub structured: Option<Value>,
    /// Whether the call failed or was denied.
    pub is_error: bool,
    /// The result's `_meta`: labels, provenance, audit id.
    pub meta: Map<String, Value>,
    /// What a client that can ask somebody asks, in place of handing this reply to the model.
    pub question: Option<Question>,
    /// The approval that the call waits for.
    pub waits: Option<ApprovalId>,
    /// What the plugin said meanwhile, where the operator lets clients hear it.
    pub log: Vec<LogLine>,
}

impl Reply {
    /// A finished call that says `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: vec![Content::Text(text.into())],
            structured: None,
            is_error: false,
            meta: Map::new(),
            question: None,
            waits: None,
            log: Vec::new(),
        }
    }

    /// A failed or denied call that says `text`.
    pub fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }

    /// Whether it was refused because the caller's access token was not issued for it.
    pub(crate) fn lacks_scope(&self) -> bool {
        let reason = self.structured.as_ref().and_then(|structured| structured.get("reason"));
        self.is_error && reason.and_then(Value::as_str) == Some(Reason::InsufficientScope.code())
    }

    /// The id of the audit record that the call has.
    pub(crate) fn audit_id(&self) -> Option<&str> {
        self.meta.get(crate::reply::AUDIT_ID)?.as_str()
    }

    /// Why the call was refused or failed, in a word for programs.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.structured.as_ref()?.get("reason")?.as_str()
    }

    /// Adds the structured form.
    #[must_use]
    pub fn with_structured(self, structured: Value) -> Self {
        Self { structured: Some(structured), ..self }
    }

    /// Sets the result's `_meta`.
    #[must_use]
    pub fn with_meta(self, meta: Map<String, Value>) -> Self {
        Self { meta, ..self }
    }
}

/// One part of what a model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// An image.
    Image {
        /// IANA media type.
        media_type: String,
        /// Its bytes.
        data: Vec<u8>,
    },
    /// A recording.
    Audio {
        /// IANA media type.
        media_type: String,
        /// Its bytes.
        data: Vec<u8>,
    },
    /// A text with its address.
    Embedded {
        /// An absolute URI.
        uri: String,
        /// IANA media type, where known.
        media_type: Option<String>,
        /// The text itself.
        text: String,
    },
    /// A pointer to something that can be read elsewhere.
    Link {
        /// An absolute URI.
        uri: String,
        /// What a person would call it.
        name: String,
        /// IANA media type, where known.
        media_type: Option<String>,
    },
}
