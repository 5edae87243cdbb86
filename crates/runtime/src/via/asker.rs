//! Whom a program asks: the daemon where the configuration names one, else the stores.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::SystemTime;

use hallpass_core::{Authenticator, Change, Configuration, Deadline, Request, Verdict};

use super::Daemon;
use crate::Worker;

/// Asks for a program that runs long: the daemon, and where that gives no verdict, the stores, on a
/// thread of their own.
#[derive(Debug)]
pub struct Asker {
    daemon: Option<Daemon>,
    worker: Worker,
}

impl Asker {
    /// Asks for `program` about the site that `configuration` describes. Nothing is started or
    /// opened yet.
    #[must_use]
    pub fn new(configuration: Arc<Configuration>, program: &'static str) -> Self {
        Self {
            daemon: Daemon::of(&configuration, program),
            worker: Worker::new(configuration),
        }
    }

    /// When an answer that is asked for now must be there, as the configuration says.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.worker.deadline()
    }

    /// The verdict on `request`, by `deadline`.
    pub fn ask(&mut self, request: Request, deadline: Deadline) -> Verdict {
        let daemon = self.daemon.as_ref();
        let verdict = daemon.and_then(|daemon| daemon.verdict(&request, deadline));
        verdict.unwrap_or_else(|| self.worker.ask(request, deadline))
    }

    /// Makes `change`; what came of it, by `deadline`. The daemon changes nothing: the database
    /// itself must be within reach.
    pub fn change(&mut self, change: Change, deadline: Deadline) -> Verdict {
        self.worker.change(change, deadline)
    }
}

/// The verdict on the one question of `program`, which ends with it. Stores give up at `deadline`;
/// a hash that has been started is finished.
pub fn ask_once(
    configuration: &Configuration,
    program: &'static str,
    request: &Request,
    deadline: Deadline,
) -> Verdict {
    let daemon = Daemon::of(configuration, program);
    let verdict = daemon.and_then(|daemon| daemon.verdict(request, deadline));
    verdict.unwrap_or_else(|| {
        // Whatever is open ends with the process: to close it first takes time.
        let mut authenticator = ManuallyDrop::new(Authenticator::new(configuration));
        authenticator.answer(request, SystemTime::now(), deadline)
    })
}
