//! Reads a file for each session: `session.save_handler = files`.
//!
//! As ext/session/mod_files.c of PHP 8.2, but for two things: a session ends when `gc_maxlifetime`
//! has passed, not when a garbage collection removes it; and a page's lock is not waited for.

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use hallpass_stores::{Deadline, File, Files, Secret, Unavailable};

use super::sessions::{Found, Lookup};
use crate::{Reason, SAMPLE, Sample};

/// The longest file that is read, in bytes.
const LONGEST_FILE: usize = 1 << 20;
/// How often an incomplete file is read while a page holds its lock.
const ATTEMPTS: u32 = 5;
/// The pause between two reads.
const PAUSE: Duration = Duration::from_millis(10);

/// The files of `session.save_path`.
#[derive(Debug)]
pub(super) struct SessionFiles {
    files: Files,
    depth: usize,
    /// The users whose files are sessions, in a world-writable directory.
    owners: Vec<u32>,
    /// Whether they are so in every directory.
    always: bool,
    lifetime: Duration,
}

impl SessionFiles {
    pub(super) fn new(
        directory: &Path,
        depth: usize,
        mut owners: Vec<u32>,
        always: bool,
        gc_maxlifetime: u64,
    ) -> Self {
        // As PHP: root's and its own.
        owners.extend([0, rustix::process::geteuid().as_raw()]);
        Self {
            files: Files::new(directory),
            depth,
            owners,
            always,
            lifetime: Duration::from_secs(gc_maxlifetime),
        }
    }

    /// The ids of the newest sessions; `None` where they lie in directories of directories.
    pub(super) fn sample(&self) -> Result<Option<Sample>, Unavailable> {
        if self.depth > 0 {
            return Ok(None);
        }
        let names = self.files.newest(b"sess_", SAMPLE)?;
        let id = |name: &Vec<u8>| name.strip_prefix(b"sess_").map(Secret::new);
        Ok(Some(Sample::of(names.iter().filter_map(id).collect())))
    }

    /// The session called `id`. One that is not `whole` while a page holds it is read again.
    pub(super) fn find(
        &self,
        id: &str,
        whole: impl Fn(&[u8]) -> bool,
        deadline: Deadline,
        now: SystemTime,
    ) -> Lookup<Found> {
        // `ps_files_path_create` makes no path for an id that is too short.
        if id.len() <= self.depth {
            return Err(Reason::NoSession.into());
        }
        let mut attempts = 0;
        let file = loop {
            let Some(file) = self.read(id, deadline)? else {
                return Err(Reason::NoSession.into());
            };
            attempts += 1;
            let again = file.locked && attempts < ATTEMPTS && deadline.remaining() > PAUSE;
            if !again || whole(&file.bytes) {
                break file;
            }
            thread::sleep(PAUSE);
        };
        if !self.belongs_to_php(&file)? {
            return Err(Reason::InvalidSession.into());
        }
        let expires = file.modified.checked_add(self.lifetime);
        if expires.is_some_and(|expires| expires < now) {
            return Err(Reason::ExpiredSession.into());
        }
        Ok(Found {
            bytes: file.bytes,
            expires,
            store: "the session file",
        })
    }

    fn read(&self, id: &str, deadline: Deadline) -> Result<Option<File>, Unavailable> {
        let characters: Vec<&[u8]> = id.as_bytes().chunks(1).take(self.depth).collect();
        let name = zeroize::Zeroizing::new(format!("sess_{id}"));
        self.files
            .read_below(&characters, name.as_bytes(), LONGEST_FILE, deadline)
    }

    /// In a world-writable directory, any user could put a session.
    fn belongs_to_php(&self, file: &File) -> Result<bool, Unavailable> {
        if self.owners.contains(&file.owner) {
            return Ok(true);
        }
        Ok(!self.always && !self.files.is_open_to_all()?)
    }
}
