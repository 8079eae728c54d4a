//! Looks for what the host's process was given: variables, arguments, a folder, standard input.

use std::{env, io::Read};

use casemate_guests::{Answer, Invocation, guest, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    let variables: Vec<String> = env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let arguments = env::args_os().count();
    let mut input = Vec::new();
    let read = std::io::stdin().read_to_end(&mut input).unwrap_or_default();
    let home = env::current_dir().is_ok_and(|folder| folder.is_dir());
    text(format!("variables {variables:?} arguments {arguments} input {read} folder {home}"))
}
