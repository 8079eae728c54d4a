//! A person's yes to what a package may do and to what its tools say.
//!
//! [`Agreed`] is what putting a package in its place demands. It comes from a person who saw what they agree to, from a script that
//! names the digest a person reviewed, or from the proof that a newer release asks for nothing more and says nothing else.

use std::io::{self, BufRead, IsTerminal, Write};

use casemate_signing::{
    diff::Renewal, digest::Digest, highwater::HighWater, lock::LockFile, manifest::Manifest, package::Verified,
};

use crate::{command::print, exit::Failure, sheet};

/// Proof that a package may be put in its place.
pub(crate) struct Agreed(How);

enum How {
    Person,
    Nobody(Renewal),
}

impl Agreed {
    /// A newer release that asks for nothing more and says nothing else needs nobody.
    pub(crate) fn without_asking(proof: Renewal) -> Self {
        Self(How::Nobody(proof))
    }

    /// Remember what was agreed to. `lock` still names what the package would replace.
    pub(super) fn remember(self, highwater: &mut HighWater, lock: &LockFile, package: &Verified) -> Result<(), Failure> {
        match self.0 {
            How::Person => highwater.accept(package).map_err(Failure::denied),
            How::Nobody(proof) => {
                highwater.renew(package, lock, &proof).map_err(|error| Failure::denied(format!("{}: {error}", error.code())))
            }
        }
    }
}

/// How a command was told to get consent.
#[derive(Debug, clap::Args)]
pub(crate) struct Consent {
    /// Do not ask. Needs --approve, so that a script consents to what a person reviewed and to nothing else.
    #[arg(long)]
    yes: bool,
    /// The digest of what was reviewed, as `casemate verify` shows it: what the plugin may do, and every word of its tools. May be
    /// given several times.
    #[arg(long, value_name = "sha256:DIGEST")]
    approve: Vec<Digest>,
}

impl Consent {
    /// To exactly what has this digest, without asking.
    pub(crate) fn to(digest: Digest) -> Self {
        Self { yes: true, approve: vec![digest] }
    }

    /// Get a yes to `package`, which `page` shows. `verb` is what the person is asked to do.
    pub(crate) fn ask(&self, package: &Verified, verb: &str, page: impl FnOnce() -> String) -> Result<Agreed, Failure> {
        let shown = package.approval().digest();
        if self.approve.contains(&shown) {
            return Ok(Agreed(How::Person));
        }
        if !self.approve.is_empty() {
            return Err(Failure::denied(format!(
                "approval-differs: the package is not what was approved: what it may do and what its tools say has the digest {shown}\nhelp: casemate verify shows them; approve what you reviewed"
            )));
        }
        if self.yes {
            return Err(Failure::invalid(format!(
                "--yes needs --approve\nhelp: casemate verify shows the digest to approve; it is {shown} for this package"
            )));
        }
        // Both: whoever sees no page and no question agrees to nothing.
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::invalid(
                "consent is needed and there is no terminal to ask\nhelp: --yes --approve sha256:… consents to what was reviewed",
            ));
        }
        print::note(print::fit::to_stderr(&page()));
        let question = question(package.manifest(), verb);
        let mut stderr = io::stderr().lock();
        write!(stderr, "{}", print::fit::to_stderr(&question))?;
        stderr.flush()?;
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            // The terminal ended its input, and not its line.
            writeln!(stderr)?;
        }
        let name = &package.manifest().plugin.name;
        if answer.trim() == name.as_str() {
            Ok(Agreed(How::Person))
        } else {
            Err(Failure::denied("not agreed; nothing was changed"))
        }
    }
}

/// What is asked, with what matters most of a page whose beginning is out of sight by then.
fn question(manifest: &Manifest, verb: &str) -> String {
    let plugin = &manifest.plugin;
    let worst = manifest.tool.values().map(|tool| tool.effect).max();
    let worst = worst.map_or_else(|| "it has no tools".to_owned(), |effect| format!("the worst it may do is to {effect}"));
    let hosts: Vec<String> = manifest.upstream.values().map(sheet::origin).collect();
    let network = if hosts.is_empty() { "it uses no network".to_owned() } else { format!("it reaches {}", hosts.join(", ")) };
    format!(
        "{verb} {} {}? By what it declares {worst}; {network}.\nType its name, {}, to consent. Anything else changes nothing: ",
        manifest.id(),
        plugin.version,
        plugin.name
    )
}
