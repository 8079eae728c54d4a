//! `casemate connect`: tell an MCP client about this server.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    config::Config,
    connect::{Client, ConnectError, Edited, Reach, edited},
    exit::{Exit, Failure, Outcome},
};

/// Print what an MCP client needs to know to use this server, or write it into the client's own file.
///
/// The client starts the server itself, as you; with --http it speaks to one that runs. No secret is printed or written: the client is
/// told which environment variables hold them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which client.
    client: Client,
    /// The endpoint of a server that runs, such as https://casemate.example/mcp, instead of one that the client starts.
    #[arg(long, value_name = "URL")]
    http: Option<url::Url>,
    /// The environment variable in which the client finds its bearer token.
    #[arg(long, value_name = "NAME", default_value = "CASEMATE_TOKEN", requires = "http", conflicts_with = "oauth", value_parser = variable)]
    token_env: String,
    /// The client gets its tokens by OAuth, so it is told of none.
    #[arg(long, requires = "http")]
    oauth: bool,
    /// For one project only, in its folder, instead of for everything you do.
    #[arg(long, value_name = "FOLDER")]
    project: Option<PathBuf>,
    /// What the client calls this server. Names of tools carry it, and clients have limits: keep it short.
    #[arg(long, default_value = "casemate", value_parser = name)]
    name: String,
    /// Write it into the client's file, and leave everything else in there alone.
    #[arg(long)]
    write: bool,
    /// Put it in the place of another server of that name.
    #[arg(long, requires = "write")]
    replace: bool,
}

fn name(text: &str) -> Result<String, String> {
    // No underscore: clients take one for the end of the server's name in the name of a tool.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.is_empty() || text.len() > 32 || !text.bytes().all(plain) {
        return Err("use 1 to 32 of a-z, A-Z, 0-9 and `-`".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn variable(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if text.is_empty() || text.starts_with(|first: char| first.is_ascii_digit()) || !text.bytes().all(plain) {
        // It may be the token itself, which is not repeated.
        return Err("this takes the NAME of a variable, such as CASEMATE_TOKEN, and never a token".to_owned());
    }
    Ok(text.to_owned())
}

/// Print, or write.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let reach = match &args.http {
        Some(url) => Reach::Http { url: endpoint(url)?.to_string(), token: (!args.oauth).then(|| args.token_env.clone()) },
        None => started(context)?,
    };
    let project = args.project.as_deref().map(std::path::absolute).transpose()?;
    let file = args.client.file(&context.homes, project.as_deref()).map_err(Failure::invalid)?;
    let entry = args.client.entry(&reach).map_err(Failure::invalid)?;
    let written = if args.write { Some(write(args, project.as_deref(), &file, &entry)?) } else { None };
    print::result(
        context.format,
        || match written {
            None => snippet(args, project.as_deref(), &file, &entry),
            Some(true) => format!(
                "wrote `{}` into {}\nnext: restart {} so that it reads it",
                args.name,
                file.display(),
                args.client.title()
            ),
            Some(false) => format!("{} has `{}` already, exactly so", file.display(), args.name),
        },
        || json!({ "client": args.client.to_string(), "file": file, "name": args.name, "entry": entry, "written": written }),
    );
    if let Reach::Stdio { variables, .. } = &reach
        && !variables.is_empty()
    {
        let variables = variables.join(", ");
        print::note(match args.client {
            Client::ClaudeDesktop => format!(
                "casemate: {} passes no variables on, and this configuration needs {variables}: keep those secrets in files instead",
                args.client.title()
            ),
            client => {
                format!("casemate: start {} where {variables} is set: the configuration takes secrets from there", client.title())
            }
        });
    }
    Ok(Exit::Done)
}

/// The endpoint, if a token may be sent there.
fn endpoint(url: &url::Url) -> Result<&url::Url, Failure> {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(Failure::invalid(format!(
            "`{url}` is neither https nor on this machine, so the token could be read on its way\nhelp: give an https URL"
        ))),
    }
}

/// This program, as a client starts it: absolute, because a client has a working folder of its own.
fn started(context: &Context) -> Result<Reach, Failure> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::invalid(format!("`{}` is not Unicode, and the client's file is\nhelp: move it", path.display()))
        })
    };
    let mut arguments = Vec::new();
    for (option, path) in context.folders.given() {
        arguments.extend([option.to_owned(), text(path)?]);
    }
    arguments.push("serve".to_owned());
    let config = Config::read(&context.folders.config)?;
    let mut variables: Vec<String> = config
        .plugins
        .values()
        .flat_map(|plugin| plugin.secret_sources().flat_map(|(_, _, source)| source.variables()).collect::<Vec<_>>())
        .collect();
    variables.sort();
    variables.dedup();
    Ok(Reach::Stdio { program: text(&context.program)?, arguments, variables })
}

/// Gives whether the file had to be changed.
fn write(args: &Args, project: Option<&Path>, file: &Path, entry: &Value) -> Result<bool, Failure> {
    if !args.client.takes_edits(project) {
        return Err(Failure::invalid(ConnectError::OwnFile));
    }
    let fault = |error: io::Error| Failure::failed(format!("`{}` cannot be written: {error}", file.display()));
    // What a person linked to is what is written, not the link.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let before = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fault(error)),
    };
    let after = edited(args.client, &before, &args.name, entry, args.replace)
        .map_err(|error| Failure::invalid(format!("`{}` is left alone: {error}", file.display())))?;
    let Edited::Text(after) = after else { return Ok(false) };
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(fault)?;
    // Whole or not at all: it is another program's file.
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
    draft.write_all(after.as_bytes()).and_then(|()| draft.as_file().sync_all()).map_err(fault)?;
    if let Ok(there) = fs::metadata(&file) {
        draft.as_file().set_permissions(there.permissions()).map_err(fault)?;
    }
    draft.persist(&file).map_err(|error| fault(error.error))?;
    Ok(true)
}

fn snippet(args: &Args, project: Option<&Path>, file: &Path, entry: &Value) -> String {
    if !args.client.takes_edits(project) {
        let json = entry.to_string().replace('\'', r"'\''");
        return format!("run:\n\nclaude mcp add-json --scope user {} '{json}'", args.name);
    }
    let text = match edited(args.client, "", &args.name, entry, false) {
        Ok(Edited::Text(text)) => text,
        Ok(Edited::Same) | Err(_) => String::new(),
    };
    format!("put into {} (or let --write do it):\n\n{}", file.display(), text.trim_end())
}
