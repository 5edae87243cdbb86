//! Passwords that wait to be checked, and those that wait for what comes of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use hallpass_core::{
    Check, Computation, Conclusion, Deadline, Fingerprint, Next, Unavailable, Verdict,
};
use hallpass_passwords::Outcome;
use tokio::sync::oneshot;

use super::lanes;
use super::pace::{Load, Pace};

/// Checks that wait, and the threads that do them. What is asked twice is computed once; what
/// cannot be done in time is refused at once.
#[derive(Debug)]
pub struct Checks {
    state: Mutex<State>,
    filled: Condvar,
    most: usize,
    threads: usize,
    pub(super) pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// What waits or is being done, by its number.
    open: HashMap<u64, Open>,
    /// The same, by what it is.
    numbers: HashMap<Fingerprint, u64>,
    load: Load,
    next: u64,
    /// How many threads wait for something to do.
    idle: usize,
}

/// A computation that is to be done.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) computation: Computation,
    pub(super) deadline: Deadline,
    work: u64,
}

/// A computation that waits or is being done.
#[derive(Debug)]
struct Open {
    fingerprint: Option<Fingerprint>,
    load: Load,
    waiters: Vec<Waiter>,
}

/// Somebody who waits for its outcome.
#[derive(Debug)]
struct Waiter {
    conclusion: Conclusion,
    answer: oneshot::Sender<Verdict>,
}

impl Checks {
    /// Starts so many threads, before which at most `most` checks wait.
    pub fn start(threads: usize, most: usize) -> std::io::Result<Arc<Self>> {
        let checks = Arc::new(Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            most,
            threads,
            pace: Pace::measure(threads),
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
    pub fn put(&self, mut check: Check, deadline: Deadline, answer: oneshot::Sender<Verdict>) {
        // What costs nothing need not wait.
        if let Next::Done(outcome) = check.computation.advance() {
            let verdict = check.conclusion.conclude(outcome, SystemTime::now());
            drop(answer.send(verdict));
            return;
        }
        let waiter = Waiter {
            conclusion: check.conclusion,
            answer,
        };
        if let Err(refused) = self.admit(check.computation, deadline, waiter) {
            let (waiter, message) = *refused;
            drop(waiter.answer.send(Unavailable::new(message).into()));
        }
    }

    fn admit(
        &self,
        mut computation: Computation,
        deadline: Deadline,
        waiter: Waiter,
    ) -> Result<(), Box<(Waiter, &'static str)>> {
        let fingerprint = computation.fingerprint();
        let work = computation.work();
        let mut load = Load {
            count: 1,
            ..Load::default()
        };
        match computation.advance() {
            Next::Derivation(_) => load.derivations = work,
            Next::Run | Next::Done(_) => load.others = work,
        }
        let mut state = self.lock();
        let same = fingerprint.and_then(|it| state.numbers.get(&it).copied());
        if let Some(open) = same.and_then(|number| state.open.get_mut(&number)) {
            if open.waiters.len() >= self.most {
                return Err(Box::new((waiter, "the queue is full")));
            }
            open.waiters.push(waiter);
            return Ok(());
        }
        if state.waiting.len() >= self.most {
            return Err(Box::new((waiter, "the queue is full")));
        }
        if self.pace.after(state.load, work) > deadline.remaining() {
            return Err(Box::new((
                waiter,
                "the checks that wait take all of `deadline`",
            )));
        }
        let number = state.next;
        state.next += 1;
        state.load = state.load.plus(load);
        state.open.insert(
            number,
            Open {
                fingerprint,
                load,
                waiters: vec![waiter],
            },
        );
        if let Some(fingerprint) = fingerprint {
            state.numbers.insert(fingerprint, number);
        }
        state.waiting.push_back(Job {
            number,
            computation,
            deadline,
            work,
        });
        if state.idle > 0 {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// The next that a thread is to do which does `doing` already; waits for one if that is none.
    /// No thread takes more than its share while others could do it sooner.
    pub(super) fn take(&self, doing: usize) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let share = state.open.len().div_ceil(self.threads);
            while doing < share.max(1)
                && let Some(job) = state.waiting.pop_front()
            {
                if state.is_abandoned(job.number) {
                    drop(state.close(job.number));
                } else if self.pace.at_least(job.work) > job.deadline.remaining() {
                    let late = "the check would have come too late";
                    let waiters = state.close(job.number);
                    drop(state);
                    tell(waiters, &Err(Unavailable::new(late)));
                    state = self.lock();
                } else {
                    return Some(job);
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

    /// Whether nobody waits for the outcome of this computation any more; it is forgotten then.
    pub(super) fn abandon(&self, number: u64) -> bool {
        let mut state = self.lock();
        let abandoned = state.is_abandoned(number);
        if abandoned {
            drop(state.close(number));
        }
        abandoned
    }

    /// Tells everybody who waits for it what came of a computation.
    pub(super) fn finish(&self, number: u64, outcome: &Result<Outcome, Unavailable>) {
        let waiters = self.lock().close(number);
        tell(waiters, outcome);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_abandoned(&self, number: u64) -> bool {
        let open = self.open.get(&number);
        open.is_none_or(|open| open.waiters.iter().all(|waiter| waiter.answer.is_closed()))
    }

    fn close(&mut self, number: u64) -> Vec<Waiter> {
        let Some(open) = self.open.remove(&number) else {
            return Vec::new();
        };
        if let Some(fingerprint) = open.fingerprint {
            self.numbers.remove(&fingerprint);
        }
        self.load = self.load.minus(open.load);
        open.waiters
    }
}

fn tell(waiters: Vec<Waiter>, outcome: &Result<Outcome, Unavailable>) {
    let now = SystemTime::now();
    for Waiter { conclusion, answer } in waiters {
        if answer.is_closed() {
            continue;
        }
        let verdict = match outcome {
            Ok(outcome) => conclusion.conclude(*outcome, now),
            Err(unavailable) => unavailable.clone().into(),
        };
        drop(answer.send(verdict));
    }
}
