//! The servers of the database: whether each answers, and what time they think it is.

use std::time::{Duration, Instant, SystemTime};

use hallpass_stores::sql::{Database, Location};

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
        let seen = format!("they are {} s apart", apart.as_secs());
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
