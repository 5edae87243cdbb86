//! Runs the worker threads: each computes many PBKDF2 derivations at once, one per SIMD lane, and
//! refills a lane as soon as it is free.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hallpass_core::{Step, Unavailable};
use hallpass_passwords::Outcome;
use hallpass_pbkdf2::{Engine, RequestId};

use crate::pace::{Busy, Pace};
use crate::queue::{Checks, Job};

/// The share of all lanes that one client leaves free for the others, which then need not wait for
/// one of its checks. It hardly slows many users behind one address, such as a web mail's or a
/// company's.
const RESERVE: usize = 4;
/// How often the lanes drop abandoned checks and measure the pace.
const LOOK: Duration = Duration::from_millis(50);

impl Checks {
    /// Starts `threads` threads, and a queue in which at most `most` checks wait. The threads run
    /// until the program ends.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(threads: usize, most: usize) -> std::io::Result<Arc<Self>> {
        let pace = Pace::measure(threads);
        let lanes = threads * pace.width();
        let at_once = lanes - lanes / RESERVE;
        let checks = Arc::new(Self::new(threads, most, at_once, pace));
        for number in 0..threads {
            let checks = Arc::clone(&checks);
            thread::Builder::new()
                .name(format!("checks {number}"))
                .spawn(move || run(&checks))?;
        }
        Ok(checks)
    }
}

fn run(checks: &Checks) {
    let mut lanes = Lanes {
        checks,
        engine: Engine::with_kernels(checks.pace.kernels()),
        deriving: Vec::new(),
    };
    let width = checks.pace.width();
    loop {
        // Time spent waiting for a job says nothing about the pace.
        let Some(job) = checks.take(0) else { continue };
        let mut busy = Busy::begin();
        lanes.go_on(job);
        while !lanes.deriving.is_empty() {
            while lanes.deriving.len() < width
                && let Some(job) = checks.take(lanes.deriving.len())
            {
                lanes.go_on(job);
            }
            for derived in lanes.engine.step() {
                lanes.derived(derived.request, &derived.key);
            }
            if lanes.look(&busy) {
                busy = Busy::begin();
            }
        }
        lanes.look(&busy);
    }
}

struct Lanes<'a> {
    checks: &'a Checks,
    engine: Engine,
    deriving: Vec<(RequestId, Job)>,
}

impl Lanes<'_> {
    /// Computes the next step of a job, or submits it as a derivation among others.
    fn go_on(&mut self, mut job: Job) {
        loop {
            match job.first.take().unwrap_or_else(|| job.job.advance()) {
                Step::Done(outcome) => return self.finish(&job, Ok(outcome)),
                Step::Derivation(request) => {
                    let request = self.engine.submit(request);
                    self.deriving.push((request, job));
                    return;
                }
                Step::Run => {
                    while let Err(unavailable) = job.job.run(job.deadline) {
                        // Waiters with later deadlines may have joined.
                        match self.checks.deadline(job.number) {
                            Some(later) if later > job.deadline => job.deadline = later,
                            _ => return self.finish(&job, Err(unavailable)),
                        }
                    }
                }
            }
        }
    }

    fn derived(&mut self, request: RequestId, key: &[u8]) {
        let place = self
            .deriving
            .iter()
            .position(|(other, _)| *other == request);
        if let Some(place) = place {
            let (_, mut job) = self.deriving.swap_remove(place);
            job.job.derived(key);
            self.go_on(job);
        }
    }

    /// From time to time, measures the pace and drops the jobs that no request waits for.
    fn look(&mut self, busy: &Busy) -> bool {
        let (took, had) = busy.so_far();
        if took < LOOK {
            return false;
        }
        self.checks.pace.learn(took, had);
        self.abandon();
        true
    }

    fn abandon(&mut self) {
        let (checks, engine) = (self.checks, &mut self.engine);
        self.deriving.retain(|(request, job)| {
            let abandoned = checks.abandon(job.number);
            if abandoned {
                engine.cancel(*request);
            }
            !abandoned
        });
    }

    fn finish(&self, job: &Job, outcome: Result<Outcome, Unavailable>) {
        self.checks.finish(job.number, &outcome);
    }
}
