//! A running console, and browsers in front of it, in bytes as they are on the wire.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use super::House;

/// An answer that does not come within this time does not come.
const HANGS: Duration = Duration::from_secs(60);

/// A running `casemate console`.
#[derive(Debug)]
pub(crate) struct Console {
    child: Child,
    address: String,
    link: String,
}

impl Console {
    /// Start it on a port of its own.
    pub(crate) fn start(house: &House) -> Self {
        let mut command = house.command();
        command.args(["console", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut link = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut link).unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        if link.is_empty() {
            let mut said = String::new();
            errors.read_to_string(&mut said).unwrap();
            panic!("the console did not start: {said}");
        }
        // Whatever else it says is read, so that it never waits for a full pipe.
        thread::spawn(move || errors.lines().for_each(drop));
        let link = link.trim().to_owned();
        let address = link.strip_prefix("http://").unwrap().split_once('/').unwrap().0.to_owned();
        Self { child, address, link }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The link that it printed.
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    /// A browser in front of it, which nobody has signed in with.
    pub(crate) fn browser(&self) -> Browser {
        Browser::at(&self.address)
    }

    /// A browser that followed the link.
    pub(crate) fn local(&self) -> Browser {
        let mut browser = self.browser();
        browser.follow(&self.link).to("/console");
        browser
    }

    /// A browser of an approver.
    pub(crate) fn approver(&self, house: &House, name: &str) -> Browser {
        let key = house.folder().join(format!("{name}.key")).display().to_string();
        let made = house.casemate(&["console", "login", "--as", name, "--key", &key]).done();
        let mut browser = self.browser();
        browser.follow(made.stdout.trim()).to("/console");
        browser
    }

    /// Tell it to stop, and wait until it has.
    pub(crate) fn stop(mut self) -> bool {
        let id = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Something that keeps a cookie and sends forms.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    address: String,
    pub(crate) cookie: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn at(address: &str) -> Self {
        Self { address: address.to_owned(), cookie: None }
    }

    /// Send a request with these header lines, and nothing of one's own.
    pub(crate) fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(HANGS)).unwrap();
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Page { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Page {
        let cookie = self.cookie.clone().unwrap_or_default();
        let origin = format!("http://{}", self.address);
        let mut headers = vec![("host", self.address.as_str()), ("sec-fetch-site", "same-origin")];
        if method == "POST" {
            headers.push(("origin", &origin));
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        if !cookie.is_empty() {
            headers.push(("cookie", &cookie));
        }
        headers.extend(more);
        self.raw(method, path, &headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Page {
        self.send("GET", path, &[], "")
    }

    /// Look at a page, with another header.
    pub(crate) fn get_with(&self, path: &str, header: (&str, &str)) -> Page {
        self.send("GET", path, &[header], "")
    }

    /// Send a form, and keep the cookie that comes back.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.send("POST", path, &[], &encoded(fields));
        if let Some(cookie) = page.header("set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        page
    }

    /// Follow a link that signs in, as its page does.
    pub(crate) fn follow(&mut self, link: &str) -> Page {
        let path = link.split_once(&self.address).unwrap().1;
        let page = self.get(path);
        assert_eq!(page.status, 200, "{page:?}");
        let once = page.field("once");
        self.post("/console/login", &[("once", &once)])
    }

    /// Send the form of a page, with these fields.
    pub(crate) fn fill(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let form = self.get(page).field("form");
        let mut fields = fields.to_vec();
        fields.push(("form", &form));
        self.post(action, &fields)
    }

    /// Say something of a call that waits.
    pub(crate) fn say(&mut self, id: &str, said: &str, reason: &str) -> Page {
        let page = format!("/console/approvals/{id}");
        self.fill(&page, &page, &[("said", said), ("reason", reason)])
    }
}

/// Fields as a form's body.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let byte = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// It sends the browser there.
    #[track_caller]
    pub(crate) fn to(&self, place: &str) {
        assert_eq!((self.status, self.header("location")), (303, Some(place)), "{self:?}");
    }

    /// It is this, and says all of that.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, parts: &[&str]) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        for part in parts {
            assert!(self.body.contains(part), "`{part}` is not in {self:?}");
        }
        self
    }

    /// The value of a hidden field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let (_, rest) =
            self.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no `{name}` in {self:?}"));
        rest.split('"').next().unwrap().to_owned()
    }
}
