//! What every client has to get done, whoever wrote it.

use std::{process::ExitCode, sync::atomic::Ordering, time::Duration};

use anyhow::{Context, ensure};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, GetPromptRequestParams, ProtocolVersion,
    SubscriptionFilter, Tool,
};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use crate::Client;

/// How long a change may take to be told.
const CHANGED: Duration = Duration::from_secs(5);
/// How long a call may take.
const ANSWERED: Duration = Duration::from_secs(20);

/// The checks so far.
#[derive(Debug, Default)]
pub(crate) struct Card {
    passed: u32,
    failed: u32,
}

impl Card {
    /// One check; `seen` is shown where it fails.
    #[expect(clippy::print_stdout, reason = "the answer of this program")]
    pub(crate) fn check(&mut self, what: &str, holds: bool, seen: &impl std::fmt::Debug) {
        if holds {
            self.passed += 1;
            println!("ok    {what}");
        } else {
            self.failed += 1;
            println!("FAIL  {what}: {seen:?}");
        }
    }

    /// The sum.
    #[expect(clippy::print_stdout, reason = "the answer of this program")]
    pub(crate) fn end(&self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.passed > 0 && self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Goes through the list. `change` is the program that puts `test_slow` out of service, or back.
pub(crate) async fn session(client: &Client, expected: &ProtocolVersion, change: &str, card: &mut Card) -> anyhow::Result<()> {
    let agreed = client.peer().peer_info().map(|info| info.protocol_version.clone());
    card.check("the revision that was to be agreed on", agreed.as_ref() == Some(expected), &agreed);

    let tools = client.list_all_tools().await?;
    let structured =
        tools.iter().find(|tool| tool.name == "test_structured_content").context("`test_structured_content` is listed")?;
    card.check("lists the tools", tools.iter().any(|tool| tool.name == "test_simple_text"), &names(&tools));
    let reads = structured.annotations.as_ref().and_then(|annotations| annotations.read_only_hint);
    card.check("sees that a tool only reads", reads == Some(true), structured);
    let schemas = structured.input_schema.contains_key("$defs") && structured.output_schema.is_some();
    card.check("sees both schemas", schemas, structured);

    let simple = call(client, "test_simple_text", json!({})).await?;
    card.check("calls a tool", text(&simple) == "This is a simple text response for testing.", &simple);
    let forecast = call(client, "test_structured_content", json!({ "place": "Delft" })).await?;
    let expected_forecast = Some(json!({ "place": "Delft", "days": 1 }));
    card.check("reads structured content", forecast.structured_content == expected_forecast, &forecast);
    let mixed = call(client, "test_multiple_content_types", json!({})).await?;
    card.check("reads text, image and embedded resource", kinds(&mixed) == ["text", "image", "resource"], &mixed);
    let audio = call(client, "test_audio_content", json!({})).await?;
    card.check("reads audio", kinds(&audio) == ["audio"], &audio);
    let link = call(client, "test_resource_link", json!({})).await?;
    card.check("reads a link", kinds(&link) == ["resource_link"], &link);

    let refused = call(client, "test_structured_content", json!({ "place": "Delft", "days": 99 })).await?;
    card.check("a refusal is a result that says so", refused.is_error == Some(true) && text(&refused).contains("days"), &refused);
    let decision = refused.structured_content.as_ref().and_then(|content| content.get("decision"));
    card.check("and says why to a program", decision == Some(&json!("denied")), &refused);
    let broken = call(client, "test_error_handling", json!({})).await?;
    let said = broken.is_error == Some(true) && text(&broken).contains("intentionally");
    card.check("a fault is a result with its text", said, &broken);

    let witness = client.service();
    call(client, "test_tool_with_progress", json!({})).await?;
    let reports = witness.progress.lock().map(|progress| progress.clone()).unwrap_or_default();
    card.check("is told of progress", reports == [0.0, 50.0, 100.0], &reports);

    cancelled(client, card).await?;
    changed(client, change, &tools, card).await?;

    let capabilities = client.peer().peer_info().map(|info| info.capabilities.clone()).unwrap_or_default();
    if capabilities.prompts.is_some() {
        let prompts = client.list_all_prompts().await?;
        card.check("lists prompts", prompts.iter().any(|prompt| prompt.name == "test_simple_prompt"), &prompts);
        let prompt = client.get_prompt(GetPromptRequestParams::new("test_simple_prompt")).await?;
        card.check("reads a prompt", !prompt.messages.is_empty(), &prompt);
    }
    if capabilities.resources.is_some() {
        let resources = client.list_all_resources().await?;
        let own = ["casemate://audit/self", "test://static-text"].iter().all(|uri| resources.iter().any(|one| one.uri == *uri));
        card.check("lists resources, the host's and the operator's", own, &resources);
    }
    Ok(())
}

/// A call that has begun is given up, and the next one is answered.
async fn cancelled(client: &Client, card: &mut Card) -> anyhow::Result<()> {
    // One may be left from before.
    let reported = &client.service().reported;
    let _ = timeout(Duration::from_millis(1), reported.notified()).await;
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(CallToolRequestParams::new("test_slow")));
    let handle = client.peer().send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    timeout(ANSWERED, reported.notified()).await.context("`test_slow` reports that it has begun")?;
    let given_up = handle.cancel(Some("enough".to_owned())).await;
    card.check("gives a call up that has begun", given_up.is_ok(), &given_up);
    let next = call(client, "test_simple_text", json!({})).await?;
    card.check("and goes on", next.is_error != Some(true), &next);
    Ok(())
}

/// The tool list changes, and changes back.
async fn changed(client: &Client, change: &str, tools: &[Tool], card: &mut Card) -> anyhow::Result<()> {
    let modern = client.peer().peer_info().is_some_and(|info| !info.protocol_version.has_initialize());
    let mut stream = None;
    if modern {
        stream = Some(client.peer().listen(SubscriptionFilter::builder().tools_list_changed().build()).await?);
    }
    let changes = &client.service().changes;
    for expected in [tools.len() - 1, tools.len()] {
        let before = changes.load(Ordering::SeqCst);
        ensure!(Command::new(change).status().await?.success(), "`{change}` failed");
        let told = match &mut stream {
            Some(stream) => matches!(timeout(CHANGED, stream.next()).await, Ok(Ok(Some(_)))),
            None => told(changes, before).await,
        };
        card.check("is told that the tool list changed", told, &changes);
        let now = client.list_all_tools().await?;
        card.check("and sees the new one", now.len() == expected, &names(&now));
    }
    Ok(())
}

async fn told(changes: &std::sync::atomic::AtomicUsize, before: usize) -> bool {
    let another = async {
        while changes.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(CHANGED, another).await.is_ok()
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> anyhow::Result<CallToolResult> {
    let mut request = CallToolRequestParams::new(tool);
    request.arguments = arguments.as_object().cloned();
    Ok(timeout(ANSWERED, client.call_tool(request)).await.with_context(|| format!("`{tool}` is answered"))??)
}

fn names(tools: &[Tool]) -> Vec<&str> {
    tools.iter().map(|tool| tool.name.as_ref()).collect()
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect()
}

/// The types of the content, as the wire names them.
fn kinds(result: &CallToolResult) -> Vec<String> {
    let kind = |block| serde_json::to_value(block).ok()?.get("type")?.as_str().map(str::to_owned);
    result.content.iter().filter_map(kind).collect()
}
