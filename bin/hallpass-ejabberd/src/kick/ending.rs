//! Has connections ended whose sessions have ended, until it is certain that they have.

use std::time::{Duration, Instant};

use hallpass_core::configuration::Kick;
use hallpass_core::{Deadline, Unavailable};

use super::api::{Jid, is_slow, kick, streams};
use super::logins::{Login, assign};

/// How long one call of ejabberd may take.
const CALL: Duration = Duration::from_secs(5);
/// How long one may take that starts a program.
const SLOW_CALL: Duration = Duration::from_secs(15);
/// How often a connection is looked for after its session has ended: one that is not bound yet is
/// in no list.
const LOOKS: u32 = 3;
/// For how long that is done at least, where a login may still get a connection: longer than
/// `negotiation_timeout` is in the documentation. Not for much longer, because another process may let
/// in the same user meanwhile.
const LATE_BIND: Duration = Duration::from_secs(20);
/// How long ejabberd is asked to end a connection while it does not answer.
const LONGEST_TRY: Duration = Duration::from_secs(600);
/// How many may fail before a round is given up.
const MOST_FAILURES: u32 = 3;

/// A login whose session has ended, and whose connection is to be ended.
struct Ending {
    /// All of the user's connections.
    all: bool,
    login: Login,
    /// How often it is still looked for.
    looks: u32,
    since: Instant,
    over: bool,
}

/// All of them.
#[derive(Default)]
pub struct Endings(Vec<Ending>);

/// What a round came to.
#[derive(Default)]
pub struct Round {
    /// What the calls took that start a program.
    pub spent: Duration,
    /// Whether ejabberd has answered.
    pub answered: bool,
    /// Why it has not, or has ended more than was asked for, the last time.
    pub failure: Option<Unavailable>,
}

impl Endings {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a login whose session has ended; with `all`, every connection of its user is ended.
    pub fn add(&mut self, login: Login, all: bool) {
        self.0.push(Ending {
            all,
            login,
            looks: LOOKS,
            since: Instant::now(),
            over: false,
        });
    }

    /// Has their connections ended, beside those of `logins`, which stay. Those with which it fails
    /// come last the next time.
    pub fn end(&mut self, by: Option<&Kick>, logins: &mut [Login]) -> Round {
        let Some(by) = by else {
            self.0.clear();
            return Round::default();
        };
        let (mut round, mut failures, mut failed) = (Round::default(), 0, Vec::new());
        for place in 0..self.0.len() {
            if failures == MOST_FAILURES {
                break;
            }
            let begun = Instant::now();
            let done = self.end_one(by, logins, place);
            let Some(ending) = self.0.get_mut(place) else {
                break;
            };
            let since = ending.since.elapsed();
            match done {
                Ok(all_for_one) => {
                    round.answered = true;
                    round.failure = all_for_one.or(round.failure);
                    if is_slow(by) {
                        round.spent += begun.elapsed();
                    }
                    ending.looks = ending.looks.saturating_sub(1);
                    let may_bind = !ending.login.settled && !ending.all && since < LATE_BIND;
                    ending.over = ending.looks == 0 && !may_bind;
                }
                Err(unavailable) => {
                    failures += 1;
                    failed.push(place);
                    ending.over = since >= LONGEST_TRY;
                    round.failure = Some(unavailable);
                }
            }
        }
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (place, ending) in std::mem::take(&mut self.0).into_iter().enumerate() {
            match failed.contains(&place) {
                _ if ending.over => {}
                true => last.push(ending),
                false => first.push(ending),
            }
        }
        first.append(&mut last);
        self.0 = first;
        round
    }

    /// Has the connections ended of the one at this place; why all of the user's, where only that could
    /// be done.
    fn end_one(
        &mut self,
        by: &Kick,
        logins: &mut [Login],
        place: usize,
    ) -> Result<Option<Unavailable>, Unavailable> {
        let Some(ending) = self.0.get_mut(place) else {
            return Ok(None);
        };
        let jid = ending.login.jid.clone();
        if ending.all || ending.login.is_unknown(Instant::now()) {
            return kick(by, &jid, None, Deadline::after(call(by))).map(|()| None);
        }
        if is_slow(by) && ending.login.settled {
            // Known by their resources alone: there is nothing to find out.
            ending.looks = 1;
            let own = ending.login.own.iter();
            return kick_each(by, &jid, own.map(|id| id.resource.as_str()));
        }
        let streams = streams(by, &jid, Deadline::after(call(by)))?;
        let ending = self.0.iter_mut().map(|it| &mut it.login);
        let logins = logins.iter_mut().chain(ending);
        let mut of_jid: Vec<&mut Login> = logins.filter(|login| login.jid == jid).collect();
        assign(&mut of_jid, &streams, Instant::now());
        let Some(ending) = self.0.get(place) else {
            return Ok(None);
        };
        let own = streams.iter();
        let own = own.filter(|stream| ending.login.own.contains(&stream.id()));
        kick_each(by, &jid, own.map(|stream| stream.resource.as_str()))
    }
}

/// Has the connections ended of these resources, or all of the user's where that fails: whatever a
/// client calls its own, the others of the same person can come back. Then the answer says why.
fn kick_each<'a>(
    by: &Kick,
    jid: &Jid,
    resources: impl Iterator<Item = &'a str>,
) -> Result<Option<Unavailable>, Unavailable> {
    for resource in resources {
        let deadline = Deadline::after(call(by));
        if let Err(why) = kick(by, jid, Some(resource), deadline) {
            kick(by, jid, None, deadline)?;
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// How long a call may take.
pub fn call(kick: &Kick) -> Duration {
    match is_slow(kick) {
        true => SLOW_CALL,
        false => CALL,
    }
}
