//! The folder, the programs and the upstream of the demo.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    lookups, operation,
    shell::{answer, good, prompt, said},
};

/// How often the simulated machines ask Caldera for work, in milliseconds.
const BEAT: &str = "30";

pub(crate) struct Stage {
    /// The operator's folder.
    pub(crate) dir: PathBuf,
    /// The program.
    pub(crate) casemate: PathBuf,
    packages: PathBuf,
    publisher: PathBuf,
    approvers: PathBuf,
    upstream: Child,
    origins: Value,
}

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Stage {
    /// A fresh folder under `target/`, and the upstream started.
    pub(crate) fn new() -> Result<Self> {
        let bin = std::env::current_exe()?.parent().map(Path::to_owned).ok_or("no folder")?;
        let dir = bin.parent().ok_or("no folder")?.join("demo");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let [packages, publisher, approvers, operator] =
            ["packages", "publisher", "approvers", "operator"].map(|name| dir.join(name));
        for folder in [&packages, &publisher, &approvers, &operator] {
            fs::create_dir_all(folder)?;
        }
        let mut upstream = Command::new(bin.join("casemate-upstreams"))
            .args(["--virustotal-key", lookups::KEY, "--caldera-key", operation::KEY, "--beat", BEAT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut ready = String::new();
        BufReader::new(upstream.stdout.take().ok_or("the upstream has no output")?).read_line(&mut ready)?;
        let origins = serde_json::from_str(&ready)?;
        Ok(Self { dir: operator, casemate: bin.join("casemate"), packages, publisher, approvers, upstream, origins })
    }

    /// Where an upstream is.
    pub(crate) fn origin(&self, upstream: &str) -> Result<&str> {
        let origin = self.origins.get(upstream).and_then(Value::as_str);
        origin.ok_or_else(|| format!("`{upstream}` did not say where it is").into())
    }

    /// Run `casemate` as the operator and show what it says.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        self.command(arguments, 40)
    }

    /// Show what an MCP client has to be told, with every path as it is: it is there to be taken over.
    pub(crate) fn connect(&self, client: &str) -> Result<()> {
        prompt(&format!("$ casemate connect {client}"));
        said(&self.silently(&["connect", client])?);
        Ok(())
    }

    fn command(&self, arguments: &[&str], lines: usize) -> Result<String> {
        prompt(&format!("$ casemate {}", arguments.join(" ").replace(&self.root(), "")));
        let output = self.silently(arguments)?;
        answer(&output.replace(&self.root(), ""), lines);
        Ok(output)
    }

    /// Run `casemate` and show only what is wrong.
    fn silently(&self, arguments: &[&str]) -> Result<String> {
        let (done, out, err) = self.invoke(arguments)?;
        if done { Ok(out) } else { Err(format!("casemate {} failed\n{out}{err}", arguments.join(" ")).into()) }
    }

    /// Run `casemate`, show how a person calls it, and take a field of what it says to programs.
    fn field(&self, arguments: &[&str], name: &str) -> Result<String> {
        prompt(&format!("$ casemate {}", arguments.join(" ").replace(&self.root(), "").replace(&repository()?, "")));
        let output: Value = serde_json::from_str(&self.silently(&[&["--format", "json"], arguments].concat())?)?;
        output.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("there is no `{name}`").into())
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
        let fingerprint = self.field(&["key", "new", &self.key(), "--no-passphrase"], "fingerprint")?;
        answer(&fingerprint, 1);
        Ok(fingerprint)
    }

    /// Build and pack a plugin; where the package is.
    pub(crate) fn pack(&self, plugin: &str) -> Result<String> {
        let folder = format!("{}plugins/{plugin}", repository()?);
        self.field(&["pack", &folder, "--out", &self.packages.display().to_string()], "component")
    }

    pub(crate) fn sign(&self, package: &str) -> Result<()> {
        self.run(&["sign", package, "--key", &self.key()]).map(drop)
    }

    pub(crate) fn trust(&self, fingerprint: &str) -> Result<()> {
        let key = format!("{}.pub", self.key());
        self.run(&["trust", "add", "casemate", "--key", &key, "--fingerprint", fingerprint, "--environment", "dev"]).map(drop)
    }

    /// Keep a secret in a file of the operator's.
    pub(crate) fn keep(&self, name: &str, secret: &str) -> Result<()> {
        let file = self.dir.join(name);
        fs::write(&file, secret)?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?)
    }

    /// The operator's configuration, shown.
    pub(crate) fn configure(&self, text: &str) -> Result<()> {
        prompt("$ cat casemate.toml");
        answer(text, 40);
        Ok(fs::write(self.dir.join("casemate.toml"), text)?)
    }

    /// More of it, shown.
    pub(crate) fn extend(&self, text: &str) -> Result<()> {
        prompt("$ cat >> casemate.toml");
        answer(text.trim_start(), 40);
        let file = self.dir.join("casemate.toml");
        Ok(fs::write(&file, fs::read_to_string(&file)? + text)?)
    }

    /// Look at what a package may do.
    pub(crate) fn review(&self, package: &str) -> Result<()> {
        self.command(&["verify", package], 12).map(drop)
    }

    /// Install a package with consent to exactly what was reviewed.
    pub(crate) fn install(&self, package: &str) -> Result<()> {
        let reviewed: Value = serde_json::from_str(&self.silently(&["--format", "json", "verify", package])?)?;
        let approval = reviewed.get("approval").and_then(Value::as_str).ok_or("verify names no approval")?;
        self.command(&["install", package, "--yes", "--approve", approval], 6).map(drop)
    }

    /// Make the key of somebody who may approve, where no agent reads it; the lines that enrol them.
    pub(crate) fn enrol(&self, who: &str) -> Result<String> {
        let lines = self.command(&["approver", "new", who, "--key", &self.key_of(who), "--no-passphrase"], 0)?;
        Ok(lines.trim_end().to_owned())
    }

    fn key_of(&self, who: &str) -> String {
        self.approvers.join(format!("{who}.key")).display().to_string()
    }

    /// Somebody looks at a call that waits, and agrees to it.
    pub(crate) fn approve(&self, who: &str, id: &str) -> Result<()> {
        self.command(&["approvals", "show", id], 60)?;
        self.command(&["approvals", "approve", id, "--key", &self.key_of(who), "--yes"], 4).map(drop)
    }

    /// The same, where what is shown has been seen before.
    pub(crate) fn approve_quietly(&self, who: &str, id: &str) -> Result<()> {
        self.command(&["approvals", "approve", id, "--key", &self.key_of(who), "--yes"], 4).map(drop)
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

    /// A key is in no text that was shown and in no file the host wrote.
    pub(crate) fn holds_no_key(&self, shown: &str, key: &str) -> Result<()> {
        if shown.contains(key) || any_file_contains(&self.dir.join("state"), key.as_bytes())? {
            return Err("the key leaked".into());
        }
        good("plans name the credential and do not hold it; no file of the host's state does");
        Ok(())
    }

    /// The requests that have reached an upstream.
    pub(crate) fn received(&self, upstream: &str) -> Result<Vec<Value>> {
        let address = self.origin("control")?.trim_start_matches("http://");
        let answer = crate::agent::get(address, &format!("/_casemate/requests?upstream={upstream}"))?;
        let body = answer.split_once("\r\n\r\n").ok_or("the upstreams did not answer")?.1;
        let received: Value = serde_json::from_str(body)?;
        Ok(received.get("requests").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// What an upstream was asked for is these requests and others that only read.
    pub(crate) fn changes(&self, upstream: &str, expected: &[&str]) -> Result<()> {
        let text = |request: &Value, name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let received = self.received(upstream)?;
        let lines = received.iter().map(|request| format!("{} {}", text(request, "method"), text(request, "target")));
        let changing: Vec<String> = lines.filter(|line| !line.starts_with("GET ")).collect();
        if changing == expected { Ok(()) } else { Err(format!("`{upstream}` received {changing:?}").into()) }
    }

    /// What an upstream was asked for only reads.
    pub(crate) fn nothing_was_changed(&self, upstream: &str, so: &str) -> Result<()> {
        self.changes(upstream, &[])?;
        good(so);
        Ok(())
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

/// This repository, with a slash at its end.
fn repository() -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    Ok(format!("{}/", root.display()))
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
