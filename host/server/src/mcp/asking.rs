//! Putting a question to the person at the client, in the way of each revision, and reading the answer strictly.
//!
//! Since 2026-07-28 the call ends with the question, and the same call brings the answer. Before, the client is asked while the call is
//! made. Whoever has not said that it can ask is never asked.

use std::{collections::BTreeMap, time::Duration};

use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{
        BooleanSchema, CallToolRequestParams, CallToolResponse, CancelledNotificationParam, ClientResult, ElicitRequest,
        ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, InputRequest, InputRequiredResult,
        PrimitiveSchemaDefinition, ProtocolVersion, RequestId, ServerRequest,
    },
    service::{PeerRequestOptions, RequestContext},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Answer, Content, Question, Reply, Said};

/// The question's name among the requests for input, and the answer's among the responses.
const QUESTION: &str = "approval";

/// Why an answer is refused whose state is none of this host's, as replies say it.
pub const FORGED: &str = "answer-forged";

/// The field of the form that says yes.
const FIELD: &str = "approve";

/// How the person at a client can be asked something.
pub(super) enum Asks {
    /// Not at all.
    Never,
    /// The reply is the question.
    WithTheReply,
    /// While the call is made.
    Meanwhile(Peer<RoleServer>),
}

impl Asks {
    /// By what the client said of itself, and the revision that the request is served in.
    pub(super) fn of(context: &RequestContext<RoleServer>, revision: &ProtocolVersion) -> Self {
        let elicitation = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
        // Before modes were told apart there were only forms: whoever names neither means those.
        let has_forms = elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
        match (has_forms, revision.has_initialize()) {
            (false, _) => Self::Never,
            (true, false) => Self::WithTheReply,
            (true, true) => Self::Meanwhile(context.peer.clone()),
        }
    }
}

/// The reply that is a question.
pub(super) fn required(question: Question) -> CallToolResponse {
    let request = InputRequest::Elicitation(ElicitRequest::new(form(question.text)));
    let requests = BTreeMap::from([(QUESTION.to_owned(), request)]);
    InputRequiredResult::new(Some(requests), Some(question.state)).into()
}

/// The answer that a request brings back.
pub(super) fn answer(request: &mut CallToolRequestParams, revision: &ProtocolVersion) -> Option<Answer> {
    // Before, these were no part of the protocol.
    if revision.has_initialize() {
        return None;
    }
    // An answer without what was handed out with the question is an answer to nothing.
    let state = request.request_state.take()?;
    let response = request.input_responses.take().and_then(|mut responses| responses.remove(QUESTION));
    let said = response.map_or(Said::Nothing, |response| serde_json::from_value(response).map_or(Said::Unclear, said));
    Some(Answer { state, said })
}

/// A state that this host did not write about this very call is no refusal that a model could act on: the client broke the protocol, which
/// wants an error for it (2026-07-28, multi round-trip requests: servers must reject a state that fails integrity verification).
pub(super) fn forged(reply: &Reply) -> Option<ErrorData> {
    let data = reply.structured.as_ref().filter(|data| data.get("reason").is_some_and(|reason| reason == FORGED))?;
    let texts = reply.content.iter().filter_map(|content| match content {
        Content::Text(text) => Some(text.as_str()),
        _ => None,
    });
    Some(ErrorData::invalid_params(texts.collect::<Vec<_>>().join("\n"), Some(data.clone())))
}

/// Asks, and waits for so long. None where no answer came: the client cannot, did not in time, or no longer wants the call.
pub(super) async fn ask(
    peer: &Peer<RoleServer>,
    question: &Question,
    patience: Duration,
    cancel: &CancellationToken,
) -> Option<Answer> {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(form(question.text.clone())));
    let options = PeerRequestOptions::with_timeout(patience);
    let handle = peer.send_cancellable_request(request, options).await;
    let handle = handle.inspect_err(|error| tracing::debug!(%error, "the client could not be asked")).ok()?;
    let id = handle.id.clone();
    let response = tokio::select! {
        response = handle.await_response() => response,
        () = cancel.cancelled() => {
            withdraw(peer, id).await;
            return None;
        }
    };
    let said = match response {
        Ok(ClientResult::ElicitResult(result)) => said(result),
        Ok(_) => Said::Unclear,
        Err(error) => {
            tracing::debug!(%error, "the client gave no answer");
            return None;
        }
    };
    Some(Answer { state: question.state.clone(), said })
}

/// Tells the client that nobody waits for its answer any more.
async fn withdraw(peer: &Peer<RoleServer>, question: RequestId) {
    let reason = Some("the call was cancelled".to_owned());
    // A client that is gone need not be told.
    let _ = peer.notify_cancelled(CancelledNotificationParam::new(Some(question), reason)).await;
}

/// One tick, which nobody has set.
fn form(message: String) -> ElicitRequestParams {
    let tick = BooleanSchema::new()
        .title("Approve exactly this call, once")
        .description("Leave it unset, or decline, and nothing is sent")
        .with_default(false);
    let fields = BTreeMap::from([(FIELD.to_owned(), PrimitiveSchemaDefinition::Boolean(tick))]);
    let requested_schema = ElicitationSchema::new(fields).with_required(vec![FIELD.to_owned()]);
    ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema }
}

/// What a result of elicitation says: yes is the form sent off with its one field ticked, and nothing else is.
fn said(result: ElicitResult) -> Said {
    let field = |value: bool| result.content == Some(json!({ FIELD: value }));
    match result.action {
        ElicitationAction::Accept if field(true) => Said::Yes,
        ElicitationAction::Accept if field(false) => Said::No,
        ElicitationAction::Decline => Said::No,
        ElicitationAction::Cancel => Said::Nothing,
        _ => Said::Unclear,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::Value;

    use super::*;

    fn answered(responses: Value) -> Option<Said> {
        let mut request: CallToolRequestParams = serde_json::from_value(json!({
            "name": "t", "requestState": "s", "inputResponses": responses
        }))
        .unwrap();
        answer(&mut request, &ProtocolVersion::V_2026_07_28).map(|answer| answer.said)
    }

    #[track_caller]
    fn check(response: Value, expected: Said) {
        assert_eq!(answered(json!({ QUESTION: response })), Some(expected), "{response}");
    }

    #[test]
    fn only_the_form_with_its_field_ticked_is_yes() {
        check(json!({ "action": "accept", "content": { "approve": true } }), Said::Yes);
        check(json!({ "action": "accept", "content": { "approve": true }, "_meta": {} }), Said::Yes);
        check(json!({ "action": "accept", "content": { "approve": false } }), Said::No);
        check(json!({ "action": "decline" }), Said::No);
        check(json!({ "action": "decline", "content": { "approve": true } }), Said::No);
        check(json!({ "action": "cancel", "content": { "approve": true } }), Said::Nothing);
        for unclear in [
            json!({ "action": "accept" }),
            json!({ "action": "accept", "content": {} }),
            json!({ "action": "accept", "content": null }),
            json!({ "action": "accept", "content": true }),
            json!({ "action": "accept", "content": { "approve": "true" } }),
            json!({ "action": "accept", "content": { "approve": 1 } }),
            json!({ "action": "accept", "content": { "approve": true, "and": 1 } }),
            json!({ "action": "accept", "content": { "Approve": true } }),
            json!({ "action": "accept", "content": [{ "approve": true }] }),
            json!({ "action": "ACCEPT", "content": { "approve": true } }),
            json!({ "content": { "approve": true } }),
            json!("accept"),
            json!(null),
        ] {
            check(unclear, Said::Unclear);
        }
        assert_eq!(answered(json!({})), Some(Said::Nothing));
        assert_eq!(answered(json!({ "other": { "action": "accept", "content": { "approve": true } } })), Some(Said::Nothing));
    }

    #[test]
    fn an_answer_without_its_question_is_none() {
        let responses = json!({ QUESTION: { "action": "accept", "content": { "approve": true } } });
        let mut request: CallToolRequestParams =
            serde_json::from_value(json!({ "name": "t", "inputResponses": responses })).unwrap();
        assert_eq!(answer(&mut request, &ProtocolVersion::V_2026_07_28), None);
        request.request_state = Some("s".to_owned());
        assert_eq!(answer(&mut request, &ProtocolVersion::V_2025_11_25), None);
    }
}
