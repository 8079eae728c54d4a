//! Agents that lie, refuse, stall and never end. What a real one does is tested from outside.

use std::thread::{self, JoinHandle};

use casemate_signing::key::PrivateKey;

use super::*;

/// How long these tests wait for an agent that does not answer.
const SOON: Duration = Duration::from_millis(200);

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A key as an agent lists it.
fn listed(key: &PrivateKey, comment: &str) -> Vec<u8> {
    let blob = [string(b"ssh-ed25519"), string(key.public_key().as_bytes())].concat();
    [string(&blob), string(comment.as_bytes())].concat()
}

fn signed(kind: &[u8], signature: &[u8]) -> Vec<u8> {
    let inner = [string(kind), string(signature)].concat();
    [vec![SIGN_RESPONSE], string(&inner)].concat()
}

/// An agent that reads one message and answers with these bytes, whatever was asked; it returns what it read.
fn answering(bytes: Vec<u8>) -> (Agent, JoinHandle<Vec<u8>>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let other = thread::spawn(move || {
        let mut head = [0; 4];
        theirs.read_exact(&mut head).unwrap();
        let mut request = vec![0; u32::from_be_bytes(head) as usize];
        theirs.read_exact(&mut request).unwrap();
        // We may be gone before an agent without end is.
        let _ = theirs.write_all(&bytes);
        let _ = theirs.read(&mut head);
        request
    });
    (Agent { socket: ours, list: SOON, sign: SOON }, other)
}

/// The answer `body`, as one message.
fn framed(body: &[u8]) -> Vec<u8> {
    string(body)
}

fn sign_error(bytes: Vec<u8>) -> String {
    answering(bytes).0.sign(&key().public_key(), b"message").unwrap_err().to_string()
}

fn list_error(bytes: Vec<u8>) -> String {
    answering(bytes).0.identities().unwrap_err().to_string()
}

#[test]
fn a_signature_that_verifies_is_given_on() {
    let good = key().sign(b"message");
    let (mut agent, other) = answering(framed(&signed(b"ssh-ed25519", &good)));
    assert_eq!(agent.sign(&key().public_key(), b"message").unwrap(), good);
    drop(agent);
    // byte 13, string key, string message, no flags
    let blob = [string(b"ssh-ed25519"), string(key().public_key().as_bytes())].concat();
    assert_eq!(other.join().unwrap(), [vec![13], string(&blob), string(b"message"), vec![0; 4]].concat());
}

#[test]
fn an_agent_that_lies_is_found_out() {
    let public = key().public_key().fingerprint();
    let lies =
        format!("the ssh agent's signature by {public} does not verify\nhelp: something else than your agent may own the socket");
    // By another key, over another message, with one bit changed, of zeros.
    let stranger = PrivateKey::from_seed(&[8; 32]);
    let mut touched = key().sign(b"message");
    touched[63] ^= 1;
    for signature in [stranger.sign(b"message"), key().sign(b"massage"), touched, [0; 64]] {
        assert_eq!(sign_error(framed(&signed(b"ssh-ed25519", &signature))), lies);
    }
}

#[test]
fn what_is_no_signature_is_refused() {
    let good = key().sign(b"message");
    let whole = signed(b"ssh-ed25519", &good);
    let not = "the ssh agent's answer is not one of its protocol: not an Ed25519 signature";
    for body in [
        signed(b"ssh-rsa", &good),
        signed(b"sk-ssh-ed25519@openssh.com", &good),
        signed(b"ssh-ed25519", &good[..63]),
        signed(b"ssh-ed25519", &[&good[..], &[0]].concat()),
        [&whole[..], &[0]].concat(),
        whole[..whole.len() - 1].to_vec(),
        vec![SIGN_RESPONSE],
        // An inner length that reaches far beyond the message.
        vec![SIGN_RESPONSE, 0xff, 0xff, 0xff, 0xff, 1],
    ] {
        assert_eq!(sign_error(framed(&body)), not, "{body:?}");
    }
    for body in [&[][..], &[6], &[IDENTITIES_ANSWER, 0, 0, 0, 0], &[FAILURE, 0]] {
        assert_eq!(
            sign_error(framed(body)),
            "the ssh agent's answer is not one of its protocol: a signature is expected",
            "{body:?}"
        );
    }
}

#[test]
fn an_agent_that_refuses_is_told_from_one_that_fails() {
    assert!(sign_error(framed(&[FAILURE])).starts_with("the ssh agent does not sign with SHA256:"));
    // It goes away in the middle of its answer, and before it.
    for bytes in [vec![], vec![0, 0], vec![0, 0, 0, 9, SIGN_RESPONSE]] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let other = thread::spawn(move || {
            let mut head = [0; 5];
            theirs.read_exact(&mut head).unwrap();
            theirs.write_all(&bytes).unwrap();
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = theirs.read_to_end(&mut Vec::new());
        });
        let mut agent = Agent { socket: ours, list: SOON, sign: SOON };
        let refused = agent.sign(&key().public_key(), b"message").unwrap_err();
        assert!(matches!(refused, AgentError::HungUp(_)), "{refused:?}");
        drop(agent);
        other.join().unwrap();
    }
}

#[test]
fn an_answer_of_any_length_takes_no_more_memory_than_the_cap() {
    for length in [u32::MAX, 1 << 31, (MAX_MESSAGE + 1) as u32] {
        let refused = sign_error(length.to_be_bytes().to_vec());
        assert_eq!(refused, format!("the ssh agent announced an answer of {length} bytes, and 262144 are read"));
    }
    // As many bytes as it likes after it: they are not read.
    let endless = [u32::MAX.to_be_bytes().to_vec(), vec![0; 4 << 20]].concat();
    assert!(sign_error(endless).contains("4294967295"));
}

#[test]
fn an_agent_that_stalls_is_waited_for_no_longer_than_its_deadline() {
    assert_eq!(sign_error(vec![]), "the ssh agent did not answer within 0 seconds");
    assert_eq!(sign_error(vec![0, 0, 0, 200, SIGN_RESPONSE]), "the ssh agent did not answer within 0 seconds");
}

#[test]
fn an_agent_that_drips_does_not_move_the_deadline() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let other = thread::spawn(move || {
        theirs.write_all(&[0, 0, 255, 255]).unwrap();
        while theirs.write_all(&[0]).is_ok() {
            thread::sleep(SOON / 10);
        }
    });
    let begun = Instant::now();
    let mut agent = Agent { socket: ours, list: SOON, sign: SOON };
    assert!(matches!(agent.identities().unwrap_err(), AgentError::Late(_)));
    assert!(begun.elapsed() < SOON * 10);
    drop(agent);
    other.join().unwrap();
}

#[test]
fn an_agent_that_does_not_read_is_not_waited_for_without_end() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut agent = Agent { socket: ours, list: SOON, sign: SOON };
    // More than a socket holds in between.
    let refused = (0..100).find_map(|_| agent.sign(&key().public_key(), &[0; 200_000]).err()).unwrap();
    assert!(matches!(refused, AgentError::Late(_)), "{refused:?}");
    drop(theirs);
}

#[test]
fn what_does_not_fit_into_a_message_is_not_sent() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut agent = Agent { socket: ours, list: SOON, sign: SOON };
    let refused = agent.sign(&key().public_key(), &vec![0; MAX_MESSAGE]).unwrap_err();
    assert!(matches!(refused, AgentError::TooLarge(MAX_MESSAGE)), "{refused:?}");
    drop(agent);
    let mut sent = Vec::new();
    theirs.read_to_end(&mut sent).unwrap();
    assert!(sent.is_empty());
}

#[test]
fn other_keys_are_passed_over() {
    let token = [string(b"sk-ssh-ed25519@openssh.com"), string(key().public_key().as_bytes()), string(b"ssh:")].concat();
    // Small order: fit for no trust store.
    let weak = [string(b"ssh-ed25519"), string(&[&[1][..], &[0; 31]].concat())].concat();
    let others =
        [token, weak, string(b"ssh-rsa"), b"rubbish".to_vec(), vec![]].map(|blob| [string(&blob), string(b"other")].concat());
    let body =
        [vec![IDENTITIES_ANSWER, 0, 0, 0, 7], others.concat(), listed(&key(), "dana"), listed(&key(), "\u{1b}[31m")].concat();
    let (mut agent, _) = answering(framed(&body));
    let found = agent.identities().unwrap();
    assert_eq!(found.iter().map(|identity| identity.comment.as_str()).collect::<Vec<_>>(), ["dana", "\u{1b}[31m"]);
    assert!(found.iter().all(|identity| identity.key == key().public_key()));
}

#[test]
fn a_list_is_what_it_says_or_refused() {
    let one = listed(&key(), "dana");
    assert_eq!(
        list_error(framed(&[vec![IDENTITIES_ANSWER, 0, 0, 0, 0], one.clone()].concat())),
        "the ssh agent's answer is not one of its protocol: more follows a list of keys"
    );
    for count in [[0, 0, 0, 2], [255, 255, 255, 255]] {
        let body = [vec![IDENTITIES_ANSWER], count.to_vec(), one.clone()].concat();
        assert_eq!(list_error(framed(&body)), "the ssh agent's answer is not one of its protocol: a list of keys ends early");
    }
    assert_eq!(list_error(framed(&[FAILURE])), "the ssh agent's answer is not one of its protocol: a list of keys is expected");
}
