//! Examines the files: which users can read the configuration and its secrets, and whether this
//! user can read the database.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hallpass_sites::Problem;
use rustix::fs::{Access, access};

use super::permission::{barrier, permit, permit_reading, user_name};
use super::{Examination, Finding, counted};

impl Examination<'_> {
    /// Who else can read the secrets, or change what is believed.
    pub(super) fn configured(&mut self) {
        let configuration = self.configuration;
        let path = &configuration.path;
        let tried = format!("read {}", path.display());
        let mode = fs::metadata(path).map_or(0, |metadata| metadata.mode());
        let before = self.findings.len();
        let literal = configuration
            .secrets
            .iter()
            .find(|secret| secret.file.is_none());
        if let Some(literal) = literal
            && mode & 0o004 != 0
        {
            let seen = format!(
                "everybody on this machine can read it, and the secret {} in it",
                literal.key
            );
            let mend = format!("chmod o-r {}", path.display());
            self.add(Finding::warning("configuration-mode", &tried, seen, mend));
        }
        if mode & 0o002 != 0 {
            let seen = "everybody on this machine can change it, and so whom it lets in";
            let mend = format!("chmod o-w {}", path.display());
            self.add(Finding::problem("configuration-mode", &tried, seen, mend));
        }
        for secret in &configuration.secrets {
            let Some(file) = &secret.file else { continue };
            let mode = fs::metadata(file).map_or(0, |metadata| metadata.mode());
            if mode & 0o004 != 0 {
                self.add(Finding::warning(
                    "secret-file",
                    format!("look at {}, the secret {}", file.display(), secret.key),
                    "everybody on this machine can read it",
                    format!("chmod o-r {}", file.display()),
                ));
            }
        }
        if self.findings.len() == before {
            let seen = match configuration.secrets.len() {
                0 => "it is valid, and has no secret in it".to_owned(),
                count => format!(
                    "it is valid, and no other user can read its {}",
                    counted(count, "secret")
                ),
            };
            self.add(Finding::ok("configuration", tried, seen));
        }
        let by_ejabberd =
            configuration.ejabberd.configured && configuration.ejabberd.accepts_sessions();
        let takes_sessions = configuration.daemon.accept.session || by_ejabberd;
        if let Some(key) = configuration
            .missing_for_sessions()
            .filter(|_| takes_sessions)
        {
            let (table, key) = key.split_once('.').unwrap_or(("", key));
            self.add(Finding::warning(
                "session-configuration",
                "look for what sessions need",
                format!("[{table}] {key} is missing: no session is read, passwords alone are"),
                format!(
                    "if sessions are not to count, or `hallpass init` warned that it does not read \
                     them, write accept = [\"password\"] in [daemon]; else put the site's own into \
                     [{table}] {key}"
                ),
            ));
        }
        if configuration.framework.trusts_session_store() {
            self.add(Finding::warning(
                "session-trust",
                "look at who vouches for sessions",
                "trust_session_store: neither signatures nor changed passwords are checked, \
                 and a program that can write to the store can log in as any account",
                self.advice(Problem::SessionStoreTrusted),
            ));
        }
    }
}

impl Examination<'_> {
    /// Whether it can be read, and could be while the site is down.
    pub(super) fn sqlite(&mut self, path: &Path) -> bool {
        let tried = format!("open {}", path.display());
        let mut header = [0; 20];
        // A pipe would be waited for.
        let special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        if special {
            let mend = "put into `database` where the site's file is";
            let finding = Finding::problem("sqlite-file", tried, "it is not a regular file", mend);
            self.add(finding.unreachable());
            return false;
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
                    _ => permit_reading(path),
                };
                let finding = Finding::problem("sqlite-file", tried, seen, mend);
                self.add(finding.unreachable());
                return false;
            }
        };
        if read == 0 {
            self.add(Finding::problem(
                "sqlite-file",
                tried,
                "the file is empty: no site has written to it",
                "put into `database` where the site's file is",
            ));
            return false;
        }
        let before = self.findings.len();
        // The versions by which the file is read and written: 2 is WAL (SQLite's file format, 1.3).
        if header.get(18..20) == Some(&[2, 2]) {
            self.write_ahead_log(path, owner);
        }
        if self.findings.len() == before {
            self.add(Finding::ok("sqlite-file", tried, "it can be read"));
        }
        let found = self.findings.get(before..).unwrap_or_default();
        !found.iter().any(|finding| finding.unreachable)
    }

    /// The log and its index, which readers share with the site.
    fn write_ahead_log(&mut self, path: &Path, owner: u32) {
        let mut of_others: Vec<(PathBuf, u32)> = Vec::new();
        for suffix in ["-wal", "-shm"] {
            let beside = suffixed(path, suffix);
            let tried = format!("open {}, which the site's WAL mode needs", beside.display());
            match fs::metadata(&beside) {
                Ok(metadata) => {
                    if let Err(error) = File::open(&beside) {
                        let mend = permit_reading(&beside);
                        let finding =
                            Finding::problem("sqlite-wal", tried, error.to_string(), mend);
                        self.add(finding.unreachable());
                        return;
                    } else if metadata.uid() != owner && metadata.mode() & 0o002 == 0 {
                        of_others.push((beside, metadata.uid()));
                    }
                }
                Err(_) if !may_write_beside(path) => {
                    let directory = path.parent().unwrap_or(path);
                    let finding = Finding::problem(
                        "sqlite-wal",
                        tried,
                        format!(
                            "it is not there, and this user may not make it in {}: the database \
                             cannot be read unless the site is running",
                            directory.display()
                        ),
                        permit(directory, "rwx"),
                    );
                    self.add(finding.unreachable());
                    return;
                }
                Err(_) => {}
            }
        }
        let Some((_, other)) = of_others.first() else {
            return;
        };
        let (owner, other) = (user_name(owner), user_name(*other));
        let files: Vec<String> = of_others
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect();
        let (belong, files) = match files.as_slice() {
            [_] => ("it belongs", files.join(" ")),
            _ => ("they belong", files.join(" ")),
        };
        self.add(Finding::warning(
            "sqlite-wal-owner",
            format!("open {files}, which the site's WAL mode needs"),
            format!(
                "{belong} to the user {other}, the database to {owner}: the site may not be able \
                 to write"
            ),
            format!("chown {owner} {files}"),
        ));
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether this user may write into the directory of `path`.
fn may_write_beside(path: &Path) -> bool {
    path.parent()
        .is_some_and(|directory| access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}
