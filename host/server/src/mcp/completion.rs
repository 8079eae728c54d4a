//! Completion, from the house to the wire.

use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

use super::Completing;

/// What a client asks to be completed; none for a kind of reference that there is nothing of.
pub(super) fn asked(request: &CompleteRequestParams) -> Option<Completing> {
    let argument = request.argument.name.clone();
    match &request.r#ref {
        Reference::Prompt(prompt) => Some(Completing::Prompt { name: prompt.name.clone(), argument }),
        Reference::Resource(resource) => Some(Completing::Template { uri: resource.uri.clone(), variable: argument }),
        _ => None,
    }
}

/// Those of the values that begin with what was typed, as many as the protocol gives at once.
pub(super) fn answer(values: Vec<String>, typed: &str) -> CompleteResult {
    let mut fitting: Vec<String> = values.into_iter().filter(|value| value.starts_with(typed)).collect();
    let total = u32::try_from(fitting.len()).ok();
    let more = fitting.len() > CompletionInfo::MAX_VALUES;
    fitting.truncate(CompletionInfo::MAX_VALUES);
    let mut info = CompletionInfo::default();
    (info.values, info.total, info.has_more) = (fitting, total, Some(more));
    CompleteResult::new(info)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_begins_as_typed_is_offered_and_no_more_than_fits() {
        let values = |count: usize| (0..count).map(|number| format!("v{number:03}")).collect::<Vec<_>>();
        let answer = |count, typed| {
            let info = super::answer(values(count), typed).completion;
            (info.values.len(), info.total, info.has_more)
        };
        assert_eq!(answer(5, ""), (5, Some(5), Some(false)));
        assert_eq!(answer(500, "v"), (100, Some(500), Some(true)));
        assert_eq!(answer(500, "v01"), (10, Some(10), Some(false)));
        assert_eq!(answer(5, "V"), (0, Some(0), Some(false)));
    }
}
