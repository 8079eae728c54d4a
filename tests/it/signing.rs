//! Signing as people do it: with keys that a real ssh agent keeps, one person after the other.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
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
        let package = Guest::new("panic").package(&casemate_signing::key::PrivateKey::generate().unwrap());
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
            .expect("ssh-agent does not start\nhelp: install OpenSSH's client (openssh-client)");
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
