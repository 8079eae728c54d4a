//! A rehearsal: a house in a folder of its own, made to try one plugin out and gone afterwards.
//!
//! It is a house like any other, opened from files, and a call takes the one way through it. What is made up is what an operator
//! would bring: a key that signs the plugin and is trusted nowhere else, secrets that open nothing, and a grant of what a case says.
//! What a case's calls send is answered from the case, and each case's caller is one that the house has never seen.

use std::{collections::BTreeSet, fs, io, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use casemate_audit::{Entry, Filter, read};
use casemate_policy::{Call, egress::Scheme};
use casemate_sandbox::{CallSettings, Replay, Transport};
use casemate_signing::{
    Environment, TrustStore,
    approval::Approval,
    bundle::Bundle,
    key::PrivateKey,
    manifest::{Manifest, Origin},
    statement,
    trust::{Enrolment, Namespace},
};
use serde_json::Value;
use tempfile::TempDir;
use toml::Table;

use crate::{
    case::Case,
    command::Context,
    exit::Failure,
    folders::{Folders, Xdg},
    house::{House, Opening, chains, store},
    identity,
    installing::{Installing, Names, Reason, acquire, consent::Consent},
    mcp::Reply,
};

/// The ledger, and what SQLite keeps beside it.
const LEDGER: [&str; 3] = ["ledger.db", "ledger.db-wal", "ledger.db-shm"];
/// Where a key made for the occasion counts.
const ENVIRONMENT: Environment = Environment::Dev;

/// A house with one plugin installed.
pub(crate) struct Rehearsal {
    folder: TempDir,
    context: Context,
    manifest: Manifest,
}

/// What came of a case.
pub(crate) struct Performance {
    /// What a client would have been told.
    pub(crate) reply: Reply,
    /// The record of how the call ended; none where it was refused before it began.
    pub(crate) outcome: Option<Entry>,
    /// What was asked of the recording.
    pub(crate) replay: Arc<Replay>,
}

impl Rehearsal {
    /// Sign a plugin with a key that is forgotten at once, trust the key, install the plugin.
    ///
    /// # Errors
    /// When the folder cannot be written, or the plugin would not install anywhere.
    pub(crate) fn new(manifest: &Manifest, component: &[u8], context: &Context) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("casemate-test-").tempdir()?;
        let folders = Folders::choose(Some(folder.path()), None, &Xdg::default()).map_err(Failure::failed)?;
        let context = Context { folders, registry_credentials: None, ..context.clone() };
        let manifest = manifest.clone();
        let key = PrivateKey::generate()?;
        store::replace(&context.folders.trust(), trust(&manifest, &key)?.to_text().as_bytes())?;
        store::replace(&context.folders.config, format!("environment = \"{ENVIRONMENT}\"\n").as_bytes())?;
        let file = folder.path().join("plugin.wasm");
        store::replace(&file, component)?;
        let bundle = Bundle::sign(statement::to_bytes(&manifest), &key).to_json();
        store::replace(&store::bundle_of(&file), bundle.as_bytes())?;
        let mut installing = Installing::begin(&context)?;
        let candidate = installing.verify(acquire::from_file(&file)?)?;
        // Whoever tries a plugin out has agreed to it, for as long as this folder is there.
        let agreed = Consent::to(Approval::of(&manifest).digest()).ask(&candidate.package, "Try", String::new)?;
        installing.put(candidate, agreed, &Reason::Install(Names::default()))?;
        drop(installing);
        let secrets = folder.path().join("secrets");
        fs::create_dir(&secrets)?;
        for name in manifest.secrets.keys() {
            private_file(&secrets.join(name.as_str()), made_up()?.as_bytes())?;
        }
        Ok(Self { folder, context, manifest })
    }

    /// Play a case.
    ///
    /// # Errors
    /// When the plugin is not served with what the case says, or the house cannot be opened.
    pub(crate) async fn play(&self, case: &Case) -> Result<Performance, Failure> {
        store::replace(&self.context.folders.config, self.config(case)?.to_string().as_bytes())?;
        self.forget()?;
        let house = House::open(Opening { context: &self.context, via: "test" }).await?;
        if let Some(reason) = house.serving().refused().first().map(|refused| refused.reason.clone()) {
            house.close().await?;
            return Err(Failure::invalid(reason));
        }
        let replay = Arc::new(Replay::new(case.exchanges.clone()));
        let settings = CallSettings { transport: Transport::Played(Arc::clone(&replay)), ..CallSettings::default() };
        let served = self.manifest.served_name(&case.file.tool);
        let call = Call::new(served, Value::Object(case.file.arguments.clone()));
        let reply = house.pass(&identity::local(), call, settings).await;
        house.close().await?;
        let outcome = self.outcome(&reply)?;
        Ok(Performance { reply, outcome, replay })
    }

    /// Forget what the cases before have read, spent and been refused: how a case ends does not hang on the others.
    fn forget(&self) -> Result<(), Failure> {
        let state = self.context.folders.state(ENVIRONMENT);
        for name in LEDGER {
            match fs::remove_file(state.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// What the audit log has of how a call ended.
    fn outcome(&self, reply: &Reply) -> Result<Option<Entry>, Failure> {
        let Some(id) = reply.audit_id().and_then(|id| id.parse().ok()) else { return Ok(None) };
        let filter = Filter { event: Some(id), event_type: Some("outcome".to_owned()), ..Filter::default() };
        for (_, chain) in chains(&self.context.folders.state(ENVIRONMENT))?.0 {
            if let Some(entry) = read(&chain, filter.clone())?.next() {
                return Ok(Some(entry?));
            }
        }
        Ok(None)
    }

    /// The configuration that a case asks for: its settings, its targets, its tool switched on, and nothing else.
    fn config(&self, case: &Case) -> Result<Table, Failure> {
        let (file, plugin) = (&case.file, self.manifest.plugin.name.as_str());
        let mut tool = Table::new();
        tool.insert("enabled".to_owned(), true.into());
        tool.insert("dry_run".to_owned(), (!file.execute).into());
        tool.insert("approval".to_owned(), "none".into());
        let mut sections = Table::new();
        sections.insert("tools".to_owned(), table([(file.tool.as_str(), tool)]));
        sections.insert("upstream".to_owned(), self.upstreams(case).into());
        let secret = |name: &str| (name.to_owned(), table_of("file", format!("secrets/{name}")));
        sections.insert(
            "secret".to_owned(),
            self.manifest.secrets.keys().map(|name| secret(name.as_str())).collect::<Table>().into(),
        );
        sections.insert("source".to_owned(), self.sources(case)?.into());
        if !file.settings.is_empty() {
            let settings = toml::Value::try_from(&file.settings)
                .map_err(|error| Failure::invalid(format!("the settings cannot stand in a configuration: {error}")))?;
            sections.insert("settings".to_owned(), settings);
        }
        let mut grant = Table::new();
        grant.insert("principals".to_owned(), vec!["local"].into());
        grant.insert("tools".to_owned(), vec![self.manifest.served_name(&file.tool)].into());
        grant.insert("max_effect".to_owned(), "destructive".into());
        let scope = file.scope.iter().map(|(dimension, values)| (dimension.to_string(), values.clone().into()));
        grant.insert("scope".to_owned(), scope.collect::<Table>().into());
        let mut config = Table::new();
        config.insert("environment".to_owned(), ENVIRONMENT.as_str().into());
        config.insert("plugins".to_owned(), table([(plugin, sections)]));
        config.insert("grants".to_owned(), table([("case", grant)]));
        Ok(config)
    }

    /// Upstreams are where the manifest has them; those it leaves to the operator get a name that nobody can own (RFC 2606).
    fn upstreams(&self, case: &Case) -> Table {
        let bound = self.manifest.upstream.iter().filter_map(|(name, upstream)| {
            let mut binding = Table::new();
            match (case.file.origins.get(name), &upstream.origin, &upstream.default_origin) {
                (Some(origin), ..) => {
                    binding.insert("origin".to_owned(), origin.clone().into());
                    // Which addresses may be connected to does not matter where nothing is.
                    binding.insert("allow_private".to_owned(), vec!["0.0.0.0/0", "::/0"].into());
                }
                (None, Origin::Operator, None) => {
                    let scheme = Scheme::encrypted(upstream.protocol).as_str();
                    binding.insert("origin".to_owned(), format!("{scheme}://{name}.invalid").into());
                }
                (None, ..) => return None,
            }
            Some((name.to_string(), binding.into()))
        });
        bound.collect()
    }

    fn sources(&self, case: &Case) -> Result<Table, Failure> {
        let folder = self.folder.path().join("sources");
        let mut sources = Table::new();
        for (name, body) in &case.file.sources {
            let bytes = body.bytes(&format!("sources/{name}")).map_err(Failure::invalid)?;
            store::replace(&folder.join(name.as_str()), &bytes)?;
            sources.insert(name.to_string(), table_of("file", format!("sources/{name}")));
        }
        Ok(sources)
    }
}

fn trust(manifest: &Manifest, key: &PrivateKey) -> Result<TrustStore, Failure> {
    let (publisher, key) = (manifest.plugin.publisher.clone(), key.public_key());
    let mut trust = TrustStore::new();
    trust.enrol(Enrolment {
        namespaces: BTreeSet::from([Namespace::all(publisher.clone())]),
        fingerprint: key.fingerprint(),
        environments: BTreeSet::from([ENVIRONMENT]),
        publisher,
        key,
    })?;
    Ok(trust)
}

/// A secret that opens nothing, and stands in no text by chance.
fn made_up() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::failed(format!("the system has no random bytes: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn private_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(std::io::Write::write_all(&mut file, bytes)?)
}

fn table<const N: usize>(entries: [(&str, Table); N]) -> toml::Value {
    entries.into_iter().map(|(name, table)| (name.to_owned(), toml::Value::Table(table))).collect::<Table>().into()
}

fn table_of(key: &str, value: String) -> toml::Value {
    Table::from_iter([(key.to_owned(), value.into())]).into()
}
