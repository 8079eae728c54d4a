//! A real PostgreSQL: a server with databases, roles and tables of its own in a folder, at a port of this machine.
//!
//! The programs are Debian's, unpacked by `tests/interop/postgresql.sh`. Without them a test that needs them fails.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::{
    program::{Ran, packages},
    records::until,
};

/// Roles and databases; `@` stands for everybody's password.
const ROLES: &str = include_str!("../postgres/roles.sql");
/// What is in the database `shop`.
const SHOP: &str = include_str!("../postgres/shop.sql");
/// Who it runs as where the tests are root's: it does not run as root.
const NOBODY: u32 = 65_534;

/// A running server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    address: SocketAddr,
    server: Option<Child>,
}

/// What it shows where TLS is asked for, both in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Postgres {
    /// Everybody has this password.
    pub(crate) fn start(password: &str) -> Self {
        Self::at("127.0.0.1", password, None)
    }

    /// At another address of this machine; with an identity, it takes nobody who comes without TLS.
    pub(crate) fn at(host: &str, password: &str, identity: Option<&Identity>) -> Self {
        // Free a moment ago, which nobody but this test has seen.
        let address = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap();
        let mut postgres = Self { folder: tempfile::tempdir().unwrap(), address, server: None };
        postgres.copy();
        let initdb = ["-D", "data", "-U", "postgres", "--auth=reject", "-N", "--no-instructions", "-E", "UTF8", "--locale=C"];
        Ran::of(postgres.program("initdb").args(initdb).arg("--wal-segsize=1")).done();
        postgres.alone("postgres", &ROLES.replace('@', password));
        postgres.alone("shop", SHOP);
        postgres.configure(identity);
        postgres.serve();
        postgres
    }

    /// Where it is.
    pub(crate) fn origin(&self) -> String {
        format!("postgresql://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who has come, and what was run.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap()
    }

    /// Whether a statement with these words was run, which is more than that it was read.
    pub(crate) fn ran(&self, words: &str) -> bool {
        self.log().lines().any(|line| line.starts_with("LOG:  execute ") && line.contains(words))
    }

    /// How many have said who they are, and were believed.
    pub(crate) fn authenticated(&self) -> usize {
        self.log().matches("connection authorized").count()
    }

    /// What it holds is as it was made: so says every table of the shop that can be written.
    #[track_caller]
    pub(crate) fn is_unchanged(&mut self) {
        self.stop();
        let out = self.file("data/counted");
        self.alone("shop", &format!("COPY (SELECT private.everything()) TO '{}';\n\n", out.display()));
        assert_eq!(fs::read_to_string(out).unwrap(), "orders 4, people 3, ledger 2, salaries 2, relations 0, objects 0\n");
        self.serve();
    }

    /// The programs are where nobody but their owner may look, perhaps.
    fn copy(&self) {
        let unpacked = packages().with_file_name("debian");
        let help = "make test, or tests/interop/postgresql.sh target/debian";
        let newest = inside(&unpacked.join("usr/lib/postgresql")).into_iter().max();
        let version = newest.unwrap_or_else(|| panic!("there is no PostgreSQL in `{}`\nhelp: {help}", unpacked.display()));
        let share = unpacked.join("usr/share/postgresql").join(version.file_name().unwrap());
        let to = self.file("usr");
        // As they find each other.
        for (from, at) in [("bin", "lib/postgresql/0/bin"), ("lib", "lib/postgresql/0/lib")] {
            copied(&version.join(from), &to.join(at), false);
        }
        copied(&share, &to.join("share/postgresql/0"), true);
        for libraries in [unpacked.join("lib"), unpacked.join("usr/lib")] {
            inside(&libraries).iter().for_each(|folder| copied(folder, &self.file("libraries"), false));
        }
        if geteuid().is_root() {
            chown(self.folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Run statements while no server runs; each ends in an empty line.
    fn alone(&self, database: &str, statements: &str) {
        fs::write(self.file("statements"), statements).unwrap();
        let mut command = self.program("postgres");
        command.args(["--single", "-j", "-F", "-D", "data", "-c", "exit_on_error=on", database]);
        let ran = command.stdin(File::open(self.file("statements")).unwrap()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    fn configure(&self, identity: Option<&Identity>) {
        let mut settings = format!(
            "listen_addresses = '{}'\nport = {}\nunix_socket_directories = ''\nfsync = off\njit = off\nautovacuum = off\n\
             max_connections = 20\nshared_buffers = 16MB\nlog_statement = all\nlog_connections = on\nlog_line_prefix = ''\n\
             lc_messages = 'C'\nlogging_collector = off\n",
            self.address.ip(),
            self.address.port()
        );
        let mut host = "host";
        if let Some(Identity { certificate, key }) = identity {
            host = "hostssl";
            self.own("data/server.crt", certificate);
            self.own("data/server.key", key);
            settings += "ssl = on\n";
        }
        let methods =
            [("casemate_trusted", "trust"), ("casemate_clear", "password"), ("casemate_md5", "md5"), ("all", "scram-sha-256")];
        let rules = methods.map(|(role, method)| format!("{host} all {role} all {method}\n"));
        self.own("data/pg_hba.conf", &rules.concat());
        self.own("data/postgresql.conf", &settings);
    }

    fn serve(&mut self) {
        let log = File::create(self.file("log")).unwrap();
        let mut command = self.program("postgres");
        command.args(["-D", "data"]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.server = Some(command.spawn().unwrap());
        until("PostgreSQL is there", || self.log().contains("ready to accept connections"));
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // At once, but in order: it would not begin again otherwise.
            let _ = kill_process(Pid::from_child(&server), Signal::INT);
            let _ = server.wait();
        }
    }

    /// A file of the server's own, which only it may read.
    fn own(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.file(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        if geteuid().is_root() {
            chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.file("usr/lib/postgresql/0/bin").join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LD_LIBRARY_PATH", self.file("libraries"));
        command.current_dir(self.folder.path());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

/// What is in a folder, which may not be there.
fn inside(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// The files of a folder, and those of its folders where all are meant. Links are followed.
fn copied(from: &Path, to: &Path, all: bool) {
    fs::create_dir_all(to).unwrap();
    for path in inside(from) {
        let name = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true if all => copied(&path, &name, all),
            true => {}
            // A link may lead to what is not unpacked.
            false => match fs::copy(&path, name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            },
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.file("log")).unwrap_or_default());
        }
        self.stop();
    }
}
