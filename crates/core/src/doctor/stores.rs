//! Asks every store for an answer: database servers, caches, directories of sessions.

use std::time::{Duration, Instant, SystemTime};

use hallpass_stores::Files;
use hallpass_stores::cache::{Cache, Store};
use hallpass_stores::sql::{Database, Location};

use super::files::mend;
use super::{Examination, Finding};

/// How far clocks may be apart: sessions end to the second.
const NEAR: Duration = Duration::from_secs(5);
/// How far apart they are when something is wrong.
const FAR: Duration = Duration::from_secs(60);

impl Examination<'_> {
    /// Asks each server for itself; whether any answered.
    pub(super) fn servers(&mut self) -> bool {
        let mut reached = false;
        for settings in self.configuration.database.one_by_one() {
            let tried = format!("ask {}", settings.location);
            let statement = match settings.location {
                // Nothing else makes it read the file.
                Location::Sqlite(_) => "SELECT name FROM sqlite_master LIMIT 1",
                _ => "SELECT 1",
            };
            let deadline = self.deadline();
            let started = Instant::now();
            let asked =
                Database::new(&settings).ask(deadline, |queries| queries.rows(statement, &[], 1));
            match asked {
                Ok(_) => {
                    reached = true;
                    let took = started.elapsed().as_millis();
                    self.add(Finding::ok(
                        "database",
                        tried,
                        format!("answers in {took} ms"),
                    ));
                }
                Err(cause) => {
                    let mend = "start it, or put into `database` where it is and who may ask it; \
                                `hallpass grants` prints the SQL for such a user";
                    self.unavailable("database", &tried, &cause, mend);
                }
            }
        }
        reached
    }

    /// Whether the server's clock shows what ours does.
    pub(super) fn clock(&mut self) {
        let deadline = self.deadline();
        let asked = self.database.ask(deadline, |queries| queries.clock());
        let Ok(Some(theirs)) = asked else {
            // A file has no clock, and whatever else is wrong shows elsewhere.
            return;
        };
        let tried = "compare the database's clock with ours";
        let apart = apart(theirs, SystemTime::now());
        let seen = format!("they differ by {} s", apart.as_secs());
        let mend = "keep both machines' clocks by NTP: sessions end too soon, or too late";
        self.add(if apart >= FAR {
            Finding::problem("clock", tried, seen, mend)
        } else if apart > NEAR {
            Finding::warning("clock", tried, seen, mend)
        } else {
            Finding::ok("clock", tried, seen)
        });
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}

/// A key that no site writes.
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
