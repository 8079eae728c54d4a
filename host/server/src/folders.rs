//! Where things are: XDG folders, or one folder given with `--dir`.

use std::{
    io,
    path::{Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};
use casemate_signing::Environment;

/// The folders of this host. Nothing else in the program reads the environment for a path.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The configuration file.
    pub config: PathBuf,
    /// Lock file and trust store.
    pub policy: PathBuf,
    /// Installed packages.
    pub plugins: PathBuf,
    /// Everything the host writes while it runs, a folder per environment.
    state: PathBuf,
    /// What was given on the command line or by variables, absolute.
    given: Vec<(&'static str, PathBuf)>,
}

/// The XDG variables that matter, read once in `main`.
#[derive(Debug, Clone, Default)]
pub struct Xdg {
    /// `$HOME`
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`
    pub config: Option<PathBuf>,
    /// `$XDG_DATA_HOME`
    pub data: Option<PathBuf>,
    /// `$XDG_STATE_HOME`
    pub state: Option<PathBuf>,
}

/// No folder can be found.
#[derive(Debug, thiserror::Error)]
#[error("neither $HOME nor the XDG folders are set\nhelp: give a folder with --dir")]
pub struct NoFolder;

impl Folders {
    /// `--dir` and `--config` win over XDG, in that order.
    ///
    /// # Errors
    /// When there is no home folder and no `--dir`.
    pub fn choose(dir: Option<&Path>, config: Option<&Path>, xdg: &Xdg) -> Result<Self, NoFolder> {
        let mut folders = match dir {
            Some(dir) => Self {
                config: dir.join("casemate.toml"),
                policy: dir.to_owned(),
                plugins: dir.join("plugins"),
                state: dir.join("state"),
                given: Vec::new(),
            },
            None => {
                // The specification has relative paths in these variables ignored.
                let base = |variable: &Option<PathBuf>, fallback: &str| {
                    variable
                        .clone()
                        .filter(|path| path.is_absolute())
                        .or_else(|| xdg.home.as_ref().map(|home| home.join(fallback)))
                        .map(|base| base.join("casemate"))
                        .ok_or(NoFolder)
                };
                let policy = base(&xdg.config, ".config")?;
                Self {
                    config: policy.join("casemate.toml"),
                    plugins: base(&xdg.data, ".local/share")?.join("plugins"),
                    state: base(&xdg.state, ".local/state")?,
                    policy,
                    given: Vec::new(),
                }
            }
        };
        if let Some(config) = config {
            config.clone_into(&mut folders.config);
        }
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        folders.given.extend(dir.map(|dir| ("--dir", absolute(dir))));
        folders.given.extend(config.map(|config| ("--config", absolute(config))));
        Ok(folders)
    }

    /// The options that make another process choose the same folders, wherever it is started.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.given.iter().map(|(option, path)| (*option, path.as_path()))
    }

    /// The lock file.
    pub fn lock(&self) -> PathBuf {
        self.policy.join("casemate.lock")
    }

    /// The trust store.
    pub fn trust(&self) -> PathBuf {
        self.policy.join("trust.toml")
    }

    /// The state folder of an environment: nothing of one is ever read in another.
    pub fn state(&self, environment: Environment) -> PathBuf {
        self.state.join(environment.as_str())
    }
}

/// Open a folder, made private to this user where it is new.
///
/// # Errors
/// When it cannot be made or opened.
pub fn private(path: &Path) -> io::Result<Dir> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Dir::open_ambient_dir(path, ambient_authority())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xdg(config: &str) -> Xdg {
        Xdg { home: Some("/home/op".into()), config: (!config.is_empty()).then(|| config.into()), ..Xdg::default() }
    }

    #[track_caller]
    fn config_of(dir: Option<&str>, config: Option<&str>, xdg: &Xdg) -> PathBuf {
        Folders::choose(dir.map(Path::new), config.map(Path::new), xdg).map(|folders| folders.config).unwrap_or_default()
    }

    #[test]
    fn config_wins_over_dir_wins_over_xdg_wins_over_home() {
        assert_eq!(config_of(None, None, &xdg("")), Path::new("/home/op/.config/casemate/casemate.toml"));
        assert_eq!(config_of(None, None, &xdg("/etc/xdg")), Path::new("/etc/xdg/casemate/casemate.toml"));
        assert_eq!(config_of(Some("/srv"), None, &xdg("/etc/xdg")), Path::new("/srv/casemate.toml"));
        assert_eq!(config_of(Some("/srv"), Some("/other.toml"), &xdg("/etc/xdg")), Path::new("/other.toml"));
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored() {
        assert_eq!(config_of(None, None, &xdg("relative")), Path::new("/home/op/.config/casemate/casemate.toml"));
    }

    #[test]
    fn no_home_is_an_error() {
        assert!(Folders::choose(None, None, &Xdg::default()).is_err());
    }

    #[test]
    fn environments_do_not_share_state() {
        let folders = Folders::choose(Some(Path::new("/srv")), None, &Xdg::default())
            .map(|folders| (folders.state(Environment::Dev), folders.state(Environment::Prod)));
        assert!(folders.is_ok_and(|(dev, prod)| dev != prod));
    }
}
