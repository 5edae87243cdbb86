//! Questions asked on a thread of their own, so that none is answered late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::SystemTime;

use hallpass_core::{
    Authenticator, Change, Configuration, Deadline, Request, Shared, Unavailable, Verdict,
};

/// How many threads may be stuck in a store before no more are started.
const MOST_STUCK: usize = 16;

/// Asks one authenticator, one question at a time. An answer that does not come by the deadline is
/// [`Verdict::Unavailable`]; the thread that was asked is left behind, to end when whatever holds
/// it lets go, and the next question is asked on a new one.
#[derive(Debug)]
pub struct Worker {
    configuration: Arc<Configuration>,
    shared: Arc<Shared>,
    jobs: Option<Sender<Job>>,
    running: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Task {
    Answer(Request),
    Change(Change),
}

#[derive(Debug)]
struct Job {
    task: Task,
    deadline: Deadline,
    answer: SyncSender<Verdict>,
}

impl Worker {
    /// A worker for the site that `configuration` describes. Nothing is started or opened yet.
    #[must_use]
    pub fn new(configuration: Arc<Configuration>) -> Self {
        let shared = Arc::new(Shared::new(&configuration));
        Self {
            configuration,
            shared,
            jobs: None,
            running: Arc::default(),
        }
    }

    /// When an answer that is asked for now must be there, as the configuration says.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.configuration.limits.deadline)
    }

    /// The verdict on `request`, by `deadline`.
    pub fn ask(&mut self, request: Request, deadline: Deadline) -> Verdict {
        self.have_done(Task::Answer(request), deadline)
    }

    /// Makes `change`; what came of it, by `deadline`. After [`Verdict::Unavailable`], it may have
    /// been made all the same.
    pub fn change(&mut self, change: Change, deadline: Deadline) -> Verdict {
        self.have_done(Task::Change(change), deadline)
    }

    fn have_done(&mut self, task: Task, deadline: Deadline) -> Verdict {
        let (answer, verdict) = mpsc::sync_channel(1);
        if let Err(unavailable) = self.hand_over(Job {
            task,
            deadline,
            answer,
        }) {
            return unavailable.into();
        }
        verdict
            .recv_timeout(deadline.remaining())
            .unwrap_or_else(|error| {
                self.jobs = None;
                let message = match error {
                    RecvTimeoutError::Timeout => "no answer came within `deadline`",
                    RecvTimeoutError::Disconnected => {
                        "the thread that was asked ended without answer"
                    }
                };
                Unavailable::new(message).into()
            })
    }

    fn hand_over(&mut self, job: Job) -> Result<(), Unavailable> {
        let ended = || Unavailable::new("no thread takes questions");
        if self.jobs.is_none() {
            self.jobs = Some(self.start()?);
        }
        self.jobs
            .as_ref()
            .ok_or_else(ended)?
            .send(job)
            .map_err(|_| {
                self.jobs = None;
                ended()
            })
    }

    fn start(&self) -> Result<Sender<Job>, Unavailable> {
        if self.running.load(Ordering::Relaxed) >= MOST_STUCK {
            let message = format!("{MOST_STUCK} earlier questions still wait for a store");
            return Err(Unavailable::new(message));
        }
        let (jobs, waiting) = mpsc::channel();
        let configuration = Arc::clone(&self.configuration);
        let shared = Arc::clone(&self.shared);
        let running = Running::new(&self.running);
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                work(&configuration, shared, &waiting);
                drop(running);
            })
            .map_err(|error| Unavailable::new(format!("cannot start a thread: {error}")))?;
        Ok(jobs)
    }
}

fn work(configuration: &Configuration, shared: Arc<Shared>, waiting: &Receiver<Job>) {
    let mut authenticator = Authenticator::new(configuration).sharing(shared);
    for Job {
        task,
        deadline,
        answer,
    } in waiting
    {
        let now = SystemTime::now();
        let verdict = match task {
            Task::Answer(request) => authenticator.answer(&request, now, deadline),
            Task::Change(change) => authenticator.change(&change, now, deadline),
        };
        if answer.send(verdict).is_err() {
            // Nobody waits any more: the worker has given this thread up.
            break;
        }
    }
}

/// Counts a thread for as long as it runs.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
