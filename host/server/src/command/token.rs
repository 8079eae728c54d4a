//! `casemate token`: bearer tokens for clients that come over HTTP.

use std::{collections::BTreeSet, path::Path};

use casemate_audit::EventKind;
use casemate_policy::{Timestamp, approval::RoleName};
use clap::Subcommand;

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::{store, write_down},
    identity::uses,
    token::{TokenFile, TokenName},
};

/// Bearer tokens for clients that come over HTTP. Only their hashes are kept.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and show it once. Its principal is `token:NAME`; name that in a grant.
    New {
        /// What to call it.
        name: TokenName,
        /// When it ends, such as 2027-01-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        expires: Option<Timestamp>,
        /// A role that its bearer has; may be given more than once. It holds the grants that name `role:ROLE`.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<RoleName>,
    },
    /// Show what is known of every token: never the token itself.
    List,
    /// Make a token worthless. A running server refuses it within a second.
    Revoke {
        /// Which.
        name: TokenName,
    },
}

/// Change or show the token file of the configured environment.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let state = context.folders.state(config.environment);
    let _changing = store::changing(&context.folders)?;
    let mut tokens = store::tokens(&state)?;
    match command {
        Command::New { name, expires, roles } => {
            let roles: BTreeSet<RoleName> = roles.iter().cloned().collect();
            let shown: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
            let token = tokens.issue_with(name.clone(), clock::now(), *expires, roles.clone()).map_err(Failure::invalid)?;
            let facts =
                serde_json::json!({ "token": name.to_string(), "expires": expires.map(|at| at.to_string()), "roles": shown });
            write_down(&state, EventKind::TokenCreated, facts)?;
            store::keep_tokens(&state, &tokens)?;
            print::note("This is shown once. Send it as `Authorization: Bearer …`.");
            print::result(
                context.format,
                || token.reveal().to_owned(),
                || serde_json::json!({ "name": name.to_string(), "token": token.reveal() }),
            );
        }
        Command::List => print::result(context.format, || text(&tokens, &state), || json(&tokens, &state)),
        Command::Revoke { name } => {
            if !tokens.revoke(name) {
                return Err(Failure::invalid(format!("there is no token `{name}`\nhelp: casemate token list")));
            }
            write_down(&state, EventKind::TokenRevoked, serde_json::json!({ "token": name.to_string() }))?;
            store::keep_tokens(&state, &tokens)?;
            uses::forget(&state, name);
            print::note(format!("revoked `{name}`"));
        }
    }
    Ok(Exit::Done)
}

/// Name, principal, roles, made, end, last use.
fn rows(tokens: &TokenFile, state: &Path) -> impl Iterator<Item = [String; 6]> {
    tokens.iter().map(|token| {
        let shown = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let roles: Vec<&str> = token.roles().iter().map(RoleName::as_str).collect();
        [
            token.name().to_string(),
            token.principal().to_string(),
            roles.join(", "),
            token.created().to_string(),
            shown(token.expires()),
            shown(uses::last(state, token.name(), token.created())),
        ]
    })
}

fn text(tokens: &TokenFile, state: &Path) -> String {
    let head = ["NAME", "PRINCIPAL", "ROLES", "CREATED", "EXPIRES", "LAST USED"].map(str::to_owned).to_vec();
    print::table(&std::iter::once(head).chain(rows(tokens, state).map(|row| row.to_vec())).collect::<Vec<_>>())
}

fn json(tokens: &TokenFile, state: &Path) -> serde_json::Value {
    let roles = tokens.iter().map(|token| token.roles().iter().map(RoleName::as_str).collect::<Vec<_>>());
    rows(tokens, state)
        .zip(roles)
        .map(|([name, principal, _, created, expires, used], roles)| {
            serde_json::json!({ "name": name, "principal": principal, "roles": roles, "created": created, "expires": expires, "last_used": used })
        })
        .collect()
}
