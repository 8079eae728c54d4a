//! A real CrowdSec: its local API, with a database, machines and bouncers of its own in a folder, and no way to the Internet.
//!
//! The programs are Debian's, unpacked by `tests/interop/unpacked.sh`. Without them a test that needs them fails.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    program::{Ran, packages},
    records::until,
};

/// Nothing of it reaches the network: no central API, no hub, no metrics.
const CONFIG: &str = "
common: {daemonize: false, log_media: stdout, log_level: info, working_dir: @}
config_paths:
  config_dir: @/
  data_dir: @/
  simulation_path: @/simulation.yaml
  hub_dir: @/
  index_path: @/index.json
  notification_dir: @/
  plugin_dir: @/
cscli: {output: json}
db_config: {log_level: info, type: sqlite, db_path: @/crowdsec.db, use_wal: true}
api:
  client: {credentials_path: @/client.yaml}
  server: {log_level: info, listen_uri: '127.0.0.1:PORT', profiles_path: @/profiles.yaml, console_path: @/console.yaml}
prometheus: {enabled: false}
";
/// A bouncer that asks every second and blocks what comes in.
const BOUNCER: &str = "
mode: nftables
pid_dir: @/
update_frequency: 1s
daemonize: false
log_mode: stdout
log_dir: @/
log_level: info
api_url: 'http://127.0.0.1:PORT/'
api_key: KEY
disable_ipv6: false
deny_action: DROP
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
nftables:
  ipv4: {enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}
  ipv6: {enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain}
prometheus: {enabled: false}
";
/// The machine that colleagues decide by.
const COLLEAGUE: (&str, &str) = ("colleague", "password-of-a-colleague");

/// A running local API, and perhaps a bouncer; they end when it is dropped.
#[derive(Debug)]
pub(crate) struct CrowdSec {
    folder: TempDir,
    port: u16,
    running: Vec<Child>,
}

impl CrowdSec {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago, which nobody but this test has seen.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (name, password) = COLLEAGUE;
        for (file, text) in [
            ("config.yaml", CONFIG),
            ("index.json", "{}"),
            ("simulation.yaml", "simulation: false"),
            ("console.yaml", "share_manual_decisions: false"),
            ("profiles.yaml", "name: none\nfilters: ['false']\ndecisions: []\non_success: break\n"),
            ("client.yaml", &format!("url: http://127.0.0.1:PORT/\nlogin: {name}\npassword: {password}\n")),
        ] {
            let text = text.replace('@', &folder.path().display().to_string()).replace("PORT", &port.to_string());
            fs::write(folder.path().join(file), text).unwrap();
        }
        let mut crowdsec = Self { folder, port, running: Vec::new() };
        crowdsec.machine(name, password);
        let mut command = crowdsec.program("crowdsec");
        command.arg("-c").arg(crowdsec.file("config.yaml")).arg("-no-cs");
        crowdsec.spawn(command, "crowdsec.log");
        until("CrowdSec's local API is there", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        crowdsec
    }

    /// Where it is.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A machine with this password.
    pub(crate) fn machine(&self, name: &str, password: &str) {
        let out = self.file("machine.yaml");
        self.cscli(&["machines", "add", name, "--password", password, "--force", "-f", &out.display().to_string()]);
    }

    /// A bouncer with this key.
    pub(crate) fn bouncer(&self, name: &str, key: &str) {
        self.cscli(&["bouncers", "add", name, "-k", key]);
    }

    /// What a colleague decides about an address or a network.
    pub(crate) fn decide(&self, value: &str, kind: &str, minutes: u32) {
        let scope = if value.contains('/') { "--range" } else { "--ip" };
        self.cscli(&[
            "decisions",
            "add",
            scope,
            value,
            "--duration",
            &format!("{minutes}m"),
            "--type",
            kind,
            "--reason",
            "by hand",
        ]);
    }

    /// Every decision that is in force, whoever made it: origin and value.
    pub(crate) fn decisions(&self) -> Vec<(String, String)> {
        let listed: Value = serde_json::from_str(&self.cscli(&["decisions", "list", "--all"])).unwrap();
        let alerts = listed.as_array().cloned().unwrap_or_default();
        let text = |decision: &Value, name: &str| decision[name].as_str().unwrap().to_owned();
        let decided = alerts.iter().flat_map(|alert| alert["decisions"].as_array().cloned().unwrap_or_default());
        decided.map(|decision| (text(&decision, "origin"), text(&decision, "value"))).collect()
    }

    /// Start a bouncer that changes this machine's firewall: inside a network namespace, that is.
    pub(crate) fn enforce(&mut self) {
        let key = "key-of-the-bouncer-that-enforces";
        self.bouncer("enforces", key);
        let text = BOUNCER.replace('@', &self.folder.path().display().to_string());
        fs::write(self.file("bouncer.yaml"), text.replace("PORT", &self.port.to_string()).replace("KEY", key)).unwrap();
        let mut command = self.program("crowdsec-firewall-bouncer");
        command.arg("-c").arg(self.file("bouncer.yaml"));
        self.spawn(command, "bouncer.log");
    }

    /// What it, or its bouncer, has logged.
    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    fn cscli(&self, arguments: &[&str]) -> String {
        let mut command = self.program("cscli");
        Ran::of(command.arg("-c").arg(self.file("config.yaml")).args(arguments)).done().stdout
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str) -> Command {
        let folder = packages().with_file_name("debian");
        let program = folder.join("usr/bin").join(name);
        let help = "make test, or tests/interop/unpacked.sh target/debian crowdsec crowdsec-firewall-bouncer libsqlite3-0";
        assert!(program.is_file(), "`{}` is not there\nhelp: {help}", program.display());
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", libraries(&folder)).current_dir(self.folder.path());
        command
    }

    fn spawn(&mut self, mut command: Command, log: &str) {
        let log = File::create(self.file(log)).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.running.push(child);
    }
}

/// Debian has a folder for each kind of machine.
fn libraries(folder: &Path) -> String {
    let folders = fs::read_dir(folder.join("usr/lib")).into_iter().flatten().map(|entry| entry.unwrap().path());
    folders.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

impl Drop for CrowdSec {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.file("crowdsec.log")).unwrap_or_default());
        }
    }
}
