//! The `casemate` program: reads the command line, the environment and the clock, and hands them down.

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

use casemate::{
    command::{self, Context, Format},
    connect::Homes,
    exit::{Exit, Failure, Outcome},
    folders::{Folders, Xdg},
};
use clap::{Parser, Subcommand};

/// Security tools for AI agents, in a sandbox, behind a gate that neither the model nor the plugin can reach.
///
/// Each tool is a signed WebAssembly component. What an agent may do is written in one configuration file; everything else is
/// denied, and everything is recorded.
#[derive(Debug, Parser)]
#[command(name = "casemate", version, propagate_version = true, after_help = AFTER_HELP)]
struct Cli {
    /// Keep configuration, plugins and state in this folder instead of the XDG folders.
    #[arg(long, global = true, value_name = "FOLDER", env = "CASEMATE_DIR", hide_env_values = true, help_heading = EVERYWHERE)]
    dir: Option<PathBuf>,
    /// The configuration file; wins over --dir.
    #[arg(long, global = true, value_name = "FILE", env = "CASEMATE_CONFIG", hide_env_values = true, help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value = "text", help_heading = EVERYWHERE)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

/// Above the options that every command has, so that a command's own come first.
const EVERYWHERE: &str = "Options of every command";

const AFTER_HELP: &str = "\
First steps:  casemate init · casemate trust add · casemate install FILE.wasm · casemate check ·
              casemate connect CLIENT · casemate doctor
Exit codes:   0 done · 1 failed · 2 denied by policy or trust · 3 input that makes no sense";

#[derive(Debug, Subcommand)]
enum Command {
    Init(command::init::Args),
    Check(command::check::Args),
    Doctor(command::doctor::Args),
    Connect(command::connect::Args),
    Serve(command::serve::Args),
    Call(command::call::Args),
    Console(command::console::Args),
    Top(command::top::Args),
    List(command::list::Args),
    Inspect(command::inspect::Args),
    Install(command::install::Args),
    Update(command::update::Args),
    Pin(command::pin::Args),
    Rollback(command::rollback::Args),
    Remove(command::remove::Args),
    Lock(command::lock::Args),
    Verify(command::verify::Args),
    Sbom(command::sbom::Args),
    Advisories(command::advisories::Args),
    #[command(subcommand)]
    Trust(command::trust::Command),
    #[command(subcommand)]
    Token(command::token::Command),
    #[command(subcommand)]
    Secret(command::secret::Command),
    #[command(subcommand)]
    Policy(command::policy::Command),
    Redteam(command::redteam::Args),
    #[command(subcommand)]
    Approvals(command::approvals::Command),
    #[command(subcommand)]
    Approver(command::approver::Command),
    Ledger(command::ledger::Args),
    #[command(subcommand)]
    Sessions(command::sessions::Command),
    #[command(subcommand)]
    Breaker(command::breaker::Command),
    #[command(subcommand)]
    Audit(command::audit::Command),
    #[command(subcommand)]
    Key(command::key::Command),
    New(command::new::Args),
    #[command(subcommand)]
    Keyset(command::keyset::Command),
    Pack(command::pack::Args),
    Lint(command::lint::Args),
    Test(command::test::Args),
    Record(command::record::Args),
    Sign(command::sign::Args),
    Publish(command::publish::Args),
    Revoke(command::revoke::Args),
    /// Compile one component from standard input to standard output, within limits of its own.
    #[command(hide = true)]
    CompileWorker,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Invalid } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    if matches!(cli.command, Command::CompileWorker) {
        // The worker's own codes are its parent's business.
        return ExitCode::from(u8::try_from(casemate_sandbox::worker_main()).unwrap_or(1));
    }
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            command::complain(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let variable = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let xdg = Xdg {
        home: variable("HOME"),
        config: variable("XDG_CONFIG_HOME"),
        data: variable("XDG_DATA_HOME"),
        state: variable("XDG_STATE_HOME"),
    };
    let folders = Folders::choose(cli.dir.as_deref(), cli.config.as_deref(), &xdg).map_err(Failure::invalid)?;
    // Where Docker, oras, skopeo and wkg keep credentials for registries.
    let docker = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
    let context = Context {
        folders,
        format: cli.format,
        program: env::current_exe()?,
        registry_credentials: docker.map(|folder| folder.join("config.json")),
        homes: Homes {
            applications: if cfg!(target_os = "macos") {
                xdg.home.as_ref().map(|home| home.join("Library/Application Support"))
            } else {
                xdg.config.clone().or_else(|| xdg.home.as_ref().map(|home| home.join(".config")))
            },
            home: xdg.home,
            codex: variable("CODEX_HOME"),
        },
    };
    match cli.command {
        Command::Init(args) => command::init::run(&args, &context),
        Command::Check(args) => command::check::run(&args, &context),
        Command::Doctor(args) => command::doctor::run(&args, &context),
        Command::Connect(args) => command::connect::run(&args, &context),
        Command::Serve(args) => command::serve::run(args, &context),
        Command::Call(args) => command::call::run(&args, &context),
        Command::Console(args) => command::console::run(&args, &context),
        Command::Top(args) => command::top::run(&args, &context),
        Command::List(args) => command::list::run(&args, &context),
        Command::Inspect(args) => command::inspect::run(&args, &context),
        Command::Install(args) => command::install::run(&args, &context),
        Command::Update(args) => command::update::run(&args, &context),
        Command::Pin(args) => command::pin::run(&args, &context),
        Command::Rollback(args) => command::rollback::run(&args, &context),
        Command::Remove(args) => command::remove::run(&args, &context),
        Command::Lock(args) => command::lock::run(&args, &context),
        Command::Verify(args) => command::verify::run(&args, &context),
        Command::Sbom(args) => command::sbom::run(&args, &context),
        Command::Advisories(args) => command::advisories::run(&args, &context),
        Command::Trust(command) => command::trust::run(&command, &context),
        Command::Token(command) => command::token::run(&command, &context),
        Command::Secret(command) => command::secret::run(&command, &context),
        Command::Redteam(args) => command::redteam::run(&args, &context),
        Command::Policy(command) => command::policy::run(&command, &context),
        Command::Approvals(command) => command::approvals::run(&command, &context),
        Command::Approver(command) => command::approver::run(&command, &context),
        Command::Ledger(args) => command::ledger::run(&args, &context),
        Command::Sessions(command) => command::sessions::run(&command, &context),
        Command::Breaker(command) => command::breaker::run(&command, &context),
        Command::Audit(command) => command::audit::run(&command, &context),
        Command::Key(command) => command::key::run(&command, &context),
        Command::New(args) => command::new::run(&args, &context),
        Command::Keyset(command) => command::keyset::run(&command, &context),
        Command::Pack(args) => command::pack::run(&args, &context),
        Command::Lint(args) => command::lint::run(&args, &context),
        Command::Test(args) => command::test::run(&args, &context),
        Command::Record(args) => command::record::run(&args, &context),
        Command::Sign(args) => command::sign::run(&args, &context),
        Command::Publish(args) => command::publish::run(&args, &context),
        Command::Revoke(args) => command::revoke::run(&args, &context),
        Command::CompileWorker => Ok(Exit::Done),
    }
}
