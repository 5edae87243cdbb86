//! Reads small files whose names come from outside: sessions that a site keeps as files.
//!
//! Such a name is as good as a session, so messages name only the directory.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::{Deadline, Unavailable};

/// The number of attempts to read a file that is being written.
const ATTEMPTS: u32 = 10;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// A file that another program holds locked and that changed less than this ago may be in the middle of
/// the change.
const SETTLED: Duration = Duration::from_millis(100);

/// The most files of a directory that are examined to find the newest.
const MOST_ENTRIES: usize = 100_000;

/// A directory of files.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
}

/// A file as it was read.
pub struct File {
    /// Its contents, cleared on drop.
    pub bytes: Zeroizing<Vec<u8>>,
    /// When it was last written.
    pub modified: SystemTime,
    /// The id of the user who owns it. In a directory that everybody may write to, any user can put
    /// a file under any name that is free: PHP takes those of its own user and of root
    /// alone (`ps_files_open` in PHP 8.2's `ext/session/mod_files.c`).
    pub owner: u32,
    /// Whether another program held an exclusive lock (`flock`) on it. PHP does, from the beginning
    /// of a page to its end, and writes at the end of that time. So these bytes are what the page
    /// before left behind, whole; and where there are none, the page that runs may have just made
    /// the file.
    pub locked: bool,
}

/// What is in a file may be a session, so only its length is shown.
impl std::fmt::Debug for File {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("File")
            .field("bytes", &self.bytes.len())
            .field("modified", &self.modified)
            .field("owner", &self.owner)
            .field("locked", &self.locked)
            .finish()
    }
}

impl Files {
    /// The files below `directory`. Nothing is opened here.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Whether everybody on this machine may put files into the directory. Their owners say whose
    /// they are then.
    ///
    /// # Errors
    /// [`Unavailable`] when the directory does not exist, or cannot be read.
    pub fn is_open_to_all(&self) -> Result<bool, Unavailable> {
        let metadata =
            fs::metadata(&self.directory).map_err(|error| failed(&self.directory, &error))?;
        Ok(metadata.mode() & 0o002 != 0)
    }

    /// The names of the regular files that begin with `prefix`, the newest first, `most` at most.
    /// At most a hundred thousand files are examined.
    ///
    /// # Errors
    /// [`Unavailable`] when the directory does not exist, or cannot be read.
    pub fn newest(&self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Unavailable> {
        let entries =
            fs::read_dir(&self.directory).map_err(|error| failed(&self.directory, &error))?;
        let mut found: Vec<(SystemTime, Vec<u8>)> = entries
            .take(MOST_ENTRIES)
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().as_bytes().to_vec();
                let metadata = entry.metadata().ok()?;
                let wanted = name.starts_with(prefix) && metadata.is_file();
                Some((metadata.modified().ok()?, name)).filter(|_| wanted)
            })
            .collect();
        found.sort_by(|one, other| other.cmp(one));
        found.truncate(most);
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    /// Reads the file called `name` in the directory itself: as [`read_below`](Self::read_below).
    ///
    /// # Errors
    /// As there.
    pub fn read(
        &self,
        name: &[u8],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Option<File>, Unavailable> {
        self.read_below(&[], name, limit, deadline)
    }

    /// Reads the file called `name` in the directory that `subdirectories` lead to, each a name by
    /// itself. `None` where there is no such file, and where there can be none: a name is neither
    /// empty nor `.` nor `..` and has neither a slash nor a NUL in it.
    ///
    /// No other program's lock is waited for, and nothing but a regular file is opened. A file that changes
    /// while it is read is read again, a few times.
    ///
    /// # Errors
    /// [`Unavailable`] when there is such a file, but it cannot be read, is not a regular file, has
    /// more than `limit` bytes, or keeps changing; when the directory itself does not exist; and
    /// when `deadline` has passed.
    pub fn read_below(
        &self,
        subdirectories: &[&[u8]],
        name: &[u8],
        limit: usize,
        deadline: Deadline,
    ) -> Result<Option<File>, Unavailable> {
        // Opened by its path each time: an open directory outlives its name.
        let mut path = self.directory.clone();
        for name in subdirectories.iter().chain([&name]) {
            if !is_name(name) {
                return Ok(None);
            }
            path.push(OsStr::from_bytes(name));
        }
        let mut attempts = 0;
        loop {
            let Some(look) = self.look(&path, limit)? else {
                return Ok(None);
            };
            attempts += 1;
            match look {
                Look::Whole(file) => return Ok(Some(file)),
                // The other program may hold the lock for long, but has not written recently.
                Look::Locked(file) if attempts >= ATTEMPTS || deadline.remaining() <= PAUSE => {
                    return Ok(Some(file));
                }
                Look::Changed if attempts >= ATTEMPTS || deadline.remaining() <= PAUSE => {
                    return Err(self.wrong("is being written to without a pause"));
                }
                Look::Locked(_) | Look::Changed => thread::sleep(PAUSE),
            }
        }
    }

    fn look(&self, path: &Path, limit: usize) -> Result<Option<Look>, Unavailable> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()));
        let file = match opened {
            Ok(file) => fs::File::from(file),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return self.absent(),
            Err(Errno::LOOP) => {
                return Err(self.wrong("is a symbolic link, and is not followed"));
            }
            Err(error) => return Err(failed_in(&self.directory, &error.into())),
        };
        look(&file, limit)
            .map_err(|error| failed_in(&self.directory, &error))?
            .map(Some)
            .map_err(|wrong| self.wrong(&wrong))
    }

    fn wrong(&self, what: &str) -> Unavailable {
        Unavailable::new(format!("a file in {} {what}", self.directory.display()))
    }

    /// The file does not exist. If its directory does not either, nothing is known about the file.
    fn absent(&self) -> Result<Option<Look>, Unavailable> {
        match fs::metadata(&self.directory) {
            Ok(metadata) if metadata.is_dir() => Ok(None),
            Ok(_) => Err(Unavailable::new(format!(
                "{} is not a directory; is this where the site keeps its files?",
                self.directory.display()
            ))),
            Err(error) => Err(failed(&self.directory, &error)),
        }
    }
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// The result of one attempt.
enum Look {
    /// The file changed meanwhile.
    Changed,
    /// Another program holds it locked, and may be in the middle of writing.
    Locked(File),
    /// The file.
    Whole(File),
}

/// Reads the file, or says what is wrong with it, in words that follow its name.
fn look(file: &fs::File, limit: usize) -> io::Result<Result<Look, String>> {
    let before = file.metadata()?;
    if !before.is_file() {
        return Ok(Err("is not a regular file".to_owned()));
    }
    // Programs that honour locks do not write while this one is held, which is until `file` is
    // closed. It is advisory: not every file system has locks.
    let lock = rustix::io::retry_on_intr(|| {
        rustix::fs::flock(file, FlockOperation::NonBlockingLockShared)
    });
    let locked = lock == Err(Errno::WOULDBLOCK);
    let before = if lock.is_ok() {
        file.metadata()?
    } else {
        before
    };
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let too_long = || format!("has more than {limit} bytes, and is not read");
    if before.len() > most {
        return Ok(Err(too_long()));
    }
    let room = usize::try_from(before.len()).map_or(limit, |length| length.min(limit));
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    let mut reader = file.take(most.saturating_add(1));
    reader.read_to_end(&mut bytes)?;
    let after = file.metadata()?;
    if bytes.len() > limit || after.len() > most {
        return Ok(Err(too_long()));
    }
    let same = before.len() == after.len()
        && (before.mtime(), before.mtime_nsec()) == (after.mtime(), after.mtime_nsec())
        && u64::try_from(bytes.len()).is_ok_and(|length| length == after.len());
    if !same {
        return Ok(Ok(Look::Changed));
    }
    let modified = after.modified()?;
    let settled = modified.elapsed().is_ok_and(|age| age >= SETTLED);
    let file = File {
        bytes,
        modified,
        owner: after.uid(),
        locked,
    };
    Ok(Ok(if lock.is_ok() || settled {
        Look::Whole(file)
    } else {
        Look::Locked(file)
    }))
}

/// Why a file in `directory` cannot be read.
fn failed_in(directory: &Path, error: &io::Error) -> Unavailable {
    unreadable(&format!("a file in {}", directory.display()), error)
}

/// Why `path` cannot be read.
fn failed(path: &Path, error: &io::Error) -> Unavailable {
    unreadable(&path.display().to_string(), error)
}

fn unreadable(what: &str, error: &io::Error) -> Unavailable {
    let fix = match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "; the user that this program runs as (id {}) must be able to read it and to enter \
             its directories",
            rustix::process::geteuid().as_raw()
        ),
        io::ErrorKind::NotFound => "; is this where the site keeps its files?".to_owned(),
        _ => String::new(),
    };
    Unavailable::new(format!("cannot read {what}: {error}{fix}"))
}
