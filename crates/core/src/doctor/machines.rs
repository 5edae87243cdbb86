//! Looks at what several machines have in common: replicas that may lag, and the shared count of wrong
//! passwords.

use std::time::Duration;

use hallpass_stores::Cause;
use hallpass_stores::cache::{Counter, Counters};
use hallpass_stores::sql::{Database, Following};

use super::stores::cache_fix;
use super::{Examination, Finding};

/// How long the count that tries whether the server counts lives there.
const LIFETIME: Duration = Duration::from_secs(10);

impl Examination<'_> {
    /// Looks at each server whose lag is limited, how far it is behind; whether there is any.
    pub(super) fn lags(&mut self) -> bool {
        let mut any = false;
        for mut settings in self.configuration.database.one_by_one() {
            let Some(max_lag) = settings.max_lag.take() else {
                continue;
            };
            any = true;
            let tried = format!("look how far {} is behind its primary", settings.location);
            let deadline = self.deadline();
            let asked = Database::new(&settings).ask(deadline, |queries| queries.following());
            let following = match asked {
                Ok(Some(following)) => following,
                Err(cause) if cause.cause() != Cause::Away => {
                    let mend = "run what `hallpass grants` prints on that server, as its \
                                administrator; without, it is not asked";
                    self.add(Finding::problem("replica", tried, cause.to_string(), mend));
                    continue;
                }
                // That it is away is found already.
                Ok(None) | Err(_) => continue,
            };
            self.add(match following {
                Following::Primary => Finding::ok("replica", tried, "it is the primary"),
                Following::Behind(lag) if lag <= max_lag => {
                    Finding::ok("replica", tried, format!("it is {} behind", seconds(lag)))
                }
                Following::Behind(lag) => Finding::problem(
                    "replica",
                    tried,
                    format!(
                        "it is {} behind, more than `max_lag` ({}), and is not asked",
                        seconds(lag),
                        seconds(max_lag)
                    ),
                    "find out what holds it up",
                ),
                Following::Alone => Finding::problem(
                    "replica",
                    tried,
                    "it has no connection to its primary, and is asked only where that cannot be \
                     reached",
                    "start its replication again, or name another server in `database`",
                ),
                Following::Stopped => Finding::problem(
                    "replica",
                    tried,
                    "it applies nothing that it is sent, and is not asked",
                    "start its replication again, or name another server in `database`",
                ),
            });
        }
        any
    }

    /// Counts where wrong passwords are counted for several machines.
    pub(super) fn shared_limits(&mut self) {
        let Some(shared) = &self.configuration.shared_limits else {
            return;
        };
        let tried = "count in the server of `limits.shared`";
        let prefix = shared.prefix();
        let counter = Counter {
            key: format!("{prefix}doctor").into_bytes(),
            add: 1,
            lifetime: LIFETIME,
            renewed: true,
        };
        let deadline = self.deadline();
        let counted = Counters::new(&shared.cache)
            .map(|mut counters| counters.count(std::slice::from_ref(&counter), deadline));
        self.add(match counted {
            Some(Ok(_)) => {
                let seen =
                    format!("it counts, under {prefix}*, which is to be the same on all machines");
                Finding::ok("limits", tried, seen)
            }
            Some(Err(cause)) => {
                let fix = cache_fix(cause.cause(), &shared.cache.store);
                let seen = format!("{cause}; each machine counts wrong passwords by itself");
                Finding::warning("limits", tried, seen, fix)
            }
            None => return,
        });
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
