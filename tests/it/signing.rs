//! Signing as people do it: with keys that a real ssh agent keeps, one person after the other.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use casemate_signing::{
    Digest, Environment,
    document::Document,
    key::{Fingerprint, PrivateKey},
    keyset::{self, KeysetDraft, KeysetKey, RoleKeys, Roles},
    manifest::PublisherName,
    revocation::{self, RevocationDraft},
    trust::Namespace,
};
use tempfile::TempDir;

use crate::harness::{Guest, Ran, program};

/// TEST 1 of RFC 8032, section 7.1, as `casemate key new` and as `ssh-keygen` would have written it.
const PEM: &str = include_str!("../cli/publisher.pem");
const SSH: &str = include_str!("../cli/publisher.ssh");
const SSH_PUBLIC: &str = include_str!("../cli/publisher.ssh.pub");
const FINGERPRINT: &str = "SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk";
/// What `ssh-add -l` prints of it.
const SSH_FINGERPRINT: &str = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8";

const COMPONENT: &str = "packages/guest-0.1.0.wasm";
const BUNDLE: &str = "packages/guest-0.1.0.wasm.sigstore.json";

/// A publisher's desk: a packed plugin, keys, and the agent that keeps them.
struct Desk {
    folder: TempDir,
    agent: Child,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plugin")).unwrap();
        fs::write(folder.path().join("plugin/plugin.toml"), include_bytes!("../guests/plugin.toml")).unwrap();
        let package = Guest::new("panic").package(&PrivateKey::generate().unwrap());
        fs::write(folder.path().join("plugin/guest.wasm"), package.component).unwrap();
        for (name, text) in [("publisher.pem", PEM), ("publisher", SSH), ("publisher.pub", SSH_PUBLIC)] {
            fs::write(folder.path().join(name), text).unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        // In the foreground, so that it ends with the test. Whoever has to confirm a signature says no.
        let agent = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(folder.path().join("agent"))
            .envs([("SSH_ASKPASS", "/bin/false"), ("SSH_ASKPASS_REQUIRE", "force")])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("ssh-agent does not start: {error}\nhelp: install OpenSSH's client (openssh-client)"));
        let desk = Self { folder, agent };
        while !desk.path().join("agent").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        desk.casemate(&["pack", "plugin", "--component", "plugin/guest.wasm", "--out", "packages"]).done();
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).env("SSH_AUTH_SOCK", self.path().join("agent"));
        Ran::of(command.env("CASEMATE_DIR", self.path().join("host")))
    }

    fn casemate(&self, arguments: &[&str]) -> Ran {
        self.run(program("casemate"), arguments)
    }

    fn sign(&self, arguments: &[&str]) -> Ran {
        self.casemate(&[&["sign", COMPONENT], arguments].concat())
    }

    /// A new key of the agent, of that kind and comment.
    fn add(&self, kind: &str, comment: &str) {
        let file = format!("{comment}.{kind}");
        self.run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", comment, "-f", &file]).done();
        self.run("ssh-add", &["-q", &file]).done();
    }

    fn bundle(&self) -> String {
        fs::read_to_string(self.path().join(BUNDLE)).unwrap()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

#[test]
fn an_agent_signs_as_the_file_would() {
    let desk = Desk::new();
    desk.sign(&["--key", "publisher.pem"]).done();
    let expected = desk.bundle();
    for kind in ["ecdsa", "rsa"] {
        desk.add(kind, "other");
    }
    desk.run("ssh-add", &["-q", "publisher"]).done();
    for name in [FINGERPRINT, SSH_FINGERPRINT, "publisher@fortress", "publisher.pub"] {
        fs::remove_file(desk.path().join(BUNDLE)).unwrap();
        let ran = desk.sign(&["--agent", name]).done();
        assert!(ran.stdout.contains(FINGERPRINT), "{name}: {}", ran.stdout);
        // Ed25519 has one signature for a key and a message.
        assert_eq!(desk.bundle(), expected, "{name}");
    }
}

#[test]
fn several_people_sign_with_their_own_agents_keys() {
    let desk = Desk::new();
    desk.add("ed25519", "dana");
    desk.add("ed25519", "kim");
    desk.sign(&["--agent", "dana"]).done();
    fs::remove_file(desk.path().join(format!("{COMPONENT}.statement.json"))).unwrap();
    desk.sign(&["--agent", "kim", "--add"]).done();
    desk.sign(&["--agent", "dana", "--add"]).refused(&["has signed it already"]);
    let bundles = desk.bundle();
    assert_eq!(bundles.lines().count(), 2);

    // Each verifies alone, by the key whose one line a person was given.
    desk.casemate(&["init"]).done();
    for (name, bundle) in ["dana", "kim"].into_iter().zip(bundles.lines()) {
        let public = format!("{name}.ed25519.pub");
        let fingerprint = desk.casemate(&["key", "fingerprint", &public]).done().stdout;
        fs::write(desk.path().join(BUNDLE), bundle).unwrap();
        desk.casemate(&["verify", COMPONENT]).refused(&["key-unknown"]);
        let add = ["trust", "add", "fortress", "--key", &public, "--fingerprint", fingerprint.trim(), "--environment", "dev"];
        desk.casemate(&add).done();
        desk.casemate(&["verify", COMPONENT]).done();
    }
}

/// An agent that says it keeps this key, and answers every other question with `answer`.
fn lying_agent(socket: &Path, blob: &[u8], answer: Vec<u8>) -> thread::JoinHandle<()> {
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let list = string(&[&[12, 0, 0, 0, 1][..], &string(blob), &string(b"dana")].concat());
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        for answer in [list, answer] {
            let mut head = [0; 4];
            socket.read_exact(&mut head).unwrap();
            let mut request = vec![0; u32::from_be_bytes(head) as usize];
            socket.read_exact(&mut request).unwrap();
            // Whoever has heard enough hangs up.
            let _ = socket.write_all(&answer);
        }
    })
}

#[test]
fn what_a_lying_agent_signs_is_not_written() {
    let desk = Desk::new();
    desk.sign(&["--key", "publisher.pem"]).done();
    let before = desk.bundle();
    // The key is dana's; the signature is anybody's, or none, or has no end.
    let dana = PrivateKey::from_seed(&[1; 32]);
    let kind = [&[0, 0, 0, 11][..], b"ssh-ed25519"].concat();
    let blob = [&kind[..], &[0, 0, 0, 32], dana.public_key().as_bytes()].concat();
    let signed = |bytes: &[u8; 64]| [&[0, 0, 0, 88, 14, 0, 0, 0, 83][..], &kind, &[0, 0, 0, 64], bytes].concat();
    let endless = [&[0xff; 4][..], &[0; 1 << 20]].concat();
    for (number, (answer, code, words)) in [
        (signed(&[7; 64]), 2, "does not verify"),
        // Over other words than the statement's.
        (signed(&dana.sign(b"something else")), 2, "does not verify"),
        (vec![0, 0, 0, 1, 5], 2, "does not sign with"),
        (vec![0, 0, 0, 1, 6], 1, "a signature is expected"),
        (endless, 1, "announced an answer of 4294967295 bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let socket = desk.path().join(format!("liar-{number}"));
        let liar = lying_agent(&socket, &blob, answer);
        let mut command = Command::new(program("casemate"));
        command.args(["sign", COMPONENT, "--agent", "dana", "--add"]).current_dir(desk.path()).env("SSH_AUTH_SOCK", &socket);
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert_eq!(desk.bundle(), before, "{words}");
        liar.join().unwrap();
    }
}

#[test]
fn a_key_that_the_agent_does_not_give_leaves_the_signatures_as_they_were() {
    let desk = Desk::new();
    desk.sign(&["--key", "publisher.pem"]).done();
    let before = desk.bundle();
    assert!(
        desk.sign(&["--agent", "dana", "--add"]).stderr.contains("keeps no Ed25519 key `dana`\nhelp: ssh-add FILE gives it one")
    );
    desk.add("ecdsa", "dana");
    assert!(desk.sign(&["--agent", "dana", "--add"]).stderr.contains("only `ssh-ed25519` keys sign here"));
    desk.add("ed25519", "dana");
    // Somebody has to confirm each use of this one, and does not.
    desk.run("ssh-add", &["-q", "-c", "dana.ed25519"]).done();
    let refused = desk.sign(&["--agent", "dana", "--add"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("the ssh agent does not sign with SHA256:"), "{}", refused.stderr);
    assert_eq!(desk.bundle(), before);
}

/// A host that trusts `fortress` by a keyset of dana's and kim's keys, two of which sign a release; the plugin is installed.
fn installed() -> Desk {
    let desk = Desk::new();
    desk.add("ed25519", "dana");
    desk.add("ed25519", "kim");
    desk.casemate(&["init"]).done();
    let new = ["keyset", "new", "fortress", "--key", "dana.ed25519.pub", "--key", "kim.ed25519.pub", "--environment", "dev"];
    let thresholds = ["--threshold", "release=2", "--expires", "2099-01-01T00:00:00Z", "--out", "1.json"];
    desk.casemate(&[&new[..], &thresholds].concat()).done();
    desk.casemate(&["keyset", "sign", "1.json", "--agent", "dana"]).done();
    let shown = desk.json(&["keyset", "show", "1.json"]);
    let fingerprint = shown["fingerprint"].as_str().unwrap();
    desk.casemate(&["trust", "add", "1.json", "--fingerprint", fingerprint, "--environment", "dev"]).done();

    desk.sign(&["--agent", "dana"]).done();
    desk.casemate(&["verify", COMPONENT]).refused(&["threshold"]);
    desk.sign(&["--agent", "kim", "--add"]).done();
    let page = desk.casemate(&["verify", COMPONENT]).done().stdout;
    let approval = page.split_whitespace().skip_while(|word| *word != "approve").nth(1).unwrap();
    desk.casemate(&["install", COMPONENT, "--yes", "--approve", approval]).done();
    assert_eq!(desk.status(), "verified");
    desk
}

impl Desk {
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.casemate(&[&["--format", "json"], arguments].concat()).done().stdout).unwrap()
    }

    /// What `casemate list` says of the installed plugin.
    fn status(&self) -> String {
        let list = self.json(&["list"]);
        list[0]["status"].as_str().unwrap_or_else(|| panic!("{list}")).trim_start_matches("refused: ").to_owned()
    }

    /// The next version of the keyset, signed by dana, taken by the host.
    fn rotate(&self, before: &str, next: &str, change: &[&str]) {
        self.casemate(&[&["keyset", "next", before, "--out", next], change].concat()).done();
        self.casemate(&["keyset", "sign", next, "--agent", "dana"]).done();
        self.casemate(&["trust", "rotate", "fortress", next]).done();
    }
}

#[test]
fn an_older_trust_file_put_back_vouches_for_nothing() {
    let desk = installed();
    let trust = desk.path().join("host/trust.toml");
    let before = fs::read(&trust).unwrap();
    desk.rotate("1.json", "2.json", &["--expires", "2098-01-01T00:00:00Z"]);
    assert_eq!(desk.status(), "verified");
    fs::write(&trust, before).unwrap();
    assert_eq!(desk.status(), "keyset-older");
    // Its document is there still: going on from it is the way back.
    desk.casemate(&["trust", "rotate", "fortress", "2.json"]).done();
    assert_eq!(desk.status(), "verified");
}

#[test]
fn a_keyset_is_there_before_older_ones_are_refused() {
    let desk = installed();
    desk.casemate(&["keyset", "next", "1.json", "--expires", "2098-01-01T00:00:00Z", "--out", "2.json"]).done();
    desk.casemate(&["keyset", "sign", "2.json", "--agent", "dana"]).done();
    // Stopped before the document, and then before the trust file, is in its place.
    let [document, trust] = ["trust/publishers/fortress/2.json", "trust.toml"].map(|name| desk.path().join("host").join(name));
    let before = fs::read(&trust).unwrap();
    fs::create_dir(&document).unwrap();
    desk.casemate(&["trust", "rotate", "fortress", "2.json"]).refused(&["cannot be written"]);
    fs::remove_dir(&document).unwrap();
    assert_eq!(desk.status(), "verified");
    fs::copy(desk.path().join("2.json"), &document).unwrap();
    assert_eq!(desk.status(), "verified");
    // After both, and before its mark: it counts, and the next package that it vouches for raises the mark.
    let state = desk.path().join("host/state/dev/packages.state");
    let unmarked = fs::read(&state).unwrap();
    desk.casemate(&["trust", "rotate", "fortress", "2.json"]).done();
    fs::write(&state, unmarked).unwrap();
    assert_eq!(desk.status(), "verified");
    let page = desk.casemate(&["verify", COMPONENT]).done().stdout;
    let approval = page.split_whitespace().skip_while(|word| *word != "approve").nth(1).unwrap();
    desk.casemate(&["install", COMPONENT, "--yes", "--approve", approval]).done();
    fs::write(&trust, before).unwrap();
    assert_eq!(desk.status(), "keyset-older");
}

#[test]
fn another_document_with_a_version_that_was_seen_is_refused() {
    let desk = installed();
    let trust = desk.path().join("host/trust.toml");
    let before = fs::read(&trust).unwrap();
    desk.rotate("1.json", "2.json", &["--expires", "2098-01-01T00:00:00Z"]);
    fs::write(&trust, before).unwrap();
    desk.casemate(&["keyset", "next", "1.json", "--expires", "2097-01-01T00:00:00Z", "--out", "other.json"]).done();
    desk.casemate(&["keyset", "sign", "other.json", "--agent", "dana"]).done();
    desk.casemate(&["trust", "rotate", "fortress", "other.json"])
        .refused(&["version 2 of the keyset of `fortress` is not the one"]);
}

#[test]
fn a_stolen_key_that_its_publisher_revokes_stops_what_needs_it() {
    let desk = installed();
    let kim = desk.casemate(&["key", "fingerprint", "kim.ed25519.pub"]).done().stdout;
    desk.rotate("1.json", "2.json", &["--revoke-key", kim.trim(), "--add-key", "publisher.pub", "--environment", "dev"]);
    assert_eq!(desk.status(), "threshold");
}

#[test]
fn a_keyset_file_that_was_changed_or_taken_away_vouches_for_nothing() {
    let desk = installed();
    let file = desk.path().join("host/trust/publishers/fortress/1.json");
    let whole = fs::read_to_string(&file).unwrap();
    for changed in ["", "{}", &whole.replacen("\"sig\":\"", "\"sig\":\"AAAA", 1), &whole[..whole.len() / 2]] {
        fs::write(&file, changed).unwrap();
        assert_ne!(desk.casemate(&["list"]).code, 0, "{changed}");
        assert_ne!(desk.casemate(&["verify", COMPONENT]).code, 0, "{changed}");
    }
    fs::remove_file(&file).unwrap();
    let refused = desk.casemate(&["verify", COMPONENT]);
    assert!(refused.stderr.contains("the keyset version 1 of `fortress` is missing"), "{}", refused.stderr);
    fs::write(&file, whole).unwrap();
    assert_eq!(desk.status(), "verified");
}

#[test]
fn a_revocation_list_stops_what_it_names_and_is_not_rolled_back() {
    let desk = installed();
    let revoke = |before: &[&str], out: &str| {
        let end = ["--expires", "2099-01-01T00:00:00Z", "--agent", "kim", "--out", out];
        desk.casemate(&[&["revoke"], before, &end].concat()).done();
    };
    revoke(&["--publisher", "fortress"], "list.json");
    desk.casemate(&["trust", "revocations", "fortress", "--from", "list.json"]).done();
    assert_eq!(desk.status(), "verified");
    let kept = desk.path().join("host/trust/revocations/fortress.json");
    let first = fs::read(&kept).unwrap();

    revoke(&["--previous", "list.json", "--release", "fortress/guest@1", "--reason", "it leaks"], "list.json");
    // Nothing changes before it is taken.
    assert_eq!(desk.status(), "verified");
    desk.casemate(&["trust", "refresh"]).done();
    assert_eq!(desk.status(), "revoked-release");

    fs::write(&kept, first).unwrap();
    assert_eq!(desk.status(), "revocations-older");
    fs::write(&kept, fs::read(desk.path().join("1.json")).unwrap()).unwrap();
    assert_eq!(desk.status(), "revocations-missing");
    fs::remove_file(&kept).unwrap();
    assert_eq!(desk.status(), "revocations-missing");
    desk.casemate(&["trust", "refresh"]).done();
    assert_eq!(desk.status(), "revoked-release");
}

#[test]
fn whoever_is_removed_is_named_with_what_stops() {
    let desk = installed();
    let removed = desk.casemate(&["trust", "remove", "fortress"]).done().stdout;
    assert_eq!(removed, "removed fortress\nfortress/guest 0.1.0 no longer loads\n");
    assert_eq!(desk.status(), "key-unknown");
    assert!(!desk.path().join("host/trust/publishers/fortress").exists());
    let changes = desk.casemate(&["audit", "show", "--format", "json"]).done().stdout;
    assert_eq!(changes.matches("config.trust").count(), 2, "{changes}");
    desk.casemate(&["audit", "verify"]).done();
}

/// A keyset of dana's key alone, signed by it, that expires then; dana is the key of seed 1.
fn keyset(version: u64, previous: Option<&Document>, expires: &str) -> Document {
    let dana = PrivateKey::from_seed(&[1; 32]);
    let role = RoleKeys { threshold: 1, keys: [dana.public_key().fingerprint()].into() };
    let publisher: PublisherName = "fortress".parse().unwrap();
    let draft = KeysetDraft {
        version,
        expires: expires.parse().unwrap(),
        previous: previous.map(|document| Digest::of(document.payload())),
        namespaces: [Namespace::all(publisher.clone())].into(),
        keys: vec![KeysetKey { key: dana.public_key(), environments: [Environment::Dev].into() }],
        roles: Roles { keyset: role.clone(), release: role.clone(), revoke: role },
        revoked: [].into(),
        publisher,
    };
    let mut document = keyset::unsigned(draft.to_payload().unwrap());
    document.add_signature(keyset::sign(document.payload(), &dana)).unwrap();
    document
}

#[test]
fn what_has_expired_is_not_begun_with_nor_followed_to_but_passed_through() {
    let desk = Desk::new();
    desk.casemate(&["init"]).done();
    let past = "2020-01-01T00:00:00Z";
    let write = |name: &str, document: &Document| fs::write(desk.path().join(name), document.to_json()).unwrap();
    let fingerprint = |document: &Document| Fingerprint::of(document.payload()).to_string();
    let expired = keyset(1, None, past);
    write("expired.json", &expired);
    let add = ["trust", "add", "expired.json", "--fingerprint", &fingerprint(&expired), "--environment", "dev"];
    desk.casemate(&add).refused(&["keyset version 1 expired at 2020-01-01T00:00:00.000Z"]);

    let first = keyset(1, None, "2099-01-01T00:00:00Z");
    let second = keyset(2, Some(&first), past);
    let third = keyset(3, Some(&second), "2099-01-01T00:00:00Z");
    for (name, document) in [("1.json", &first), ("2.json", &second), ("3.json", &third)] {
        write(name, document);
    }
    desk.casemate(&["trust", "add", "1.json", "--fingerprint", &fingerprint(&first), "--environment", "dev"]).done();
    desk.casemate(&["trust", "rotate", "fortress", "2.json"]).refused(&["keyset-expired"]);
    desk.casemate(&["trust", "rotate", "fortress", "2.json", "3.json"]).done();

    let draft = RevocationDraft {
        publisher: "fortress".parse().unwrap(),
        version: 1,
        issued: "2019-01-01T00:00:00Z".parse().unwrap(),
        expires: past.parse().unwrap(),
        entries: vec![],
    };
    let mut list = revocation::unsigned(draft.to_payload().unwrap());
    list.add_signature(revocation::sign(list.payload(), &PrivateKey::from_seed(&[1; 32]))).unwrap();
    write("list.json", &list);
    desk.casemate(&["trust", "revocations", "fortress", "--from", "list.json"]).refused(&["revocations-expired"]);
    // It was refused whole: no list is watched.
    assert_eq!(desk.casemate(&["trust", "refresh", "fortress"]).code, 3);
}
