//! Asks about one site for a long-running program, and never answers late.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Instant, SystemTime};

use hallpass_core::{
    Authenticator, Change, Configuration, Deadline, Report, Request, Shared, Unavailable, Verdict,
};

use crate::log::sharing_report;
use crate::via::Daemon;

/// The most threads that may be stuck in a store before no more are started.
const MOST_STUCK: usize = 16;

/// Asks hallpassd where the configuration names it, and the stores where hallpassd gives no verdict.
#[derive(Debug)]
pub struct SiteClient {
    /// The site's configuration.
    pub configuration: Arc<Configuration>,
    daemon: Option<Daemon>,
    stores: Worker,
    report: Report,
    /// Whether the last verdict was [`Verdict::Unavailable`].
    pub(crate) failing: bool,
}

impl SiteClient {
    /// Asks for `program` about the site of `configuration`. Nothing is started or opened yet.
    #[must_use]
    pub fn new(configuration: Arc<Configuration>, program: &'static str) -> Self {
        let report = sharing_report(program, configuration.log);
        let shared = Shared::new(&configuration).sharing(&configuration, report.clone());
        let before = Self::of_stores(configuration);
        Self {
            daemon: Daemon::of(&before.configuration, program),
            stores: Worker {
                shared: Arc::new(shared),
                ..before.stores
            },
            report,
            ..before
        }
    }

    /// Asks the stores of the site of `configuration`, and never hallpassd. It shares no counts of
    /// wrong passwords with other machines.
    #[must_use]
    pub fn of_stores(configuration: Arc<Configuration>) -> Self {
        Self {
            daemon: None,
            stores: Worker::new(Arc::clone(&configuration)),
            configuration,
            report: Report::default(),
            failing: false,
        }
    }

    /// The same, which goes on counting wrong passwords where `before` does.
    #[must_use]
    pub fn succeeding(self, before: &Self) -> Self {
        let shared = Shared::new(&self.configuration)
            .sharing(&self.configuration, self.report.clone())
            .succeeding(&before.stores.shared);
        Self {
            stores: Worker {
                shared: Arc::new(shared),
                ..self.stores
            },
            ..self
        }
    }

    /// The deadline of the answer to a request that arrived at `arrived`: the time that it has
    /// waited since counts.
    #[must_use]
    pub fn deadline(&self, arrived: Instant) -> Deadline {
        let whole = self.configuration.limits.deadline;
        Deadline::after(whole.saturating_sub(arrived.elapsed()))
    }

    /// The verdict on `request`, by `deadline`.
    pub fn ask(&mut self, request: Request, deadline: Deadline) -> Verdict {
        self.put(request, false, deadline)
    }

    /// The verdict on `request`, which was let in before; see [`Authenticator::recheck`]. hallpassd
    /// does not log it.
    pub fn recheck(&mut self, request: Request, deadline: Deadline) -> Verdict {
        self.put(request, true, deadline)
    }

    fn put(&mut self, request: Request, recheck: bool, deadline: Deadline) -> Verdict {
        let verdict = if deadline.remaining().is_zero() {
            let message = "its turn did not come within `deadline`: too many requests at once";
            Unavailable::new(message).into()
        } else {
            let daemon = self.daemon.as_ref();
            daemon
                .and_then(|daemon| daemon.verdict(&request, recheck, deadline))
                .unwrap_or_else(|| self.stores.run(Task::Answer(request, recheck), deadline))
        };
        self.failing = matches!(verdict, Verdict::Unavailable(_));
        verdict
    }

    /// Makes `change` by `deadline`, in the site's database: hallpassd changes nothing. After
    /// [`Verdict::Unavailable`], the change may have been made all the same.
    pub fn change(&mut self, change: Change, deadline: Deadline) -> Verdict {
        let verdict = self.stores.run(Task::Change(change), deadline);
        self.failing = matches!(verdict, Verdict::Unavailable(_));
        verdict
    }
}

/// Why sessions cannot be read, where `configuration` lacks a setting and names no hallpassd that
/// may have it.
#[must_use]
pub fn no_sessions(configuration: &Configuration) -> Option<Unavailable> {
    if configuration.via.is_some() {
        return None;
    }
    let missing = configuration.missing_for_sessions()?;
    Some(Unavailable::new(format!(
        "sessions cannot be read without {missing} in the configuration"
    )))
}

/// A thread with an authenticator, which does one task at a time. A thread that misses a deadline
/// is abandoned, and ends when its store returns; the next task gets a new one.
#[derive(Debug)]
struct Worker {
    configuration: Arc<Configuration>,
    shared: Arc<Shared>,
    jobs: Option<Sender<Job>>,
    /// Each thread holds one more.
    running: Arc<()>,
}

#[derive(Debug)]
enum Task {
    /// A request, and whether it was let in before.
    Answer(Request, bool),
    Change(Change),
}

#[derive(Debug)]
struct Job {
    task: Task,
    deadline: Deadline,
    answer: SyncSender<Verdict>,
}

impl Worker {
    fn new(configuration: Arc<Configuration>) -> Self {
        Self {
            shared: Arc::new(Shared::new(&configuration)),
            configuration,
            jobs: None,
            running: Arc::default(),
        }
    }

    /// The outcome of `task`, or [`Verdict::Unavailable`] at `deadline`.
    fn run(&mut self, task: Task, deadline: Deadline) -> Verdict {
        let (answer, verdict) = mpsc::sync_channel(1);
        if let Err(unavailable) = self.submit(Job {
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
                        "the thread that was asked ended without an answer"
                    }
                };
                Unavailable::new(message).into()
            })
    }

    fn submit(&mut self, job: Job) -> Result<(), Unavailable> {
        let jobs = match self.jobs.take() {
            Some(jobs) => jobs,
            None => self.start()?,
        };
        jobs.send(job)
            .map_err(|_| Unavailable::new("no thread takes requests"))?;
        self.jobs = Some(jobs);
        Ok(())
    }

    fn start(&self) -> Result<Sender<Job>, Unavailable> {
        if Arc::strong_count(&self.running) > MOST_STUCK {
            let message = format!("{MOST_STUCK} earlier questions still wait for a store");
            return Err(Unavailable::new(message));
        }
        let (jobs, waiting) = mpsc::channel();
        let configuration = Arc::clone(&self.configuration);
        let shared = Arc::clone(&self.shared);
        let running = Arc::clone(&self.running);
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
            Task::Answer(request, false) => authenticator.answer(&request, now, deadline),
            Task::Answer(request, true) => authenticator.recheck(&request, now, deadline),
            Task::Change(change) => authenticator.change(&change, now, deadline),
        };
        if answer.send(verdict).is_err() {
            // The worker has abandoned this thread.
            break;
        }
    }
}
