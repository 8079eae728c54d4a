//! `casemate token`: bearer tokens for clients that come over HTTP.

use casemate_audit::EventKind;
use casemate_policy::Timestamp;
use clap::Subcommand;

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::{store, write_down},
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
        Command::New { name, expires } => {
            let token = tokens.issue(name.clone(), clock::now(), *expires).map_err(Failure::invalid)?;
            let facts = serde_json::json!({ "token": name.to_string(), "expires": expires.map(|at| at.to_string()) });
            write_down(&state, EventKind::TokenCreated, facts)?;
            store::keep_tokens(&state, &tokens)?;
            print::note("This is shown once. Send it as `Authorization: Bearer …`.");
            print::result(
                context.format,
                || token.reveal().to_owned(),
                || serde_json::json!({ "name": name.to_string(), "token": token.reveal() }),
            );
        }
        Command::List => print::result(context.format, || text(&tokens), || json(&tokens)),
        Command::Revoke { name } => {
            if !tokens.revoke(name) {
                return Err(Failure::invalid(format!("there is no token `{name}`\nhelp: casemate token list")));
            }
            write_down(&state, EventKind::TokenRevoked, serde_json::json!({ "token": name.to_string() }))?;
            store::keep_tokens(&state, &tokens)?;
            print::note(format!("revoked `{name}`"));
        }
    }
    Ok(Exit::Done)
}

fn rows(tokens: &TokenFile) -> impl Iterator<Item = [String; 4]> + '_ {
    tokens.iter().map(|token| {
        let expires = token.expires().map_or_else(|| "never".to_owned(), |at| at.to_string());
        [token.name().to_string(), token.principal().to_string(), token.created().to_string(), expires]
    })
}

fn text(tokens: &TokenFile) -> String {
    let head = ["NAME", "PRINCIPAL", "CREATED", "EXPIRES"].map(str::to_owned).to_vec();
    print::table(&std::iter::once(head).chain(rows(tokens).map(|row| row.to_vec())).collect::<Vec<_>>())
}

fn json(tokens: &TokenFile) -> serde_json::Value {
    rows(tokens).map(|[name, principal, created, expires]| serde_json::json!({ "name": name, "principal": principal, "created": created, "expires": expires })).collect()
}
