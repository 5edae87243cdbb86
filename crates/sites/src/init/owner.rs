//! Looks at whose a site's code is, before it runs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A user who may write to the site's code could have root run it.
pub fn root_warning(code: &Path) -> Option<String> {
    let owner = std::fs::metadata(code).map(|metadata| metadata.uid());
    let anothers = rustix::process::geteuid().is_root() && owner.is_ok_and(|owner| owner != 0);
    anothers.then(|| {
        format!(
            "{} is not root's, and root runs it now; `sudo -u` lets its owner do that",
            code.display()
        )
    })
}
