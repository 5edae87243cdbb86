//! A thread that computes: derivations of many at a time, each in a lane of the processor's vectors
//! that the next takes over as soon as it is free.

use std::time::Duration;

use hallpass_core::{Step, Unavailable};
use hallpass_passwords::Outcome;
use hallpass_pbkdf2::{Engine, RequestId};

use super::checks::{Checks, Job};
use super::pace::Busy;

/// How often it is looked whether somebody still waits, and how fast it goes.
const LOOK: Duration = Duration::from_millis(50);

/// Does checks for as long as the program runs.
pub fn run(checks: &Checks) {
    let mut lanes = Lanes {
        checks,
        engine: Engine::with_kernels(checks.pace.kernels()),
        deriving: Vec::new(),
    };
    let width = checks.pace.width();
    loop {
        // What is waited for is not how fast it goes.
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
    /// Does what comes next of a job, or has it done along with others.
    fn go_on(&mut self, mut job: Job) {
        loop {
            match job.job.advance() {
                Step::Done(outcome) => return self.finish(&job, Ok(outcome)),
                Step::Derivation(request) => {
                    let request = self.engine.submit(request);
                    self.deriving.push((request, job));
                    return;
                }
                Step::Run => {
                    while let Err(unavailable) = job.job.run(job.deadline) {
                        // Others may have joined that have more time.
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

    /// Every now and then: learns how fast it goes, and gives up what nobody waits for any more.
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
