//! `casemate audit export`: records in the words of another system.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use super::look::Filters;
use crate::{
    exit::{Exit, Failure, Outcome},
    trail::{self, export::Form},
};

/// Which records, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How each is written. Not --format, which is how this program answers.
    #[arg(long = "as", value_name = "FORM", default_value = "jsonl")]
    form: Form,
    #[command(flatten)]
    filters: Filters,
}

/// Write them, oldest first, one to a line.
pub(super) fn run(state: &Path, args: &Args) -> Outcome {
    let mut out = BufWriter::new(io::stdout().lock());
    trail::each(state, &args.filters.filter(), |entry| match writeln!(out, "{}", args.form.line(&entry)) {
        // Whoever reads has gone away.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true).map_err(|error| Failure::failed(error.to_string())),
    })?;
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(error.to_string())),
        _ => Ok(Exit::Done),
    }
}
