//! Prompts, from the house to the wire.

use rmcp::model::{
    CacheScope, ErrorData, GetPromptResult, ListPromptsResult, Prompt, PromptArgument, PromptMessage, ProtocolVersion, Role,
};

use serde_json::json;

use super::{PromptListing, PromptText, Unserved, page::page, resources::LIST_TTL_MS};

/// One page of the list.
pub(super) fn listed(
    prompts: &[PromptListing],
    cursor: Option<&str>,
    size: usize,
    revision: &ProtocolVersion,
) -> Result<ListPromptsResult, ErrorData> {
    let page = page(prompts, cursor, size).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
    let mut result = ListPromptsResult::with_all_items(page.items.into_iter().map(|prompt| wire(prompt, revision)).collect());
    result.next_cursor = page.next;
    if !revision.has_initialize() {
        result = result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private);
    }
    Ok(result)
}

/// One prompt, filled in: what the person at the client says.
pub(super) fn got(prompt: Result<PromptText, Unserved>, name: &str) -> Result<GetPromptResult, ErrorData> {
    match prompt {
        Ok(PromptText { description, messages }) => {
            let said = messages.into_iter().map(|content| PromptMessage::new(Role::User, super::wire::content(content)));
            let mut result = GetPromptResult::new(said.collect());
            result.description = Some(description);
            Ok(result)
        }
        Err(Unserved::Invalid(message)) => {
            Err(ErrorData::invalid_params(message, Some(json!({ "reason": "arguments-invalid" }))))
        }
        Err(Unserved::Denied { message, data }) => Err(ErrorData::invalid_params(message, data)),
        Err(Unserved::NotFound) => {
            let shown: String = name.escape_debug().take(80).collect();
            let message = format!("there is no prompt `{shown}`; `prompts/list` names those there are");
            Err(ErrorData::invalid_params(message, Some(json!({ "reason": "prompt-not-found" }))))
        }
    }
}

fn wire(listing: &PromptListing, revision: &ProtocolVersion) -> Prompt {
    let arguments = listing.arguments.iter().map(|argument| {
        PromptArgument::new(argument.name.clone()).with_description(argument.description.clone()).with_required(argument.required)
    });
    let mut prompt = Prompt::new(listing.name.clone(), Some(listing.description.clone()), Some(arguments.collect()))
        .with_title(listing.title.clone());
    prompt.icons = super::wire::icons(listing.icon.as_ref(), revision);
    prompt
}
