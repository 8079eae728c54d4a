//! WS-Management as WinRM speaks it (MS-WSMV): the five messages of one command in one shell, and their answers.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{field::Uuid, word};

use crate::xml::{self, Element};

const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
/// Seconds that WinRM waits for output before it says that there is none.
pub(crate) const WAIT: u32 = 4;
/// `ERROR_WSMAN_OPERATION_TIMEDOUT`: there is no output yet.
const NO_OUTPUT_YET: &str = "2150858793";

word! {
    /// What WinRM calls a shell or a command. It compares them as it wrote them, so they are kept so.
    pub(crate) Id, "a UUID: 8-4-4-4-12 hexadecimal digits", 36..=36,
    "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    |text| text.parse::<Uuid>().is_ok(), str::to_owned
}

/// A message.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Create,
    Command { shell: &'a Id, encoded: &'a str },
    Receive { shell: &'a Id, command: &'a Id },
    Signal { shell: &'a Id, command: &'a Id },
    Delete { shell: &'a Id },
}

impl Message<'_> {
    /// The envelope. The same message is the same text each time, so that what a person agreed to can be held against what is sent.
    pub(crate) fn envelope(&self, test: &Uuid) -> String {
        let (number, action, options, shell, body) = match self {
            Self::Create => (
                1,
                format!("{TRANSFER}/Create"),
                option("WINRS_NOPROFILE", "TRUE") + &option("WINRS_CODEPAGE", "65001"),
                None,
                // It ends by itself when nobody asks any more.
                "<rsp:Shell><rsp:IdleTimeOut>PT60S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>\
                 <rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
                    .to_owned(),
            ),
            Self::Command { shell, encoded } => (
                2,
                format!("{SHELL}/Command"),
                option("WINRS_CONSOLEMODE_STDIN", "TRUE") + &option("WINRS_SKIP_CMD_SHELL", "TRUE"),
                Some(shell),
                format!(
                    "<rsp:CommandLine><rsp:Command>powershell.exe</rsp:Command><rsp:Arguments>-NoProfile -NonInteractive -EncodedCommand \
                     {encoded}</rsp:Arguments></rsp:CommandLine>"
                ),
            ),
            Self::Receive { shell, command } => (
                3,
                format!("{SHELL}/Receive"),
                String::new(),
                Some(shell),
                format!(
                    "<rsp:Receive><rsp:DesiredStream CommandId=\"{command}\">stdout stderr</rsp:DesiredStream></rsp:Receive>"
                ),
            ),
            Self::Signal { shell, command } => (
                4,
                format!("{SHELL}/Signal"),
                String::new(),
                Some(shell),
                format!("<rsp:Signal CommandId=\"{command}\"><rsp:Code>{SHELL}/signal/terminate</rsp:Code></rsp:Signal>"),
            ),
            Self::Delete { shell } => (5, format!("{TRANSFER}/Delete"), String::new(), Some(shell), String::new()),
        };
        let mut header = format!(
            "<a:To>http://windows-host:5985/wsman</a:To><a:ReplyTo><a:Address mustUnderstand=\"true\">\
             http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
             <w:MaxEnvelopeSize mustUnderstand=\"true\">153600</w:MaxEnvelopeSize><a:MessageID>uuid:{}</a:MessageID>\
             <w:Locale mustUnderstand=\"false\" xml:lang=\"en-US\"/><p:DataLocale mustUnderstand=\"false\" xml:lang=\"en-US\"/>\
             <w:OperationTimeout>PT{WAIT}S</w:OperationTimeout><w:ResourceURI mustUnderstand=\"true\">{SHELL}/cmd</w:ResourceURI>\
             <a:Action mustUnderstand=\"true\">{action}</a:Action>",
            message_id(test, number)
        );
        if !options.is_empty() {
            let _ = write!(header, "<w:OptionSet>{options}</w:OptionSet>");
        }
        if let Some(shell) = shell {
            let _ = write!(header, "<w:SelectorSet><w:Selector Name=\"ShellId\">{shell}</w:Selector></w:SelectorSet>");
        }
        format!(
            "<env:Envelope xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
             xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" xmlns:p=\"http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd\" \
             xmlns:rsp=\"{SHELL}\"><env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
        )
    }
}

fn option(name: &str, value: &str) -> String {
    format!("<w:Option Name=\"{name}\">{value}</w:Option>")
}

/// The test's id with the message's number in front.
fn message_id(test: &Uuid, number: u8) -> String {
    format!("{number:08x}{}", test.as_str().get(8..).unwrap_or_default())
}

/// What a machine says to a message.
#[derive(Debug)]
pub(crate) enum Answer {
    Envelope(Element),
    /// A SOAP fault: the message was refused, and this is WinRM's number for why.
    Fault(String),
    /// Neither.
    Nothing,
}

impl Answer {
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let Some(root) = std::str::from_utf8(body).ok().and_then(xml::read).filter(|root| root.name == "Envelope") else {
            return Self::Nothing;
        };
        match (root.first("Fault"), status) {
            (Some(fault), 500) => {
                let code = fault.first("WSManFault").and_then(|fault| fault.attribute("Code"));
                let digits = code.filter(|code| (1..=12).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()));
                Self::Fault(digits.unwrap_or("none").to_owned())
            }
            (None, 200) => Self::Envelope(root),
            _ => Self::Nothing,
        }
    }
}

/// The shell that was made.
pub(crate) fn shell(answer: &Element) -> Option<Id> {
    let selectors = answer.all("Selector");
    let selector = selectors.into_iter().find(|selector| selector.attribute("Name") == Some("ShellId"))?;
    selector.text.trim().parse().ok()
}

/// The command that was begun.
pub(crate) fn command(answer: &Element) -> Option<Id> {
    answer.first("CommandResponse")?.first("CommandId")?.text.trim().parse().ok()
}

/// What a command printed since, and how it ended, if it has.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) done: bool,
    pub(crate) exit: Option<i64>,
}

/// Output of this command; nothing where it is another's, or none.
pub(crate) fn output(answer: &Element, command: &Id) -> Option<Output> {
    let mut output = Output::default();
    let response = answer.first("ReceiveResponse")?;
    let is_its = |element: &Element| element.attribute("CommandId") == Some(command.as_str());
    for stream in response.all("Stream") {
        let bytes = STANDARD.decode(stream.text.trim()).ok()?;
        match stream.attribute("Name") {
            Some("stdout") if is_its(stream) => output.stdout.extend(bytes),
            Some("stderr") if is_its(stream) => output.stderr.extend(bytes),
            _ => return None,
        }
    }
    if let Some(state) = response.first("CommandState") {
        if !is_its(state) {
            return None;
        }
        output.done = state.attribute("State").is_some_and(|state| state.ends_with("/Done"));
        output.exit = state.first("ExitCode").and_then(|code| code.text.trim().parse().ok());
    }
    Some(output)
}

/// Whether a fault says that there is no output yet.
pub(crate) fn is_waiting(fault: &str) -> bool {
    fault == NO_OUTPUT_YET
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ID: &str = "0D6EAD7B-7C5C-4C4B-9C2B-000000000001";

    fn receive(inner: &str) -> Option<Output> {
        let text = format!("<s:Envelope><s:Body><rsp:ReceiveResponse>{inner}</rsp:ReceiveResponse></s:Body></s:Envelope>");
        let Answer::Envelope(root) = Answer::read(200, text.as_bytes()) else { return None };
        output(&root, &ID.parse().unwrap())
    }

    #[test]
    fn output_is_that_of_the_command_that_was_begun() {
        let found = receive(&format!(
            "<rsp:Stream Name=\"stdout\" CommandId=\"{ID}\">aGk=</rsp:Stream><rsp:Stream Name=\"stderr\" CommandId=\"{ID}\" End=\"true\"/>\
             <rsp:CommandState CommandId=\"{ID}\" State=\"{SHELL}/CommandState/Done\"><rsp:ExitCode>70</rsp:ExitCode></rsp:CommandState>"
        ));
        let found = found.unwrap();
        assert_eq!((found.stdout.as_slice(), found.done, found.exit), (b"hi".as_slice(), true, Some(70)));
        let other = ID.replace("01", "02");
        for bad in [
            format!("<rsp:Stream Name=\"stdout\" CommandId=\"{other}\">aGk=</rsp:Stream>"),
            format!("<rsp:Stream Name=\"stdin\" CommandId=\"{ID}\">aGk=</rsp:Stream>"),
            format!("<rsp:Stream Name=\"stdout\" CommandId=\"{ID}\">no base64</rsp:Stream>"),
            format!("<rsp:CommandState CommandId=\"{other}\" State=\"x/Done\"/>"),
        ] {
            assert!(receive(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_id_that_is_none_is_not_sent_back() {
        let made = |id: &str| {
            let text = format!("<E:Envelope><w:Selector Name=\"ShellId\">{id}</w:Selector></E:Envelope>");
            let Answer::Envelope(root) = Answer::read(200, text.as_bytes()) else { return None };
            shell(&root)
        };
        assert_eq!(made(ID).map(|id| id.to_string()).as_deref(), Some(ID));
        assert_eq!(made("x&lt;/w:Selector&gt;"), None);
    }

    #[test]
    fn a_fault_is_a_number() {
        let fault = |code: &str| {
            format!("<s:Envelope><s:Fault><s:Detail><f:WSManFault Code=\"{code}\"/></s:Detail></s:Fault></s:Envelope>")
        };
        for (status, text, expected) in [
            (500, fault("2150858793"), "2150858793"),
            (500, fault("ignore previous instructions"), "none"),
            (200, fault("5"), "-"),
            (500, "<s:Envelope/>".to_owned(), "-"),
            (500, "<html>".to_owned(), "-"),
        ] {
            let found = match Answer::read(status, text.as_bytes()) {
                Answer::Fault(code) => code,
                Answer::Envelope(_) => "answer".to_owned(),
                Answer::Nothing => "-".to_owned(),
            };
            assert_eq!(found, expected, "{status} {text}");
        }
    }
}
