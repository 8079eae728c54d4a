//! A package to a registry and back: `transfer publish oci://… FILE` and `transfer pull oci://… FILE`, the signature beside the file.
#![expect(clippy::print_stdout, reason = "the result")]

use std::{env, error::Error, fs, path::Path, process::ExitCode};

use casemate_registry::{Client, Credentials, Reference, Settings, Upload};

#[tokio::main]
async fn main() -> ExitCode {
    match transfer().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn transfer() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [command, reference, file] = arguments.as_slice() else { return Err("publish or pull, a reference and a file".into()) };
    let reference: Reference = reference.parse()?;
    let signature = format!("{file}.sigstore.json");
    let client = Client::new(Settings { credentials: credentials()?, ..Settings::default() })?;
    match command.as_str() {
        "publish" => {
            let (component, bundle) = (fs::read(file)?, fs::read(signature)?);
            let upload = Upload { component, bundle, imports: Vec::new(), exports: Vec::new() };
            println!("{}", client.push(&reference, upload).await?.reference);
        }
        "pull" => {
            let pulled =
                client.pull(&reference, &mut |progress| eprintln!("{} of {} bytes", progress.done, progress.total)).await?;
            fs::write(file, pulled.component)?;
            fs::write(signature, pulled.bundles.join(&b'\n'))?;
            println!("{}", pulled.reference);
        }
        other => return Err(format!("`{other}` is neither publish nor pull").into()),
    }
    Ok(())
}

/// As other clients find them.
fn credentials() -> Result<Credentials, Box<dyn Error>> {
    let Some(folder) = env::var_os("DOCKER_CONFIG") else { return Ok(Credentials::default()) };
    let path = Path::new(&folder).join("config.json");
    Ok(Credentials::from_docker_config(&fs::read(&path)?, &path)?)
}
