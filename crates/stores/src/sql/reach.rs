//! Chooses the server that is asked: the first that answers, and that is recent enough.

use std::time::Instant;

use super::replica::{ALONE, Fitness, Following, Measured, RETURN_TIMEOUT, measure};
use super::server::{Driver, GRACE, Place, Server, run};
use super::store::Store;
use crate::{Cause, Deadline, Explained, Unavailable};

impl<D: Driver> Server<D> {
    /// A connection to the first server that answers. Those that failed a moment ago are left
    /// alone, and so is the one at the place `silent`.
    pub(super) fn connect(
        &mut self,
        silent: Option<usize>,
        deadline: Deadline,
    ) -> Result<(D, usize), Unavailable> {
        let now = Instant::now();
        let (mut causes, mut healthy, mut kind) = (Vec::new(), Vec::new(), Cause::Other);
        for (index, place) in self.places.iter().enumerate() {
            if silent == Some(index) {
                continue;
            }
            match place.health.check(now) {
                Ok(()) => healthy.push(index),
                Err(cause) => {
                    kind = cause.cause();
                    causes.push(cause.to_string());
                }
            }
        }
        // A server that fails otherwise is not known to be away.
        let mut is_away = silent.is_some() || (kind == Cause::Away && !causes.is_empty());
        let mut alone = None;
        let mut left = u32::try_from(healthy.len()).unwrap_or(u32::MAX);
        for index in healthy {
            // Each gets its share, so that one that is silent leaves some to the others.
            let timeout = self
                .options
                .connect_timeout
                .min(deadline.remaining() / left.max(1));
            left = left.saturating_sub(1);
            match self.reach(index, deadline.at_most(timeout))? {
                Ok((connection, Fitness::Fit)) => return Ok((connection, index)),
                Ok((connection, _)) => {
                    alone.get_or_insert((connection, index));
                    causes.push(self.failed(index, "connecting", ALONE).to_string());
                }
                Err(cause) => {
                    kind = cause.cause();
                    is_away |= kind == Cause::Away;
                    causes.push(cause.to_string());
                }
            }
        }
        match alone {
            Some((connection, index)) if is_away => {
                self.measured = Some(Measured::new(Following::Alone));
                Ok((connection, index))
            }
            _ => Err(Unavailable::new(causes.join("; ")).because(kind)),
        }
    }

    /// Connects to the server at the place `index`, and looks whether it is recent enough, which one
    /// without its primary may be.
    ///
    /// # Errors
    /// The inner one when the server is not there, or not recent enough: it is left alone for a moment.
    #[allow(clippy::type_complexity)]
    fn reach(
        &mut self,
        index: usize,
        until: Deadline,
    ) -> Result<Result<(D, Fitness), Unavailable>, Unavailable> {
        let Some(Place { address, .. }) = self.places.get(index) else {
            return Ok(Err(Unavailable::new("there is no such server")));
        };
        let connecting = D::connect(&self.options, address);
        let no_answer = || Explained {
            message: "no answer in time; is a server there, and can it be reached?".to_owned(),
            cause: Cause::Away,
        };
        let connected = match run(&mut self.runtime, until, connecting)? {
            Some(Ok(connection)) => self.look_at(connection, until)?,
            Some(Err(cause)) => Err(cause),
            None => Err(no_answer()),
        };
        match connected {
            Ok((connection, following, fitness)) => {
                if let Some(place) = self.places.get_mut(index) {
                    place.health.answered();
                }
                self.measured = following.map(Measured::new);
                Ok(Ok((connection, fitness)))
            }
            Err(cause) => {
                let failed = self.failed(index, "connecting", &cause.message);
                let failed = failed.because(cause.cause);
                self.place_failed(index, &failed);
                Ok(Err(failed))
            }
        }
    }

    /// Looks whether the server of a new connection is recent enough, where that matters.
    #[allow(clippy::type_complexity)]
    fn look_at(
        &mut self,
        mut connection: D,
        until: Deadline,
    ) -> Result<Result<(D, Option<Following>, Fitness), Explained>, Unavailable> {
        let Some(max_lag) = self.max_lag else {
            return Ok(Ok((connection, None, Fitness::Fit)));
        };
        Ok(
            match run(&mut self.runtime, until, measure(&mut connection, max_lag))? {
                Some(Ok((following, Fitness::Unfit(cause)))) => {
                    self.measured = Some(Measured::new(following));
                    Err(Explained::from(cause))
                }
                Some(Ok((following, fitness))) => Ok((connection, Some(following), fitness)),
                Some(Err(failure)) => Err(Explained::from(failure.to_string())),
                None => Err(Explained {
                    message: "no answer in time to how it follows its primary".to_owned(),
                    cause: Cause::Away,
                }),
            },
        )
    }

    /// The connection that is open, if its server is still recent enough. From time to time, servers
    /// that are named before it are tried, or all others where it has lost its primary.
    pub(super) fn recent_connection(
        &mut self,
        deadline: Deadline,
    ) -> Result<Option<(D, usize)>, Unavailable> {
        let Some((mut connection, place)) = self.connection.take() else {
            return Ok(None);
        };
        let (Some(max_lag), Some(mut measured)) = (self.max_lag, self.measured) else {
            return Ok(Some((connection, place)));
        };
        if !measured.is_due(max_lag) {
            return Ok(Some((connection, place)));
        }
        let was = measured.following();
        let until = deadline.at_most(self.options.query_timeout.saturating_add(GRACE));
        match run(&mut self.runtime, until, measure(&mut connection, max_lag))? {
            Some(Ok((following, fitness))) => {
                measured.renew(following);
                match fitness {
                    Fitness::Fit => {}
                    // All others were tried when it was taken.
                    Fitness::Alone if was == Following::Alone => {}
                    Fitness::Alone => return Ok(None),
                    Fitness::Unfit(cause) => {
                        self.measured = Some(measured);
                        let cause = self.failed(place, "reading", &cause);
                        self.place_failed(place, &cause);
                        return Ok(None);
                    }
                }
            }
            // It is made anew, and tells the cause where it fails again.
            Some(Err(_)) => return Ok(None),
            None => {
                let cause = "no answer in time to how it follows its primary";
                let cause = self.failed(place, "reading", cause).because(Cause::Away);
                self.place_failed(place, &cause);
                return Ok(None);
            }
        }
        let tries = measured.tries_others();
        self.measured = Some(measured);
        if !tries {
            return Ok(Some((connection, place)));
        }
        let others = match measured.following() {
            Following::Alone => 0..self.places.len(),
            _ => 0..place,
        };
        for other in others.filter(|other| *other != place) {
            let now = Instant::now();
            let rests = |place: &Place| place.health.check(now).is_err();
            if self.places.get(other).is_none_or(rests) {
                continue;
            }
            let timeout = RETURN_TIMEOUT.min(self.options.connect_timeout);
            let until = deadline.at_most(timeout.min(deadline.remaining() / 4));
            if let Ok((better, Fitness::Fit)) = self.reach(other, until)? {
                return Ok(Some((better, other)));
            }
            self.measured = Some(measured);
        }
        Ok(Some((connection, place)))
    }

    /// Whether there is a server that did not fail a moment ago.
    pub(super) fn has_another(&self) -> bool {
        let now = Instant::now();
        let mut places = self.places.iter();
        places.any(|place| place.health.check(now).is_ok())
    }

    pub(super) fn place_failed(&mut self, place: usize, cause: &Unavailable) {
        if let Some(place) = self.places.get_mut(place) {
            place.health.failed(Instant::now(), cause.clone());
        }
    }

    pub(super) fn failed(&self, place: usize, doing: &str, cause: &str) -> Unavailable {
        let name = self.name();
        let at = self
            .places
            .get(place)
            .map(|place| place.address.to_string());
        let at = at.unwrap_or_default();
        Unavailable::new(format!("{name} at {at}: {doing} failed: {cause}"))
    }
}
