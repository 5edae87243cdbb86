//! The file of SQLite, and what lies beside it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::paths::{barrier, may_write_beside, mend};
use super::{Examination, Finding};

impl Examination<'_> {
    /// Whether it can be read, and could be while the site is down.
    pub(super) fn sqlite(&mut self, path: &Path) {
        let tried = format!("open {}", path.display());
        let mut header = [0; 20];
        // A pipe would be waited for.
        let special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        if special {
            let mend = "put into `database` where the site's file is";
            let finding = Finding::problem("sqlite-file", tried, "it is no regular file", mend);
            self.add(finding.unreachable());
            return;
        }
        let read = File::open(path).and_then(|mut file| {
            let read = file.read(&mut header)?;
            Ok((read, file.metadata()?.uid()))
        });
        let (read, owner) = match read {
            Ok(read) => read,
            Err(error) => {
                let seen = match barrier(path) {
                    Some(directory) => {
                        format!("{error}: {} cannot be entered", directory.display())
                    }
                    None => error.to_string(),
                };
                let mend = match error.kind() {
                    std::io::ErrorKind::NotFound => {
                        "put into `database` where the site's file is".to_owned()
                    }
                    _ => mend(path),
                };
                let finding = Finding::problem("sqlite-file", tried, seen, mend);
                self.add(finding.unreachable());
                return;
            }
        };
        if read == 0 {
            self.add(Finding::problem(
                "sqlite-file",
                tried,
                "the file is empty: no site has written to it",
                "put into `database` where the site's file is",
            ));
            return;
        }
        let before = self.findings.len();
        // The versions by which the file is read and written: 2 is WAL (SQLite's file format, 1.3).
        if header.get(18..20) == Some(&[2, 2]) {
            self.write_ahead_log(path, owner);
        }
        if self.findings.len() == before {
            self.add(Finding::ok("sqlite-file", tried, "it can be read"));
        }
    }

    /// The log and its index, which readers share with the site.
    fn write_ahead_log(&mut self, path: &Path, owner: u32) {
        for suffix in ["-wal", "-shm"] {
            let beside = suffixed(path, suffix);
            let tried = format!("open {}, which the site's WAL mode needs", beside.display());
            match fs::metadata(&beside) {
                Ok(metadata) => {
                    if let Err(error) = File::open(&beside) {
                        let finding =
                            Finding::problem("sqlite-wal", tried, error.to_string(), mend(&beside));
                        self.add(finding.unreachable());
                    } else if metadata.uid() != owner && metadata.mode() & 0o002 == 0 {
                        self.add(Finding::warning(
                            "sqlite-wal-owner",
                            tried,
                            format!(
                                "it belongs to the user {}, the database to {owner}: the site may \
                                 not be able to write",
                                metadata.uid()
                            ),
                            format!("chown {owner} {}", beside.display()),
                        ));
                    }
                }
                Err(_) if !may_write_beside(path) => {
                    let directory = path.parent().unwrap_or(path).display();
                    let user = rustix::process::geteuid().as_raw();
                    self.add(Finding::problem(
                        "sqlite-wal",
                        tried,
                        format!(
                            "it is not there, and this user may not make it in {directory}: the \
                             database cannot be read unless the site is running"
                        ),
                        format!("setfacl -m u:{user}:rwx {directory}"),
                    ));
                    return;
                }
                Err(_) => {}
            }
        }
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
