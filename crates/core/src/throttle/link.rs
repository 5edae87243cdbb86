//! Asks the server of the shared counts on a thread of its own, so that nobody waits for it longer than
//! a share of the deadline.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hallpass_stores::cache::{Counted, Counter, Counters};
use hallpass_stores::{Deadline, Unavailable};

use super::counts::Told;
use super::familiar::LIFETIME;
use super::shared_keys::{SharedKeys, Wanted, What};
use super::{State, share};
use crate::configuration::{Limits, SharedLimits};

/// How many questions may wait for the thread. Those past it count on this machine alone.
const MOST_WAITING: usize = 1024;

/// How many counts are asked for at a time.
const MOST_AT_ONCE: usize = 512;

/// How often the server is asked without a question, so that a failure is noticed.
const IDLE: Duration = Duration::from_secs(5);

/// The first pause before a server that failed is asked again, doubled with every further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long a server must have answered for its next failure to be the first again.
const STEADY: Duration = Duration::from_secs(10);

/// How many counts are kept for a server that is away.
const MOST_KEPT: usize = 4096;

/// Whether counts are shared from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharingNews {
    /// The server is away, and why: this machine counts by itself.
    Away(Unavailable),
    /// The server is there again.
    Back,
}

/// Receives the news of sharing.
#[derive(Clone, Default)]
pub struct Report(Option<Arc<dyn Fn(SharingNews) + Send + Sync>>);

impl Report {
    /// News go to `to`.
    pub fn to(to: impl Fn(SharingNews) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(to)))
    }

    fn tell(&self, news: SharingNews) {
        if let Some(to) = &self.0 {
            to(news);
        }
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Report(…)")
    }
}

/// What the server is still to be told: by key, how much, and until when it counts.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    kept: HashMap<Vec<u8>, (Counter, Instant)>,
}

impl Backlog {
    /// Keeps what `wanted` would have added at the server. Logins are not kept: they live so long that
    /// they would leave no room for wrong passwords.
    fn keep(&mut self, wanted: &[Wanted]) {
        let now = Instant::now();
        let kept = wanted
            .iter()
            .filter(|wanted| wanted.counter.add > 0 && !matches!(wanted.what, What::Logins { .. }));
        for Wanted { counter, .. } in kept {
            let Some(until) = now.checked_add(counter.lifetime) else {
                continue;
            };
            if let Some((kept, _)) = self.kept.get_mut(&counter.key) {
                kept.add = kept.add.saturating_add(counter.add);
                continue;
            }
            if self.kept.len() >= MOST_KEPT {
                self.kept.retain(|_, (_, until)| *until > now);
            }
            if self.kept.len() < MOST_KEPT {
                let kept = (counter.clone(), until);
                self.kept.insert(counter.key.clone(), kept);
            }
        }
    }

    /// Takes out at most as many as are asked for at once, each with what is left of its life.
    fn take(&mut self) -> Vec<Counter> {
        let now = Instant::now();
        let keys: Vec<_> = self.kept.keys().take(MOST_AT_ONCE).cloned().collect();
        let taken = keys.iter().filter_map(|key| self.kept.remove(key));
        let left = taken.filter_map(|(counter, until)| {
            let lifetime = until.checked_duration_since(now)?;
            (!lifetime.is_zero()).then_some(Counter {
                lifetime,
                ..counter
            })
        });
        left.collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the server is asked.
#[derive(Debug)]
struct Status {
    /// Whether questions are put to it: it has not failed, or has come back.
    asked: AtomicBool,
    /// Whether it has answered, and has not failed since.
    shares: AtomicBool,
}

/// The way to the thread that asks the server. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Link {
    jobs: SyncSender<Job>,
    status: Arc<Status>,
    backlog: Arc<Mutex<Backlog>>,
    share: Duration,
}

/// Counts to ask for, and what to do then.
struct Job {
    wanted: Vec<Wanted>,
    now: SystemTime,
    done: Box<dyn FnOnce() + Send>,
}

impl Link {
    /// Starts the thread; `None` where the system cannot, or there is nothing that could be asked.
    pub(super) fn start(
        settings: &SharedLimits,
        limits: &Limits,
        state: Arc<Mutex<State>>,
        backlog: Arc<Mutex<Backlog>>,
        report: Report,
    ) -> Option<Self> {
        let counters = Counters::new(&settings.cache)?;
        let (jobs, waiting) = mpsc::sync_channel(MOST_WAITING);
        let status = Arc::new(Status {
            asked: AtomicBool::new(true),
            shares: AtomicBool::new(false),
        });
        let asker = Asker {
            counters,
            connect_timeout: settings.cache.connect_timeout,
            probe: SharedKeys::probe(settings),
            share: share(limits),
            limits: limits.clone(),
            state,
            status: Arc::clone(&status),
            backlog: Arc::clone(&backlog),
            report: report.clone(),
            pause: FIRST_PAUSE,
            since: Instant::now(),
            told: None,
        };
        let started = thread::Builder::new()
            .name("limits".to_owned())
            .spawn(move || asker.run(&waiting));
        if let Err(error) = started {
            let message = format!("cannot start a thread for shared counts: {error}");
            report.tell(SharingNews::Away(Unavailable::new(message)));
            return None;
        }
        Some(Self {
            jobs,
            status,
            backlog,
            share: share(limits),
        })
    }

    /// Whether the server has answered, and has not failed since.
    pub(super) fn shares(&self) -> bool {
        self.status.shares.load(Ordering::Relaxed)
    }

    /// Asks for `wanted`, and waits for the answer for a share of the deadline.
    pub(super) fn ask(&self, wanted: Vec<Wanted>, now: SystemTime) {
        let (done, answered) = mpsc::sync_channel(1);
        // It may have given up by then.
        let done = Box::new(move || _ = done.try_send(()));
        self.send(wanted, now, done);
        // An asker that ends drops `done`, which ends the wait, too.
        _ = answered.recv_timeout(self.share);
    }

    /// Asks for `wanted`. What the answer says is counted here before `done` is called, at once where
    /// the server is away.
    pub(super) fn send(
        &self,
        wanted: Vec<Wanted>,
        now: SystemTime,
        done: Box<dyn FnOnce() + Send>,
    ) {
        let job = Job { wanted, now, done };
        if !self.status.asked.load(Ordering::Relaxed) {
            job.leave(&self.backlog);
            return;
        }
        match self.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                job.leave(&self.backlog);
            }
        }
    }
}

impl Job {
    /// Counts on this machine alone, and keeps what the server is to be told.
    fn leave(self, backlog: &Mutex<Backlog>) {
        lock(backlog).keep(&self.wanted);
        (self.done)();
    }
}

/// Asks the server.
struct Asker {
    counters: Counters,
    connect_timeout: Duration,
    probe: Counter,
    share: Duration,
    limits: Limits,
    state: Arc<Mutex<State>>,
    status: Arc<Status>,
    backlog: Arc<Mutex<Backlog>>,
    report: Report,
    /// How long it is left alone after the next failure.
    pause: Duration,
    /// Since when it has answered, or failed.
    since: Instant,
    /// Whether it was last reported to be there; `None` before any report.
    told: Option<bool>,
}

impl Asker {
    fn run(mut self, jobs: &Receiver<Job>) {
        self.come_back();
        loop {
            let asked = self.status.asked.load(Ordering::Relaxed);
            let wait = match asked {
                true => IDLE,
                false => self.pause.saturating_sub(self.since.elapsed()),
            };
            if wait.is_zero() {
                self.come_back();
                continue;
            }
            match jobs.recv_timeout(wait) {
                Ok(job) if asked => self.answer(job, jobs),
                Ok(job) => job.leave(&self.backlog),
                Err(RecvTimeoutError::Timeout) if asked => self.look(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Asks for what `first` wants, and for what others want that have come meanwhile.
    fn answer(&mut self, first: Job, jobs: &Receiver<Job>) {
        let mut batch = vec![first];
        let mut count = batch.iter().map(|job| job.wanted.len()).sum::<usize>();
        while count < MOST_AT_ONCE
            && let Ok(job) = jobs.try_recv()
        {
            count += job.wanted.len();
            batch.push(job);
        }
        let counters: Vec<Counter> = batch
            .iter()
            .flat_map(|job| job.wanted.iter().map(|wanted| wanted.counter.clone()))
            .collect();
        match self.counters.count(&counters, Deadline::after(self.share)) {
            Ok(counted) => {
                self.answered();
                let mut counted = counted.into_iter();
                for job in batch {
                    self.hear(&job, &mut counted);
                    (job.done)();
                }
            }
            Err(cause) => {
                self.failed(cause);
                for job in batch {
                    job.leave(&self.backlog);
                }
            }
        }
    }

    /// Counts here what was counted there, but for what `job` itself has added.
    fn hear(&self, job: &Job, counted: &mut impl Iterator<Item = Option<Counted>>) {
        let (now, window) = (job.now, self.limits.failure_window);
        let mut state = lock(&self.state);
        for Wanted { what, counter } in &job.wanted {
            let Some(counted) = counted.next().flatten() else {
                continue;
            };
            let told = Told {
                failures: counted.count.saturating_sub(counter.add),
                left: counted.left,
            };
            match *what {
                What::Failures(key) => state.counts.raise(key, told, window, now),
                What::Logins { identity, client } if counted.count > 0 => {
                    let age = LIFETIME.saturating_sub(counted.left);
                    let last = now.checked_sub(age).unwrap_or(now);
                    state.familiar.learned(identity, client, last, now);
                }
                What::Budget { identity, client } => {
                    let limits = &self.limits;
                    state.familiar.raise(identity, client, told, limits, now);
                }
                What::Logins { .. } | What::Nothing => {}
            }
        }
    }

    /// Looks whether the server still counts.
    fn look(&mut self) {
        let probe = std::slice::from_ref(&self.probe);
        match self.counters.count(probe, Deadline::after(self.share)) {
            Ok(_) => self.answered(),
            Err(cause) => self.failed(cause),
        }
    }

    /// Connects, and tells the server what it has missed. Questions are put to it again only where it
    /// counts within their share of time.
    fn come_back(&mut self) {
        let connected = self.counters.connect(Deadline::after(self.connect_timeout));
        let probe = std::slice::from_ref(&self.probe);
        let count = |counters: &mut Counters| counters.count(probe, Deadline::after(self.share));
        match connected.and_then(|()| count(&mut self.counters)) {
            Ok(_) => {}
            Err(cause) => return self.failed(cause),
        }
        loop {
            let missed = lock(&self.backlog).take();
            if missed.is_empty() {
                break;
            }
            if let Err(cause) = self.counters.count(&missed, Deadline::after(self.share)) {
                let wanted = missed.into_iter().map(|counter| Wanted {
                    what: What::Nothing,
                    counter,
                });
                lock(&self.backlog).keep(&wanted.collect::<Vec<_>>());
                return self.failed(cause);
            }
        }
        self.answered();
    }

    fn answered(&mut self) {
        let new = !self.status.shares.swap(true, Ordering::Relaxed);
        self.status.asked.store(true, Ordering::Relaxed);
        if new {
            self.since = Instant::now();
            if self.told.replace(true) == Some(false) {
                self.report.tell(SharingNews::Back);
            }
        }
    }

    fn failed(&mut self, cause: Unavailable) {
        let shared = self.status.shares.swap(false, Ordering::Relaxed);
        self.status.asked.store(false, Ordering::Relaxed);
        let steady = shared && self.since.elapsed() >= STEADY;
        self.pause = match steady {
            true => FIRST_PAUSE,
            false => (self.pause * 2).min(LONGEST_PAUSE),
        };
        self.since = Instant::now();
        if self.told.replace(false) != Some(false) {
            self.report.tell(SharingNews::Away(cause));
        }
    }
}
