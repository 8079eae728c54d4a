//! `casemate init`: a commented starter configuration.

use std::{io::Write, os::unix::fs::OpenOptionsExt};

use casemate_signing::Environment;

use super::{Context, print};
use crate::exit::{Exit, Failure, Outcome};

/// Write a commented starter configuration that allows nothing yet.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which environment this host is: trust, tokens, state and audit are separate for each.
    #[arg(long, default_value = "dev")]
    environment: Environment,
    /// Replace a configuration that is there.
    #[arg(long)]
    force: bool,
}

/// The starter, with the environment to be filled in.
const STARTER: &str = include_str!("starter.toml");

/// Write the file; an existing one is kept unless asked.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let path = &context.folders.config;
    if let Some(folder) = path.parent() {
        crate::folders::private(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).mode(0o600);
    if args.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::invalid(format!("`{}` is there already\nhelp: --force replaces it", path.display()))
        }
        _ => Failure::failed(format!("`{}` cannot be written: {error}", path.display())),
    })?;
    file.write_all(STARTER.replace("@environment@", args.environment.as_str()).as_bytes())?;
    print::result(
        context.format,
        || {
            format!(
                "wrote {}\nnext: casemate trust add, casemate install, then edit the grants in it; casemate check shows what they allow",
                path.display()
            )
        },
        || serde_json::json!({ "config": path }),
    );
    Ok(Exit::Done)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_starter_parses_and_allows_nothing() {
        for environment in ["dev", "stage", "prod"] {
            let config =
                Config::parse(std::path::Path::new("casemate.toml"), &STARTER.replace("@environment@", environment)).unwrap();
            assert!(config.grants.is_empty() && config.plugins.is_empty());
        }
    }

    #[test]
    fn the_starter_with_its_examples_uncommented_parses_too() {
        let text: String = STARTER
            .replace("@environment@", "dev")
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("#: ").unwrap_or(line)))
            .collect();
        let config = Config::parse(std::path::Path::new("casemate.toml"), &text).unwrap();
        assert_eq!((config.plugins.len(), config.grants.len()), (1, 1));
    }
}
