//! A desktop's session, as far as its keyring goes: a D-Bus daemon, and GNOME Keyring on it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

use super::{program::Ran, records::until};

/// Everything is allowed, and nothing is started by being asked for: no keyring, and nobody who prompts.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir=@</listen>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>"#;

/// The session.
#[derive(Debug)]
pub(crate) struct Desktop {
    folder: TempDir,
    bus: Child,
    address: String,
    keyring: Option<Child>,
}

impl Desktop {
    /// A session in which nobody keeps secrets.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        fs::write(&config, BUS.replace('@', &folder.path().display().to_string())).unwrap();
        let mut bus = Command::new("dbus-daemon");
        bus.arg(format!("--config-file={}", config.display())).args(["--nofork", "--nopidfile", "--print-address=1"]);
        let mut bus = bus
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| missing("dbus-daemon", "dbus-daemon", &error));
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { folder, bus, address: address.trim().to_owned(), keyring: None }
    }

    /// One with a keyring, which is open.
    pub(crate) fn start() -> Self {
        let mut desktop = Self::bare();
        let mut command = desktop.command("gnome-keyring-daemon");
        command.args(["--foreground", "--unlock", "--components=secrets"]);
        let mut keyring = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| missing("gnome-keyring-daemon", "gnome-keyring", &error));
        keyring.stdin.take().unwrap().write_all(b"password-of-the-keyring").unwrap();
        desktop.keyring = Some(keyring);
        until("the keyring answers", || {
            sleep(Duration::from_millis(50));
            desktop.send("/org/freedesktop/secrets", "org.freedesktop.DBus.Peer.Ping", &[]).code == 0
        });
        desktop
    }

    /// How a program finds it.
    pub(crate) fn environment(&self) -> (&'static str, &str) {
        ("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }

    /// Keep a value under these attributes: names and values, one after the other.
    pub(crate) fn store(&self, attributes: &[&str], value: &str) {
        let mut command = self.command("secret-tool");
        command.args(["store", "--label=casemate"]).args(attributes);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// As when its owner goes away.
    pub(crate) fn lock(&self) {
        let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
        let locked = self.send("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock", &[collection]);
        locked.done();
    }

    fn send(&self, object: &str, method: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command("dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", object, method]).args(arguments);
        Ran::of(&mut command)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.folder.path();
        let (name, address) = self.environment();
        command.env(name, address).env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_RUNTIME_DIR", folder);
        command
    }
}

fn missing(program: &str, package: &str, error: &std::io::Error) -> ! {
    panic!("`{program}` cannot be started: {error}\nhelp: make test, or tests/interop/debian.sh {program}:{package}")
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.keyring.iter_mut().chain([&mut self.bus]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
