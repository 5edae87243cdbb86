//! Finds out which connection was let in by which credential.
//!
//! ejabberd asks for a name and a password; the connection gets its resource, by which it can be
//! ended, only later. So a login takes the connection that appears next.

use std::time::{Duration, Instant};

use super::api::{Jid, Stream};
use hallpass_core::Watched;

/// For how long a login may be without a connection: `negotiation_timeout` of ejabberd is two
/// minutes by default.
const LONGEST_BIND: Duration = Duration::from_secs(150);
/// How far apart two connections must have begun to be distinguished by it: ejabberd counts whole
/// seconds.
const BLUR: Duration = Duration::from_secs(2);
/// What a client may put before the first digits of its session's digest, as its resource.
const OWN_NAME: &str = "hp-";
/// How many digits.
const DIGITS: usize = 12;

/// One connection, as long as it lasts: another with the same resource has another port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamId {
    pub resource: String,
    ip: String,
    port: i64,
}

/// A login that was let in.
#[derive(Debug)]
pub struct Login {
    pub jid: Jid,
    pub watched: Watched,
    pub since: Instant,
    /// The session's digest.
    pub digest: Option<String>,
    /// The connections that were there before, where that is known.
    pub before: Option<Vec<StreamId>>,
    /// The connection that it let in, or those that may be it.
    pub own: Vec<StreamId>,
}

impl Login {
    /// Whether nothing of it can be left at `now`.
    pub fn is_over(&self, streams: &[Stream], now: Instant) -> bool {
        let there = streams.iter().any(|stream| self.own.contains(&stream.id()));
        let may_bind = self.own.is_empty() && now.duration_since(self.since) < LONGEST_BIND;
        !there && !may_bind
    }

    /// Whether `stream`, seen at `now`, may be the one that it let in.
    fn may_own(&self, stream: &Stream, now: Instant) -> bool {
        if let Some(own) = stream.resource.strip_prefix(OWN_NAME)
            && let (Some(digest), Some(own)) = (&self.digest, own.get(..DIGITS))
        {
            return digest.starts_with(own);
        }
        match &self.before {
            Some(before) => !before.contains(&stream.id()),
            None => now.duration_since(self.since) + BLUR >= Duration::from_secs(stream.uptime),
        }
    }

    /// How far from the login `stream` began.
    fn distance(&self, stream: &Stream, now: Instant) -> Duration {
        let since = now.duration_since(self.since);
        since.abs_diff(Duration::from_secs(stream.uptime))
    }
}

impl Stream {
    /// What tells it from others.
    pub fn id(&self) -> StreamId {
        StreamId {
            resource: self.resource.clone(),
            ip: self.ip.clone(),
            port: self.port,
        }
    }
}

/// Gives the connections of a user, `streams` as seen at `now`, to those of the user's `logins` that
/// have none yet. Where two logins may have let in one, it is given to both.
pub fn assign(logins: &mut [&mut Login], streams: &[Stream], now: Instant) {
    let mut unowned: Vec<&Stream> = streams
        .iter()
        .filter(|stream| !logins.iter().any(|login| login.own.contains(&stream.id())))
        .collect();
    // The oldest first, as the logins are.
    unowned.sort_by_key(|stream| std::cmp::Reverse(stream.uptime));
    let mut waiting: Vec<&mut &mut Login> = logins
        .iter_mut()
        .filter(|login| login.own.is_empty())
        .collect();
    for stream in unowned {
        let distance = |login: &Login| {
            let own = login.may_own(stream, now);
            own.then(|| login.distance(stream, now))
        };
        let Some(nearest) = waiting.iter().filter_map(|login| distance(login)).min() else {
            continue;
        };
        for login in &mut waiting {
            if distance(login).is_some_and(|it| it <= nearest + BLUR) {
                login.own.push(stream.id());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hallpass_core::{ClaimedName, Credential, Identity, Request, Secret};

    use super::*;

    fn stream(resource: &str, port: i64, uptime: u64) -> Stream {
        Stream {
            resource: resource.to_owned(),
            ip: "192.0.2.1".to_owned(),
            port,
            uptime,
        }
    }

    fn login(since: Instant, before: &[Stream]) -> Login {
        let credential = Credential::Session(Secret::new("token"));
        let request = Request::new(ClaimedName::Nameless, credential);
        Login {
            jid: Jid {
                user: "alice".to_owned(),
                host: "chat.test".to_owned(),
            },
            watched: Watched::new(request, &Identity::default()),
            since,
            digest: Some("0123456789abcdef".to_owned()),
            before: Some(before.iter().map(Stream::id).collect()),
            own: Vec::new(),
        }
    }

    fn owned(logins: &[Login]) -> Vec<Vec<&str>> {
        logins
            .iter()
            .map(|login| login.own.iter().map(|id| id.resource.as_str()).collect())
            .collect()
    }

    fn assigned<'a>(
        logins: &'a mut [Login],
        streams: &[Stream],
        now: Instant,
    ) -> Vec<Vec<&'a str>> {
        let mut all: Vec<&mut Login> = logins.iter_mut().collect();
        assign(&mut all, streams, now);
        owned(logins)
    }

    #[test]
    fn a_login_takes_the_connection_that_appears_next() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let old = stream("old", 1, 100);
        let mut logins = [login(start, std::slice::from_ref(&old))];
        assert_eq!(
            assigned(&mut logins, std::slice::from_ref(&old), later(1)),
            [[""; 0]]
        );
        let both = [old.clone(), stream("web", 2, 0)];
        assert_eq!(assigned(&mut logins, &both, later(1)), [["web"]]);
        // And keeps it.
        let three = [old, stream("web", 2, 60), stream("phone", 3, 0)];
        assert_eq!(assigned(&mut logins, &three, later(61)), [["web"]]);
        assert!(!logins[0].is_over(&three, later(61)));
        // The same resource on another connection is another's.
        assert!(logins[0].is_over(&[stream("web", 4, 0)], later(62)));
    }

    #[test]
    fn logins_one_after_the_other_are_told_apart() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        // The first one never bound.
        let mut logins = [login(start, &[]), login(later(30), &[])];
        let streams = [stream("web", 1, 1)];
        assert_eq!(
            assigned(&mut logins, &streams, later(31)),
            [&[][..], &["web"]]
        );
        let mut logins = [login(start, &[]), login(later(30), &[])];
        let streams = [stream("b", 2, 1), stream("a", 1, 31)];
        assert_eq!(assigned(&mut logins, &streams, later(31)), [["a"], ["b"]]);
    }

    #[test]
    fn logins_of_one_moment_may_own_either_connection() {
        let start = Instant::now();
        let mut logins = [login(start, &[]), login(start, &[])];
        let streams = [stream("a", 1, 0), stream("b", 2, 0)];
        let now = start + Duration::from_millis(200);
        assert_eq!(
            assigned(&mut logins, &streams, now),
            [["a", "b"], ["a", "b"]]
        );
    }

    #[test]
    fn a_resource_that_names_its_session_settles_it() {
        let start = Instant::now();
        let mut logins = [login(start, &[]), login(start, &[])];
        logins[1].digest = Some("fedcba9876543210".to_owned());
        let streams = [
            stream("hp-fedcba987654", 1, 0),
            stream("hp-0123456789ab.2", 2, 0),
        ];
        let now = start + Duration::from_millis(200);
        let expected = [["hp-0123456789ab.2"], ["hp-fedcba987654"]];
        assert_eq!(assigned(&mut logins, &streams, now), expected);
    }

    #[test]
    fn a_login_without_a_connection_is_over_after_a_while() {
        let start = Instant::now();
        let login = login(start, &[]);
        assert!(!login.is_over(&[], start + LONGEST_BIND - Duration::from_secs(1)));
        assert!(login.is_over(&[], start + LONGEST_BIND));
    }

    #[test]
    fn without_a_list_from_before_the_time_tells() {
        let start = Instant::now();
        let mut logins = [login(start, &[])];
        logins[0].before = None;
        let streams = [stream("old", 1, 100), stream("web", 2, 4)];
        let now = start + Duration::from_secs(4);
        assert_eq!(assigned(&mut logins, &streams, now), [["web"]]);
    }
}
