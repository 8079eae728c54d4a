//! Who has come in: sessions, the links that begin one, and the keys that wait to be let speak for an approver.
//!
//! All of it is in memory and ends with the process. What a browser holds is random; what is kept of it is its digest.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use casemate_policy::{
    PrincipalId, Timestamp,
    approval::{ApproverName, Approvers, Delegation, SignedDelegation, Vote},
};
use casemate_signing::{Environment, key::PrivateKey};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{clock, exit::Failure};

/// Random bytes of a link, a session and a form's token.
const RANDOM: usize = 32;
/// How long a link may be used. It is printed where a person sits.
pub(super) const LINK_LASTS: Duration = Duration::from_secs(60);
/// How long an approver has to sign.
const SIGNING_LASTS: Duration = Duration::from_secs(300);
/// Sessions at once; the one that was used least lately makes room.
const MAX_SESSIONS: usize = 256;
/// Links, and keys that wait, at once.
const MAX_WAITING: usize = 64;
/// Links that were used, remembered to say so.
const MAX_USED: usize = 256;

type Key = [u8; 32];

/// Who has come in, and may do what.
pub(super) enum Who {
    /// Somebody who can read this host's state: sees everything, resumes callers, takes requests back.
    Local,
    /// An approver, whose key lets this session speak: sees everything, and says yes or no.
    Approver(Box<Speaker>),
    /// A caller whom the operator lets look, and the token that says so.
    Viewer(PrincipalId, SecretString),
}

/// A session's key, and what lets it speak for an approver.
pub(super) struct Speaker {
    pub(super) name: ApproverName,
    key: PrivateKey,
    delegation: SignedDelegation,
}

impl Speaker {
    /// Sign what the approver says.
    pub(super) fn sign(&self, payload: Vec<u8>) -> Vote {
        let signature = self.key.sign(&self.delegation.to_sign(&payload));
        Vote { payload, signature, delegation: Some(self.delegation.clone()) }
    }

    /// Whether it may still speak: the approver is enrolled with the key that signed, and it is in time.
    pub(super) fn may_speak(&self, environment: Environment, approvers: &Approvers, now: Timestamp) -> bool {
        self.delegation.verify(environment, approvers, now).is_ok_and(|delegation| delegation.approver == self.name)
    }
}

impl Who {
    /// As it is written on pages and in records.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Local => "local".to_owned(),
            Self::Approver(speaker) => format!("approver {}", speaker.name),
            Self::Viewer(principal, _) => principal.to_string(),
        }
    }

    /// Who it is in `principal_id`.
    pub(super) fn principal(&self) -> &str {
        match self {
            Self::Local | Self::Approver(_) => "local",
            Self::Viewer(principal, _) => principal.as_str(),
        }
    }

    /// Whether it may do what `casemate breaker resume` and `casemate approvals withdraw` do.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }

    pub(super) fn speaker(&self) -> Option<&Speaker> {
        match self {
            Self::Approver(speaker) => Some(speaker),
            _ => None,
        }
    }
}

/// One browser that has come in.
pub(super) struct Session {
    pub(super) who: Who,
    /// What its forms carry.
    pub(super) form: String,
    ends: Timestamp,
    used: Mutex<Instant>,
}

impl Session {
    /// For one request that brings its own proof.
    pub(super) fn of_request(who: Who) -> Self {
        Self { who, form: String::new(), ends: clock::now(), used: Mutex::new(Instant::now()) }
    }

    /// Whether a form was made for this session.
    pub(super) fn made(&self, form: &str) -> bool {
        !self.form.is_empty() && bool::from(self.form.as_bytes().ct_eq(form.as_bytes()))
    }

    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkFault {
    Used,
    Expired,
    Unknown,
}

impl LinkFault {
    /// The word in the log.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Used => "link-used",
            Self::Expired => "link-expired",
            Self::Unknown => "link-unknown",
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Used => {
                "this link was used already\nhelp: if that was not you, somebody else came in: stop the console. `casemate console login` makes a new link"
            }
            Self::Expired => "this link was good for one minute, which is over\nhelp: `casemate console login` makes a new one",
            Self::Unknown => "this link is none that this console made\nhelp: `casemate console login` makes one",
        }
    }
}

/// A key that waits for an approver's signature.
struct Waiting {
    delegation: Delegation,
    key: PrivateKey,
    until: Instant,
}

/// Everyone who has come in, or is about to.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Held>);

#[derive(Default)]
struct Held {
    sessions: HashMap<Key, Arc<Session>>,
    links: HashMap<Key, (Who, Instant)>,
    used: VecDeque<Key>,
    waiting: HashMap<Key, Waiting>,
}

fn digest(text: &str) -> Key {
    Sha256::digest(text.as_bytes()).into()
}

/// A text that nobody guesses.
fn random() -> Result<String, Failure> {
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes).map_err(|_| Failure::failed("the machine gives no random bytes"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

impl Sessions {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link's text, for somebody who was known elsewhere.
    pub(super) fn link(&self, who: Who) -> Result<String, Failure> {
        let text = random()?;
        let mut held = self.held();
        held.links.retain(|_, (_, until)| *until > Instant::now());
        if held.links.len() >= MAX_WAITING {
            return Err(Failure::failed("too many links wait to be used\nhelp: try again in a minute"));
        }
        held.links.insert(digest(&text), (who, Instant::now() + LINK_LASTS));
        Ok(text)
    }

    /// Use a link up.
    pub(super) fn exchange(&self, text: &str, now: Instant) -> Result<Who, LinkFault> {
        let (mut held, key) = (self.held(), digest(text));
        let Some((who, until)) = held.links.remove(&key) else {
            return Err(if held.used.contains(&key) { LinkFault::Used } else { LinkFault::Unknown });
        };
        if held.used.len() >= MAX_USED {
            held.used.pop_front();
        }
        held.used.push_back(key);
        if until <= now {
            return Err(LinkFault::Expired);
        }
        Ok(who)
    }

    /// A session of its own for whoever has come in: what its cookie says.
    pub(super) fn begin(&self, who: Who, lasts: Duration) -> Result<String, Failure> {
        let (text, form) = (random()?, random()?);
        let ends = clock::now().plus_millis(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let mut held = self.held();
        if held.sessions.len() >= MAX_SESSIONS {
            let oldest = held.sessions.iter().min_by_key(|(_, session)| session.used()).map(|(key, _)| *key);
            oldest.map(|oldest| held.sessions.remove(&oldest));
        }
        held.sessions.insert(digest(&text), Arc::new(Session { who, form, ends, used: Mutex::new(Instant::now()) }));
        Ok(text)
    }

    /// The session of a cookie, if it is not over. A look that no person asked for does not keep it.
    pub(super) fn of(&self, cookie: &str, idle: Duration, by_a_person: bool) -> Option<Arc<Session>> {
        let (mut held, key) = (self.held(), digest(cookie));
        let session = Arc::clone(held.sessions.get(&key)?);
        if session.ends <= clock::now() || session.used().elapsed() >= idle {
            held.sessions.remove(&key);
            return None;
        }
        if by_a_person {
            *session.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        Some(session)
    }

    /// End the session of a cookie.
    pub(super) fn end(&self, cookie: &str) -> Option<Arc<Session>> {
        self.held().sessions.remove(&digest(cookie))
    }

    /// A key of a new session, and what an approver signs to let it speak. Given as the payload to sign.
    pub(super) fn challenge(
        &self,
        approver: ApproverName,
        environment: Environment,
        audience: String,
        lasts: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let key = PrivateKey::generate()?;
        let now = clock::now();
        let expires = now.plus_millis(u64::try_from(lasts.as_millis()).unwrap_or(0));
        let delegation = Delegation { approver, key: key.public_key(), environment, audience, not_before: now, expires };
        let payload = delegation.payload().ok_or_else(|| Failure::failed("the delegation has no canonical form"))?;
        let mut held = self.held();
        held.waiting.retain(|_, waiting| waiting.until > Instant::now());
        if held.waiting.len() >= MAX_WAITING {
            return Err(Failure::failed("too many approvers are signing in at once\nhelp: try again in a few minutes"));
        }
        let until = Instant::now() + SIGNING_LASTS;
        held.waiting.insert(Sha256::digest(&payload).into(), Waiting { delegation, key, until });
        Ok(payload)
    }

    /// The session that an approver's signature lets speak. A challenge is answered once.
    pub(super) fn answer(
        &self,
        payload: &[u8],
        signature: &[u8],
        environment: Environment,
        approvers: &Approvers,
    ) -> Result<Who, Failure> {
        let waiting = self.held().waiting.remove(&Key::from(Sha256::digest(payload)));
        let waiting = waiting.filter(|waiting| waiting.until > Instant::now()).ok_or_else(|| {
            Failure::denied("delegation-unknown: this console waits for no signature of this\nhelp: begin anew; there are five minutes to sign")
        })?;
        let signature = signature.try_into().map_err(|_| Failure::denied("delegation-refused: this is no signature"))?;
        let signed = SignedDelegation { payload: payload.to_vec(), signature };
        let refused = |fault| Failure::denied(format!("delegation-refused: {fault}"));
        signed.verify(environment, approvers, clock::now()).map_err(refused)?;
        Ok(Who::Approver(Box::new(Speaker { name: waiting.delegation.approver, key: waiting.key, delegation: signed })))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_policy::approval::{Approver, DELEGATION_TYPE};
    use casemate_signing::dsse::pae;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_link_is_good_once_and_for_a_minute() {
        let sessions = Sessions::default();
        let exchange = |link: &str, now: Instant| sessions.exchange(link, now).err();
        let link = sessions.link(Who::Local).unwrap();
        assert_eq!(exchange(&link, Instant::now()), None);
        assert_eq!(exchange(&link, Instant::now()), Some(LinkFault::Used));
        let late = sessions.link(Who::Local).unwrap();
        assert_eq!(exchange(&late, Instant::now() + LINK_LASTS), Some(LinkFault::Expired));
        assert_eq!(exchange(&late, Instant::now()), Some(LinkFault::Used), "late once is late for ever");
        assert_eq!(exchange("made up", Instant::now()), Some(LinkFault::Unknown));
    }

    #[test]
    fn links_and_sessions_are_bounded() {
        let sessions = Sessions::default();
        (0..MAX_WAITING).for_each(|_| drop(sessions.link(Who::Local).unwrap()));
        assert!(sessions.link(Who::Local).is_err());
        let first = sessions.begin(Who::Local, HOUR).unwrap();
        (0..MAX_SESSIONS).for_each(|_| drop(sessions.begin(Who::Local, HOUR).unwrap()));
        assert!(sessions.of(&first, HOUR, true).is_none(), "the one that was used least lately made room");
        let approver = || sessions.challenge("alice".parse().unwrap(), Environment::Dev, String::new(), HOUR);
        (0..MAX_WAITING).for_each(|_| drop(approver().unwrap()));
        assert!(approver().is_err());
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_at_its_time() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(Who::Local, HOUR).unwrap();
        assert!(sessions.of(&cookie, HOUR, true).is_some());
        assert!(sessions.of(&cookie, Duration::ZERO, true).is_none());
        assert!(sessions.of(&cookie, HOUR, true).is_none(), "what has ended does not come back");
        let over = sessions.begin(Who::Local, Duration::ZERO).unwrap();
        assert!(sessions.of(&over, HOUR, true).is_none());
        let cookie = sessions.begin(Who::Local, HOUR).unwrap();
        let form = sessions.of(&cookie, HOUR, true).unwrap().form.clone();
        let other = sessions.begin(Who::Local, HOUR).unwrap();
        let other = sessions.of(&other, HOUR, true).unwrap();
        assert!(other.made(&other.form) && !other.made(&form) && !other.made(""));
        assert!(!Session::of_request(Who::Local).made(""), "a request without a session has no forms");
    }

    #[test]
    fn a_challenge_is_answered_once_by_the_approvers_key() {
        let own = PrivateKey::from_seed(&[1; 32]);
        let alice = Approver { name: "alice".parse().unwrap(), key: own.public_key(), principals: [].into(), roles: [].into() };
        let approvers = Approvers::new([alice]).unwrap();
        let sessions = Sessions::default();
        let challenge = || sessions.challenge("alice".parse().unwrap(), Environment::Dev, "here".to_owned(), HOUR).unwrap();
        let answer = |payload: &[u8], key: &PrivateKey| {
            sessions.answer(payload, &key.sign(&pae(DELEGATION_TYPE, payload)), Environment::Dev, &approvers)
        };
        let payload = challenge();
        assert!(answer(&payload, &own).is_ok());
        assert!(answer(&payload, &own).err().unwrap().message.starts_with("delegation-unknown"), "replayed");
        let payload = challenge();
        assert!(answer(&payload, &PrivateKey::from_seed(&[2; 32])).err().unwrap().message.starts_with("delegation-refused"));
        assert!(answer(&payload, &own).err().unwrap().message.starts_with("delegation-unknown"), "and it is gone");
        // Signed for another console, or made up: this one holds no such key.
        let elsewhere =
            Sessions::default().challenge("alice".parse().unwrap(), Environment::Dev, "here".to_owned(), HOUR).unwrap();
        assert!(answer(&elsewhere, &own).err().unwrap().message.starts_with("delegation-unknown"));
    }
}
