//! The folder, the programs and the upstream of the demo.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::shell::{answer, good, prompt};

/// The key the operator has at VirusTotal; it must show up nowhere.
const KEY: &str = "demo-4f1c0ffee5ecure0key0that0must0not0leak00000000000000000000000";

pub(crate) struct Stage {
    /// The operator's folder.
    pub(crate) dir: PathBuf,
    /// The program.
    pub(crate) casemate: PathBuf,
    packages: PathBuf,
    publisher: PathBuf,
    upstream: Child,
    origin: String,
    control: String,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Stage {
    /// A fresh folder under `target/`, and the upstream started.
    pub(crate) fn new() -> Result<Self> {
        let bin = std::env::current_exe()?.parent().map(Path::to_owned).ok_or("no folder")?;
        let dir = bin.parent().ok_or("no folder")?.join("demo");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let (packages, publisher, operator) = (dir.join("packages"), dir.join("publisher"), dir.join("operator"));
        for folder in [&packages, &publisher, &operator] {
            fs::create_dir_all(folder)?;
        }
        let mut upstream = Command::new(bin.join("casemate-upstreams"))
            .args(["--virustotal-key", KEY])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut ready = String::new();
        BufReader::new(upstream.stdout.take().ok_or("the upstream has no output")?).read_line(&mut ready)?;
        let ready: serde_json::Value = serde_json::from_str(&ready)?;
        let url = |name: &str| {
            ready.get(name).and_then(|url| url.as_str()).map(str::to_owned).ok_or("the upstream did not say where it is")
        };
        Ok(Self {
            dir: operator,
            casemate: bin.join("casemate"),
            packages,
            publisher,
            origin: url("virustotal")?,
            control: url("control")?,
            upstream,
        })
    }

    /// Run `casemate` as the operator and show what it says.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        self.command(arguments, 40)
    }

    fn command(&self, arguments: &[&str], lines: usize) -> Result<String> {
        prompt(&format!("$ casemate {}", arguments.join(" ").replace(&self.root(), "")));
        let output = self.invoke(arguments)?;
        answer(&format!("{}{}", output.1, output.2).replace(&self.root(), ""), lines);
        if output.0 { Ok(output.1) } else { Err(format!("casemate {} failed", arguments.join(" ")).into()) }
    }

    fn invoke(&self, arguments: &[&str]) -> Result<(bool, String, String)> {
        let output = Command::new(&self.casemate).arg("--dir").arg(&self.dir).args(arguments).stdin(Stdio::null()).output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    }

    fn root(&self) -> String {
        self.dir.parent().map(|root| format!("{}/", root.display())).unwrap_or_default()
    }

    fn key(&self) -> String {
        self.publisher.join("dev.pem").display().to_string()
    }

    /// Make the publisher's development key; its fingerprint.
    pub(crate) fn make_key(&self) -> Result<String> {
        let output = self.command(&["--format", "json", "key", "new", &self.key(), "--no-passphrase"], 4)?;
        let value: serde_json::Value = serde_json::from_str(&output)?;
        value.get("fingerprint").and_then(|text| text.as_str()).map(str::to_owned).ok_or_else(|| "no fingerprint".into())
    }

    /// Build and pack the plugin; where the package is.
    pub(crate) fn pack(&self) -> Result<String> {
        let plugin = plugin_folder()?.display().to_string();
        let out = self.packages.display().to_string();
        let output = self.command(&["--format", "json", "pack", &plugin, "--out", &out], 6)?;
        let value: serde_json::Value = serde_json::from_str(&output)?;
        value.get("component").and_then(|text| text.as_str()).map(str::to_owned).ok_or_else(|| "no package".into())
    }

    pub(crate) fn sign(&self, package: &str) -> Result<()> {
        self.run(&["sign", package, "--key", &self.key()]).map(drop)
    }

    pub(crate) fn trust(&self, fingerprint: &str) -> Result<()> {
        let key = format!("{}.pub", self.key());
        self.run(&["trust", "add", "casemate", "--key", &key, "--fingerprint", fingerprint, "--environment", "dev"]).map(drop)
    }

    /// The operator's configuration: one plugin, one grant, four lookups a minute.
    pub(crate) fn configure(&self) -> Result<()> {
        let secret = self.dir.join("virustotal.key");
        fs::write(&secret, KEY)?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        let text = format!(
            r#"environment = "dev"

[plugins.virustotal]
version = "0.1"
upstream.virustotal = {{ origin = "{}", allow_private = ["127.0.0.1/32"] }}
secret.api_key = {{ file = "virustotal.key" }}

[plugins.virustotal.tools.submit_file]
enabled = true        # it is a write: off by default, and a dry run until told otherwise

[grants.analyst]
principals = ["local"]
tools = ["virustotal_*"]
max_effect = "write"
budget = [{{ tools = "virustotal_*_report", calls = 4, per = "1m" }}]
"#,
            self.origin
        );
        prompt("$ cat casemate.toml");
        answer(&text, 40);
        Ok(fs::write(self.dir.join("casemate.toml"), text)?)
    }

    /// Review the package, and consent to exactly what was reviewed.
    pub(crate) fn install(&self, package: &str) -> Result<()> {
        let output = self.invoke(&["--format", "json", "verify", package])?;
        let value: serde_json::Value = serde_json::from_str(&output.1)?;
        let approval = value.get("approval").and_then(|text| text.as_str()).ok_or("verify names no approval")?.to_owned();
        self.command(&["verify", package], 12)?;
        self.command(&["install", package, "--yes", "--approve", &approval], 6).map(drop)
    }

    /// Flip one byte of a copy and show that it does not install.
    pub(crate) fn tamper(&self, package: &str) -> Result<()> {
        let copy = self.packages.join("tampered.wasm").display().to_string();
        let mut bytes = fs::read(package)?;
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).ok_or("the package is empty")? ^= 1;
        fs::write(&copy, bytes)?;
        fs::copy(format!("{package}.sigstore.json"), format!("{copy}.sigstore.json"))?;
        prompt("$ casemate install packages/tampered.wasm      # one bit differs");
        let (installed, out, err) = self.invoke(&["install", &copy, "--yes"])?;
        answer(&format!("{out}{err}").replace(&self.root(), ""), 6);
        if installed {
            Err("a tampered package was installed".into())
        } else {
            good("refused before a byte of it was parsed");
            Ok(())
        }
    }

    /// The key is in no text that was shown and in no file the host wrote.
    pub(crate) fn holds_no_key(&self, shown: &str) -> Result<()> {
        if shown.contains(KEY) || any_file_contains(&self.dir.join("state"), KEY.as_bytes())? {
            return Err("the key leaked".into());
        }
        good("the plan names the credential and does not hold it; no file of the host's state does");
        Ok(())
    }

    /// What VirusTotal saw: no POST.
    pub(crate) fn nothing_was_submitted(&self) -> Result<()> {
        let address = self.control.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let answer = crate::agent::get(&address, "/_casemate/requests")?;
        if answer.contains("\"POST\"") {
            Err("a request of the dry run was sent".into())
        } else {
            good("VirusTotal received the four lookups and no submission");
            Ok(())
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It ends when its input does; killing it is for the case that it does not.
        drop(self.upstream.stdin.take());
        let _ = self.upstream.kill();
        let _ = self.upstream.wait();
    }
}

fn plugin_folder() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    Ok(root.join("plugins/virustotal"))
}

fn any_file_contains(folder: &Path, needle: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            any_file_contains(&path, needle)?
        } else {
            fs::read(&path)?.windows(needle.len()).any(|window| window == needle)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
