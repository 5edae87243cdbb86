//! SQLite, opened for reading alone unless something is to be changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use super::civil::utc;
use super::sizes::{Answer, LARGEST_DATA, LARGEST_VALUE, TooLong};
use super::statement::unknown;
use super::{Column, Row, Value, fold_case};
use crate::{Deadline, Unavailable};

/// How many steps of SQLite's virtual machine pass between two looks at the clock.
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

/// A SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    writable: bool,
    /// Whether another program's lock is waited for.
    patient: bool,
    open: Option<Open>,
    /// How often the file has been opened.
    opened: u64,
}

/// Which of its states a database is in: as long as it is the same, so is everything that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    opened: u64,
    data_version: i64,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Device and inode of the file that is open.
    file: (u64, u64),
    /// How it was when it was last found to be what SQLite takes it for.
    seen: Seen,
    /// When the query that is being run gives up.
    deadline: Arc<Mutex<Option<Deadline>>>,
    /// Whether the file is locked for a question.
    reading: bool,
    /// Whether another program's lock, which is not waited for, was in the way, and nothing else
    /// is wrong.
    busy: bool,
}

/// How a file was: whoever writes to it changes this.
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
    pub(super) fn new(path: PathBuf, writable: bool) -> Self {
        Self {
            path,
            writable,
            patient: true,
            open: None,
            opened: 0,
        }
    }

    /// Waits for no lock from now on: a query fails at once where there is one.
    pub(super) fn be_impatient(&mut self) {
        self.patient = false;
    }

    /// Whether the file, or its directory where there is none yet, is on a file system of this
    /// machine's own.
    pub(super) fn is_at_hand(&self) -> bool {
        let paths = [Some(self.path.as_path()), self.path.parent()];
        let found = paths
            .into_iter()
            .flatten()
            .find_map(|path| rustix::fs::statfs(path).ok());
        found.is_some_and(|system| LOCAL.contains(&(system.f_type as u64 & 0xffff_ffff)))
    }

    /// Locks the file for the queries of one question, opening it first where needed.
    fn begin(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        if let Some(open) = &self.open
            && open.reading
        {
            *open.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
            return Ok(());
        }
        // An open file outlives its name: where a restored backup or a new deployment put another
        // file there, the accounts in the old one are nobody's any more.
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
        // would go on with the pages that it remembers.
        self.open = None;
        self.lock(file, stamp, deadline)
    }

    /// Whether SQLite knows of what gave the file another `stamp`. A database in WAL mode is
    /// written to when many commits are moved into it, which is no change to SQLite.
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

    /// Locks the file for the queries of one question, opening it first where it is not open.
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
        // Whoever will write waits for others who do before reading, and not between the two.
        let begin = match self.writable {
            true => "BEGIN IMMEDIATE",
            false => "BEGIN",
        };
        let patience = match self.patient {
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
                .busy_timeout(patience)
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
    pub(super) fn end(&mut self, well: bool) {
        let well = well || self.open.as_ref().is_some_and(|open| open.busy);
        let ended = self.open.as_mut().is_none_or(|open| {
            if !std::mem::take(&mut open.reading) {
                return true;
            }
            // A commit may have come between the file's stamp and what was read first.
            match data_version(&open.connection) {
                Ok(data_version) => open.seen.data_version = data_version,
                // Then nothing was read.
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
        // A row that is changed is read as it is.
        let longest = match (self.writable, self.patient) {
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

    pub(super) fn rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Result<Vec<Row>, TooLong>, Unavailable> {
        self.begin(deadline)?;
        let Some(open) = &self.open else {
            return Err(self.closed());
        };
        let run = || -> rusqlite::Result<Result<Result<Vec<Row>, TooLong>, String>> {
            let mut statement = open.connection.prepare_cached(statement)?;
            for index in 1..=statement.parameter_count() {
                let name = statement.parameter_name(index).unwrap_or("?");
                let Some((_, value)) = parameters.iter().find(|(given, _)| *given == name) else {
                    return Ok(Err(name.to_owned()));
                };
                statement.raw_bind_parameter(index, value)?;
            }
            let mut found = statement.raw_query();
            let mut rows = Answer::default();
            while let Some(row) = found.next()? {
                // Not known before: a table that has changed shows when the statement is run.
                let columns = row.as_ref().column_count();
                let values = (0..columns).map(|index| row.get_ref(index).map(Value::from));
                let values = values.collect::<rusqlite::Result<_>>()?;
                if let Err(too_long) = rows.add(Row(values)) {
                    return Ok(Ok(Err(too_long)));
                }
                if rows.len() >= limit {
                    break;
                }
            }
            Ok(Ok(Ok(rows.into_rows())))
        };
        match run() {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(name)) => {
                let known: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
                Err(Unavailable::new(unknown(&name, &known)))
            }
            Err(error) if self.patient && is_too_long(&error) => {
                Ok(Err(self.which_is_too_long(statement, parameters)))
            }
            Err(error) => {
                let failed = Err(self.failed("reading it", &error));
                if let Some(open) = &mut self.open {
                    // Where something was to be written, what is left of it is not known. What is
                    // too long to be read at once is left to a thread that may wait.
                    open.busy = !self.patient
                        && !self.writable
                        && (error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                            || is_too_long(&error));
                }
                failed
            }
        }
    }

    /// The column that is too long in what `statement` gives. SQLite says only that one is; lengths
    /// it tells without reading what is so long.
    fn which_is_too_long(&self, statement: &str, parameters: &[(&str, Value)]) -> TooLong {
        let find = |connection: &Connection| -> rusqlite::Result<Option<usize>> {
            let columns = connection.prepare(statement)?.column_count();
            let names: Vec<String> = (0..columns).map(|index| format!("c{index}")).collect();
            let lengths = names.iter();
            let lengths = lengths.map(|name| format!("max(octet_length({name})) > {LARGEST_DATA}"));
            let mut found = connection.prepare(&format!(
                "WITH hallpass ({}) AS ({}\n) SELECT {} FROM hallpass",
                names.join(", "),
                statement.trim_end().trim_end_matches(';'),
                lengths.collect::<Vec<_>>().join(", ")
            ))?;
            for (name, value) in parameters {
                if let Some(index) = found.parameter_index(name)? {
                    found.raw_bind_parameter(index, value)?;
                }
            }
            let mut rows = found.raw_query();
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            for index in 0..columns {
                if row.get::<_, Option<bool>>(index)?.unwrap_or(false) {
                    return Ok(Some(index));
                }
            }
            Ok(None)
        };
        let found = self.open.as_ref().map(|open| find(&open.connection));
        match found {
            Some(Ok(Some(index))) => TooLong::Value(index),
            _ => TooLong::Row,
        }
    }

    /// As [`rows`](Self::rows), of the database's own tables.
    fn own_rows(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<Vec<Row>, Unavailable> {
        let rows = self.rows(statement, parameters, usize::MAX, deadline)?;
        rows.map_err(|too_long| {
            let told = too_long.told(LARGEST_DATA);
            Unavailable::too_long(format!("{}: {told}", self.name()))
        })
    }

    /// The database in words.
    pub(super) fn name(&self) -> String {
        format!("the SQLite database {}", self.path.display())
    }

    /// SQLite's own word for it, which it empties its memory of pages by, too: it counts what other
    /// connections have committed, those of other programs included, and means something on the
    /// connection alone that it comes from (<https://sqlite.org/pragma.html#pragma_data_version>).
    pub(super) fn state(&mut self, deadline: Deadline) -> Result<Option<State>, Unavailable> {
        let mut rows = self.own_rows("PRAGMA data_version", &[], deadline)?;
        let data_version = rows.pop().map_or(Value::Null, |mut row| row.take(0));
        let Value::Integer(data_version) = data_version else {
            return Ok(None);
        };
        Ok(Some(State {
            opened: self.opened,
            data_version,
        }))
    }

    pub(super) fn execute(
        &mut self,
        statement: &str,
        parameters: &[(&str, Value)],
        deadline: Deadline,
    ) -> Result<u64, Unavailable> {
        self.own_rows(statement, parameters, deadline)?;
        let Some(open) = &self.open else {
            return Err(self.closed());
        };
        Ok(open.connection.changes())
    }

    pub(super) fn commit(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        self.own_rows("COMMIT", &[], deadline)?;
        self.open = None;
        Ok(())
    }

    pub(super) fn names(
        &mut self,
        statement: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, Unavailable> {
        self.begin(deadline)?;
        let Some(open) = &self.open else {
            return Err(self.closed());
        };
        let prepared = open.connection.prepare_cached(statement);
        let names = prepared.map(|prepared| {
            let names = prepared.column_names();
            names.map(str::to_owned).collect()
        });
        names.map_err(|error| self.failed("reading it", &error))
    }

    pub(super) fn columns(
        &mut self,
        table: &str,
        deadline: Deadline,
    ) -> Result<Vec<Column>, Unavailable> {
        let statement = "SELECT name, lower(type), \"notnull\" AND dflt_value IS NULL AND NOT (pk AND \
                         lower(type) = 'integer') FROM pragma_table_info(:table)";
        let rows = self.own_rows(statement, &[(":table", Value::from(table))], deadline)?;
        let column = |mut row: Row| {
            Some(Column {
                name: row.text(0)?,
                kind: row.text(1).unwrap_or_default(),
                required: row.truth(2),
            })
        };
        Ok(rows.into_iter().filter_map(column).collect())
    }

    /// The rowid, where a column is one, is an index by itself.
    pub(super) fn indexed(
        &mut self,
        table: &str,
        deadline: Deadline,
    ) -> Result<Vec<String>, Unavailable> {
        let statement = "SELECT i.name FROM pragma_index_list(:table) l, \
                         pragma_index_info(l.name) i WHERE i.seqno = 0 AND l.partial = 0 UNION \
                         SELECT name FROM pragma_table_info(:table) WHERE pk = 1";
        let table = [(":table", Value::from(table))];
        let rows = self.own_rows(statement, &table, deadline)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    fn closed(&self) -> Unavailable {
        Unavailable::new(format!(
            "the SQLite database {} is not open",
            self.path.display()
        ))
    }

    fn failed(&self, doing: &str, error: &rusqlite::Error) -> Unavailable {
        let mend = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "; another program holds its lock for longer than `query_timeout`"
            }
            Some(ErrorCode::OperationInterrupted) => "; it took longer than `query_timeout`",
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                "; where the site uses WAL mode, the user that this program runs as must be able \
                 to write beside the database file, or the site must be running"
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                "; is this the site's database file?"
            }
            _ if error.to_string().contains("no such table")
                || error.to_string().contains("no such column") =>
            {
                "; is this the site's database, migrated, with the tables that the configuration \
                 names?"
            }
            _ => "",
        };
        let path = self.path.display();
        Unavailable::new(format!(
            "the SQLite database {path}: {doing} failed: {error}{mend}"
        ))
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("PRAGMA data_version")?;
    statement.query_row([], |row| row.get(0))
}

fn is_too_long(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::TooBig)
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
    // A quoted name that is no column must be an error. By default SQLite takes it for a string,
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

/// SQLite's own `NOCASE` and `lower` know ASCII alone.
fn add_fold_case(connection: &Connection) -> rusqlite::Result<()> {
    use rusqlite::functions::FunctionFlags;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("hallpass_fold_case", 1, flags, |context| {
        Ok(context.get_raw(0).as_str().ok().map(fold_case))
    })
}

/// Gives a row where an index of the table `:table` begins with `:column` as
/// [`same_but_for_case`] compares names in ASCII.
pub(super) const INDEXED_BUT_FOR_CASE: &str = "SELECT 1 FROM pragma_index_list(:table) l, \
     pragma_index_xinfo(l.name) i WHERE i.seqno = 0 AND l.partial = 0 AND i.name = :column AND \
     lower(i.coll) = 'nocase'";

/// ASCII names, which nearly all are, are left to SQLite's own comparison: it is several times
/// faster over a table of a million names.
pub(super) fn same_but_for_case(column: &str, name: &str) -> String {
    if name.is_ascii() {
        format!("{column} = :name COLLATE NOCASE")
    } else {
        format!("hallpass_fold_case({column}) = hallpass_fold_case(:name)")
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Bytes(text.to_owned()),
            },
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_owned()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Moment(moment) => return Ok(utc(*moment).into()),
        }))
    }
}
