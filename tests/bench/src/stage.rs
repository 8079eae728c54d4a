//! A house to measure: keys, packages, trust and configuration in a folder of its own, made with the `casemate` program.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use casemate_pages::{SECRET, merge, of, to_copy};
use serde_json::Value;
use tempfile::TempDir;
use toml::Table;

use crate::call::Result;

/// The plugin's source, from which the packages are made.
const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/echo");

/// The tool that no budget counts.
pub(crate) const PLAIN: &str = "echo_echo";
/// The same tool of another plugin, which a budget counts.
pub(crate) const BUDGETED: &str = "echo-2_echo";

pub(crate) struct Stage {
    casemate: PathBuf,
    folder: TempDir,
    component: PathBuf,
    installed: usize,
}

impl Stage {
    /// A house with one plugin.
    pub(crate) fn new(casemate: &Path) -> Result<Self> {
        let mut stage = Self::empty(casemate)?;
        stage.component = stage.pack(&[PLUGIN])?.into();
        stage.configure(&configuration(1))?;
        stage.install(&stage.component.display().to_string())?;
        stage.installed = 1;
        Ok(stage)
    }

    /// A house with these plugins of this repository, configured as their pages say.
    pub(crate) fn of(casemate: &Path, plugins: &[String]) -> Result<Self> {
        let stage = Self::empty(casemate)?;
        let secret = Path::new(&stage.dir()).join(SECRET);
        secret.parent().map_or(Ok(()), fs::create_dir)?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(secret)?.write_all(b"nobody takes it")?;
        let mut config = Table::new();
        for plugin in plugins {
            let mut own = to_copy(&fs::read_to_string(of(plugin, "README.md"))?)?;
            // Pages name their grants alike.
            if let Some(toml::Value::Table(grants)) = own.get_mut("grants") {
                *grants = std::mem::take(grants).into_iter().map(|(name, grant)| (format!("{plugin}-{name}"), grant)).collect();
            }
            merge(&mut config, own);
        }
        stage.configure(&config.to_string())?;
        for plugin in plugins {
            stage.install(&stage.pack(&[&of(plugin, "").display().to_string()])?)?;
        }
        Ok(stage)
    }

    /// A house without plugins, which trusts its own publisher.
    fn empty(casemate: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("casemate-bench.").tempdir()?;
        let stage = Self { casemate: casemate.to_owned(), component: PathBuf::new(), folder, installed: 0 };
        fs::create_dir(stage.dir())?;
        let key = stage.key();
        let made = stage.json(&["key", "new", &key, "--no-passphrase"])?;
        let (public, fingerprint) = (format!("{key}.pub"), member(&made, "fingerprint")?);
        stage.json(&["trust", "add", "casemate", "--key", &public, "--fingerprint", &fingerprint, "--environment", "dev"])?;
        Ok(stage)
    }

    /// Install copies of the plugin, under names of their own, until there are `plugins`.
    pub(crate) fn grow(&mut self, plugins: usize) -> Result<()> {
        let source = fs::read_to_string(Path::new(PLUGIN).join("plugin.toml"))?;
        let component = self.component.display().to_string();
        for number in self.installed + 1..=plugins {
            let folder = self.path(&format!("echo-{number}"));
            fs::create_dir(&folder)?;
            fs::write(
                Path::new(&folder).join("plugin.toml"),
                source.replace("name = \"echo\"", &format!("name = \"echo-{number}\"")),
            )?;
            let packed = self.pack(&[&folder, "--component", &component])?;
            self.configure(&configuration(number))?;
            self.install(&packed)?;
            self.installed = number;
        }
        Ok(())
    }

    /// A bearer token for the principal `token:bench`.
    pub(crate) fn token(&self) -> Result<String> {
        self.token_of("bench")
    }

    /// A bearer token for the principal `token:NAME`.
    pub(crate) fn token_of(&self, name: &str) -> Result<String> {
        member(&self.json(&["token", "new", name])?, "token")
    }

    /// `casemate serve` for these principals on a port of its own, with room for so many connections from one address.
    pub(crate) fn serve_loaded(&self, names: &[String], connections: usize) -> Result<Command> {
        let path = Path::new(&self.dir()).join("loaded.toml");
        let principals: Vec<_> = names.iter().map(|name| format!("\"token:{name}\"")).collect();
        let text = format!(
            "environment = \"dev\"\n[breaker]\nburst = false\n[http]\nconnections = {0}\nconnections_per_address = {0}\n\
             [grants.load]\nprincipals = [{1}]\ntools = [\"echo_*\"]\nmax_effect = \"read\"\n",
            connections + 8,
            principals.join(", ")
        );
        fs::write(&path, text)?;
        let mut command = self.command();
        command.arg("--config").arg(path).args(["serve", "--log", "error", "--http", "127.0.0.1:0"]);
        Ok(command)
    }

    /// `casemate serve` in this house, with more arguments.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Command {
        let mut command = self.command();
        command.args(["serve", "--log", "error"]).args(arguments);
        command
    }

    /// The same with more in its configuration.
    pub(crate) fn serve_with(&self, more: &str) -> Result<Command> {
        let path = Path::new(&self.dir()).join("more.toml");
        fs::write(&path, format!("{}\n{more}\n", configuration(self.installed)))?;
        let mut command = self.command();
        command.arg("--config").arg(path).args(["serve", "--log", "error"]);
        Ok(command)
    }

    /// The package of a plugin.
    fn pack(&self, arguments: &[&str]) -> Result<String> {
        let out = self.path("packages");
        member(&self.json(&[&["pack", "--out", &out], arguments].concat())?, "component")
    }

    fn install(&self, package: &str) -> Result<()> {
        self.json(&["sign", package, "--key", &self.key()])?;
        let approval = member(&self.json(&["verify", package])?, "approval")?;
        // The copies are meant to be there, and differ by a digit.
        self.json(&["install", package, "--yes", "--approve", &approval, "--allow-similar"]).map(drop)
    }

    fn configure(&self, config: &str) -> Result<()> {
        Ok(fs::write(Path::new(&self.dir()).join("casemate.toml"), config)?)
    }

    /// What a command prints as JSON; nothing where it prints nothing.
    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.command().args(["--format", "json"]).args(arguments).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(format!("casemate {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
        }
        if output.stdout.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&output.stdout)?) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.casemate);
        command.arg("--dir").arg(self.dir());
        command
    }

    fn dir(&self) -> String {
        self.path("house")
    }

    fn key(&self) -> String {
        self.path("publisher.pem")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// One grant over all plugins but the second, whose grant has a budget: as many calls an hour as a busy agent makes.
fn configuration(plugins: usize) -> String {
    let names = (1..=plugins).filter(|&number| number != 2).map(|number| match number {
        1 => "\"echo_*\"".to_owned(),
        number => format!("\"echo-{number}_*\""),
    });
    let grant = |name: &str, tools: &str| {
        format!("\n[grants.{name}]\nprincipals = [\"local\", \"token:bench\"]\ntools = [{tools}]\nmax_effect = \"read\"\n")
    };
    // Nobody works as fast as the benchmark asks.
    let breaker = "[breaker]\nburst = false\n";
    let mut text = format!("environment = \"dev\"\n{breaker}{}", grant("plain", &names.collect::<Vec<_>>().join(", ")));
    if plugins >= 2 {
        text += &grant("budgeted", "\"echo-2_*\"");
        text += "budget = [{ calls = 10_000, per = \"1h\" }]\n";
    }
    text
}

fn member(value: &Value, name: &str) -> Result<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("`{name}` is not in {value}").into())
}
