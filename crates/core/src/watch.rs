//! Judges what was let in earlier: whether it still holds, and why not.

use std::time::{Duration, Instant, SystemTime};

use crate::{Identity, Reason, Request, Verdict};

/// How far the wall clock may move against the monotonic one and still count as running evenly.
const EVEN: Duration = Duration::from_secs(5);
/// For how long after a step of the clock no session is taken for expired: the step may be undone.
const SETTLING: Duration = Duration::from_secs(60);

/// Why something that was let in has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The session is gone, or no longer the account's.
    Logout,
    /// The session has reached its end.
    Expired,
    /// The account's password has changed.
    Password,
    /// The account is switched off, banned or deleted.
    Closed,
    /// A group, a permission or an `[access]` rule is no longer met.
    Conditions,
}

impl Ended {
    /// The stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Expired => "expired",
            Self::Password => "password",
            Self::Closed => "closed",
            Self::Conditions => "conditions",
        }
    }

    /// What a denial for this `reason` says of something that was let in earlier; `None` where it
    /// says nothing of it.
    #[must_use]
    pub const fn of(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::NoSession
            | Reason::AnonymousSession
            | Reason::InvalidSession
            | Reason::OtherApplication
            | Reason::WrongUser => Self::Logout,
            Reason::ExpiredSession => Self::Expired,
            Reason::StaleSession | Reason::NewPassword => Self::Password,
            Reason::Banned | Reason::Inactive | Reason::UnknownUser => Self::Closed,
            Reason::NotPermitted | Reason::SecondFactor | Reason::SecondFactorSetUp => {
                Self::Conditions
            }
            // What was not refused for these before is not refused for them now.
            _ => return None,
        })
    }
}

/// A stamp of an account's stored password: another one means that the password was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordStamp(pub u64);

/// Something that was let in, and what it takes to look at it again.
#[derive(Debug)]
pub struct Watched {
    /// The request that is asked again.
    pub request: Request,
    id: String,
    name: String,
    stamp: Option<PasswordStamp>,
    expires: Option<SystemTime>,
}

impl Watched {
    /// Watches what `request` proved to be `identity`.
    #[must_use]
    pub fn new(request: Request, identity: &Identity) -> Self {
        let session = identity.session.as_ref();
        Self {
            request,
            id: identity.id.clone(),
            name: identity.name.clone(),
            stamp: identity.stamp,
            expires: session.and_then(|session| session.expires),
        }
    }

    /// The primary key of the account.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the session ends if nothing renews it, where that is known.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// What `verdict`, given at the time `now`, says of what is watched; `None` where it goes on. A
    /// store that is unavailable says nothing. `expires` is when the session was to end, as last
    /// heard, because a site may have removed an expired session already.
    #[must_use]
    pub fn judge(
        &self,
        verdict: &Verdict,
        expires: Option<SystemTime>,
        now: SystemTime,
    ) -> Option<Ended> {
        match verdict {
            Verdict::Granted(identity) if self.is_another(identity) => Some(Ended::Logout),
            Verdict::Granted(identity) => {
                let changed = self.stamp.is_some() && identity.stamp != self.stamp;
                changed.then_some(Ended::Password)
            }
            Verdict::Denied(reason) => match Ended::of(*reason)? {
                Ended::Logout if expires.is_some_and(|expires| expires <= now) => {
                    Some(Ended::Expired)
                }
                ended => Some(ended),
            },
            Verdict::Unavailable(_) => None,
        }
    }
}

impl Watched {
    /// Whether `identity` is another account's. A site whose sessions say a name, and whose accounts
    /// are not read, has no primary keys.
    fn is_another(&self, identity: &Identity) -> bool {
        identity.id != self.id || (self.id.is_empty() && identity.name != self.name)
    }
}

/// Notices steps of the wall clock, by which sessions only seem to expire.
#[derive(Debug)]
pub struct Clock {
    seen: (Instant, SystemTime),
    stepped: Option<Instant>,
}

impl Clock {
    /// A clock that was looked at at `now`, and runs evenly so far.
    #[must_use]
    pub fn new(now: (Instant, SystemTime)) -> Self {
        Self {
            seen: now,
            stepped: None,
        }
    }

    /// Whether the wall clock has run evenly for long enough that a session which seems to have
    /// expired at `now` has. To be asked regularly.
    pub fn is_even(&mut self, now: (Instant, SystemTime)) -> bool {
        let (instant, wall) = now;
        let expected = instant.saturating_duration_since(self.seen.0);
        let forward = wall.duration_since(self.seen.1);
        let off = match forward {
            Ok(forward) => forward.abs_diff(expected),
            Err(backward) => backward.duration() + expected,
        };
        self.seen = now;
        if off > EVEN {
            self.stepped = Some(instant);
        }
        let settled = |stepped| instant.saturating_duration_since(stepped) >= SETTLING;
        if self.stepped.is_some_and(settled) {
            self.stepped = None;
        }
        self.stepped.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClaimedName, Credential, Secret, Session, Unavailable};

    const END: u64 = 1_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn identity(id: &str, stamp: Option<u64>) -> Identity {
        Identity {
            id: id.to_owned(),
            stamp: stamp.map(PasswordStamp),
            session: Some(Session {
                digest: String::new(),
                expires: Some(at(END)),
                decoded: crate::Decoding::default(),
            }),
            ..Identity::default()
        }
    }

    fn judged(stamp: Option<u64>, verdict: Verdict, now: u64) -> Option<&'static str> {
        let credential = Credential::Session(Secret::new("token"));
        let request = Request::new(ClaimedName::Nameless, credential);
        let watched = Watched::new(request, &identity("7", stamp));
        let ended = watched.judge(&verdict, watched.expires(), at(now));
        ended.map(Ended::word)
    }

    #[test]
    fn every_reason_says_why_it_ended_or_nothing() {
        for (reason, expected) in [
            (Reason::NoSession, Some("logout")),
            (Reason::AnonymousSession, Some("logout")),
            (Reason::InvalidSession, Some("logout")),
            (Reason::WrongUser, Some("logout")),
            (Reason::ExpiredSession, Some("expired")),
            (Reason::StaleSession, Some("password")),
            (Reason::NewPassword, Some("password")),
            (Reason::Inactive, Some("closed")),
            (Reason::Banned, Some("closed")),
            (Reason::UnknownUser, Some("closed")),
            (Reason::NotPermitted, Some("conditions")),
            (Reason::SecondFactor, Some("conditions")),
            (Reason::Throttled, None),
            (Reason::Malformed, None),
            (Reason::WrongPassword, None),
            (Reason::UnsupportedHash, None),
        ] {
            let verdict = Verdict::Denied(reason);
            assert_eq!(judged(None, verdict, 0), expected, "{reason:?}");
        }
    }

    #[test]
    fn a_store_that_is_away_ends_nothing() {
        for now in [0, END, END * 2] {
            let away = Verdict::Unavailable(Unavailable::new("away"));
            assert_eq!(judged(None, away, now), None);
        }
    }

    #[test]
    fn a_session_that_was_removed_after_its_end_has_expired() {
        let gone = || Verdict::Denied(Reason::NoSession);
        assert_eq!(judged(None, gone(), END - 1), Some("logout"));
        assert_eq!(judged(None, gone(), END), Some("expired"));
    }

    #[test]
    fn another_account_or_password_is_another_login() {
        let granted = |id, stamp| Verdict::Granted(Box::new(identity(id, stamp)));
        assert_eq!(judged(None, granted("7", None), 0), None);
        assert_eq!(judged(None, granted("7", Some(1)), 0), None);
        assert_eq!(judged(None, granted("8", None), 0), Some("logout"));
        assert_eq!(judged(Some(1), granted("7", Some(1)), 0), None);
        assert_eq!(judged(Some(1), granted("7", Some(2)), 0), Some("password"));
        assert_eq!(judged(Some(1), granted("7", None), 0), Some("password"));
    }

    #[test]
    fn accounts_without_primary_keys_are_told_apart_by_their_names() {
        let named = |id: &str, name: &str| Identity {
            name: name.to_owned(),
            ..identity(id, None)
        };
        for (before, after, expected) in [
            (("", "alice"), ("", "alice"), None),
            (("", "alice"), ("", "bob"), Some("logout")),
            (("", "alice"), ("7", "alice"), Some("logout")),
            // The account has another name now.
            (("7", "alice"), ("7", "alicia"), None),
        ] {
            let credential = Credential::Session(Secret::new("token"));
            let request = Request::new(ClaimedName::Nameless, credential);
            let watched = Watched::new(request, &named(before.0, before.1));
            let verdict = Verdict::Granted(Box::new(named(after.0, after.1)));
            let ended = watched.judge(&verdict, watched.expires(), at(0));
            assert_eq!(ended.map(Ended::word), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn nothing_expires_by_a_step_of_the_clock() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new((start, at(10_000)));
        for (monotonic, wall, even) in [
            (2, 10_002, true),
            (4, 10_008, true),
            // A day forward, and back again.
            (6, 96_400, false),
            (8, 96_402, false),
            (10, 10_010, false),
            (69, 10_069, false),
            (70, 10_070, true),
            // An hour forward for good.
            (72, 13_672, false),
            (131, 13_731, false),
            (132, 13_732, true),
            // An hour back.
            (134, 10_134, false),
            (194, 10_194, true),
        ] {
            assert_eq!(
                clock.is_even((later(monotonic), at(wall))),
                even,
                "{monotonic}"
            );
        }
    }
}
