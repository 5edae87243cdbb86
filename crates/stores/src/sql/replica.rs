//! Decides whether a server that follows another is recent enough to be asked.

use std::time::{Duration, Instant};

use super::server::{Driver, Failure};

/// How a server stands to the one that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// It follows none.
    Primary,
    /// It follows, and what it shows is older by so much.
    Behind(Duration),
    /// It has applied what it was sent, and is not connected to its primary: how old that is cannot
    /// be known.
    Alone,
    /// It was told to apply nothing, or cannot.
    Stopped,
}

/// Whether a server may be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Fit,
    /// Only where its primary cannot be reached.
    Alone,
    /// It is further behind than is allowed, in words.
    Unfit(String),
}

/// How often the lag is measured again while it is too long, and the pause between.
const MEASURED: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// The longest that a measurement holds.
const LONGEST: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(50);

/// How often servers that are preferred are tried again.
const RETURN: Duration = Duration::from_secs(5);

/// The longest that connecting to one of them may take: there is a server that answers.
pub(super) const RETURN_TIMEOUT: Duration = Duration::from_millis(300);

/// What is known of the server that a connection leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    at: Instant,
    /// When preferred servers were tried last.
    tried: Instant,
    following: Following,
}

impl Measured {
    pub(super) fn new(following: Following) -> Self {
        let now = Instant::now();
        Self {
            at: now,
            tried: now,
            following,
        }
    }

    pub(super) fn following(&self) -> Following {
        self.following
    }

    /// Whether the server is to be measured again: a quarter of `max_lag` after the last time, so that
    /// what is shown is never older than that much more.
    pub(super) fn is_due(&self, max_lag: Duration) -> bool {
        self.at.elapsed() >= (max_lag / 4).clamp(SHORTEST, LONGEST)
    }

    /// Whether preferred servers are to be tried now; notes that they are.
    pub(super) fn tries_others(&mut self) -> bool {
        let due = self.following != Following::Primary && self.tried.elapsed() >= RETURN;
        if due {
            self.tried = Instant::now();
        }
        due
    }

    /// Notes a measurement.
    pub(super) fn renew(&mut self, following: Following) {
        self.at = Instant::now();
        self.following = following;
    }
}

/// Measures the server at the other end of `connection`. One that is `max_lag` behind at one moment
/// may just have received its first change for long, and is given another.
pub(super) async fn measure<D: Driver>(
    connection: &mut D,
    max_lag: Duration,
) -> Result<(Following, Fitness), Failure> {
    let mut measured = 1;
    loop {
        let following = connection.following().await?;
        let fitness = judge(following, max_lag);
        let may_be_new = matches!(following, Following::Behind(_));
        if matches!(fitness, Fitness::Unfit(_)) && may_be_new && measured < MEASURED {
            measured += 1;
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        return Ok((following, fitness));
    }
}

fn judge(following: Following, max_lag: Duration) -> Fitness {
    match following {
        Following::Primary => Fitness::Fit,
        Following::Behind(lag) if lag <= max_lag => Fitness::Fit,
        Following::Behind(lag) => Fitness::Unfit(format!(
            "it is a replica that is {} behind, more than `max_lag` ({})",
            seconds(lag),
            seconds(max_lag)
        )),
        Following::Alone => Fitness::Alone,
        Following::Stopped => Fitness::Unfit(
            "it is a replica that applies nothing: start its replication again".to_owned(),
        ),
    }
}

/// Why a server without its primary is not asked.
pub(super) const ALONE: &str = "it is a replica without a connection to its primary, so that its lag \
                                is unknown (`max_lag`); it is asked only where the primary is named, \
                                too, and cannot be reached";

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_where_it_is_recent_enough() {
        let max_lag = Duration::from_secs(5);
        for (following, fit) in [
            (Following::Primary, true),
            (Following::Behind(Duration::ZERO), true),
            (Following::Behind(max_lag), true),
            (Following::Behind(Duration::from_millis(5001)), false),
            (Following::Behind(Duration::MAX), false),
            (Following::Alone, false),
            (Following::Stopped, false),
        ] {
            let fitness = judge(following, max_lag);
            assert_eq!(fitness == Fitness::Fit, fit, "{following:?}");
        }
        assert_eq!(judge(Following::Alone, max_lag), Fitness::Alone);
    }

    #[test]
    fn a_measurement_is_not_relied_on_for_long() {
        let measured = Measured::new(Following::Primary);
        assert!(!measured.is_due(Duration::from_secs(3600)));
        let old = Measured {
            at: Instant::now().checked_sub(LONGEST).unwrap(),
            ..measured
        };
        assert!(old.is_due(Duration::from_secs(3600)));
        // A primary is where it is wanted.
        let mut old = Measured {
            tried: Instant::now().checked_sub(RETURN).unwrap(),
            ..measured
        };
        assert!(!old.tries_others());
        old.renew(Following::Behind(Duration::ZERO));
        assert!(old.tries_others());
        assert!(!old.tries_others());
    }
}
