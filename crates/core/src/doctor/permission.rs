//! Says what lets this user read a file, in the names of users and groups.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid, getgroups};
use rustix::fs::{Access, access};

/// The name of the user `id`; the number where the system has no name for it.
#[must_use]
pub fn user_name(id: u32) -> String {
    let user = User::from_uid(Uid::from_raw(id)).ok().flatten();
    user.map_or_else(|| id.to_string(), |user| user.name)
}

/// The name of the group `id`, where the system has one for it.
#[must_use]
pub fn group_name(id: u32) -> Option<String> {
    let group = Group::from_gid(Gid::from_raw(id)).ok().flatten();
    group.map(|group| group.name)
}

/// The user that this process runs as.
#[must_use]
pub fn this_user() -> String {
    user_name(geteuid().as_raw())
}

/// Whether this process is in the group `id`.
fn is_member(id: u32) -> bool {
    let groups = getgroups().unwrap_or_default();
    getegid().as_raw() == id || groups.iter().any(|group| group.as_raw() == id)
}

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

/// The command that lets this user read `path`.
#[must_use]
pub fn permit_reading(path: &Path) -> String {
    match barrier(path) {
        Some(directory) => permit(&directory, "x"),
        None => permit(path, "r"),
    }
}

/// The command that gives this user `rights`, letters of `rwx`, at `path` itself. It takes no right
/// from anybody else.
pub(super) fn permit(path: &Path, rights: &str) -> String {
    let path_shown = path.display();
    match path.metadata() {
        Ok(metadata) if metadata.uid() == geteuid().as_raw() => {
            format!("chmod u+{rights} {path_shown}")
        }
        Ok(metadata) if metadata.gid() != 0 && is_member(metadata.gid()) => {
            format!("chmod g+{rights} {path_shown}")
        }
        _ => format!("setfacl -m u:{}:{rights} {path_shown}", this_user()),
    }
}
