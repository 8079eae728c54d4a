//! A client that nobody here wrote, over lines.

use std::sync::Arc;

use rmcp::{
    ServiceExt,
    model::{CallToolRequestParams, ProtocolVersion},
};

use super::FakeHouse;
use crate::{
    identity,
    mcp::{Limits, Shutdown, stdio::serve_streams},
};

#[tokio::test]
async fn the_rmcp_client_lists_and_calls() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (house, shutdown) = (Arc::new(FakeHouse::default()), Shutdown::default());
    let serving = serve_streams(house, identity::local(), Limits::default(), tokio::io::split(theirs), shutdown);
    let server = tokio::spawn(serving);

    let client = ().serve(ours).await.expect("the handshake succeeds");
    let server_info = client.peer_info().expect("the server introduced itself");
    assert!(server_info.protocol_version >= ProtocolVersion::V_2025_11_25);
    let tools = client.list_all_tools().await.expect("a list");
    assert_eq!(tools.len(), 7);
    let arguments = serde_json::Map::from_iter([("x".to_owned(), 1.into())]);
    let result = client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await.expect("a result");
    assert_eq!(result.content.first().and_then(|content| content.as_text()).map(|text| text.text.as_str()), Some(r#"{"x":1}"#));
    let denied = client.call_tool(CallToolRequestParams::new("nothing")).await.expect("a result");
    assert_eq!(denied.is_error, Some(true));
    client.cancel().await.expect("the client ends");
    server.await.expect("no panic").expect("a clean end");
}
