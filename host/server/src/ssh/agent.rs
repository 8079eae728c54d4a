//! An ssh agent: asked which Ed25519 keys it keeps, and for signatures by one of them.
//!
//! The protocol is draft-ietf-sshm-ssh-agent, sections 3 to 5. Whoever owns the socket is not believed: what they send is read within
//! a cap and a deadline, and a signature is given on only when it verifies.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use casemate_signing::key::{Fingerprint, PublicKey, SIGNATURE_BYTES};
use ssh_encoding::{Decode as _, Encode as _, Reader as _};
use ssh_key::{HashAlg, public::KeyData};

/// Bytes of a message either way: what OpenSSH's own agent allows (`AGENT_MAX_LEN`).
const MAX_MESSAGE: usize = 256 << 10;
/// How long a list of keys may take: it is in the agent's memory.
const LIST: Duration = Duration::from_secs(10);
/// How long a signature may take: a person may have to confirm it, or to touch a token.
const SIGN: Duration = Duration::from_secs(120);

// Section 7.1, "Message numbers".
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// Why an agent gives no signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// Nobody listens there.
    #[error("the ssh agent at `{}` cannot be reached: {error}\nhelp: SSH_AUTH_SOCK says where it listens; eval \"$(ssh-agent)\" starts one", .path.display())]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The socket failed in the middle.
    #[error("the ssh agent hung up: {0}")]
    HungUp(io::Error),
    /// No answer, or not all of it.
    #[error("the ssh agent did not answer within {} seconds", .0.as_secs())]
    Late(Duration),
    /// What is to be signed does not fit into a message.
    #[error("what is to be signed has {0} bytes, and an ssh agent takes messages of {MAX_MESSAGE}\nhelp: sign with --key")]
    TooLarge(usize),
    /// An answer over the cap.
    #[error("the ssh agent announced an answer of {0} bytes, and {MAX_MESSAGE} are read")]
    AnswerTooLarge(u32),
    /// Not the protocol.
    #[error("the ssh agent's answer is not one of its protocol: {0}")]
    Malformed(&'static str),
    /// It said no.
    #[error("the ssh agent does not sign with {0}\nhelp: it may be locked, or somebody declined to confirm")]
    Refused(Fingerprint),
    /// It said yes, and it is not so.
    #[error("the ssh agent's signature by {0} does not verify\nhelp: something else than your agent may own the socket")]
    Lied(Fingerprint),
}

/// An Ed25519 key that the agent says it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) key: PublicKey,
    /// The agent's word for it.
    pub(crate) comment: String,
}

impl Identity {
    /// The fingerprint that `ssh-add -l` prints: over OpenSSH's encoding of the key, where ours is over its 32 bytes.
    pub(crate) fn ssh_fingerprint(&self) -> String {
        encoded(&self.key).fingerprint(HashAlg::Sha256).to_string()
    }
}

/// A connection to an agent.
#[derive(Debug)]
pub(crate) struct Agent {
    socket: UnixStream,
    list: Duration,
    sign: Duration,
}

impl Agent {
    /// The agent that listens at `path`.
    pub(crate) fn connect(path: &Path) -> Result<Self, AgentError> {
        let socket = UnixStream::connect(path).map_err(|error| AgentError::Unreachable { path: path.to_owned(), error })?;
        Ok(Self { socket, list: LIST, sign: SIGN })
    }

    /// Every Ed25519 key it keeps that is fit to be enrolled. Keys of other kinds are passed over.
    pub(crate) fn identities(&mut self) -> Result<Vec<Identity>, AgentError> {
        let malformed = |_| AgentError::Malformed("a list of keys ends early");
        let answer = self.ask(&[REQUEST_IDENTITIES], self.list)?;
        let Some((&IDENTITIES_ANSWER, mut rest)) = answer.split_first() else {
            return Err(AgentError::Malformed("a list of keys is expected"));
        };
        let mut found = Vec::new();
        // Each takes eight bytes at least, so the answer's cap is one on their number.
        for _ in 0..u32::decode(&mut rest).map_err(malformed)? {
            let key = Vec::<u8>::decode(&mut rest).map_err(malformed)?;
            let comment = Vec::<u8>::decode(&mut rest).map_err(malformed)?;
            let Some(key) = ssh_key::PublicKey::from_bytes(&key).ok().and_then(|key| key.key_data().ed25519().copied()) else {
                continue;
            };
            if let Ok(key) = PublicKey::from_bytes(&key.0) {
                found.push(Identity { key, comment: String::from_utf8_lossy(&comment).into_owned() });
            }
        }
        if !rest.is_finished() {
            return Err(AgentError::Malformed("more follows a list of keys"));
        }
        Ok(found)
    }

    /// A signature over `message` that verifies, by this key.
    pub(crate) fn sign(&mut self, key: &PublicKey, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], AgentError> {
        let request = sign_request(key, message).map_err(|_| AgentError::TooLarge(message.len()))?;
        if request.len() > MAX_MESSAGE {
            return Err(AgentError::TooLarge(message.len()));
        }
        let answer = self.ask(&request, self.sign)?;
        let signature = match answer.split_first() {
            Some((&SIGN_RESPONSE, rest)) => signature(rest).ok_or(AgentError::Malformed("not an Ed25519 signature"))?,
            Some((&FAILURE, [])) => return Err(AgentError::Refused(key.fingerprint())),
            _ => return Err(AgentError::Malformed("a signature is expected")),
        };
        key.verify_strict(message, &signature).map_err(|_| AgentError::Lied(key.fingerprint()))?;
        Ok(signature)
    }

    /// Send a message, and read the one that answers it.
    fn ask(&mut self, request: &[u8], wait: Duration) -> Result<Vec<u8>, AgentError> {
        let deadline = Instant::now() + wait;
        let late = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AgentError::Late(wait),
            _ => AgentError::HungUp(error),
        };
        let length = u32::try_from(request.len()).map_err(|_| AgentError::TooLarge(request.len()))?;
        self.socket.set_write_timeout(Some(wait)).map_err(AgentError::HungUp)?;
        self.socket.write_all(&[&length.to_be_bytes(), request].concat()).map_err(late)?;

        let mut head = [0; 4];
        self.read(&mut head, deadline).map_err(late)?;
        let length = u32::from_be_bytes(head);
        let size = usize::try_from(length).ok().filter(|size| *size <= MAX_MESSAGE).ok_or(AgentError::AnswerTooLarge(length))?;
        let mut answer = vec![0; size];
        self.read(&mut answer, deadline).map_err(late)?;
        Ok(answer)
    }

    /// Fill `bytes` before the deadline, however slowly they come.
    fn read(&mut self, mut bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.read(bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => bytes = bytes.split_at_mut_checked(count).map_or(&mut [], |(_, rest)| rest),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn encoded(key: &PublicKey) -> KeyData {
    KeyData::Ed25519(ssh_key::public::Ed25519PublicKey(*key.as_bytes()))
}

/// Section 5.4: the key, what to sign, and no flags.
fn sign_request(key: &PublicKey, message: &[u8]) -> Result<Vec<u8>, ssh_encoding::Error> {
    let mut request = vec![SIGN_REQUEST];
    encoded(key).encode_prefixed(&mut request)?;
    message.encode(&mut request)?;
    0_u32.encode(&mut request)?;
    Ok(request)
}

/// The 64 bytes in `string(string("ssh-ed25519") string(signature))`, and nothing besides.
fn signature(mut answer: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let outer = Vec::<u8>::decode(&mut answer).ok()?;
    let mut inner = outer.as_slice();
    let kind = Vec::<u8>::decode(&mut inner).ok()?;
    let bytes = Vec::<u8>::decode(&mut inner).ok()?;
    (answer.is_empty() && inner.is_empty() && kind == b"ssh-ed25519").then(|| bytes.try_into().ok())?
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
