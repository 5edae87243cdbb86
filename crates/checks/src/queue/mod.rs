//! Queues password checks, and sends each verdict to the requests that wait for it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hallpass_core::{
    Deadline, Decision, Fingerprint, HashJob, Pending, Reason, Step, Turn, Unavailable, Verdict,
};
use hallpass_passwords::Outcome;

use crate::pace::{Load, Pace};
use crate::turns::Turns;

const FULL: &str = "the queue is full";

/// Password checks that wait, and the threads that compute them.
///
/// Clients take turns; equal checks are computed once; a check that cannot be done by its deadline
/// is refused at once.
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
    /// The jobs that wait or are being computed, by number.
    open: HashMap<u64, Open>,
    /// Their numbers, by what is computed.
    numbers: HashMap<Fingerprint, u64>,
    /// How many are being computed.
    at_work: usize,
    next: u64,
    /// How many threads wait for a job.
    idle: usize,
}

/// A job for a thread.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) job: HashJob,
    /// Its first step, until a thread takes that.
    pub(crate) first: Option<Step>,
    /// The latest deadline of its waiters.
    pub(crate) deadline: Deadline,
    work: u64,
}

/// A job that waits or is being computed.
#[derive(Debug)]
struct Open {
    fingerprint: Option<Fingerprint>,
    load: Load,
    /// The client whose turn it took, once it is being computed.
    taken: Option<u64>,
    waiters: Vec<Waiter>,
}

/// A request that waits for the outcome of a job.
#[derive(Debug)]
struct Waiter {
    decision: Decision,
    deadline: Deadline,
    answer: Box<dyn Answer>,
}

/// Receives the verdict of one check. A closure that takes a [`Verdict`] is one.
///
/// It is called by the threads that compute, or by [`Checks::put`] itself, and must neither block nor
/// call [`Checks`].
pub trait Answer: Send {
    /// Takes the verdict.
    fn send(self: Box<Self>, verdict: Verdict);

    /// Whether the verdict is not wanted any more. A check that no request waits for is dropped.
    fn is_closed(&self) -> bool {
        false
    }
}

impl<F: FnOnce(Verdict) + Send> Answer for F {
    fn send(self: Box<Self>, verdict: Verdict) {
        self(verdict);
    }
}

impl std::fmt::Debug for dyn Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl Checks {
    /// A queue of at most `most` checks for `threads` threads with this `pace`, which compute
    /// `at_once` checks of one client at a time.
    pub(crate) fn new(threads: usize, most: usize, at_once: usize, pace: Pace) -> Self {
        let state = State {
            waiting: Turns::new(most, at_once),
            open: HashMap::new(),
            numbers: HashMap::new(),
            at_work: 0,
            next: 0,
            idle: 0,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            most,
            threads,
            pace,
        }
    }

    /// How many checks wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Queues `check`, whose verdict goes to `answer`.
    ///
    /// `answer` receives [`Verdict::Unavailable`] where the queue is full, or where the check
    /// cannot be done by `deadline`: immediately where that is already known. It never blocks.
    pub fn put(&self, mut check: Pending, deadline: Deadline, answer: Box<dyn Answer>) {
        let work = check.job.work();
        let step = check.job.advance();
        let (derivations, others) = match step {
            Step::Derivation(_) => (work, 0),
            Step::Run => (0, work),
            // A check without a computation need not wait.
            Step::Done(outcome) => {
                let now = SystemTime::now();
                let deliver = move |verdict| answer.send(verdict);
                check.decision.conclude_then(outcome, now, deliver);
                return;
            }
        };
        let load = Load {
            count: 1,
            derivations,
            others,
        };
        let job = Job {
            number: 0,
            job: check.job,
            first: Some(step),
            deadline,
            work,
        };
        let waiter = Waiter {
            decision: check.decision,
            deadline,
            answer,
        };
        let refused = self.admit(job, load, waiter);
        for (waiter, message) in refused {
            waiter.answer.send(Unavailable::new(message).into());
        }
    }

    /// Queues a job, or adds its waiter to an equal one in the queue. Returns the refused waiters,
    /// and why.
    fn admit(&self, mut job: Job, load: Load, waiter: Waiter) -> Vec<(Waiter, &'static str)> {
        let fingerprint = job.job.fingerprint();
        let turn = waiter.decision.turn(SystemTime::now());
        let mut state = self.lock();
        let same = fingerprint.and_then(|it| state.numbers.get(&it).copied());
        if let Some(open) = same.and_then(|number| state.open.get_mut(&number)) {
            if open.waiters.len() >= self.most {
                return vec![(waiter, FULL)];
            }
            open.waiters.push(waiter);
            return Vec::new();
        }
        if self.pace.after(state.before(turn), job.work) > job.deadline.remaining() {
            return vec![(waiter, "the checks ahead of it take all of `deadline`")];
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
        job.number = number;
        let displaced = state.waiting.put(turn, job);
        let displaced = displaced.map_or_else(Vec::new, |job| state.close(job.number));
        self.wake(&state);
        displaced.into_iter().map(|waiter| (waiter, FULL)).collect()
    }

    /// The next job for a thread that computes `doing` already; blocks until there is one if
    /// `doing` is 0. No thread takes more than its share, because another could start it sooner.
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

    /// Whether no request waits for this job any more; the job is then dropped.
    pub(crate) fn abandon(&self, number: u64) -> bool {
        let mut state = self.lock();
        let abandoned = state.is_abandoned(number);
        if abandoned {
            drop(state.close(number));
            self.wake(&state);
        }
        abandoned
    }

    /// The latest deadline of the requests that wait for this job.
    pub(crate) fn deadline(&self, number: u64) -> Option<Deadline> {
        self.lock().open.get(&number).and_then(Open::deadline)
    }

    /// Sends a verdict to each request that waits for this job.
    pub(crate) fn finish(&self, number: u64, outcome: &Result<Outcome, Unavailable>) {
        let mut state = self.lock();
        let waiters = state.close(number);
        self.wake(&state);
        drop(state);
        let now = SystemTime::now();
        for Waiter {
            decision, answer, ..
        } in waiters
        {
            if answer.is_closed() {
                continue;
            }
            match outcome {
                Ok(outcome) => {
                    let deliver = move |verdict| answer.send(verdict);
                    decision.conclude_then(*outcome, now, deliver);
                }
                Err(unavailable) => answer.send(unavailable.clone().into()),
            }
        }
    }

    /// Wakes an idle thread if there is a job for it.
    fn wake(&self, state: &State) {
        if state.idle > 0 && state.waiting.ready() > 0 {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The load that is computed before a check whose `turn` it is: what is being computed, and
    /// what waits and goes first. Abandoned jobs do not count, because they are dropped soon.
    fn before(&self, turn: Turn) -> Load {
        let at_work = self.open.values().filter(|open| open.taken.is_some());
        let waiting = self.waiting.before(turn);
        let waiting = waiting.filter_map(|job| self.open.get(&job.number));
        at_work
            .chain(waiting)
            .filter(|open| !open.is_abandoned())
            .fold(Load::default(), |load, open| load.plus(open.load))
    }

    /// Begins a job that was taken for `of` and takes `at_least` this long. Returns its deadline;
    /// `None` if no waiter is left. Refuses the waiters whose deadline it would miss, and those
    /// throttled since they joined.
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
            waiter.answer.send(refused);
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

    /// The latest deadline of its waiters.
    fn deadline(&self) -> Option<Deadline> {
        self.waiters.iter().map(|waiter| waiter.deadline).max()
    }
}

#[cfg(test)]
mod tests;
