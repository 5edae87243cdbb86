//! Ways through the file system, as the user that runs this sees them.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The first directory on the way to `path` that this user cannot enter.
#[must_use]
pub fn barrier(path: &Path) -> Option<PathBuf> {
    let mut way: Vec<&Path> = path.ancestors().skip(1).collect();
    way.reverse();
    way.into_iter()
        .filter(|directory| !directory.as_os_str().is_empty())
        .find(|directory| access(*directory, Access::EXEC_OK) == Err(rustix::io::Errno::ACCESS))
        .map(Path::to_path_buf)
}

/// Whether this user may write into the directory of `path`.
pub(super) fn may_write_beside(path: &Path) -> bool {
    path.parent()
        .is_some_and(|directory| access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// What lets this user read `path`.
pub(super) fn mend(path: &Path) -> String {
    let user = rustix::process::geteuid().as_raw();
    match barrier(path) {
        Some(directory) => format!("setfacl -m u:{user}:x {}", directory.display()),
        None => format!("setfacl -m u:{user}:r {}", path.display()),
    }
}
