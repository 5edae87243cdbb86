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
    /// Whether `own` certainly holds the connection that it let in. Until then it takes others that
    /// appear, so that a client cannot keep one by binding it late.
    pub settled: bool,
    /// Whether what it owns may be another's: it did not begin when the login did.
    pub in_doubt: bool,
    /// Whether ejabberd has listed the connections since, early enough to tell which is this login's.
    pub listed: bool,
}

impl Login {
    /// Whether nothing of it can be left at `now`.
    pub fn is_over(&self, streams: &[Stream], now: Instant) -> bool {
        let there = streams.iter().any(|stream| self.own.contains(&stream.id()));
        let unknown = self.is_unknown(now) && !streams.is_empty();
        !there && !self.waits(now) && !unknown
    }

    /// Whether any connection may be the one that it let in, as seen at `now`: ejabberd was not asked, or
    /// did not answer, early enough to tell.
    pub fn is_unknown(&self, now: Instant) -> bool {
        !self.listed && !self.waits(now)
    }

    /// Whether its connection may still appear after `now`.
    pub fn waits(&self, now: Instant) -> bool {
        !self.settled && now.duration_since(self.since) < LONGEST_BIND
    }

    /// Whether `stream` is called after its session.
    fn is_named_by(&self, stream: &Stream) -> bool {
        let digits = stream.resource.strip_prefix(OWN_NAME);
        let digits = digits.and_then(|digits| digits.get(..DIGITS));
        digits.is_some_and(|digits| {
            let digest = self.digest.as_ref();
            digest.is_some_and(|digest| digest.starts_with(digits))
        })
    }

    /// Whether `stream`, seen at `now`, may be the one that it let in.
    fn may_own(&self, stream: &Stream, now: Instant) -> bool {
        match (&self.before, stream.uptime) {
            (Some(before), _) => !before.contains(&stream.id()),
            (None, Some(uptime)) => {
                let since = now.duration_since(self.since);
                since + BLUR + stream.blur >= Duration::from_secs(uptime)
            }
            (None, None) => true,
        }
    }

    /// How far from the login `stream` began.
    fn distance(&self, stream: &Stream, now: Instant) -> Duration {
        let since = now.duration_since(self.since);
        let uptime = stream.uptime.map(Duration::from_secs);
        uptime.map_or(Duration::MAX, |uptime| {
            since.abs_diff(uptime).saturating_sub(stream.blur)
        })
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
/// wait for one. Where two logins may have let in one, it is given to both.
pub fn assign(logins: &mut [&mut Login], streams: &[Stream], now: Instant) {
    let mut unowned: Vec<&Stream> = streams
        .iter()
        .filter(|stream| !logins.iter().any(|login| login.own.contains(&stream.id())))
        .collect();
    // The oldest first, as the logins are.
    unowned.sort_by_key(|stream| std::cmp::Reverse(stream.uptime));
    let waiting = logins.iter_mut().filter(|login| login.waits(now));
    let mut waiting: Vec<&mut Login> = waiting.map(|login| &mut **login).collect();
    for stream in unowned {
        // Only the name of a known login counts: a stream under any other would never be ended.
        let is_named = waiting.iter().any(|login| login.is_named_by(stream));
        let distance = |login: &Login| {
            let may_own = match is_named {
                true => login.is_named_by(stream),
                false => login.may_own(stream, now),
            };
            may_own.then(|| login.distance(stream, now))
        };
        let Some(nearest) = waiting.iter().filter_map(|login| distance(login)).min() else {
            continue;
        };
        let blurred = nearest.saturating_add(BLUR);
        for login in &mut waiting {
            if distance(login).is_some_and(|it| it <= blurred) {
                login.own.push(stream.id());
                login.in_doubt |= nearest > BLUR && !is_named;
            }
        }
    }
    for login in &mut waiting {
        login.listed = true;
    }
    settle(&mut waiting);
}

/// Settles the logins that have as many connections as there are logins which may own them.
fn settle(waiting: &mut [&mut Login]) {
    let shared = |own: &[StreamId]| {
        let owns_one = |login: &&&mut Login| login.own.iter().any(|id| own.contains(id));
        waiting.iter().filter(owns_one).count()
    };
    let has_all = |login: &&mut Login| {
        let own = &login.own;
        !own.is_empty() && !login.in_doubt && own.len() >= shared(own)
    };
    let settled: Vec<bool> = waiting.iter().map(has_all).collect();
    for (login, settled) in waiting.iter_mut().zip(settled) {
        login.settled = settled;
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
            uptime: Some(uptime),
            blur: Duration::ZERO,
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
            settled: false,
            in_doubt: false,
            listed: false,
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
    fn a_resource_that_names_no_session_hides_nothing() {
        let start = Instant::now();
        let mut logins = [login(start, &[])];
        for resource in ["hp-ffffffffffff", "hp-0123", "hp-", "hp-0123456789ač"] {
            logins[0].own.clear();
            logins[0].settled = false;
            let streams = [stream(resource, 1, 0)];
            assert_eq!(assigned(&mut logins, &streams, start), [[resource]]);
        }
    }

    #[test]
    fn a_client_that_binds_late_hides_behind_no_other() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        // Two logins of one moment: which of them has bound?
        let mut logins = [login(start, &[]), login(start, &[])];
        let first = [stream("a", 1, 0)];
        assert_eq!(assigned(&mut logins, &first, later(1)), [["a"], ["a"]]);
        let both = [stream("a", 1, 30), stream("b", 2, 0)];
        let expected = [["a", "b"], ["a", "b"]];
        assert_eq!(assigned(&mut logins, &both, later(30)), expected);
        // A connection that began at another time may be another process's.
        let mut logins = [login(start, &[])];
        let other = [stream("a", 1, 0)];
        assert_eq!(assigned(&mut logins, &other, later(20)), [["a"]]);
        assert!(!logins[0].is_over(&[], later(60)));
        let both = [stream("a", 1, 40), stream("b", 2, 0)];
        assert_eq!(assigned(&mut logins, &both, later(60)), [["a", "b"]]);
        // Until ejabberd would have ended it.
        let three = [stream("c", 3, 0)];
        assert_eq!(assigned(&mut logins, &three, later(200)), [["a", "b"]]);
        assert!(logins[0].is_over(&three, later(200)));
    }

    #[test]
    fn two_logins_whose_connections_come_one_by_one_are_settled() {
        let start = Instant::now();
        let mut logins = [login(start, &[]), login(start, &[])];
        assigned(&mut logins, &[stream("a", 1, 0)], start);
        assert!(!logins[0].settled && !logins[1].settled);
        assigned(&mut logins, &[stream("a", 1, 1), stream("b", 2, 0)], start);
        assert!(logins[0].settled && logins[1].settled);
    }

    #[test]
    fn two_logins_with_two_connections_take_no_third() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut logins = [login(start, &[]), login(start, &[])];
        let two = [stream("a", 1, 0), stream("b", 2, 0)];
        assigned(&mut logins, &two, later(1));
        let three = [stream("a", 1, 9), stream("b", 2, 9), stream("c", 3, 0)];
        let expected = [["a", "b"], ["a", "b"]];
        assert_eq!(assigned(&mut logins, &three, later(10)), expected);
    }

    #[test]
    fn an_age_that_took_long_to_learn_is_as_inexact() {
        let start = Instant::now();
        let mut logins = [login(start, &[])];
        logins[0].before = None;
        let (mut own, mut older) = (stream("own", 1, 1), stream("older", 2, 15));
        for stream in [&mut own, &mut older] {
            stream.blur = Duration::from_secs(4);
        }
        let now = start + Duration::from_secs(6);
        assert_eq!(assigned(&mut logins, &[older, own], now), [["own"]]);
        assert!(logins[0].settled);
    }

    #[test]
    fn a_connection_of_unknown_age_is_any_waiting_login_s() {
        let start = Instant::now();
        let mut logins = [login(start, &[]), login(start, &[])];
        for login in &mut logins {
            login.before = None;
        }
        let mut unknown = stream("a", 1, 0);
        unknown.uptime = None;
        let now = start + Duration::from_secs(9);
        assert_eq!(assigned(&mut logins, &[unknown], now), [["a"], ["a"]]);
        assert!(!logins[0].settled && !logins[1].settled);
    }

    #[test]
    fn a_login_without_a_connection_is_over_after_a_while() {
        let start = Instant::now();
        let mut logins = [login(start, &[])];
        assert!(!logins[0].is_over(&[], start + LONGEST_BIND - Duration::from_secs(1)));
        assert!(logins[0].is_over(&[], start + LONGEST_BIND));
        // Others of the person are its own where they were never looked at.
        let others = [stream("web", 1, 1000)];
        assert!(!logins[0].is_over(&others, start + LONGEST_BIND));
        assert!(logins[0].is_unknown(start + LONGEST_BIND) && !logins[0].is_unknown(start));
        assigned(&mut logins, &[], start);
        assert!(logins[0].is_over(&others, start + LONGEST_BIND));
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
