//! Decides when a failed server is tried again.

use std::time::{Duration, Instant};

use crate::Unavailable;

/// The pause after the first failure, doubled with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause. A server that returns is used again within a second, and connecting takes
/// some time, too.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The health of one server. After a failure, it is not contacted for a pause, in which every
/// request fails at once with the same failure: a server that is down costs one wait per pause, not
/// one per request.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    end: Instant,
    length: Duration,
    cause: Unavailable,
}

impl Backoff {
    /// Whether the server may be contacted `now`.
    ///
    /// # Errors
    /// The failure that began the pause, while that lasts.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Unavailable> {
        match &self.pause {
            Some(pause) if now < pause.end => Err(pause.cause.clone()),
            _ => Ok(()),
        }
    }

    /// Records that the server failed `now` with `cause`.
    pub(crate) fn failed(&mut self, now: Instant, cause: Unavailable) {
        let length = self
            .pause
            .as_ref()
            .map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(LONGEST_PAUSE));
        // A clock at its end makes the pause end at once.
        let end = now.checked_add(length).unwrap_or(now);
        self.pause = Some(Pause { end, length, cause });
    }

    /// Records that the server answered.
    pub(crate) fn answered(&mut self) {
        self.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down() -> Unavailable {
        Unavailable::new("connection refused")
    }

    #[test]
    fn a_server_that_never_failed_is_asked() {
        assert_eq!(Backoff::default().check(Instant::now()), Ok(()));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_say_why() {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        for milliseconds in [50, 100, 200, 400, 500, 500, 500] {
            backoff.failed(now, down());
            let pause = Duration::from_millis(milliseconds);
            assert_eq!(backoff.check(now), Err(down()));
            let almost = now + pause.saturating_sub(Duration::from_nanos(1));
            assert_eq!(backoff.check(almost), Err(down()), "{pause:?}");
            now += pause;
            assert_eq!(backoff.check(now), Ok(()), "{pause:?}");
        }
    }

    #[test]
    fn the_last_failure_is_the_one_that_is_told() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        backoff.failed(now, down());
        let other = Unavailable::new("no answer");
        backoff.failed(now, other.clone());
        assert_eq!(backoff.check(now), Err(other));
    }

    #[test]
    fn an_answer_ends_it() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        for _ in 0..9 {
            backoff.failed(now, down());
        }
        backoff.answered();
        assert_eq!(backoff.check(now), Ok(()));
        backoff.failed(now, down());
        assert_eq!(backoff.check(now + FIRST_PAUSE), Ok(()));
    }
}
