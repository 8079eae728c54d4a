//! What a call is about, in words that are not its caller's.

use casemate_policy::Call;

use crate::house::Serving;

/// In place of names for a tool that is not there. No manifest and no configuration can name one like it.
const UNKNOWN: &str = "(unknown)";
/// In place of a plugin for a log source.
const SOURCE: &str = "(source)";
/// In place of an effect where there is no tool.
const NO_EFFECT: &str = "none";

/// A tool and its plugin, by the names of the signed manifest or of the configuration: there are as many as are installed, whatever
/// callers ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) plugin: String,
    pub(super) tool: String,
    pub(super) effect: &'static str,
}

impl Subject {
    pub(super) fn of(serving: &Serving, call: &Call) -> Self {
        let asked = call.tool();
        let rule = if call.reads_source() {
            serving.policy().sources().find(|rule| rule.served.as_str() == asked).map(|rule| (SOURCE.to_owned(), rule))
        } else {
            serving.policy().tool(asked).map(|rule| (rule.plugin.name.to_string(), rule))
        };
        match rule {
            Some((plugin, rule)) => Self { plugin, tool: rule.served.to_string(), effect: rule.manifest_tool.effect.as_str() },
            None => Self { plugin: UNKNOWN.to_owned(), tool: UNKNOWN.to_owned(), effect: NO_EFFECT },
        }
    }
}
