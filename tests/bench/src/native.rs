//! The measure: the same tool as a plain rmcp server, over the same transports, without anything around it.

use std::{
    error::Error,
    io::{Write, stdout},
    sync::Arc,
};

use axum::{Router, body::Body, extract::Request, routing::any, serve::ListenerExt};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, PaginatedRequestParams,
        ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::{
        StreamableHttpServerConfig, StreamableHttpService, stdio_pipes,
        streamable_http_server::session::local::LocalSessionManager,
    },
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Serve over standard input and output until input ends.
pub(crate) fn stdio() -> Result<()> {
    runtime()?.block_on(async {
        Echo.serve(stdio_pipes()).await?.waiting().await?;
        Ok(())
    })
}

/// Serve over HTTP until killed; the URL is the one line on standard output.
pub(crate) fn http() -> Result<()> {
    runtime()?.block_on(async {
        let config = StreamableHttpServerConfig::default().with_json_response(true).with_sse_retry(None);
        let service = StreamableHttpService::new(|| Ok(Echo), Arc::new(LocalSessionManager::default()), config);
        let answer = move |request: Request| {
            let service = service.clone();
            async move { service.handle(request).await.map(Body::new) }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(stdout(), "http://{}/mcp", listener.local_addr()?)?;
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        Ok(axum::serve(listener, Router::new().route("/mcp", any(answer))).await?)
    })
}

/// The kind of runtime that casemate has.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// A server whose one tool returns its argument.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> std::result::Result<ListToolsResult, ErrorData> {
        let schema =
            json!({ "type": "object", "properties": { "text": { "type": "string", "maxLength": 4096 } }, "required": ["text"] });
        let schema: Map<String, Value> = schema.as_object().cloned().unwrap_or_default();
        Ok(ListToolsResult::with_all_items(vec![Tool::new("echo", "Returns the text it is given.", Arc::new(schema))]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        let text = request.arguments.as_ref().and_then(|arguments| arguments.get("text")).and_then(Value::as_str);
        let text = text.ok_or_else(|| ErrorData::invalid_params("`text` is missing", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}
