//! The `casemate-close` program.

use std::{path::PathBuf, process::ExitCode};

use casemate_close::close;
use clap::Parser;

/// Close imports of a component that its language's runtime brings along and no plugin may have.
///
/// Runtimes for Python and other languages import all of WASI, whether the plugin uses it or not, and Casemate's host has no
/// wasi:sockets: such a component does not load. This gives each interface of the named packages a stub inside the component; a call of
/// one ends the plugin's call. Run it before `casemate pack --component`.
#[derive(Debug, Parser)]
#[command(name = "casemate-close", version)]
struct Args {
    /// The component that the language's own tool made.
    component: PathBuf,
    /// A package to close, such as wasi:sockets.
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Where the closed component goes.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let component = std::fs::read(&args.component).map_err(|error| anyhow::anyhow!("{}: {error}", args.component.display()))?;
    let (whole, closed) = close(&component, &args.packages)?;
    std::fs::write(&args.out, whole).map_err(|error| anyhow::anyhow!("{}: {error}", args.out.display()))?;
    for interface in closed {
        eprintln!("closed {interface}");
    }
    Ok(())
}
