//! `casemate approver`: the people who may agree to calls.

use std::path::PathBuf;

use casemate_policy::approval::{Approver, ApproverName};
use casemate_signing::key::PublicKey;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Context,
    key::{self, Passphrase},
    print,
};
use crate::{
    config::Config,
    exit::{Exit, Outcome},
};

/// The people who may agree to calls, each with a key of their own.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an approver's key pair, and print the lines that enrol it.
    ///
    /// The private key belongs where no agent can read it: on another machine, under another user, or at least behind its passphrase.
    New {
        /// Whose.
        name: ApproverName,
        /// Where the private key goes; default: NAME.key.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Where the passphrase comes from.
        #[command(flatten)]
        passphrase: Passphrase,
        /// Leave the private key unencrypted. For development alone.
        #[arg(long, conflicts_with = "passphrase_file")]
        no_passphrase: bool,
    },
    /// Print the lines that enrol an approver whose public key is there already, such as one that an ssh agent keeps.
    Enrol {
        /// Whose.
        name: ApproverName,
        /// The public key, in PEM or as OpenSSH writes it.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Show who is enrolled.
    List,
}

/// Make a key, or show what is configured.
pub fn run(command: &Command, context: &Context) -> Outcome {
    match command {
        Command::New { name, key, passphrase, no_passphrase } => {
            let file = key.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.key")));
            let public = key::make(&file, (!no_passphrase).then_some(passphrase))?;
            print::note(format!("wrote {0} and {0}.pub", file.display()));
            enrol(name, &public, context);
        }
        Command::Enrol { name, key } => enrol(name, &key::public_key(key)?, context),
        Command::List => {
            let config = Config::read(&context.folders.config)?;
            let rows: Vec<Vec<String>> = config
                .guards
                .approvers
                .iter()
                .map(|approver| {
                    let principals: Vec<&str> = approver.principals.iter().map(|principal| principal.as_str()).collect();
                    let roles: Vec<&str> = approver.roles.iter().map(|role| role.as_str()).collect();
                    vec![
                        approver.name.to_string(),
                        approver.key.fingerprint().to_string(),
                        roles.join(", "),
                        principals.join(", "),
                    ]
                })
                .collect();
            let value = || config.guards.approvers.iter().map(value).collect();
            let text = || {
                if rows.is_empty() {
                    return "Nobody may agree to calls: `casemate approver new NAME` makes a key for someone.".to_owned();
                }
                let head = ["NAME", "KEY", "ROLES", "IS"].map(str::to_owned).to_vec();
                print::table(&std::iter::once(head).chain(rows.iter().cloned()).collect::<Vec<_>>())
            };
            print::result(context.format, text, value);
        }
    }
    Ok(Exit::Done)
}

fn enrol(name: &ApproverName, key: &PublicKey, context: &Context) {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.as_bytes());
    print::note(
        "Put this into casemate.toml; `principals` lists the callers that are this person, who cannot approve their own calls:",
    );
    print::result(
        context.format,
        || format!("[approvers.{name}]\nkey = \"{key}\"\nprincipals = []"),
        || json!({ "name": name.as_str(), "key": key }),
    );
}

fn value(approver: &Approver) -> Value {
    json!({
        "name": approver.name.as_str(),
        "fingerprint": approver.key.fingerprint().to_string(),
        "roles": approver.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "principals": approver.principals.iter().map(|principal| principal.as_str()).collect::<Vec<_>>(),
    })
}
