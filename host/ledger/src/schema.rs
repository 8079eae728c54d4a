//! The file: how it is made, recognised and checked. A file that is not whole is an error, never begun anew.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

/// Marks the file as a ledger (SQLite's `application_id`): "CMLG".
const APPLICATION: i64 = 0x434d_4c47;

/// What this build writes. A newer file is refused: what it means is not known here.
const VERSION: i64 = 5;

/// How long a charge waits while another process charges.
const BUSY: Duration = Duration::from_secs(5);

/// Keeps the drafts of one process apart.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// What version 1 had. `id` is never used twice, so a receipt can only ever mean its own spends.
const FIRST: &str = "
    CREATE TABLE schema (version INTEGER NOT NULL);
    CREATE TABLE spends (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        budget TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX spends_by_budget ON spends (budget, at_ms);
    CREATE INDEX spends_by_end ON spends (until_ms);
";

/// What version 2 added.
///
/// - `spends`: how much, and which target; a target without text is a call or an amount of bytes.
/// - `sessions`, `labels`, `seen`, `sizes`: what a principal has read under a grant. `seen.label` has the labels of the result
///   in which a value was first, with blanks between them, and is null where the caller said it before; `sizes` counts its rows.
/// - `conduct`, `pauses`: what the breaker looks at.
/// - `approvals`, `votes`: an approval leaves the state `open` once, and never comes back.
const SECOND: &str = "
    ALTER TABLE spends ADD COLUMN amount INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE spends ADD COLUMN target TEXT;
    CREATE TABLE sessions (
        principal TEXT NOT NULL,
        grant_name TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        PRIMARY KEY (principal, grant_name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE labels (
        principal TEXT NOT NULL,
        grant_name TEXT NOT NULL,
        label TEXT NOT NULL,
        tool TEXT NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        audit_id TEXT NOT NULL,
        overflow INTEGER NOT NULL,
        PRIMARY KEY (principal, grant_name, label)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE seen (
        principal TEXT NOT NULL,
        grant_name TEXT NOT NULL,
        value BLOB NOT NULL,
        label TEXT,
        tool TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (principal, grant_name, value)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX seen_by_time ON seen (at_ms);
    CREATE TABLE sizes (
        principal TEXT NOT NULL,
        grant_name TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (principal, grant_name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE conduct (
        id INTEGER PRIMARY KEY,
        principal TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('denied', 'variant')),
        tool TEXT NOT NULL,
        arguments TEXT NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX conduct_by_principal ON conduct (principal, kind, tool, at_ms);
    CREATE INDEX conduct_by_time ON conduct (at_ms);
    CREATE UNIQUE INDEX conduct_by_payload ON conduct (principal, tool, arguments) WHERE kind = 'variant';
    CREATE TABLE pauses (
        principal TEXT PRIMARY KEY,
        since_ms INTEGER NOT NULL,
        trip TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE approvals (
        id TEXT PRIMARY KEY,
        subject BLOB NOT NULL,
        digest TEXT NOT NULL,
        principal TEXT NOT NULL,
        arguments TEXT NOT NULL,
        tool TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'taken', 'denied', 'withdrawn')),
        in_band INTEGER NOT NULL,
        requested_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        closed_ms INTEGER,
        closed_by TEXT,
        spends TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX approvals_by_call ON approvals (principal, arguments, state);
    CREATE INDEX approvals_by_state ON approvals (state, requested_ms);
    CREATE TABLE votes (
        approval TEXT NOT NULL REFERENCES approvals (id),
        approver TEXT NOT NULL,
        payload BLOB NOT NULL,
        signature BLOB NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (approval, approver)
    ) STRICT, WITHOUT ROWID;
";

/// What version 3 added.
///
/// - `resumptions`: since when the calls of a principal count towards a burst again.
/// - `tasks`: what a client will ask after; the result is there where the state is `done`.
const THIRD: &str = "
    CREATE TABLE resumptions (
        principal TEXT PRIMARY KEY,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tasks (
        principal TEXT NOT NULL,
        approval TEXT NOT NULL,
        tool TEXT NOT NULL,
        arguments TEXT NOT NULL,
        message TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waits', 'done', 'cancelled')),
        result TEXT,
        PRIMARY KEY (principal, approval)
    ) STRICT;
    CREATE INDEX tasks_by_time ON tasks (created_ms);
";

/// What version 4 added: in which call a value was seen first; null in rows from before.
const FOURTH: &str = "
    ALTER TABLE seen ADD COLUMN audit_id TEXT;
";

/// What version 5 added: a vote that was said through a console has what lets its key speak. A build that does not know of that sees a
/// signature that is not the approver's, and counts nothing.
const FIFTH: &str = "
    ALTER TABLE votes ADD COLUMN delegation BLOB;
    ALTER TABLE votes ADD COLUMN delegation_signature BLOB;
";

/// Every table must have these columns, in whatever order they came about.
const COLUMNS: [&str; 11] = [
    "SELECT id, budget, at_ms, until_ms, amount, target FROM spends LIMIT 0",
    "SELECT principal, grant_name, since_ms FROM sessions LIMIT 0",
    "SELECT principal, grant_name, label, tool, first_ms, last_ms, audit_id, overflow FROM labels LIMIT 0",
    "SELECT principal, grant_name, value, label, tool, at_ms, audit_id FROM seen LIMIT 0",
    "SELECT principal, grant_name, size FROM sizes LIMIT 0",
    "SELECT id, principal, kind, tool, arguments, at_ms FROM conduct LIMIT 0",
    "SELECT principal, since_ms, trip FROM pauses LIMIT 0",
    "SELECT principal, at_ms FROM resumptions LIMIT 0",
    "SELECT principal, approval, tool, arguments, message, created_ms, updated_ms, state, result FROM tasks LIMIT 0",
    "SELECT id, subject, digest, principal, arguments, tool, state, in_band, requested_ms, expires_ms, closed_ms, closed_by, spends FROM approvals LIMIT 0",
    "SELECT approval, approver, payload, signature, at_ms, delegation, delegation_signature FROM votes LIMIT 0",
];

/// A ledger that cannot be used. No budget can be spent without one.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file is there and is not a whole ledger.
    #[error(
        "the ledger `{path}` is damaged: {detail}\nhelp: it is not begun anew, because that would give back every budget; restore it, or move it away if that is what you want"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How it shows.
        detail: String,
    },
    /// A newer build wrote it.
    #[error(
        "the ledger `{path}` has version {found}, and this casemate knows {VERSION}\nhelp: use the casemate that wrote it, or a newer one"
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The file cannot be made or opened.
    #[error("the ledger `{path}` cannot be opened: {cause}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It cannot be read or written just now.
    #[error("the ledger cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What was kept there for somebody else cannot be read by them.
    #[error("the ledger cannot be used: a text in it is damaged: {0}")]
    Text(String),
}

impl LedgerError {
    /// For whoever keeps a text there, and finds something else.
    pub fn text(fault: impl std::fmt::Display) -> Self {
        Self::Text(fault.to_string())
    }
}

/// Open the ledger at `path`, or begin one where there is no file.
pub(crate) fn open(path: &Path) -> Result<Connection, LedgerError> {
    let io = |cause| LedgerError::Io { path: path.to_owned(), cause };
    if !fs::exists(path).map_err(io)? {
        begin(path)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // Looked at before anything is set: setting the mode would write to a file that is no ledger.
    check(&connection, path).and_then(|()| prepare(&connection)).map_err(|error| sort(error, path))?;
    Ok(connection)
}

/// Another connection to a ledger that is open, which only reads: it waits for no writer.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// A ledger that ends with the process.
pub(crate) fn open_in_memory() -> Result<Connection, LedgerError> {
    let connection = Connection::open_in_memory()?;
    prepare(&connection)?;
    write_schema(&connection)?;
    Ok(connection)
}

/// Make the file whole under another name and give it its own only then: there is never a half-made ledger to mistake for
/// an empty one. Where another process was faster, its file stays.
fn begin(path: &Path) -> Result<(), LedgerError> {
    let io = |cause| LedgerError::Io { path: path.to_owned(), cause };
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".new-{}-{}", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
    let made = write_draft(&draft);
    let linked = made.and_then(|()| {
        file.sync_all().map_err(io)?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
            _ => Ok(()),
        }
    });
    fs::remove_file(&draft).map_err(io)?;
    linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

fn write_draft(draft: &Path) -> Result<(), LedgerError> {
    let connection = Connection::open_with_flags(draft, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&connection)?;
    write_schema(&connection)?;
    connection.close().map_err(|(_, error)| LedgerError::Sqlite(error))
}

fn write_schema(connection: &Connection) -> Result<(), LedgerError> {
    connection.pragma_update(None, "application_id", APPLICATION)?;
    let all = format!("BEGIN; {FIRST} {SECOND} {THIRD} {FOURTH} {FIFTH} INSERT INTO schema VALUES ({VERSION}); COMMIT;");
    connection.execute_batch(&all)?;
    Ok(())
}

fn prepare(connection: &Connection) -> Result<(), LedgerError> {
    // WAL: readers do not wait for the writer, and one write to one file is one commit.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // A database cannot make this process do anything but read and write rows.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let damaged = |detail: String| LedgerError::Damaged { path: path.to_owned(), detail };
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION {
        return Err(damaged("it is not a ledger".to_owned()));
    }
    let version: i64 = connection.query_row("SELECT version FROM schema", [], |row| row.get(0))?;
    if version > VERSION {
        return Err(LedgerError::Newer { path: path.to_owned(), found: version });
    }
    if version < 1 {
        return Err(damaged(format!("it says it has version {version}")));
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(damaged(found));
    }
    connection.prepare("SELECT id, budget, at_ms, until_ms FROM spends LIMIT 0")?;
    if version < VERSION {
        migrate(connection)?;
    }
    COLUMNS.iter().try_for_each(|columns| connection.prepare(columns).map(drop))?;
    Ok(())
}

/// From an older version. Where another process was faster, there is nothing left to do.
fn migrate(connection: &Connection) -> Result<(), LedgerError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let step = || -> Result<(), rusqlite::Error> {
        let version: i64 = connection.query_row("SELECT version FROM schema", [], |row| row.get(0))?;
        if version < VERSION {
            let steps = [(2, SECOND), (3, THIRD), (4, FOURTH), (5, FIFTH)];
            let missing: String = steps.iter().filter(|(gained, _)| version < *gained).map(|(_, step)| *step).collect();
            connection.execute_batch(&format!("{missing} UPDATE schema SET version = {VERSION};"))?;
        }
        connection.execute_batch("COMMIT")
    };
    step().inspect_err(|_| drop(connection.execute_batch("ROLLBACK")))?;
    Ok(())
}

/// What SQLite says of a file it cannot make sense of, as what it is.
fn sort(error: LedgerError, path: &Path) -> LedgerError {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    match error {
        LedgerError::Sqlite(error)
            if !matches!(
                error.sqlite_error_code(),
                Some(
                    CannotOpen
                        | DatabaseBusy
                        | DatabaseLocked
                        | DiskFull
                        | OutOfMemory
                        | PermissionDenied
                        | ReadOnly
                        | SystemIoFailure
                )
            ) =>
        {
            LedgerError::Damaged { path: path.to_owned(), detail: error.to_string() }
        }
        error => error,
    }
}
