//! The agent's side: rmcp's client over a child process.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::{
    RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResult},
    service::RunningService,
    transport::TokioChildProcess,
};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    shell::{answer, good, prompt},
    stage::{Result, Stage},
};

pub(crate) struct Agent(RunningService<RoleClient, ()>);

/// What a call should come to.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    Answer,
    /// By a layer or by the plugin, for this reason.
    Refused(&'static str),
    Plan,
    /// For a person, for this reason.
    Waits(&'static str),
}

impl Agent {
    pub(crate) async fn connect(stage: &Stage) -> Result<Self> {
        let mut command = Command::new(&stage.casemate);
        command.arg("--dir").arg(&stage.dir).args(["serve", "--log", "error"]);
        let client = ().serve(TokioChildProcess::new(command)?).await?;
        good("connected");
        Ok(Self(client))
    }

    pub(crate) async fn list(&self) -> Result<()> {
        prompt("> tools/list");
        for tool in self.0.list_all_tools().await? {
            let first = tool.description.as_deref().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
            let sentence = first.split_once(". ").map_or(first.as_str(), |(sentence, _)| sentence);
            answer(&format!("{:<26}{sentence}", tool.name), 1);
        }
        Ok(())
    }

    /// Call a tool, show the answer, and end the demo if it is not the expected one.
    pub(crate) async fn call(&self, tool: &'static str, arguments: Value, expected: Expected) -> Result<CallToolResult> {
        prompt(&format!("> {tool} {arguments}"));
        let result = self.quietly(tool, &arguments).await?;
        let text: String =
            result.content.iter().filter_map(|block| block.as_text()).map(|block| format!("{}\n", block.text)).collect();
        answer(&text, 12);
        judge(&result, expected)?;
        Ok(result)
    }

    /// Call a tool and show nothing.
    pub(crate) async fn quietly(&self, tool: &'static str, arguments: &Value) -> Result<CallToolResult> {
        let Value::Object(arguments) = arguments.clone() else { return Err("arguments are an object".into()) };
        Ok(self.0.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?)
    }

    /// Close standard input and wait for the program to end.
    pub(crate) async fn leave(self) -> Result<()> {
        self.0.cancel().await?;
        good("the client left and the program ended");
        Ok(())
    }
}

/// A text of a structured result; empty where there is none.
pub(crate) fn structured(result: &CallToolResult, name: &str) -> String {
    let value = result.structured_content.as_ref().and_then(|value| value.get(name));
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn judge(result: &CallToolResult, expected: Expected) -> Result<()> {
    let of = |name: &str| structured(result, name);
    let error = result.is_error.unwrap_or_default();
    let met = match expected {
        Expected::Answer => !error,
        Expected::Refused(reason) => error && of("reason") == reason,
        Expected::Plan => !error && of("decision") == "planned",
        Expected::Waits(reason) => of("decision") == "deferred" && of("reason") == reason,
    };
    if met { Ok(()) } else { Err(format!("this was not expected: {}", serde_json::to_string(result)?).into()) }
}

/// A field of the form that an upstream received.
pub(crate) fn form_field(request: &Value, name: &str) -> Result<String> {
    let body = request.get("body_base64").and_then(Value::as_str).unwrap_or_default();
    let body = STANDARD.decode(body)?;
    let field = url::form_urlencoded::parse(&body).find(|(field, _)| field == name);
    field.map(|(_, value)| value.into_owned()).ok_or_else(|| format!("there is no `{name}` in {request}").into())
}

/// A plain HTTP GET on loopback: enough for the fake's control endpoint, and no reason for a client library.
pub(crate) fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
