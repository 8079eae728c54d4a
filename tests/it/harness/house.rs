//! A whole house around one guest: folder, keys, trust, configuration, upstreams, server, client.
//!
//! As it goes, it looks at everything that was printed or written: no secret is anywhere, standard output held nothing but JSON-RPC,
//! and the audit log verifies and names the reason of every refusal that a test expected.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
};

use casemate_pages::merge;
use casemate_signing::{
    Environment, TrustStore,
    key::PrivateKey,
    manifest::PublisherName,
    trust::{Enrolment, Namespace},
};
use rmcp::service::ServiceError;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use toml::{Table, toml};

use super::{
    guest::{Guest, Package},
    program::{Ran, program},
    reply::Reply,
    secret::Secret,
    server::{Remains, Server},
    upstreams::{Received, Upstreams},
};

/// The publisher of every guest.
const PUBLISHER: &str = "fortress";
/// The publisher of this repository's plugins.
const OURSELVES: &str = "casemate";

/// A house with one guest.
pub(crate) struct House {
    folder: TempDir,
    plugin: String,
    publisher: &'static str,
    key: PrivateKey,
    package: Package,
    config: Table,
    secret: Secret,
    /// Others that it was given.
    others: Vec<Secret>,
    /// What its programs find in their environment besides.
    variables: Vec<(String, String)>,
    upstreams: Upstreams,
    runtime: Runtime,
    server: Option<Server>,
    evidence: Mutex<Evidence>,
}

/// What a house is built of.
struct Plot<'a> {
    plugin: &'a str,
    publisher: &'static str,
    package: Package,
    secret: Secret,
    key: PrivateKey,
    upstreams: Upstreams,
    config: Table,
}

/// What has to be true in the end.
#[derive(Default)]
struct Evidence {
    /// Audit ids, each with the gate's reason that the log must give for it.
    refusals: Vec<(String, String)>,
    /// What commands printed.
    printed: Vec<String>,
    /// What servers left.
    remains: Vec<Remains>,
}

impl House {
    /// A house with the guest's package beside it, not yet installed.
    pub(crate) fn new(guest: &Guest) -> Self {
        let (key, upstreams) = (PrivateKey::generate().unwrap(), Upstreams::start());
        let config = config(&guest.name, upstreams.origin("echo"));
        Self::build(Plot {
            plugin: &guest.name,
            publisher: PUBLISHER,
            package: guest.package(&key),
            secret: Secret::new(),
            key,
            upstreams,
            config,
        })
    }

    /// A house with a plugin of this repository, packed as its author packs it, and with its operator's configuration. Caldera takes
    /// the house's secret as its key.
    pub(crate) fn of_plugin(plugin: &str, config: impl FnOnce(&Upstreams) -> Table) -> Self {
        let (key, secret) = (PrivateKey::generate().unwrap(), Secret::new());
        let upstreams = Upstreams::with(&["--caldera-key", secret.value()]);
        let config = config(&upstreams);
        Self::build(Plot {
            plugin,
            publisher: OURSELVES,
            package: Package::of_plugin(plugin, &key),
            secret,
            key,
            upstreams,
            config,
        })
    }

    fn build(plot: Plot<'_>) -> Self {
        let Plot { plugin, publisher, package, secret, key, upstreams, config } = plot;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("trust.toml"), trust(publisher, &key)).unwrap();
        let secrets = folder.path().join("secrets");
        fs::create_dir(&secrets).unwrap();
        fs::write(secrets.join("api_key"), secret.value()).unwrap();
        fs::set_permissions(secrets.join("api_key"), fs::Permissions::from_mode(0o600)).unwrap();
        let house = Self {
            config,
            package,
            plugin: plugin.to_owned(),
            publisher,
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
            server: None,
            evidence: Mutex::default(),
            folder,
            key,
            secret,
            others: Vec::new(),
            variables: Vec::new(),
            upstreams,
        };
        house.write_package(&house.package);
        house.write_config();
        house
    }

    /// A house that serves the guest.
    pub(crate) fn serving(guest: &Guest) -> Self {
        Self::new(guest).serve()
    }

    /// Set a value of the configuration, before it is served; `@` stands for the plugin's name.
    pub(crate) fn set(mut self, path: &str, value: impl Into<toml::Value>) -> Self {
        let path = path.replace('@', &self.plugin);
        let (table, key) = path.rsplit_once('.').unwrap();
        let mut at = &mut self.config;
        for name in table.split('.') {
            at = at.entry(name).or_insert_with(|| Table::new().into()).as_table_mut().unwrap();
        }
        at.insert(key.to_owned(), value.into());
        self.write_config();
        self
    }

    /// Set all that a piece of configuration says, and leave the rest; `@` stands for the plugin's name.
    pub(crate) fn with(mut self, text: &str) -> Self {
        merge(&mut self.config, text.replace('@', &self.plugin).parse().unwrap());
        self.write_config();
        self
    }

    /// Take a value out of the configuration; `@` stands for the plugin's name.
    pub(crate) fn without(mut self, path: &str) -> Self {
        let path = path.replace('@', &self.plugin);
        let mut names: Vec<&str> = path.split('.').collect();
        let last = names.pop().unwrap();
        let table = names.into_iter().fold(&mut self.config, |at, name| at[name].as_table_mut().unwrap());
        assert!(table.remove(last).is_some(), "{path}");
        self.write_config();
        self
    }

    /// Set a variable for every program of the house.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Put a file among the operator's own policies.
    pub(crate) fn policy(self, name: &str, text: &str) -> Self {
        let folder = self.folder().join("policies");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
        self
    }

    /// The configuration as it was.
    pub(crate) fn restored(mut self, text: &str) -> Self {
        self.config = text.parse().unwrap();
        self.write_config();
        self
    }

    /// A new bearer token of that name.
    pub(crate) fn token(&self, name: &str) -> String {
        let made = self.casemate(&["token", "new", name]).done().stdout;
        made.split_whitespace().find(|word| word.starts_with("casemate_")).unwrap().to_owned()
    }

    /// Install the package, start the server and the client.
    pub(crate) fn serve(self) -> Self {
        self.install().done();
        self.open()
    }

    /// Start the server and the client with what is installed.
    pub(crate) fn open(mut self) -> Self {
        let mut command = self.command();
        command.arg("serve");
        self.server = Some(self.runtime.block_on(Server::start(command)));
        self
    }

    /// `casemate install` with consent to exactly what the package asks for.
    pub(crate) fn install(&self) -> Ran {
        let approve = self.package.approval.to_string();
        self.casemate(&["install", &self.package_file().display().to_string(), "--yes", "--approve", &approve])
    }

    /// Run a command of `casemate` in this house.
    pub(crate) fn casemate(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::of(self.command().args(arguments));
        self.evidence.lock().unwrap().printed.push(format!("{}{}", ran.stdout, ran.stderr));
        ran
    }

    /// `casemate` with this house's folder, to be given a command.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program("casemate"));
        // What a guest could find in an environment, and never does.
        command.arg("--dir").arg(self.folder()).env("CASEMATE_TEST_CANARY", "a guest that prints this has seen the environment");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The component's file; its signature is beside it.
    pub(crate) fn package_file(&self) -> PathBuf {
        self.folder().join(format!("{}-0.1.0.wasm", self.plugin))
    }

    pub(crate) fn package(&self) -> &Package {
        &self.package
    }

    /// Put other bytes where the package is.
    pub(crate) fn write_package(&self, package: &Package) {
        let file = self.package_file();
        fs::write(&file, &package.component).unwrap();
        fs::write(file.with_extension("wasm.sigstore.json"), &package.bundle).unwrap();
    }

    /// Sign another guest with this house's key.
    pub(crate) fn sign(&self, guest: &Guest) -> Package {
        guest.package(&self.key)
    }

    /// The publisher's key in a file, as its owner has it.
    pub(crate) fn key_file(&self) -> PathBuf {
        let file = self.folder().join("publisher.key");
        if !file.exists() {
            fs::write(&file, self.key.danger_to_plain_pem().unwrap().as_bytes()).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        file
    }

    /// What people compare of this house's publisher key.
    pub(crate) fn fingerprint(&self) -> String {
        self.key.public_key().fingerprint().to_string()
    }

    pub(crate) fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Give it another value of the secret, as an editor would; it is not to be found anywhere, either.
    pub(crate) fn give(&mut self, value: &str) {
        let (scratch, file) = (self.folder().join("secrets/.scratch"), self.folder().join("secrets/api_key"));
        fs::write(&scratch, value).unwrap();
        fs::set_permissions(&scratch, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(scratch, file).unwrap();
        self.others.push(Secret::of(value));
    }

    /// Another secret that the host was given from elsewhere; it is not to be found anywhere, either.
    pub(crate) fn keeps(&mut self, value: &str) {
        self.others.push(Secret::of(value));
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// The guest's name, or the plugin's.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// The name under which a tool of the guest is served.
    pub(crate) fn served(&self, tool: &str) -> String {
        format!("{}_{tool}", self.plugin)
    }

    /// Take the trust in the publisher's key back.
    pub(crate) fn revoke(&self) {
        self.casemate(&["trust", "revoke", &self.key.public_key().fingerprint().to_string()]).done();
    }

    /// The key that signed the guest is trusted as it was in the beginning.
    pub(crate) fn trust_again(&self) {
        self.write_whole("trust.toml", &trust(self.publisher, &self.key));
    }

    /// The same configuration in another environment.
    pub(crate) fn set_environment(mut self, environment: &str) -> Self {
        self.config["environment"] = environment.into();
        self.write_config();
        self
    }

    /// Trust the key that signed the guest in this environment, and in no other.
    pub(crate) fn trust_in(&self, environment: &str) {
        self.write_whole("trust.toml", &trust(self.publisher, &self.key).replace("\"dev\"", &format!("\"{environment}\"")));
    }

    /// Put a file of the house in place of the one that is there, as an editor would.
    pub(crate) fn write_whole(&self, name: &str, text: &str) {
        let scratch = self.folder().join("scratch");
        fs::write(&scratch, text).unwrap();
        fs::rename(scratch, self.folder().join(name)).unwrap();
    }

    /// Tell the running server to take up its configuration.
    pub(crate) fn hang_up(&self) {
        let server = rustix::process::Pid::from_raw(self.server().id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(server, rustix::process::Signal::HUP).unwrap();
    }

    /// Call a tool of the guest.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: Value) -> Reply {
        self.try_call(&self.served(tool), arguments).unwrap()
    }

    /// Call anything by the name it is served under, or is not.
    pub(crate) fn try_call(&self, served: &str, arguments: Value) -> Result<Reply, ServiceError> {
        self.runtime.block_on(self.server().call(served, arguments))
    }

    /// Call a tool of the guest many times at once, without arguments.
    pub(crate) fn at_once(&self, tool: &str, count: usize) -> Vec<Reply> {
        self.runtime.block_on(self.server().at_once(&self.served(tool), json!({}), count))
    }

    /// Call the tool `run`.
    #[track_caller]
    pub(crate) fn run(&self, case: &str) -> Reply {
        self.call("run", json!({ "case": case }))
    }

    /// The next call is served, by a fresh instance of the same guest.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        self.call("ping", json!({})).done(&["pong"]);
    }

    /// What reached the echo upstream.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.upstreams.received()
    }

    /// The call ends at the gate, for this reason, and nothing of it reaches an upstream. The model is not told the reason; the
    /// audit log is. `wasi` is the reason of what the host's wasi:http does not take from a guest to begin with.
    #[track_caller]
    pub(crate) fn refused(&self, tool: &str, arguments: Value, reason: &str) {
        let (before, connections) = (self.received().len(), self.upstreams.connections());
        let reply = self.call(tool, arguments.clone());
        if reason == "wasi" {
            reply.ended("error", "internal", &["refused"]);
        } else {
            let reply = reply.silent(&[reason]).ended("denied", "egress-refused", &[]);
            self.expect_refusal(&reply, reason);
        }
        assert_eq!(
            (self.received().len(), self.upstreams.connections()),
            (before, connections),
            "{arguments} reached the upstream"
        );
    }

    /// Nothing that changes anything has reached the upstream.
    #[track_caller]
    pub(crate) fn changed_nothing(&self) {
        let received = self.received();
        assert!(received.iter().all(|request| request.method() == "GET"), "{received:?}");
    }

    /// As the house goes, the audit log has to give the gate's reason for this reply.
    pub(crate) fn expect_refusal(&self, reply: &Reply, reason: &str) {
        self.evidence.lock().unwrap().refusals.push((reply.audit_id().to_owned(), reason.to_owned()));
    }

    fn write_config(&self) {
        fs::write(self.folder().join("casemate.toml"), self.config.to_string()).unwrap();
    }

    /// End the session and keep what the server left; then the audit log holds everything.
    pub(crate) fn close(&mut self) {
        if let Some(server) = self.server.take() {
            let remains = self.runtime.block_on(server.stop());
            self.evidence.lock().unwrap().remains.push(remains);
        }
    }

    /// Every record of the audit log, oldest first.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let shown = self.casemate(&["audit", "show", "--format", "json"]).done();
        match serde_json::from_str(&shown.stdout) {
            Ok(Value::Array(records)) => records,
            _ => shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        }
    }

    fn look_at_everything(&mut self) {
        self.close();
        let served = !self.evidence.lock().unwrap().remains.is_empty();
        if served {
            self.casemate(&["audit", "verify"]).done();
            let records: Vec<String> = self.audit().iter().map(Value::to_string).collect();
            for (id, reason) in &self.evidence.lock().unwrap().refusals {
                let named =
                    records.iter().any(|record| record.contains(id.as_str()) && record.contains(&format!("\"{reason}: ")));
                let of_it = records.iter().filter(|record| record.contains(id.as_str())).collect::<Vec<_>>();
                assert!(named, "the audit log does not say `{reason}` of {id}: {of_it:#?}");
            }
        }
        let evidence = self.evidence.lock().unwrap();
        for remains in &evidence.remains {
            assert!(remains.status.success(), "{:?}\n{}", remains.status, String::from_utf8_lossy(&remains.stderr));
            only_json_rpc(&remains.stdout);
        }
        for secret in self.others.iter().chain([&self.secret]) {
            for remains in &evidence.remains {
                secret.assert_not_in("standard output", &remains.stdout);
                secret.assert_not_in("standard error", &remains.stderr);
            }
            for printed in &evidence.printed {
                secret.assert_not_in("what a command printed", printed.as_bytes());
            }
            secret.assert_not_below(self.folder(), &self.folder().join("secrets/api_key"));
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.look_at_everything();
        } else if let Some(server) = self.server.take() {
            // Something failed: the server's own words may say why.
            let remains = self.runtime.block_on(server.stop());
            eprintln!("{:?}\n{}", remains.status, String::from_utf8_lossy(&remains.stderr));
        }
    }
}

/// Every line is one JSON-RPC message, and there is nothing but lines.
#[track_caller]
pub(crate) fn only_json_rpc(stdout: &[u8]) {
    let text = std::str::from_utf8(stdout).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end: {text}");
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
    }
}

/// The text of a trust store that has this one key, for this one publisher, in this one environment.
fn trust(publisher: &str, key: &PrivateKey) -> String {
    let publisher: PublisherName = publisher.parse().unwrap();
    let key = key.public_key();
    let mut store = TrustStore::new();
    store
        .enrol(Enrolment {
            namespaces: BTreeSet::from([Namespace::all(publisher.clone())]),
            fingerprint: key.fingerprint(),
            environments: BTreeSet::from([Environment::Dev]),
            publisher,
            key,
        })
        .unwrap();
    store.to_text()
}

/// The configuration every house starts from: the guest's reads on group `lab`, and nothing else.
fn config(plugin: &str, origin: &str) -> Table {
    let mut config = toml! {
        environment = "dev"

        [grants.tester]
        principals = ["local"]
        max_effect = "read"
        scope.group = ["lab"]
    };
    let mut settings = toml! {
        settings.colour = "blue"
        secret.api_key.file = "secrets/api_key"
        upstream.echo.allow_private = ["127.0.0.1/32"]
    };
    settings["upstream"]["echo"].as_table_mut().unwrap().insert("origin".to_owned(), origin.into());
    config["grants"]["tester"].as_table_mut().unwrap().insert("tools".to_owned(), vec![format!("{plugin}_*")].into());
    config.insert("plugins".to_owned(), Table::from_iter([(plugin.to_owned(), settings.into())]).into());
    config
}
