//! Where else sessions are: caches and directories.

use hallpass_stores::Files;
use hallpass_stores::cache::{Cache, Store};

use super::paths::mend;
use super::{Examination, Finding};

/// A key that nobody has written to.
const NO_KEY: &[u8] = b"hallpass:doctor";

impl Examination<'_> {
    /// Asks each server of the site's caches for itself.
    pub(super) fn caches(&mut self) {
        let caches = self.configuration.caches().into_iter();
        let servers: Vec<_> = caches.flat_map(|cache| cache.one_by_one()).collect();
        for (name, settings) in servers {
            let tried = format!("ask {name}");
            match Cache::new(&settings).get(NO_KEY, self.deadline()) {
                Ok(_) => self.add(Finding::ok("cache", tried, "answers")),
                Err(cause) => {
                    let mend = match settings.store {
                        Store::Memcached(_) => {
                            "start it, or put into the configuration where it is"
                        }
                        Store::Redis { .. } => {
                            "start it, or put into the configuration where it is and who may ask \
                             it; of a Redis Cluster, this machine must reach every node, under the \
                             address that it announces"
                        }
                    };
                    self.unavailable("cache", &tried, &cause, mend);
                }
            }
        }
    }

    /// Looks into each directory of sessions.
    pub(super) fn directories(&mut self) {
        for directory in self.configuration.session_directories() {
            let tried = format!("look for sessions in {}", directory.display());
            match Files::new(directory).newest(b"", 1) {
                Ok(_) => self.add(Finding::ok("session-files", tried, "it can be read")),
                Err(cause) => {
                    let user = rustix::process::geteuid().as_raw();
                    let mend = if directory.is_dir() {
                        format!("setfacl -m u:{user}:rx {}", directory.display())
                    } else if directory.try_exists().is_err() {
                        mend(directory)
                    } else {
                        "put into the configuration where the site keeps its sessions".to_owned()
                    };
                    self.unavailable("session-files", &tried, &cause, &mend);
                }
            }
        }
    }
}
