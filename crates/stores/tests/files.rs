//! Files whose names come from outside.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hallpass_stores::{Deadline, File, Files, Unavailable};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(20);
const LIMIT: usize = 1000;

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.write("sess_a", b"user|s:5:\"alice\";");
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that has been there for an hour.
    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        age(&path);
    }

    fn read(&self, name: &[u8]) -> Result<Option<File>, Unavailable> {
        Files::new(self.path()).read(name, LIMIT, Deadline::after(LONG))
    }

    /// Why it cannot be read: in words that go to a log, where no session's name may be.
    fn error(&self, name: &[u8]) -> String {
        let error = self.read(name).unwrap_err().to_string();
        let name = String::from_utf8_lossy(name);
        assert!(!error.contains(&format!("/{name}")), "{error}");
        error
    }
}

fn age(path: &Path) {
    let file = fs::File::open(path).unwrap();
    let hour = Duration::from_secs(3600);
    file.set_modified(SystemTime::now() - hour).unwrap();
}

#[test]
fn a_file_is_read_with_its_time_and_owner() {
    let site = Site::new();
    let file = site.read(b"sess_a").unwrap().unwrap();
    assert_eq!(file.bytes.as_slice(), b"user|s:5:\"alice\";");
    let age = file.modified.elapsed().unwrap();
    assert!(age >= Duration::from_secs(3600) && age < Duration::from_secs(7200));
    assert_eq!(file.owner, rustix::process::geteuid().as_raw());
    assert!(!file.locked);
    assert!(!format!("{file:?}").contains("alice"));
}

#[test]
fn what_is_not_there_is_absent() {
    let site = Site::new();
    assert!(site.read(b"sess_b").unwrap().is_none());
    assert!(site.read(&[b'a'; 256]).unwrap().is_none());
    let files = Files::new(site.path());
    let below = files.read_below(&[b"a", b"b"], b"sess_ab", LIMIT, Deadline::after(LONG));
    assert!(below.unwrap().is_none());
}

#[test]
fn subdirectories_are_names_by_themselves() {
    let site = Site::new();
    fs::create_dir_all(site.path().join("a/b")).unwrap();
    site.write("a/b/sess_ab", b"x");
    let files = Files::new(site.path());
    let read = |subdirectories: &[&[u8]], name: &[u8]| {
        let file = files.read_below(subdirectories, name, LIMIT, Deadline::after(LONG));
        file.unwrap().map(|file| file.bytes.to_vec())
    };
    assert_eq!(read(&[b"a", b"b"], b"sess_ab"), Some(b"x".to_vec()));
    assert_eq!(read(&[b"a/b"], b"sess_ab"), None);
    assert_eq!(read(&[b"a", b"b", b".", b"..", b"b"], b"sess_ab"), None);
    assert_eq!(read(&[b"a", b""], b"b"), None);
    assert_eq!(read(&[b"a"], b"sess_ab"), None);
}

#[test]
fn no_name_leads_out_of_the_directory() {
    let site = Site::new();
    let inner = site.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let files = Files::new(&inner);
    for name in [
        &b"../sess_a"[..],
        b"..",
        b".",
        b"",
        b"/etc/passwd",
        b"../inner/../sess_a",
        b"sess_a\0",
        b"\0",
    ] {
        let file = files.read(name, LIMIT, Deadline::after(LONG));
        assert!(file.unwrap().is_none(), "{name:?}");
        let file = files.read_below(&[name], b"sess_a", LIMIT, Deadline::after(LONG));
        assert!(file.unwrap().is_none(), "{name:?}");
    }
}

#[test]
fn nothing_but_a_regular_file_is_read() {
    let site = Site::new();
    symlink("sess_a", site.path().join("link")).unwrap();
    assert!(site.error(b"link").contains("symbolic link"));
    symlink("nowhere", site.path().join("dangling")).unwrap();
    assert!(site.error(b"dangling").contains("symbolic link"));
    fs::create_dir(site.path().join("directory")).unwrap();
    assert!(site.error(b"directory").contains("not a regular file"));
    let fifo = site.path().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let begun = Instant::now();
    assert!(site.error(b"fifo").contains("not a regular file"));
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_directory_that_is_not_there_is_unavailable() {
    let site = Site::new();
    for directory in ["nowhere", "sess_a"] {
        let files = Files::new(site.path().join(directory));
        let error = files.read(b"sess_a", LIMIT, Deadline::after(LONG));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(directory), "{error}");
    }
}

#[test]
fn what_may_not_be_read_is_unavailable() {
    let site = Site::new();
    let path = site.path().join("sess_a");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        // Root reads everything, so there is nothing to be seen here.
        return;
    }
    let error = site.error(b"sess_a");
    assert!(error.contains("must be able to read it"), "{error}");
}

#[test]
fn the_limit_is_kept() {
    let site = Site::new();
    site.write("longest", &[b'a'; LIMIT]);
    assert_eq!(site.read(b"longest").unwrap().unwrap().bytes.len(), LIMIT);
    site.write("longer", &[b'a'; LIMIT + 1]);
    assert!(site.error(b"longer").contains("more than 1000 bytes"));
    let sparse = fs::File::create(site.path().join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    assert!(site.error(b"sparse").contains("more than 1000 bytes"));
    site.write("empty", b"");
    assert!(site.read(b"empty").unwrap().unwrap().bytes.is_empty());
}

#[test]
fn a_lock_is_told_and_never_waited_for() {
    let site = Site::new();
    let path = site.path().join("sess_a");
    let page = fs::File::open(&path).unwrap();
    flock(&page, FlockOperation::LockExclusive).unwrap();
    let file = site.read(b"sess_a").unwrap().unwrap();
    assert!(file.locked);
    assert_eq!(file.bytes.len(), 17);
    // A page that has just begun: the file is new, and nothing is in it.
    let new = fs::File::create(site.path().join("sess_new")).unwrap();
    flock(&new, FlockOperation::LockExclusive).unwrap();
    let begun = Instant::now();
    let file = site.read(b"sess_new").unwrap().unwrap();
    assert!(file.locked && file.bytes.is_empty());
    assert!(begun.elapsed() < LONG / 2);
    drop(page);
    assert!(!site.read(b"sess_a").unwrap().unwrap().locked);
    // Others who read take a lock that does not matter.
    let reader = fs::File::open(&path).unwrap();
    flock(&reader, FlockOperation::LockShared).unwrap();
    assert!(!site.read(b"sess_a").unwrap().unwrap().locked);
}

#[test]
fn nobody_is_kept_from_the_file_afterwards() {
    let site = Site::new();
    let file = site.read(b"sess_a").unwrap().unwrap();
    let page = fs::File::open(site.path().join("sess_a")).unwrap();
    flock(&page, FlockOperation::NonBlockingLockExclusive).unwrap();
    drop(file);
}

/// A page writes as PHP does: under the lock, over the old bytes, and cuts off the rest after.
#[test]
fn a_file_is_never_seen_half_written() {
    use std::os::unix::fs::FileExt;

    let site = Site::new();
    let path = site.path().join("sess_a");
    let long = vec![b'l'; 900];
    let short = vec![b's'; 300];
    fs::write(&path, &long).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A failed assertion ends the writer, too.
        let _guard = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let page = fs::File::options().write(true).open(&path).unwrap();
                flock(&page, FlockOperation::LockExclusive).unwrap();
                for bytes in [&short, &long] {
                    page.write_all_at(bytes, 0).unwrap();
                    std::thread::sleep(Duration::from_micros(200));
                    page.set_len(bytes.len() as u64).unwrap();
                }
                flock(&page, FlockOperation::Unlock).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut whole = 0;
        let end = Instant::now() + LONG / 4;
        while whole < 200 && Instant::now() < end {
            // Written to all the time, it may be refused, but it is not torn.
            let Ok(Some(file)) = site.read(b"sess_a") else {
                continue;
            };
            if !file.locked {
                assert_eq!(file.bytes.as_slice(), long);
                whole += 1;
            }
        }
        assert!(whole > 0);
    });
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
