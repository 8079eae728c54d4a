//! A running `casemate serve` and the MCP client that talks to it. Every byte it writes is kept.

use std::{
    io,
    pin::Pin,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use rmcp::{
    ClientHandler, RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResponse, ProgressNotificationParam},
    service::{NotificationContext, RunningService, ServiceError},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, ReadBuf},
    process::{Child, ChildStdout},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::reply::Reply;

/// No call of a test takes this long: one that does hangs.
const HANGS: Duration = Duration::from_secs(90);
/// A server whose client has gone ends at once; this leaves room for a busy machine.
const ENDS: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    client: RunningService<RoleClient, Witness>,
    stdout: Kept,
    stderr: JoinHandle<Vec<u8>>,
}

/// What a server left behind.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Bytes that were read from a stream, whoever read them.
type Kept = Arc<Mutex<Vec<u8>>>;

/// A client that remembers the progress and the changes of the tool list it was told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witness {
    progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
    changes: Arc<AtomicUsize>,
}

impl ClientHandler for Witness {
    async fn on_progress(&self, report: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.progress.lock().unwrap().push(report);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

impl Server {
    /// Start it and shake hands.
    pub(crate) async fn start(command: Command) -> Self {
        let mut command = tokio::process::Command::from(command);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let stdout = Kept::default();
        let tee = Tee { from: child.stdout.take().unwrap(), kept: Arc::clone(&stdout) };
        let mut errors = child.stderr.take().unwrap();
        let stderr = tokio::spawn(async move {
            let mut bytes = Vec::new();
            errors.read_to_end(&mut bytes).await.unwrap();
            bytes
        });
        let transport = (tee, child.stdin.take().unwrap());
        match timeout(HANGS, Witness::default().serve(transport)).await.unwrap() {
            Ok(client) => Self { child, client, stdout, stderr },
            Err(error) => {
                let _ = child.kill().await;
                panic!("the server did not start: {error}\n{}", String::from_utf8_lossy(&stderr.await.unwrap()))
            }
        }
    }

    /// Call a tool by its served name. An error of the protocol is for the test to expect or not.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Reply, ServiceError> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        timeout(HANGS, self.client.call_tool(request)).await.unwrap_or_else(|_| panic!("`{tool}` hangs")).map(Reply::from)
    }

    /// Make the same call many times side by side, and take each answer as it comes.
    pub(crate) async fn at_once(&self, tool: &str, arguments: Value, count: usize) -> Vec<Reply> {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let mut calls = JoinSet::new();
        for _ in 0..count {
            let (peer, request) = (self.client.peer().clone(), CallToolRequestParams::new(tool.to_owned()));
            let request = request.with_arguments(arguments.clone());
            calls.spawn(async move { timeout(HANGS, peer.call_tool_once(request)).await });
        }
        let answers = calls.join_all().await.into_iter();
        let complete = |answer| match answer {
            CallToolResponse::Complete(result) => Reply::from(result),
            other => panic!("nobody was asked anything: {other:?}"),
        };
        answers.map(|answer| complete(answer.unwrap_or_else(|_| panic!("`{tool}` hangs")).unwrap())).collect()
    }

    /// The tools it lists, as JSON.
    pub(crate) async fn tools(&self) -> Vec<Value> {
        let tools = timeout(HANGS, self.client.list_all_tools()).await.unwrap().unwrap();
        tools.into_iter().map(|tool| serde_json::to_value(tool).unwrap()).collect()
    }

    /// How often it was told that the list of tools is another one.
    pub(crate) fn changes(&self) -> usize {
        self.client.service().changes.load(Ordering::SeqCst)
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// The progress reports so far.
    pub(crate) fn progress(&self) -> Vec<ProgressNotificationParam> {
        self.client.service().progress.lock().unwrap().clone()
    }

    /// Hang up, and wait for it to end by itself.
    pub(crate) async fn stop(mut self) -> Remains {
        let _ = self.client.cancel().await;
        let status =
            timeout(ENDS, self.child.wait()).await.unwrap_or_else(|_| panic!("the server goes on without a client")).unwrap();
        let stderr = self.stderr.await.unwrap();
        let stdout = self.stdout.lock().unwrap().clone();
        Remains { status, stdout, stderr }
    }
}

/// Standard output on its way to the client, kept.
struct Tee {
    from: ChildStdout,
    kept: Kept,
}

impl AsyncRead for Tee {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.from).poll_read(context, buffer))?;
        self.kept.lock().unwrap().extend(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}
