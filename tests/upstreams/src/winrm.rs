//! WinRM on a Windows machine called `LAB-WIN-1`, as far as running a command in a shell goes: [MS-WSMV], over HTTP with Basic.
//!
//! What surprises:
//!
//! - everything is `POST /wsman`, and what is meant is in the envelope; what is in the query is passed over;
//! - a fault has status 500, also the one that says that there is no output yet (2150858793);
//! - ids are in upper case, and compared as they are written;
//! - a command that was begun runs, also when its shell is not asked any more.
//!
//! It knows `hostname` and PowerShell's `-EncodedCommand` with `Invoke-AtomicTest`, of which one test never ends. Users are called `tester`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The password that the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "password-of-the-fake";
/// The user.
pub const USER: &str = "tester";
/// What the machine calls itself.
pub const COMPUTER: &str = "LAB-WIN-1";
/// A test that prints and does not end.
pub const ENDLESS: &str = "99999999-0000-4000-8000-000000000000";

const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";

/// The fake machine.
#[derive(Debug)]
pub struct WinRm {
    key: Key,
    shells: Mutex<Shells>,
}

/// Shells, and the commands in them.
#[derive(Debug, Default)]
struct Shells {
    made: u32,
    open: BTreeMap<String, BTreeMap<String, Command>>,
}

/// A command that was begun.
#[derive(Debug, Clone)]
struct Command {
    /// What is still to be given out, piece by piece.
    pieces: Vec<String>,
    /// How it ends; none where it does not.
    exit: Option<i32>,
}

impl Default for WinRm {
    fn default() -> Self {
        WinRm { key: Key::new(DEFAULT_KEY), shells: Mutex::default() }
    }
}

impl WinRm {
    fn envelope(&self, text: &str) -> Result<String, Response> {
        let mut shells = self.shells.lock().unwrap_or_else(PoisonError::into_inner);
        let action = between(text, ":Action", "</").and_then(|tag| tag.rsplit('>').next()).unwrap_or_default();
        let shell = between(text, "Name=\"ShellId\">", "<").unwrap_or_default().to_owned();
        if action == "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create" {
            if !text.contains(&format!("{SHELL}/cmd<")) {
                return Err(fault(2_150_858_752, "The resource URI is not known."));
            }
            shells.made += 1;
            let id = format!("11111111-AAAA-4BBB-8CCC-{:012X}", shells.made);
            shells.open.insert(id.clone(), BTreeMap::new());
            return Ok(format!(
                "<x:ResourceCreated xmlns:x=\"http://schemas.xmlsoap.org/ws/2004/09/transfer\"><a:Address>{ADDRESSING}/role/anonymous</a:Address>\
                 <a:ReferenceParameters><w:ResourceURI>{SHELL}/cmd</w:ResourceURI><w:SelectorSet><w:Selector Name=\"ShellId\">{id}\
                 </w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>"
            ));
        }
        let made = shells.made;
        let Some(commands) = shells.open.get_mut(&shell) else {
            return Err(fault(2_150_858_843, "The shell was not found on the server."));
        };
        let step = action.strip_prefix(SHELL).unwrap_or(action);
        match step {
            "/Command" => {
                let id = format!("22222222-AAAA-4BBB-8CCC-{:06X}{:06X}", made, commands.len() + 1);
                let line = between(text, "<rsp:Command>", "<").unwrap_or_default();
                let arguments = between(text, "<rsp:Arguments>", "<").unwrap_or_default();
                commands.insert(id.clone(), ran(line, arguments));
                Ok(format!("<rsp:CommandResponse><rsp:CommandId>{id}</rsp:CommandId></rsp:CommandResponse>"))
            }
            "/Receive" | "/Signal" => {
                let id = between(text, "CommandId=\"", "\"").unwrap_or_default();
                let Some(command) = commands.get_mut(id) else {
                    return Err(fault(2_150_858_829, "The command is not known."));
                };
                match step {
                    "/Receive" => received(id, command),
                    _ => {
                        commands.remove(id);
                        Ok("<rsp:SignalResponse/>".to_owned())
                    }
                }
            }
            "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete" => {
                shells.open.remove(&shell);
                Ok(String::new())
            }
            _ => Err(fault(2_150_858_819, "The action is not supported.")),
        }
    }
}

/// One piece of output, and at the end how it ended.
fn received(id: &str, command: &mut Command) -> Result<String, Response> {
    let piece = (!command.pieces.is_empty()).then(|| command.pieces.remove(0));
    let over = command.pieces.is_empty();
    let exit = command.exit.filter(|_| over);
    let Some(piece) = piece.or_else(|| exit.map(|_| String::new())) else {
        return Err(waiting());
    };
    let stream = format!("<rsp:Stream Name=\"stdout\" CommandId=\"{id}\">{}</rsp:Stream>", STANDARD.encode(piece));
    let state = match exit {
        Some(exit) => format!(
            "<rsp:Stream Name=\"stdout\" CommandId=\"{id}\" End=\"true\"/><rsp:Stream Name=\"stderr\" CommandId=\"{id}\" End=\"true\"/>\
             <rsp:CommandState CommandId=\"{id}\" State=\"{SHELL}/CommandState/Done\"><rsp:ExitCode>{exit}</rsp:ExitCode></rsp:CommandState>"
        ),
        None => format!("<rsp:CommandState CommandId=\"{id}\" State=\"{SHELL}/CommandState/Running\"/>"),
    };
    Ok(format!("<rsp:ReceiveResponse>{stream}{state}</rsp:ReceiveResponse>"))
}

/// What a command line does on this machine.
fn ran(line: &str, arguments: &str) -> Command {
    let ends = |exit: i32, pieces: &[String]| Command { pieces: pieces.to_vec(), exit: Some(exit) };
    if line == "hostname" {
        return ends(0, &[format!("{COMPUTER}\r\n")]);
    }
    let whole = format!("{line} {arguments}");
    let Some(encoded) = whole.rsplit(' ').next().filter(|_| whole.to_ascii_lowercase().contains("-encodedcommand")) else {
        return ends(1, &[format!("'{line}' is not recognized as an internal or external command\r\n")]);
    };
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let script = String::from_utf16_lossy(&units);
    if let Some(named) = between(&script, "$env:COMPUTERNAME -ne '", "'")
        && named != COMPUTER
    {
        return ends(70, &[]);
    }
    let Some(test) = between(&script, "-TestGuids ", " ") else { return ends(0, &[script]) };
    let technique = between(&script, "Invoke-AtomicTest ", " ").unwrap_or_default();
    let path = "PathToAtomicsFolder = C:\\AtomicRedTeam\\atomics\r\n\r\n".to_owned();
    let said = |what: &str| format!("{what} test: {technique} {test}\r\n");
    if script.contains(" -CheckPrereqs") {
        return ends(0, &[path, format!("Prerequisites met: {technique} {test}\r\n")]);
    }
    if script.contains(" -Cleanup") {
        return ends(0, &[path, said("Executing cleanup for"), said("Done executing cleanup for")]);
    }
    if test == ENDLESS {
        return Command { pieces: vec![path, said("Executing")], exit: None };
    }
    ends(0, &[path, said("Executing"), format!("Host Name: {COMPUTER}\r\n"), said("Done executing")])
}

impl Upstream for WinRm {
    fn name(&self) -> &'static str {
        "atomic"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{}", self.key.value())));
        if request.header("authorization") != Some(expected.as_str()) {
            return unauthorized().into();
        }
        if request.path() != "/wsman" || request.method != "POST" {
            return Response::empty(404).into();
        }
        let media = request.header("content-type").unwrap_or_default().to_ascii_lowercase().replace(' ', "");
        if media != "application/soap+xml;charset=utf-8" {
            return Response::empty(415).into();
        }
        let text = String::from_utf8_lossy(&request.body);
        let relates = between(&text, ":MessageID>", "<").unwrap_or_default();
        match self.envelope(&text) {
            Ok(body) => soap(200, relates, &body),
            Err(fault) => fault,
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let answer = match code {
            "unauthorized" => unauthorized(),
            "forbidden" => Response::empty(403),
            "denied" => fault(5, "Access is denied."),
            "quota" => fault(2_150_859_174, "The user has as many shells as it may have."),
            "waiting" => waiting(),
            "broken" => Response::html(503, "<h1>Service Unavailable</h1>"),
            _ => return None,
        };
        Some(answer)
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.shells.lock().unwrap_or_else(PoisonError::into_inner) = Shells::default();
    }
}

fn unauthorized() -> Response {
    Response::empty(401).with_header("www-authenticate", "Basic realm=\"WSMAN\"")
}

fn waiting() -> Response {
    fault(2_150_858_793, "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.")
}

fn fault(code: u32, message: &str) -> Response {
    let body = format!(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code>\
         <s:Reason><s:Text xml:lang=\"en-US\">{message}</s:Text></s:Reason><s:Detail>\
         <f:WSManFault xmlns:f=\"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault\" Code=\"{code}\" Machine=\"{COMPUTER}\">\
         <f:Message>{message}</f:Message></f:WSManFault></s:Detail></s:Fault>"
    );
    soap(500, "", &body)
}

fn soap(status: u16, relates: &str, body: &str) -> Response {
    let text = format!(
        "<s:Envelope xml:lang=\"en-US\" xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"{ADDRESSING}\" \
         xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" xmlns:rsp=\"{SHELL}\"><s:Header>\
         <a:To>{ADDRESSING}/role/anonymous</a:To><a:RelatesTo>{relates}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    );
    let headers = vec![("Content-Type".to_owned(), "application/soap+xml;charset=UTF-8".to_owned())];
    Response { status, headers, body: text.into_bytes() }
}

/// What is between two texts, the first time.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(from)?;
    behind.split_once(to).map(|(inner, _)| inner)
}
