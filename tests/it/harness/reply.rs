//! What the client was told about a call.

use rmcp::model::CallToolResult;
use serde_json::Value;

/// A tool result, as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Reply(pub(crate) Value);

impl From<CallToolResult> for Reply {
    fn from(result: CallToolResult) -> Self {
        Self(serde_json::to_value(result).unwrap())
    }
}

impl Reply {
    pub(crate) fn is_error(&self) -> bool {
        self.0["isError"].as_bool().unwrap_or_default()
    }

    /// Every text in it.
    pub(crate) fn text(&self) -> String {
        let pieces = self.0["content"].as_array().cloned().unwrap_or_default();
        pieces.iter().filter_map(|piece| piece["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn structured(&self) -> &Value {
        &self.0["structuredContent"]
    }

    /// `denied`, `deferred`, `error` or `planned`; empty for a result.
    pub(crate) fn decision(&self) -> &str {
        self.structured()["decision"].as_str().unwrap_or_default()
    }

    /// The code of what went wrong; empty for a result.
    pub(crate) fn reason(&self) -> &str {
        self.structured()["reason"].as_str().unwrap_or_default()
    }

    /// The audit record's id.
    pub(crate) fn audit_id(&self) -> &str {
        self.0["_meta"]["casemate.dev/audit-id"].as_str().unwrap_or_default()
    }

    /// It is a result, and holds all of `parts`.
    #[track_caller]
    pub(crate) fn done(self, parts: &[&str]) -> Self {
        assert!(!self.is_error(), "{self:#?}");
        self.says(parts)
    }

    /// It is an error of this decision and reason, and says all of `parts`.
    #[track_caller]
    pub(crate) fn ended(self, decision: &str, reason: &str, parts: &[&str]) -> Self {
        assert_eq!((self.is_error(), self.decision(), self.reason()), (true, decision, reason), "{self:#?}");
        self.says(parts)
    }

    /// It ran into the limit of that name, and says so with its value.
    #[track_caller]
    pub(crate) fn limited(self, limit: &str, value: &str) -> Self {
        self.ended("error", "limit-reached", &[&format!("`{limit}`"), value])
    }

    /// What the plugin returned did not come through.
    #[track_caller]
    pub(crate) fn withheld(self, reason: &str) -> Self {
        self.ended("error", reason, &["withheld"])
    }

    /// It says none of `parts`, in text or anywhere else.
    #[track_caller]
    pub(crate) fn silent(self, parts: &[&str]) -> Self {
        let all = self.0.to_string();
        for part in parts {
            assert!(!all.contains(part), "`{part}` is in {self:#?}");
        }
        self
    }

    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        let text = self.text();
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in {self:#?}");
        }
        self
    }
}
