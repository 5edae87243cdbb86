//! Passwords that wait to be checked, and those that wait for what comes of it.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use hallpass_core::{
    Deadline, Decision, Fingerprint, HashJob, Pending, Reason, Step, Turn, Unavailable, Verdict,
};
use hallpass_passwords::Outcome;
use tokio::sync::oneshot;

use crate::lanes;
use crate::pace::{Load, Pace};
use crate::turns::Turns;

/// The part of all lanes that one client leaves to the others: they need not wait until one of its
/// checks is done, and those who come from one address, a web mail's or a company's, are hardly
/// slower for it.
const RESERVE: usize = 4;

const FULL: &str = "the queue is full";

/// Checks that wait, and the threads that do them. Clients take turns; what is asked twice is
/// computed once; what cannot be done in time is refused at once.
#[derive(Debug)]
pub struct Checks {
    state: Mutex<State>,
    filled: Condvar,
    most: usize,
    threads: usize,
    pub(crate) pace: Pace,
}

#[derive(Debug)]
struct State {
    waiting: Turns<Job>,
    /// What waits or is being done, by its number.
    open: HashMap<u64, Open>,
    /// The same, by what it is.
    numbers: HashMap<Fingerprint, u64>,
    /// How many are being done.
    at_work: usize,
    next: u64,
    /// How many threads wait for something to do.
    idle: usize,
}

/// A job that is to be done.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) job: HashJob,
    /// The latest of those who wait for it.
    pub(crate) deadline: Deadline,
    work: u64,
}

/// A job that waits or is being done.
#[derive(Debug)]
struct Open {
    fingerprint: Option<Fingerprint>,
    load: Load,
    /// Whose it is, once it is being done.
    taken: Option<u64>,
    waiters: Vec<Waiter>,
}

/// Somebody who waits for its outcome.
#[derive(Debug)]
struct Waiter {
    decision: Decision,
    deadline: Deadline,
    answer: oneshot::Sender<Verdict>,
}

impl Checks {
    /// Starts so many threads, before which at most `most` checks wait.
    pub fn start(threads: usize, most: usize) -> std::io::Result<Arc<Self>> {
        let pace = Pace::measure(threads);
        let lanes = threads * pace.width();
        let at_once = lanes - lanes / RESERVE;
        let state = State {
            waiting: Turns::new(most, at_once),
            open: HashMap::new(),
            numbers: HashMap::new(),
            at_work: 0,
            next: 0,
            idle: 0,
        };
        let checks = Arc::new(Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            most,
            threads,
            pace,
        });
        for number in 0..threads {
            let checks = Arc::clone(&checks);
            thread::Builder::new()
                .name(format!("checks {number}"))
                .spawn(move || lanes::run(&checks))?;
        }
        Ok(checks)
    }

    /// How many checks wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Has `check` done by `deadline` and its verdict sent to `answer`; or sends at once that there
    /// will be none.
    pub fn put(&self, mut check: Pending, deadline: Deadline, answer: oneshot::Sender<Verdict>) {
        // What costs nothing need not wait.
        if let Step::Done(outcome) = check.job.advance() {
            let verdict = check.decision.conclude(outcome, SystemTime::now());
            drop(answer.send(verdict));
            return;
        }
        let waiter = Waiter {
            decision: check.decision,
            deadline,
            answer,
        };
        let refused = self.admit(check.job, waiter);
        for (waiter, message) in refused {
            drop(waiter.answer.send(Unavailable::new(message).into()));
        }
    }

    /// Lets a job in, or somebody wait for one that is there already. Gives back those who
    /// are to be told that there will be no answer, and why.
    fn admit(&self, mut job: HashJob, waiter: Waiter) -> Vec<(Waiter, &'static str)> {
        let fingerprint = job.fingerprint();
        let work = job.work();
        let mut load = Load {
            count: 1,
            ..Load::default()
        };
        match job.advance() {
            Step::Derivation(_) => load.derivations = work,
            Step::Run | Step::Done(_) => load.others = work,
        }
        let turn = waiter.decision.turn(SystemTime::now());
        let deadline = waiter.deadline;
        let mut state = self.lock();
        let same = fingerprint.and_then(|it| state.numbers.get(&it).copied());
        if let Some(open) = same.and_then(|number| state.open.get_mut(&number)) {
            if open.waiters.len() >= self.most {
                return vec![(waiter, FULL)];
            }
            open.waiters.push(waiter);
            return Vec::new();
        }
        if self.pace.after(state.before(turn), work) > deadline.remaining() {
            return vec![(waiter, "the checks that wait take all of `deadline`")];
        }
        let number = state.next;
        state.next += 1;
        let open = Open {
            fingerprint,
            load,
            taken: None,
            waiters: vec![waiter],
        };
        state.open.insert(number, open);
        if let Some(fingerprint) = fingerprint {
            state.numbers.insert(fingerprint, number);
        }
        let job = Job {
            number,
            job,
            deadline,
            work,
        };
        let displaced = state.waiting.put(turn, job);
        let displaced = displaced.map_or_else(Vec::new, |job| state.close(job.number));
        self.tell(&state);
        displaced.into_iter().map(|waiter| (waiter, FULL)).collect()
    }

    /// The next that a thread is to do which does `doing` already; waits for one if that is none.
    /// No thread takes more than its share while others could do it sooner.
    pub(crate) fn take(&self, doing: usize) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let could_be_done = state.at_work + state.waiting.ready();
            let share = could_be_done.div_ceil(self.threads);
            while doing < share.max(1)
                && let Some((of, mut job)) = state.waiting.take()
            {
                let at_least = self.pace.at_least(job.work);
                match state.begin(of, &job, at_least) {
                    Some(deadline) => {
                        job.deadline = deadline;
                        return Some(job);
                    }
                    None => drop(state.close(job.number)),
                }
            }
            if doing > 0 {
                return None;
            }
            state.idle += 1;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Whether nobody waits for the outcome of this job any more; it is forgotten then.
    pub(crate) fn abandon(&self, number: u64) -> bool {
        let mut state = self.lock();
        let abandoned = state.is_abandoned(number);
        if abandoned {
            drop(state.close(number));
            self.tell(&state);
        }
        abandoned
    }

    /// Until when somebody waits for the outcome of this job.
    pub(crate) fn deadline(&self, number: u64) -> Option<Deadline> {
        self.lock().open.get(&number).and_then(Open::deadline)
    }

    /// Tells everybody who waits for it what came of a job.
    pub(crate) fn finish(&self, number: u64, outcome: &Result<Outcome, Unavailable>) {
        let mut state = self.lock();
        let waiters = state.close(number);
        self.tell(&state);
        drop(state);
        let now = SystemTime::now();
        for Waiter {
            decision, answer, ..
        } in waiters
        {
            if answer.is_closed() {
                continue;
            }
            let verdict = match outcome {
                Ok(outcome) => decision.conclude(*outcome, now),
                Err(unavailable) => unavailable.clone().into(),
            };
            drop(answer.send(verdict));
        }
    }

    /// Tells a thread that waits for something to do that there is something.
    fn tell(&self, state: &State) {
        if state.idle > 0 && state.waiting.ready() > 0 {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is done before a check whose `turn` it is: what is at work already, and what waits and
    /// comes first. What nobody waits for any more is given up soon.
    fn before(&self, turn: Turn) -> Load {
        let at_work = self.open.values().filter(|open| open.taken.is_some());
        let waiting = self.waiting.before(turn);
        let waiting = waiting.filter_map(|job| self.open.get(&job.number));
        at_work
            .chain(waiting)
            .filter(|open| !open.is_abandoned())
            .fold(Load::default(), |load, open| load.plus(open.load))
    }

    /// Begins what was taken for `of`, and takes `at_least` so long: until when somebody waits for
    /// it. Those are told at once for whom it comes too late, or who have been found to guess since
    /// they came.
    fn begin(&mut self, of: u64, job: &Job, at_least: Duration) -> Option<Deadline> {
        let Some(open) = self.open.get_mut(&job.number) else {
            self.waiting.done(of);
            return None;
        };
        open.taken = Some(of);
        self.at_work += 1;
        let now = SystemTime::now();
        for waiter in std::mem::take(&mut open.waiters) {
            let refused = if waiter.answer.is_closed() {
                continue;
            } else if waiter.decision.is_throttled(now) {
                Verdict::Denied(Reason::Throttled)
            } else if at_least > waiter.deadline.remaining() {
                Unavailable::new("the check would have come too late").into()
            } else {
                open.waiters.push(waiter);
                continue;
            };
            drop(waiter.answer.send(refused));
        }
        open.deadline()
    }

    fn is_abandoned(&self, number: u64) -> bool {
        self.open.get(&number).is_none_or(Open::is_abandoned)
    }

    fn close(&mut self, number: u64) -> Vec<Waiter> {
        let Some(open) = self.open.remove(&number) else {
            return Vec::new();
        };
        if let Some(fingerprint) = open.fingerprint {
            self.numbers.remove(&fingerprint);
        }
        if let Some(of) = open.taken {
            self.at_work = self.at_work.saturating_sub(1);
            self.waiting.done(of);
        }
        open.waiters
    }
}

impl Open {
    /// Whether no request waits for it any more.
    fn is_abandoned(&self) -> bool {
        self.waiters.iter().all(|waiter| waiter.answer.is_closed())
    }

    /// The latest deadline of those who wait.
    fn deadline(&self) -> Option<Deadline> {
        self.waiters.iter().map(|waiter| waiter.deadline).max()
    }
}

#[cfg(test)]
mod tests;
