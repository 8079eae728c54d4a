//! Where a scaffold's SDK comes from, as its Cargo.toml says it.

use std::path::{Path, PathBuf};

use url::Url;

/// Options that name the source; the registry where none is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Take the SDK from this folder: plugins/sdk of a checkout of Casemate.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["sdk_git", "sdk_version"])]
    sdk_path: Option<PathBuf>,
    /// Take the SDK from a git repository (https, ssh or file) that holds the crate casemate-plugin.
    #[arg(long, value_name = "URL", conflicts_with = "sdk_version")]
    sdk_git: Option<Url>,
    /// The commit of --sdk-git; without it, the newest of its default branch when the plugin is first built.
    #[arg(long, value_name = "COMMIT", requires = "sdk_git")]
    sdk_rev: Option<String>,
    /// The version to take from the registry (crates.io), where it has to be published.
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    sdk_version: semver::Version,
}

/// The SDK's crate.
const CRATE: &str = "casemate-plugin";
/// The digits of a commit that git shows or takes in full.
const COMMIT: std::ops::RangeInclusive<usize> = 7..=64;

/// Where the SDK comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    Path(PathBuf),
    Git { url: Url, commit: Option<String> },
    Registry(semver::Version),
}

/// Why the SDK cannot come from there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSdk {
    /// Another folder.
    #[error("`{}` does not hold the crate {CRATE}\nhelp: it is in plugins/sdk of a checkout of Casemate", .0.display())]
    Folder(PathBuf),
    /// Not what cargo clones.
    #[error(
        "`{0}` is not a repository that cargo can clone\nhelp: its URL starts with https://, ssh:// or file:// and holds no password and no quote"
    )]
    Url(String),
    /// Not a commit.
    #[error("`{0}` is not a commit\nhelp: the digits that git log shows; a branch or a tag may move")]
    Commit(String),
}

impl Sdk {
    /// What the arguments name.
    pub(super) fn choose(args: &Choice) -> Result<Self, NoSdk> {
        if let Some(folder) = &args.sdk_path {
            return of_folder(folder).ok_or_else(|| NoSdk::Folder(folder.clone())).map(Self::Path);
        }
        let Some(url) = &args.sdk_git else { return Ok(Self::Registry(args.sdk_version.clone())) };
        // A quote would end the one that the scaffold's CI puts around it.
        if !matches!(url.scheme(), "https" | "ssh" | "file") || url.password().is_some() || url.as_str().contains('\'') {
            return Err(NoSdk::Url(casemate_registry::shown_url(url.as_str())));
        }
        let is_commit = |text: &String| COMMIT.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(other) = args.sdk_rev.as_ref().filter(|text| !is_commit(text)) {
            return Err(NoSdk::Commit(other.clone()));
        }
        Ok(Self::Git { url: url.clone(), commit: args.sdk_rev.clone() })
    }

    /// The value of `casemate-plugin = …`.
    pub(super) fn dependency(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match self {
            Self::Path(folder) => format!("{{ path = {} }}", quoted(&folder.to_string_lossy())),
            Self::Git { url, commit: Some(commit) } => format!("{{ git = {}, rev = {} }}", quoted(url.as_str()), quoted(commit)),
            Self::Git { url, commit: None } => format!("{{ git = {} }}", quoted(url.as_str())),
            Self::Registry(version) => quoted(&version.to_string()),
        }
    }

    /// The same in words, after the crate's name.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Path(folder) => format!(
                "comes from the folder `{}` of this machine: take it by git or from the registry before others build the plugin, for \
                 its place would be in the component's digest",
                folder.display()
            ),
            Self::Git { url, commit: Some(commit) } => format!("comes from <{url}> at `{commit}`"),
            Self::Git { url, commit: None } => format!("comes from <{url}>; `Cargo.lock` holds the commit"),
            Self::Registry(version) => {
                format!(
                    "comes from the registry (crates.io), where version {version} has to be published for the plugin to build"
                )
            }
        }
    }

    /// How a machine without it gets the program of the same source.
    pub(super) fn install(&self) -> String {
        match self {
            // One line of shell in YAML: a URL holds neither space nor quote, but may hold what a shell reads.
            Self::Git { url, commit: Some(commit) } => format!("cargo install --locked --git '{url}' --rev {commit} casemate"),
            Self::Git { url, commit: None } => format!("cargo install --locked --git '{url}' casemate"),
            Self::Registry(version) => format!("cargo install --locked casemate --version {version}"),
            Self::Path(_) => "echo 'the SDK is on one machine only: see README.md' && exit 1".to_owned(),
        }
    }
}

/// The folder of the SDK, absolute: the scaffold may be anywhere.
fn of_folder(folder: &Path) -> Option<PathBuf> {
    let folder = std::fs::canonicalize(folder).ok()?;
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(folder.join("Cargo.toml")).ok()?).ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    (name == CRATE && folder.to_str().is_some()).then_some(folder)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn args(path: Option<&str>, git: Option<&str>, rev: Option<&str>) -> Choice {
        Choice {
            sdk_path: path.map(PathBuf::from),
            sdk_git: git.map(|url| url.parse().unwrap()),
            sdk_rev: rev.map(str::to_owned),
            sdk_version: "0.1.0".parse().unwrap(),
        }
    }

    fn check(args: &Choice, expected: &str) {
        let found = Sdk::choose(args).map_or_else(|error| error.to_string(), |sdk| sdk.dependency());
        assert_eq!(found.lines().next(), Some(expected), "{args:?}");
    }

    #[test]
    fn a_dependency_is_what_cargo_reads() {
        check(&args(None, None, None), "\"0.1.0\"");
        check(&args(None, Some("https://example.com/a.git"), None), "{ git = \"https://example.com/a.git\" }");
        check(&args(None, Some("file:///a"), Some("0123abc")), "{ git = \"file:///a\", rev = \"0123abc\" }");
        let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/sdk");
        let folder = std::fs::canonicalize(sdk).unwrap();
        check(&args(Some(sdk), None, None), &format!("{{ path = \"{}\" }}", folder.display()));
        assert_eq!(
            Sdk::Path(PathBuf::from("/a \"b\\c")).dependency().parse::<toml::Value>().unwrap().get("path").unwrap().as_str(),
            Some("/a \"b\\c")
        );
    }

    #[test]
    fn other_places_are_refused() {
        check(&args(Some("/"), None, None), "`/` does not hold the crate casemate-plugin");
        check(
            &args(Some(env!("CARGO_MANIFEST_DIR")), None, None),
            &format!("`{}` does not hold the crate casemate-plugin", env!("CARGO_MANIFEST_DIR")),
        );
        for url in ["http://example.com/a", "ext::sh", "https://me:secret@example.com/a", "https://example.com/a'$(id)'"] {
            let refused = Sdk::choose(&args(None, Some(url), None));
            assert!(matches!(&refused, Err(NoSdk::Url(shown)) if !shown.contains("secret")), "{url}");
        }
        for commit in ["main", "--x", "0123ab", "v1.0.0", "0123abc\"", &"0".repeat(65)] {
            assert!(matches!(Sdk::choose(&args(None, Some("https://a/b"), Some(commit))), Err(NoSdk::Commit(_))), "{commit}");
        }
    }
}
