//! Packages that other tools verify, and packages that other tools signed: PyPI `securesystemslib` and `openssl`.
//!
//! `tests/interop/verify_bundle.py` does the other side. Without Python, `securesystemslib` or `openssl` the tests say
//! so and pass; with `CASEMATE_INTEROP=1` they fail. `CASEMATE_PYTHON` names another Python.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use casemate_signing::{
    Digest, Environment, Timestamp, TrustStore, Untrusted,
    bundle::Bundle,
    key::{PrivateKey, PublicKey},
    manifest::Manifest,
    statement,
    trust::{Enrolment, Namespace},
};
use tempfile::TempDir;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn python() -> Command {
    Command::new(std::env::var_os("CASEMATE_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/verify_bundle.py")
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Whether the other tools are here; their absence fails where they are demanded.
fn tools(needs_python: bool) -> bool {
    let openssl = succeeds(Command::new("openssl").arg("version"));
    let libraries = !needs_python || succeeds(python().args(["-c", "import securesystemslib.dsse, cryptography"]));
    let demanded = std::env::var_os("CASEMATE_INTEROP").is_some_and(|value| value == "1");
    assert!(!demanded || (openssl && libraries), "CASEMATE_INTEROP=1, but openssl or securesystemslib is missing");
    if !(openssl && libraries) {
        println!("skipped: openssl or securesystemslib is missing (CASEMATE_INTEROP=1 demands them)");
    }
    openssl && libraries
}

fn manifest() -> Manifest {
    let mut manifest: Manifest = serde_json::from_str(include_str!("data/manifest.json")).unwrap();
    manifest.component.sha256 = Digest::of(COMPONENT).to_hex();
    manifest.component.size = COMPONENT.len() as u64;
    manifest
}

/// A folder with a key pair, a component and its statement.
struct Folder {
    folder: TempDir,
    key: PrivateKey,
}

impl Folder {
    fn new() -> Self {
        let this = Self { folder: TempDir::new().unwrap(), key: PrivateKey::generate().unwrap() };
        this.write("private.pem", this.key.danger_to_plain_pem().unwrap().as_bytes());
        this.write("public.pem", this.key.public_key().to_pem().unwrap().as_bytes());
        this.write("component.wasm", COMPONENT);
        this.write("statement.json", &statement::to_bytes(&manifest()));
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn script(&self, arguments: &[&str]) -> Output {
        python().arg(script()).args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn trust(&self) -> TrustStore {
        let publisher: casemate_signing::manifest::PublisherName = "acme".parse().unwrap();
        let key = self.key.public_key();
        let mut trust = TrustStore::new();
        trust
            .enrol(Enrolment {
                namespaces: BTreeSet::from([Namespace::all(publisher.clone())]),
                publisher,
                fingerprint: key.fingerprint(),
                key,
                environments: BTreeSet::from([Environment::Prod]),
            })
            .unwrap();
        trust
    }
}

#[test]
fn others_verify_our_bundles() {
    if !tools(true) {
        return;
    }
    let folder = Folder::new();
    let bundle = Bundle::sign(folder.read("statement.json"), &folder.key).to_json();
    folder.write("bundle.json", bundle.as_bytes());
    let verify = ["verify", "public.pem", "component.wasm", "bundle.json"];
    let output = folder.script(&verify);
    assert!(output.status.success(), "{output:?}");
    // And they refuse what was changed, so their yes means something.
    folder.write("component.wasm", b"other");
    assert_eq!(folder.script(&verify).status.code(), Some(1));
    folder.write("component.wasm", COMPONENT);
    let stranger = PrivateKey::generate().unwrap();
    let forged = Bundle::sign(folder.read("statement.json"), &stranger).to_json();
    let hint = |key: &PrivateKey| key.public_key().fingerprint().to_string();
    folder.write("bundle.json", forged.replace(&hint(&stranger), &hint(&folder.key)).as_bytes());
    assert_eq!(folder.script(&verify).status.code(), Some(1));
}

#[test]
fn we_verify_the_bundles_of_others() {
    if !tools(true) {
        return;
    }
    let folder = Folder::new();
    for signer in ["securesystemslib", "openssl"] {
        let output = folder.script(&["make", "private.pem", "statement.json", "bundle.json", signer]);
        assert!(output.status.success(), "{signer}: {output:?}");
        let package = Untrusted::new(COMPONENT.to_vec(), folder.read("bundle.json"));
        let verified = package.verify(&folder.trust(), Environment::Prod, Timestamp::from_millis(0)).unwrap();
        assert_eq!(*verified.manifest(), manifest(), "{signer}");
    }
}

#[test]
fn openssl_reads_our_keys() {
    if !tools(false) {
        return;
    }
    let folder = Folder::new();
    folder.write("encrypted.pem", folder.key.to_encrypted_pem("correct horse").unwrap().as_bytes());
    for (arguments, made) in [
        (&["pkey", "-in", "private.pem", "-pubout", "-out", "plain.pub"][..], "plain.pub"),
        (&["pkey", "-in", "encrypted.pem", "-passin", "pass:correct horse", "-pubout", "-out", "encrypted.pub"], "encrypted.pub"),
        (&["pkey", "-pubin", "-in", "public.pem", "-pubout", "-out", "public.pub"], "public.pub"),
    ] {
        folder.openssl(arguments);
        assert_eq!(folder.read(made), folder.read("public.pem"), "{made}");
    }
}

#[test]
fn we_read_the_keys_of_openssl() {
    if !tools(false) {
        return;
    }
    let folder = Folder::new();
    folder.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "made.pem"]);
    folder.openssl(&["pkey", "-in", "made.pem", "-pubout", "-out", "made.pub"]);
    let pbkdf2 =
        ["pkcs8", "-topk8", "-in", "made.pem", "-out", "made.pbkdf2", "-passout", "pass:correct horse", "-v2", "aes-256-cbc"];
    folder.openssl(&pbkdf2);
    folder.openssl(&["pkcs8", "-topk8", "-in", "made.pem", "-out", "made.scrypt", "-passout", "pass:correct horse", "-scrypt"]);
    let text = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    let public = PublicKey::from_pem(&text("made.pub")).unwrap();
    assert_eq!(PrivateKey::from_pem(&text("made.pem"), None).unwrap().public_key(), public);
    for name in ["made.pbkdf2", "made.scrypt"] {
        let read = PrivateKey::from_pem(&text(name), Some("correct horse"));
        assert_eq!(read.unwrap().public_key(), public, "{name}");
    }
}
