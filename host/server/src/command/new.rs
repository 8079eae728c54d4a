//! `casemate new`: a folder with a plugin that builds, passes its tests and packs.

mod sdk;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use casemate_signing::manifest::PluginId;

use super::{Context, print};
use crate::exit::{Exit, Failure, Outcome};
use sdk::Sdk;

/// Start a plugin: a folder with one tool that works, its request contract, tests and a recorded exchange, to be changed.
///
/// The plugin depends on the SDK, the crate casemate-plugin. It comes from the registry (crates.io), where this version has to be
/// published; --sdk-git and --sdk-path take it from elsewhere. Nothing is downloaded here: cargo does that when the plugin is built.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its publisher and name, such as acme/dns-lookup.
    #[arg(value_name = "PUBLISHER/NAME")]
    id: PluginId,
    /// The folder to make; without it, the plugin's name. It must not exist.
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    #[command(flatten)]
    sdk: sdk::Choice,
}

/// Every file of a scaffold: where it goes, and what is in it.
const TEMPLATE: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("plugin.toml", include_str!("new/template/plugin.toml")),
    ("src/lib.rs", include_str!("new/template/lib.rs")),
    ("tests/resolve.rs", include_str!("new/template/tests/resolve.rs")),
    ("tests/recorded/addresses.json", include_str!("new/template/tests/recorded/addresses.json")),
    ("tests/recorded/no-such-name.json", include_str!("new/template/tests/recorded/no-such-name.json")),
    ("README.md", include_str!("new/template/README.md")),
    ("rust-toolchain.toml", include_str!("new/template/rust-toolchain.toml")),
    (".gitignore", include_str!("new/template/gitignore")),
    (".github/workflows/plugin.yml", include_str!("new/template/ci.yml")),
];

/// Write the folder.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let sdk = Sdk::choose(&args.sdk).map_err(Failure::invalid)?;
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(args.id.name.as_str()));
    make(&folder)?;
    for (path, text) in TEMPLATE {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&folder)).map_err(|error| unwritable(&folder, &error))?;
        fs::write(&path, filled_in(text, &args.id, &sdk)).map_err(|error| unwritable(&path, &error))?;
    }
    print::result(
        context.format,
        || {
            let place = folder.display();
            format!(
                "wrote {place}: {}\n       casemate-plugin {}\nnext:  cargo test --manifest-path {place}/Cargo.toml\n       casemate pack {place} --out {place}/packages",
                args.id,
                sdk.in_words()
            )
        },
        || serde_json::json!({ "plugin": args.id.to_string(), "folder": folder, "sdk": sdk.dependency() }),
    );
    Ok(Exit::Done)
}

/// Make the folder itself, which nobody else has made; the folders above it may be there.
fn make(folder: &Path) -> Result<(), Failure> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above).map_err(|error| unwritable(above, &error))?;
    }
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::invalid(format!("`{}` is there already\nhelp: --path makes another folder", folder.display()))
        }
        _ => unwritable(folder, &error),
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot be written: {error}", path.display()))
}

/// A file of the template for this plugin.
fn filled_in(text: &str, id: &PluginId, sdk: &Sdk) -> String {
    let name = format!("{}-{}", id.publisher, id.name);
    text.replace("@publisher@", id.publisher.as_str())
        .replace("@name@", id.name.as_str())
        .replace("@lib@", &name.replace('-', "_"))
        .replace("@crate@", &name)
        .replace("@sdk@", &sdk.dependency())
        .replace("@sdk_is@", &sdk.in_words())
        .replace("@install@", &sdk.install())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use casemate_signing::source::PluginToml;

    #[test]
    fn every_file_is_filled_in_and_well_formed() {
        for id in ["acme/dns-lookup", "a1/b2", &format!("{0}/{0}", "a".repeat(39))] {
            let id: PluginId = id.parse().unwrap();
            let sdk = Sdk::Registry("0.1.0".parse().unwrap());
            for (path, text) in TEMPLATE {
                let text = filled_in(text, &id, &sdk);
                for word in ["publisher", "name", "lib", "crate", "sdk", "sdk_is", "install"] {
                    assert!(!text.contains(&format!("@{word}@")), "{path}: {word}");
                }
                match Path::new(path).extension().and_then(|it| it.to_str()) {
                    Some("toml") => drop(text.parse::<toml::Table>().unwrap()),
                    Some("json") => drop(serde_json::from_str::<serde_json::Value>(&text).unwrap()),
                    _ => {}
                }
                if path == "plugin.toml" {
                    let declared = PluginToml::parse(&text).unwrap();
                    assert_eq!((declared.plugin.publisher, declared.plugin.name), (id.publisher.clone(), id.name.clone()));
                }
            }
        }
    }
}
