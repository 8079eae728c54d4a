//! What the program says: every page of help, every refusal a person meets, and the exit codes that scripts rely on.
//!
//! The cases are `cli/*.trycmd`. Each that writes anything runs in a folder of its own (`NAME.out`), into which it fetches what is prepared
//! here. `TRYCMD=overwrite` writes down what the program says now.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use casemate_signing::key::PrivateKey;
use tempfile::TempDir;

use crate::harness::{Guest, House, program};

/// A publisher's key that everybody knows: TEST 1 of RFC 8032, section 7.1. Its fingerprint is in the cases.
const PRIVATE: &str = include_str!("../cli/publisher.pem");
const PUBLIC: &str = include_str!("../cli/publisher.pem.pub");
/// The same as OpenSSH writes it.
const PUBLIC_LINE: &str = include_str!("../cli/publisher.ssh.pub");

#[test]
fn what_the_program_says() {
    let files = prepare();
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/bin");
    trycmd::TestCases::new()
        .register_bin("casemate", program("casemate"))
        .register_bin("fetch", bin.join("fetch"))
        .register_bin("edit", bin.join("edit"))
        .register_bin("forget", bin.join("forget"))
        .register_bin("copy", bin.join("copy"))
        .env("SSH_AUTH_SOCK", "nowhere/agent")
        .env("CASEMATE_TEST_FILES", files.path().display().to_string())
        .case("cli/*.trycmd")
        .run();
}

/// Keys, packages good and bad, and a house with the guest `panic` installed.
fn prepare() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8], mode: u32| {
        let path = files.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("publisher.pem", PRIVATE.as_bytes(), 0o600);
    write("publisher.pem.pub", PUBLIC.as_bytes(), 0o644);
    write("publisher.ssh.pub", PUBLIC_LINE.as_bytes(), 0o644);
    // People whose fingerprints are in the cases too.
    for (name, seed) in [("dana", 1), ("kim", 2), ("robin", 3), ("mallory", 9)] {
        let key = PrivateKey::from_seed(&[seed; 32]);
        write(&format!("{name}.pem"), key.danger_to_plain_pem().unwrap().as_bytes(), 0o600);
        write(&format!("{name}.pub"), key.public_key().to_pem().unwrap().as_bytes(), 0o644);
    }
    write("readable.pem", PRIVATE.as_bytes(), 0o644);

    let guest = Guest::new("panic");
    let publisher = PrivateKey::from_pem(PRIVATE, None).unwrap();
    let stranger = PrivateKey::generate().unwrap();
    let signed = guest.package(&publisher);
    let component = signed.component.as_slice();
    let mut touched = signed.component.clone();
    *touched.last_mut().unwrap() ^= 1;
    for (name, component, bundle) in [
        ("signed", component, signed.bundle.as_slice()),
        ("stranger", component, &guest.package(&stranger).bundle),
        ("touched", &touched, &signed.bundle),
        ("truncated", component, &signed.bundle[..signed.bundle.len() / 2]),
    ] {
        write(&format!("{name}.wasm"), component, 0o644);
        write(&format!("{name}.wasm.sigstore.json"), bundle, 0o644);
    }
    write("unsigned.wasm", component, 0o644);

    fs::create_dir(files.path().join("plugin")).unwrap();
    write("plugin/plugin.toml", include_bytes!("../guests/plugin.toml"), 0o644);
    write("plugin/guest.wasm", component, 0o644);

    let house = House::new(&guest);
    house.install().done();
    copy(house.folder(), &files.path().join("house"));
    files
}

/// A folder with all that is in it, modes included.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-pR").args([from, to]).status().unwrap().success());
}
