//! Opens and locks the file of a SQLite database, and notices when another takes its place.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::names::fold_case;
use super::super::sizes::{LARGEST_DATA, LARGEST_VALUE};
use super::Sqlite;
use crate::{Deadline, Unavailable};

/// How many steps of SQLite's virtual machine pass between two checks of the clock.
const STEPS_BETWEEN_LOOKS: i32 = 4096;

/// The file systems on disks of a machine's own, or in its memory, as statfs(2) numbers them
/// (linux/magic.h, and the sources of XFS and ZFS). Through any other, a server may be asked.
const LOCAL: [u64; 8] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x2fc1_2fc1, // ZFS
    0xf2f5_2010, // F2FS
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs, of containers
];

#[derive(Debug)]
pub(super) struct Open {
    pub(super) connection: Connection,
    /// Device and inode of the file that is open.
    file: (u64, u64),
    /// How it was when it was last found to be what SQLite takes it for.
    seen: Seen,
    /// When the query that is being run gives up.
    deadline: Arc<Mutex<Option<Deadline>>>,
    /// Whether the file is locked for a request.
    reading: bool,
    /// Whether another program's lock, which is not waited for, was in the way, and nothing else
    /// is wrong.
    pub(super) busy: bool,
}

/// The stamp of a file, which every write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
        }
    }
}

/// A file's stamp, and what SQLite called its contents when they were last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    stamp: Stamp,
    data_version: i64,
}

impl Sqlite {
    /// Whether the file, or its directory where there is none yet, is on a file system of this
    /// machine's own.
    pub(super) fn is_on_this_machine(&self) -> bool {
        let paths = [Some(self.path.as_path()), self.path.parent()];
        let found = paths
            .into_iter()
            .flatten()
            .find_map(|path| rustix::fs::statfs(path).ok());
        found.is_some_and(|system| LOCAL.contains(&(system.f_type as u64 & 0xffff_ffff)))
    }

    /// Locks the file for the queries of one request, and opens it first where needed.
    pub(super) fn begin(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        if let Some(open) = &self.open
            && open.reading
        {
            *open.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
            return Ok(());
        }
        // An open file outlives its name. After a restored backup or a new deployment, the accounts
        // in the old file no longer count.
        let metadata = std::fs::metadata(&self.path).map_err(|error| {
            self.open = None;
            Unavailable::new(format!(
                "cannot open the SQLite database {}: {error}; the user that this program runs as \
                 must be able to read it and to enter its directories",
                self.path.display()
            ))
        })?;
        let file = (metadata.dev(), metadata.ino());
        if self.open.as_ref().is_some_and(|open| open.file != file) {
            self.open = None;
        }
        let stamp = Stamp::of(&metadata);
        let opening = self.open.is_none();
        self.lock(file, stamp, deadline)?;
        let seen = self.open.as_ref().map(|open| open.seen);
        if opening || seen.is_some_and(|seen| seen.stamp == stamp) || self.has_moved_on(stamp)? {
            return Ok(());
        }
        // A file that another was copied over, and that has had as many commits as that one: SQLite
        // would continue with its cached pages.
        self.open = None;
        self.lock(file, stamp, deadline)
    }

    /// Whether SQLite knows of what gave the file another `stamp`. A database in WAL mode is
    /// written to when many commits are moved into it, which is not a change to SQLite.
    fn has_moved_on(&mut self, stamp: Stamp) -> Result<bool, Unavailable> {
        let Some(open) = &mut self.open else {
            return Err(self.closed());
        };
        let read = |connection: &Connection| -> rusqlite::Result<(i64, String)> {
            let version = data_version(connection)?;
            let mut mode = connection.prepare_cached("PRAGMA journal_mode")?;
            Ok((version, mode.query_row([], |row| row.get(0))?))
        };
        let read = read(&open.connection);
        let (data_version, mode) = match read {
            Ok(read) => read,
            Err(error) => {
                let failed = self.failed("starting to read", &error);
                self.open = None;
                return Err(failed);
            }
        };
        let moved = data_version != open.seen.data_version && mode != "wal";
        open.seen = Seen {
            stamp,
            data_version,
        };
        Ok(moved)
    }

    /// Locks the file for the queries of one request, and opens it first where needed.
    fn lock(
        &mut self,
        file: (u64, u64),
        stamp: Stamp,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        let opening = self.open.is_none();
        if opening {
            self.open = Some(self.connect(file, stamp)?);
            self.opened = self.opened.wrapping_add(1);
        }
        // A writer waits for other writers before it reads, and not between the two.
        let begin = match self.writable {
            true => "BEGIN IMMEDIATE",
            false => "BEGIN",
        };
        let timeout = match self.waits_for_locks {
            true => deadline.remaining(),
            false => Duration::ZERO,
        };
        let failed = {
            let Some(open) = &mut self.open else {
                return Err(self.closed());
            };
            *open.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
            open.reading = true;
            open.busy = false;
            open.connection
                .busy_timeout(timeout)
                .and_then(|()| open.connection.prepare_cached(begin)?.execute([]))
                .and_then(|_| {
                    if opening {
                        read_schema(&open.connection)?;
                        open.seen.data_version = data_version(&open.connection)?;
                    }
                    Ok(())
                })
                .err()
        };
        failed.map_or(Ok(()), |error| {
            self.open = None;
            Err(self.failed("starting to read", &error))
        })
    }

    /// Unlocks the file. After a failure the connection is dropped, so that whatever was wrong
    /// with it cannot last, unless that was a lock that is not waited for.
    pub(super) fn unlock(&mut self, well: bool) {
        let well = well || self.open.as_ref().is_some_and(|open| open.busy);
        let ended = self.open.as_mut().is_none_or(|open| {
            if !std::mem::take(&mut open.reading) {
                return true;
            }
            // A commit may have come between the file's stamp and what was read first.
            match data_version(&open.connection) {
                Ok(data_version) => open.seen.data_version = data_version,
                // In that case nothing was read.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                Err(_) => return false,
            }
            let ended = open
                .connection
                .prepare_cached("COMMIT")
                .and_then(|mut end| end.execute([]));
            *open.deadline.lock().unwrap_or_else(PoisonError::into_inner) = None;
            ended.is_ok()
        });
        if !(well && ended) {
            self.open = None;
        }
    }

    fn connect(&self, file: (u64, u64), stamp: Stamp) -> Result<Open, Unavailable> {
        let access = match self.writable {
            true => OpenFlags::SQLITE_OPEN_READ_WRITE,
            false => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags)
            .map_err(|error| self.failed("opening it", &error))?;
        let deadline = Arc::new(Mutex::new(None::<Deadline>));
        // A row that is to be changed is read in its current state.
        let longest = match (self.writable, self.waits_for_locks) {
            (true, _) => None,
            (false, true) => Some(LARGEST_DATA),
            (false, false) => Some(LARGEST_VALUE),
        };
        prepare(&mut connection, Arc::clone(&deadline), longest)
            .map_err(|error| self.failed("opening it", &error))?;
        Ok(Open {
            connection,
            file,
            seen: Seen {
                stamp,
                data_version: 0,
            },
            deadline,
            reading: false,
            busy: false,
        })
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("PRAGMA data_version")?;
    statement.query_row([], |row| row.get(0))
}

/// The first statement that names a table would read the schema, too, but one that is kept gets
/// all its memory from the heap, and SQLite's own slots are cheaper for what parsing takes.
fn read_schema(connection: &Connection) -> rusqlite::Result<()> {
    connection.table_exists(None, "sqlite_schema").map(drop)
}

fn prepare(
    connection: &mut Connection,
    deadline: Arc<Mutex<Option<Deadline>>>,
    longest: Option<usize>,
) -> rusqlite::Result<()> {
    // A value is copied whole, and nothing looks at the clock meanwhile.
    if let Some(longest) = longest.and_then(|longest| i32::try_from(longest).ok()) {
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
    }
    // A quoted name that is not a column must be an error. By default SQLite takes it for a string,
    // and a misspelt column in a configuration would then equal the name that a visitor types.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A plan that depends on the values that are bound is made anew for each of them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let passed = move || {
        let deadline = *deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(Deadline::passed)
    };
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(passed))?;
    add_fold_case(connection)
}

/// SQLite's own `NOCASE` and `lower` handle ASCII only.
fn add_fold_case(connection: &Connection) -> rusqlite::Result<()> {
    use rusqlite::functions::FunctionFlags;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("hallpass_fold_case", 1, flags, |context| {
        Ok(context.get_raw(0).as_str().ok().map(fold_case))
    })
}
