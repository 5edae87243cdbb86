//! Tells whether another user may use a file, by its owner, group and mode.

use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{User, getgrouplist};

/// Writing and entering, as bits of one of a mode's three digits.
pub const WRITE: u32 = 2;
pub const ENTER: u32 = 1;

/// A user and their groups.
pub struct Person {
    pub name: String,
    user: u32,
    groups: Vec<u32>,
}

impl Person {
    /// The user called `name`, where the system has one.
    pub fn named(name: &str) -> Option<Self> {
        let user = User::from_name(name).ok()??;
        let groups = getgrouplist(&CString::new(name).ok()?, user.gid).ok()?;
        Some(Self {
            name: name.to_owned(),
            user: user.uid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
        })
    }

    /// The obstacle to `wanted` at `path`, itself or a directory on the way; `None` where there is
    /// none. Access control lists are not read: a file that has one counts as accessible.
    pub fn kept_from(&self, path: &Path, wanted: u32) -> Option<String> {
        let mut way: Vec<&Path> = path.ancestors().skip(1).collect();
        way.reverse();
        let enter = way.into_iter().filter(|it| !it.as_os_str().is_empty());
        let steps = enter.map(|it| (it, ENTER)).chain([(path, wanted)]);
        for (step, wanted) in steps {
            let Ok(metadata) = step.metadata() else {
                return Some(format!("{} is not there", step.display()));
            };
            if !self.may(&metadata, wanted) && !has_access_list(step) {
                let mode = metadata.mode() & 0o777;
                return Some(format!("{} has the mode {mode:04o}", step.display()));
            }
        }
        None
    }

    fn may(&self, metadata: &std::fs::Metadata, wanted: u32) -> bool {
        let mode = metadata.mode();
        let digit = if metadata.uid() == self.user {
            mode >> 6
        } else if self.groups.contains(&metadata.gid()) {
            mode >> 3
        } else {
            mode
        };
        self.user == 0 || digit & wanted == wanted
    }
}

fn has_access_list(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut nothing).is_ok()
}
