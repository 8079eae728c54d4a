//! The door for whoever can read this host's state: a socket in its state folder, on which `casemate console login` asks for a link.
//!
//! Nobody else reaches it: the folder is this user's alone. Over it go a link, and what an approver signs; no key does.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream as Stream,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use casemate_policy::approval::ApproverName;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader as AsyncReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use super::{Console, login, session::Who};
use crate::{exit::Failure, folders::private};

/// Bytes of one line.
const MAX_LINE: u64 = 16 << 10;
/// How long the other side may take; an agent may ask its owner.
const PATIENCE: Duration = Duration::from_secs(120);

/// What `casemate console login` asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Ask {
    /// A link for whoever asks.
    Local,
    /// What this approver signs.
    Approver(String),
    /// A link, for whoever signed.
    Signed { payload: String, signature: String },
}

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Told {
    /// Where to go.
    Link(String),
    /// What to sign.
    Sign(String),
    /// Why not.
    Refused(String),
}

fn folder(state: &Path) -> PathBuf {
    state.join("consoles")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The socket, removed when it goes.
pub(crate) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Open it. One that a process left behind is replaced.
    pub(crate) fn open(state: &Path) -> Result<Self, Failure> {
        let path = folder(state).join(format!("{}.sock", std::process::id()));
        private(&folder(state))?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        for left in entries(&folder(state)).iter().filter(|path| Stream::connect(path).is_err()) {
            let _ = fs::remove_file(left);
        }
        let listener = UnixListener::bind(&path)
            .map_err(|error| Failure::failed(format!("the socket `{}` cannot be made: {error}", path.display())))?;
        Ok(Self { listener, path })
    }

    /// Answer until the console ends.
    pub(crate) async fn serve(self, console: Arc<Console>) {
        loop {
            let accepted = tokio::select! {
                () = console.stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            if let Ok((stream, _)) = accepted {
                let console = Arc::clone(&console);
                tokio::spawn(async move {
                    if let Err(error) = timeout(PATIENCE, speak(stream, &console)).await.unwrap_or(Ok(())) {
                        tracing::debug!(%error, "somebody at the console's socket went away");
                    }
                });
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn speak(stream: UnixStream, console: &Console) -> io::Result<()> {
    // The folder keeps others out; should it be open, this does.
    if stream.peer_cred()?.uid() != rustix::process::getuid().as_raw() {
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut lines = AsyncReader::new(reader.take(2 * MAX_LINE)).lines();
    while let Some(line) = lines.next_line().await? {
        let told = match serde_json::from_str(&line).map_err(Failure::invalid).and_then(|ask| tell(console, ask)) {
            Ok(told) => told,
            Err(failure) => Told::Refused(failure.message),
        };
        writer.write_all(format!("{}\n", serde_json::to_string(&told)?).as_bytes()).await?;
    }
    Ok(())
}

fn tell(console: &Console, ask: Ask) -> Result<Told, Failure> {
    let link = |who| Ok(Told::Link(console.link(who)?));
    match ask {
        Ask::Local => link(Who::Local),
        Ask::Approver(name) => {
            let name: ApproverName = name.parse().map_err(Failure::invalid)?;
            let payload = login::challenge(console, &console.config()?, &name, &format!("{}/console", console.origin))?;
            Ok(Told::Sign(BASE64_URL_SAFE_NO_PAD.encode(payload)))
        }
        Ask::Signed { payload, signature } => {
            let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(Failure::invalid);
            let (payload, signature) = (bytes(&payload)?, bytes(&signature)?);
            let approvers = console.config()?.guards.approvers;
            link(console.sessions.answer(&payload, &signature, console.environment, &approvers)?)
        }
    }
}

impl Console {
    /// A link that is good once, for a minute.
    fn link(&self, who: Who) -> Result<String, Failure> {
        Ok(format!("{}/console/login?once={}", self.origin, self.sessions.link(who)?))
    }

    /// The link for whoever started the console.
    pub(crate) fn first_link(&self) -> Result<String, Failure> {
        self.link(Who::Local)
    }
}

/// The other side: a console that runs on this state.
pub(crate) struct Visit(BufReader<Stream>);

impl Visit {
    /// Find a console that answers. What a process left behind when it was killed does not.
    pub(crate) fn begin(state: &Path) -> Result<Self, Failure> {
        let mut sockets = entries(&folder(state));
        sockets.sort_by_key(|path| fs::metadata(path).and_then(|file| file.modified()).ok());
        let stream = sockets.iter().rev().find_map(|path| Stream::connect(path).ok()).ok_or_else(|| {
            Failure::failed(
                "no console runs on this state\nhelp: start one with `casemate console`, or set `[console] enabled = true` for `casemate serve --http`",
            )
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Ask, and be told.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<Told, Failure> {
        let line = format!("{}\n", serde_json::to_string(ask)?);
        self.0.get_mut().write_all(line.as_bytes())?;
        let mut told = String::new();
        self.0.by_ref().take(MAX_LINE).read_line(&mut told)?;
        match serde_json::from_str(&told)? {
            Told::Refused(message) => Err(Failure::denied(message)),
            told => Ok(told),
        }
    }
}
