//! Asks every store for an answer: database servers, caches, directories of sessions.

use std::time::{Duration, Instant, SystemTime};

use hallpass_stores::cache::{Cache, Store};
use hallpass_stores::sql::{Database, Location, Replication};
use hallpass_stores::{Cause, Files};

use super::permission::{permit, permit_reading, this_user};
use super::{Examination, Finding};

/// How far clocks may be apart: sessions end to the second.
const NEAR: Duration = Duration::from_secs(5);
/// How far apart they are when something is wrong.
const FAR: Duration = Duration::from_secs(60);

impl Examination<'_> {
    /// Asks each server for itself; whether any answered.
    pub(super) fn servers(&mut self) -> bool {
        let mut reached = false;
        for mut settings in self.configuration.database.one_by_one() {
            settings.max_lag = None;
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
                    let of_file = matches!(settings.location, Location::Sqlite(_));
                    let mend = database_fix(cause.cause(), of_file);
                    self.unavailable("database", &tried, &cause, &mend);
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

impl Examination<'_> {
    /// Whether a replica is asked that does not follow its primary, or is further behind than it may.
    pub(super) fn replica(&mut self) {
        if self.lags() {
            return;
        }
        let deadline = self.deadline();
        let asked = self.database.ask(deadline, |queries| queries.replication());
        // What the server does not tell is not known to be wrong.
        let Ok(Some(replication)) = asked else {
            return;
        };
        let tried = "look whether the database follows its primary";
        let of = |since: Duration| match since.as_secs() {
            0 => String::new(),
            seconds => format!(", and its last change is {seconds} s old"),
        };
        let (seen, mend) = match replication {
            Replication::Behind(since) if since >= FAR => (
                format!(
                    "it is a replica, has not applied all that it was sent{}",
                    of(since)
                ),
                "find out what holds it up, or name the primary in `database`",
            ),
            Replication::Paused(since) => (
                format!("it is a replica, and its replay is paused{}", of(since)),
                "resume it (pg_wal_replay_resume), or name the primary in `database`",
            ),
            Replication::Alone(since) => (
                format!(
                    "it is a replica without a connection to its primary{}",
                    of(since)
                ),
                "start its replication again, or name the primary in `database`",
            ),
            Replication::Current | Replication::Behind(_) => {
                let seen = "it is a replica, and follows";
                self.add(Finding::ok("replica", tried, seen));
                return;
            }
        };
        let seen = format!("{seen}: ended sessions and old passwords still count");
        self.add(Finding::problem("replica", tried, seen, mend));
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}

/// What helps where a database cannot be asked; `of_file` where it is one of SQLite's.
fn database_fix(cause: Cause, of_file: bool) -> String {
    match cause {
        Cause::Away => "start it, or correct its address in `database`".to_owned(),
        Cause::Login => "correct the user and the password in `database`, or have the server's \
                         administrator give that user this password again"
            .to_owned(),
        Cause::NoDatabase => "correct the name of the database in `database`".to_owned(),
        Cause::Privilege => {
            "run what `hallpass grants` prints, as the database's administrator".to_owned()
        }
        Cause::Permission => socket_fix(),
        Cause::Tls => "correct `tls` or `ca` in [database]".to_owned(),
        _ if of_file => "put into `database` where the site's file is".to_owned(),
        _ => "see the server's log, and correct `database`".to_owned(),
    }
}

/// What helps where a cache cannot be asked.
pub(super) fn cache_fix(cause: Cause, store: &Store) -> String {
    let by_cause = match cause {
        Cause::Login => "correct the cache's user and password in the configuration",
        Cause::NoDatabase => "correct the number of the database in the cache's URL",
        Cause::Privilege => "have the server's administrator give that user these rights",
        Cause::Permission => return socket_fix(),
        Cause::Tls => "correct the cache's `tls` or `ca` in the configuration",
        _ => match store {
            Store::Memcached(_) => "start it, or correct its address in the configuration",
            Store::Redis { .. } => {
                "start it, or correct its address in the configuration; of a Redis Cluster, this \
                 machine must reach every node, under the address that it announces"
            }
        },
    };
    by_cause.to_owned()
}

fn socket_fix() -> String {
    format!(
        "let {} open the socket: make it a member of the socket's group, and give that group the \
         rights r and w",
        this_user()
    )
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
                    let mend = cache_fix(cause.cause(), &settings.store);
                    self.unavailable("cache", &tried, &cause, &mend);
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
                    let mend = if directory.is_dir() {
                        permit(directory, "rx")
                    } else if directory.try_exists().is_err() {
                        permit_reading(directory)
                    } else {
                        "put into the configuration where the site keeps its sessions".to_owned()
                    };
                    self.unavailable("session-files", &tried, &cause, &mend);
                }
            }
        }
    }
}
