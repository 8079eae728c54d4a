//! `casemate key`: a publisher's signing keys.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use casemate_signing::key::{PrivateKey, PublicKey};
use clap::Subcommand;
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    ssh,
};

/// A publisher's signing keys: Ed25519, in PEM files that openssl reads too.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key pair: FILE (private, mode 0600) and FILE.pub.
    New {
        /// Where the private key goes.
        file: PathBuf,
        /// Where the passphrase comes from.
        #[command(flatten)]
        passphrase: Passphrase,
        /// Leave the private key unencrypted. For development keys that only `environment = "dev"` accepts.
        #[arg(long, conflicts_with = "passphrase_file")]
        no_passphrase: bool,
    },
    /// Show the fingerprint of a public key, to compare over another channel.
    ///
    /// It is the SHA-256 of the key's 32 bytes. OpenSSH's own fingerprint of the same key is another one: it is over more than the key.
    Fingerprint {
        /// A public key, in PEM or as OpenSSH writes it (`ssh-ed25519 AAAA…`).
        file: PathBuf,
    },
}

/// Where a passphrase comes from: a file, or the terminal.
#[derive(Debug, clap::Args)]
pub struct Passphrase {
    /// Read the passphrase from this file instead of asking; its last line break does not count.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// A private key is a few hundred bytes.
const MAX_KEY_BYTES: u64 = 16 << 10;

impl Passphrase {
    /// Ask for it, or read it. `twice` is for a new key.
    ///
    /// # Errors
    /// When there is neither file nor terminal, or the two entries differ.
    pub fn read(&self, twice: bool) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.passphrase_file {
            let mut text = private_file(path)?;
            let end = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(end);
            return Ok(text);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::invalid(
                "a passphrase is needed and there is no terminal to ask for it\nhelp: --passphrase-file FILE, or --no-passphrase for a development key",
            ));
        }
        let first = Zeroizing::new(rpassword::prompt_password("Passphrase: ")?);
        if twice && *first != *Zeroizing::new(rpassword::prompt_password("Again: ")?) {
            return Err(Failure::invalid("the two passphrases differ"));
        }
        Ok(first)
    }
}

/// Make a key pair, or show a fingerprint.
pub fn run(command: &Command, context: &Context) -> Outcome {
    match command {
        Command::New { file, passphrase, no_passphrase } => new(file, (!no_passphrase).then_some(passphrase), context),
        Command::Fingerprint { file } => {
            let fingerprint = public_key(file)?.fingerprint().to_string();
            print::result(context.format, || fingerprint.clone(), || serde_json::json!({ "fingerprint": fingerprint }));
            Ok(Exit::Done)
        }
    }
}

fn new(file: &Path, passphrase: Option<&Passphrase>, context: &Context) -> Outcome {
    let fingerprint = make(file, passphrase)?.fingerprint().to_string();
    let public_path = public_path(file);
    print::result(
        context.format,
        || format!("private key  {}\npublic key   {}\nfingerprint  {fingerprint}", file.display(), public_path.display()),
        || serde_json::json!({ "private": file, "public": public_path, "fingerprint": fingerprint }),
    );
    Ok(Exit::Done)
}

/// Make a key pair: the private key at `file`, encrypted unless there is no passphrase to be, and the public one beside it.
pub(super) fn make(file: &Path, passphrase: Option<&Passphrase>) -> Result<PublicKey, Failure> {
    let key = PrivateKey::generate()?;
    let private = match passphrase {
        Some(passphrase) => {
            let text = passphrase.read(true)?;
            if text.is_empty() {
                return Err(Failure::invalid("the passphrase is empty\nhelp: --no-passphrase says so on purpose"));
            }
            key.to_encrypted_pem(&text)?
        }
        None => key.danger_to_plain_pem()?,
    };
    write_new(file, private.as_bytes(), 0o600, "a key")?;
    write_new(&public_path(file), key.public_key().to_pem()?.as_bytes(), 0o644, "a key")?;
    Ok(key.public_key())
}

fn public_path(private: &Path) -> PathBuf {
    let mut name = private.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Write a file where nothing is.
pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32, what: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::invalid(format!("`{}` is there already, and {what} is never overwritten", path.display()))
        }
        _ => Failure::failed(format!("`{}` cannot be written: {error}", path.display())),
    })?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// The text of a file that only its owner can read; anything else is refused.
fn private_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let cannot = |error: io::Error| Failure::failed(format!("`{}` cannot be read: {error}", path.display()));
    let file = std::fs::File::from(
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
            .map_err(|error| cannot(error.into()))?,
    );
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Failure::denied(format!("file-kind: `{}` is not a regular file", path.display())));
    }
    if metadata.nlink() > 1 {
        return Err(Failure::denied(format!(
            "file-hard-link: `{}` has a second name (a hard link)\nhelp: find the other name, and consider the key known to whoever made it",
            path.display()
        )));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(Failure::denied(format!(
            "key-file-mode: others than its owner may read `{0}` (mode {1:o})\nhelp: chmod 600 `{0}`, and consider the key known to others",
            path.display(),
            metadata.mode() & 0o777
        )));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_KEY_BYTES).read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

/// A private key from its file, decrypted.
///
/// # Errors
/// When others can read the file, it is not a key, or the passphrase is wrong.
pub fn private_key(path: &Path, passphrase: &Passphrase) -> Result<PrivateKey, Failure> {
    let pem = private_file(path)?;
    let secret = if PrivateKey::needs_passphrase(&pem) { Some(passphrase.read(false)?) } else { None };
    Ok(PrivateKey::from_pem(&pem, secret.as_ref().map(|text| text.as_str()))?)
}

/// A public key from its file: PEM, or the one line that OpenSSH writes.
///
/// # Errors
/// When it cannot be read or is not a key that may be trusted.
pub fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let cannot = |error: io::Error| Failure::failed(format!("`{}` cannot be read: {error}", path.display()));
    let mut text = String::new();
    std::fs::File::open(path).map_err(cannot)?.take(MAX_KEY_BYTES).read_to_string(&mut text).map_err(cannot)?;
    // PEM has its own words for what is wrong with it.
    if text.trim_start().starts_with("-----BEGIN ") { Ok(PublicKey::from_pem(&text)?) } else { Ok(ssh::public_key(&text)?) }
}
