//! `casemate secret`: where secrets come from, and whether they work, without showing one.

use std::time::{Duration, SystemTime};

use casemate_signing::manifest::{PluginId, PluginName, UpstreamName};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    config::{Config, PluginConfig, SecretError, SecretSource},
    exit::{Exit, Failure, Outcome},
    house::{House, Opening, facts},
};

/// Where the secrets of plugins come from, and whether they work. Nothing of a value is shown: no character, no length, no digest.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which secrets there are and where each comes from. None is read.
    List {
        /// Only of this plugin.
        plugin: Option<PluginName>,
    },
    /// Read each secret, and say whether it could be.
    Check {
        /// Only of this plugin.
        plugin: Option<PluginName>,
        /// Also send each upstream the request that its manifest names as harmless, or get its token. On record.
        #[arg(long)]
        send: bool,
    },
}

/// One secret as it stands.
pub(super) struct Row {
    pub(super) plugin: PluginName,
    upstream: Option<UpstreamName>,
    secret: String,
    provider: String,
    age: Option<Duration>,
    /// Why it cannot be had; nothing where it was not read, or could be.
    pub(super) fault: Option<String>,
}

impl Row {
    fn name(&self) -> String {
        match &self.upstream {
            Some(upstream) => format!("{}.{upstream}.{}", self.plugin, self.secret),
            None => format!("{}.{}", self.plugin, self.secret),
        }
    }

    /// What is known of it, for people.
    pub(super) fn said(&self) -> String {
        let age = self.age.map(|age| format!(", {} old", days(age))).unwrap_or_default();
        match &self.fault {
            Some(fault) => fault.clone(),
            None => format!("{}: {}{age}", self.name(), self.provider),
        }
    }

    fn json(&self) -> Value {
        json!({
            "plugin": self.plugin.as_str(),
            "upstream": self.upstream.as_ref().map(UpstreamName::as_str),
            "secret": self.secret,
            "provider": self.provider,
            "age_seconds": self.age.map(|age| age.as_secs()),
            "fault": self.fault,
        })
    }
}

/// Every secret of the configuration; `read` each, or leave them where they are.
pub(super) fn rows(config: &Config, only: Option<&PluginName>, read: bool) -> Vec<Row> {
    let of = |(plugin, section): (&PluginName, &PluginConfig)| {
        let sources = section.secret_sources();
        let row = |(upstream, secret, source): (Option<&UpstreamName>, _, &SecretSource)| {
            let fault = || source.read().err().map(|fault| SecretError::new(plugin, upstream, secret, fault).to_string());
            Row {
                plugin: plugin.clone(),
                upstream: upstream.cloned(),
                secret: secret.to_string(),
                provider: source.shown(),
                age: source.changed().and_then(|at| SystemTime::now().duration_since(at).ok()),
                fault: if read { fault() } else { None },
            }
        };
        sources.map(row).collect::<Vec<_>>()
    };
    config.plugins.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)).flat_map(of).collect()
}

/// What an upstream said to its credential.
struct Tried {
    plugin: PluginId,
    upstream: UpstreamName,
    request: String,
    status: Option<u16>,
    taken: bool,
    fault: Option<String>,
}

impl Tried {
    fn said(&self) -> String {
        let answer = match (self.status, self.taken, &self.fault) {
            (Some(status), true, _) => format!("{status}, the credential works"),
            (Some(status @ (401 | 403)), ..) => format!("{status}, the upstream does not take the credential"),
            (Some(status), false, None) => format!("{status}, which says nothing of the credential"),
            (_, _, Some(fault)) => fault.clone(),
            (None, ..) => "no answer".to_owned(),
        };
        format!("{} {}: {} → {answer}", self.plugin.name, self.upstream, self.request)
    }

    fn json(&self) -> Value {
        json!({
            "plugin": self.plugin.to_string(),
            "upstream": self.upstream.as_str(),
            "request": self.request,
            "status": self.status,
            "works": self.taken,
            "fault": self.fault,
        })
    }
}

/// List or check.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let (Command::List { plugin } | Command::Check { plugin, .. }) = command;
    if let Some(name) = plugin.as_ref().filter(|name| !config.plugins.contains_key(*name)) {
        return Err(Failure::invalid(format!(
            "the configuration has no section [plugins.{name}]\nhelp: `casemate secret list` shows the secrets of every plugin"
        )));
    }
    let (read, send) = match command {
        Command::List { .. } => (false, false),
        Command::Check { send, .. } => (true, *send),
    };
    let rows = rows(&config, plugin.as_ref(), read);
    let tried = if send { try_out(context, plugin.as_ref())? } else { vec![] };
    let text = || {
        let mark = |well: bool| match (read, well) {
            (false, _) => "",
            (true, true) => "ok    ",
            (true, false) => "FAIL  ",
        };
        let secrets = rows.iter().map(|row| format!("{}{}", mark(row.fault.is_none()), row.said().replace('\n', "\n      ")));
        let sent = tried.iter().map(|tried| format!("{}{}", mark(tried.taken), tried.said().replace('\n', "\n      ")));
        let lines: Vec<String> = secrets.chain(sent).collect();
        if lines.is_empty() { "no secrets are configured".to_owned() } else { lines.join("\n") }
    };
    let value = || {
        let secrets: Vec<Value> = rows.iter().map(Row::json).collect();
        let sent: Vec<Value> = tried.iter().map(Tried::json).collect();
        if send { json!({ "secrets": secrets, "sent": sent }) } else { json!({ "secrets": secrets }) }
    };
    print::result(context.format, text, value);
    let well = rows.iter().all(|row| row.fault.is_none()) && tried.iter().all(|tried| tried.taken);
    Ok(if well { Exit::Done } else { Exit::Failed })
}

/// Send what the manifests name as harmless. Each is on record before it is sent, and so is what came of it.
fn try_out(context: &Context, only: Option<&PluginName>) -> Result<Vec<Tried>, Failure> {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    executor.block_on(async {
        let house = House::open(Opening { context, via: "cli" }).await?;
        let serving = house.serving();
        let mut tried = Vec::new();
        for refused in serving.refused().iter().filter(|refused| only.is_none_or(|only| *only == refused.plugin.name)) {
            print::note(format!("`{}` is not served: {}", refused.plugin, refused.reason));
        }
        for (id, plugin) in serving.loaded().filter(|(id, _)| only.is_none_or(|only| *only == id.name)) {
            let with_credential = plugin.manifest().upstream.iter().filter(|(_, upstream)| upstream.credential.is_some());
            for (upstream, _) in with_credential {
                house.note(facts::secret_checked(id, upstream, json!("about to be sent"))).await;
                let Some(probed) = plugin.probe(upstream).await else {
                    print::note(format!(
                        "`{id}` names no harmless request of `{upstream}`: not tried\nhelp: probe = true on one of its contracts"
                    ));
                    continue;
                };
                let one = Tried {
                    plugin: id.clone(),
                    upstream: upstream.clone(),
                    request: probed
                        .exchanges
                        .first()
                        .map(|first| format!("{} {}", first.method.as_str(), first.url))
                        .unwrap_or_default(),
                    status: probed.status(),
                    taken: probed.is_taken(),
                    fault: probed.fault.map(|fault| plugin.redactor().redact(&fault).0.into_owned()),
                };
                house.note(facts::secret_checked(id, upstream, one.json())).await;
                tried.push(one);
            }
        }
        house.close().await?;
        Ok(tried)
    })
}

/// An age in its largest unit.
fn days(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
