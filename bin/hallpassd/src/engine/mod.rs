//! Asks a site's stores, on threads of its own. They hand passwords to the threads that compute,
//! and are free for the next request.

mod queue;

use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hallpass_checks::{Answer, Checks};
use hallpass_core::{
    Authenticator, CacheStatistics, ClaimedName, Client, Configuration, Credential, Deadline,
    Identity, InlineAuthenticator, Progress, Report, Request, Secret, Shared, Turn, Unavailable,
    Verdict,
};
use tokio::sync::oneshot;

use self::queue::{Queue, Taker};
use crate::loops;

/// How many threads ask the stores of a site when the database's settings do not say.
const STORE_THREADS: usize = 4;

/// The threads that answer for one site, each with its own authenticator. They take requests from
/// one queue, and leave passwords to `checks`, which serves all sites.
///
/// The first thread takes no request with a name, because a name may have to be looked for in a
/// whole table: sessions never wait behind names, unless the database's settings allow only one
/// connection.
#[derive(Debug)]
pub struct Engine {
    /// One for each event loop, by its number: answers there, where that cannot block.
    inline: Arc<[OnceLock<Mutex<InlineAuthenticator>>]>,
    requests: Arc<Queue<Job>>,
    checks: Arc<Checks>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Job {
    Ask {
        request: Request,
        ignore_case: bool,
        /// Whether this was let in before, and is looked at again.
        recheck: bool,
        deadline: Deadline,
        answer: oneshot::Sender<Verdict>,
    },
    /// Whether the name of a request could mean another account than that of `id`.
    Compare {
        request: Request,
        id: String,
        deadline: Deadline,
        answer: oneshot::Sender<Result<bool, Unavailable>>,
    },
    Examine {
        deadline: Deadline,
        answer: oneshot::Sender<Health>,
    },
    Read(Reading),
}

/// Reads accounts whose names are compared without regard to case, and sends what comes of it.
struct Reading(Box<dyn FnOnce(&mut Authenticator) + Send>);

impl std::fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reading(…)")
    }
}

/// The lengths of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Requests that wait for a thread of the site.
    pub requests: usize,
    /// Password checks of all sites that wait for a thread.
    pub checks: usize,
    /// How many of either may wait.
    pub limit: usize,
}

impl Engine {
    /// Starts the threads for the site that `configuration` describes. They end when this is
    /// dropped. Requests come from as many event `loops`; what becomes of shared counts of wrong
    /// passwords, `report` receives. Where the site was served `before` by another engine, its counts
    /// of wrong passwords go on.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        configuration: &Arc<Configuration>,
        checks: Arc<Checks>,
        loops: usize,
        report: Report,
        before: Option<&Self>,
    ) -> std::io::Result<Self> {
        let threads = configuration.database.pool.unwrap_or(STORE_THREADS);
        let shared = Shared::remembering(configuration).sharing(configuration, report);
        let shared = Arc::new(match before {
            Some(before) => shared.succeeding(&before.shared),
            None => shared,
        });
        shared.connect();
        // The names of one client leave a thread for those of another.
        let names_at_once = threads.saturating_sub(2).max(1);
        let requests = Arc::new(Queue::new(configuration.daemon.queue, names_at_once));
        let inline: Arc<[_]> = (0..loops).map(|_| OnceLock::new()).collect();
        for number in 0..threads {
            let (configuration, requests) = (Arc::clone(configuration), Arc::clone(&requests));
            let (shared, checks) = (Arc::clone(&shared), Arc::clone(&checks));
            let taker = match number {
                0 if threads > 1 => Taker::of_sessions(),
                _ => Taker::of_all(),
            };
            let inline = (number == 0).then(|| Arc::clone(&inline));
            thread::Builder::new()
                .name(format!("stores {number}"))
                .spawn(move || {
                    for place in inline.iter().flat_map(|inline| inline.iter()) {
                        let made = InlineAuthenticator::new(&configuration, Arc::clone(&shared));
                        let Some(made) = made else { break };
                        place.get_or_init(|| Mutex::new(made));
                    }
                    work(&configuration, shared, &requests, taker, &checks);
                })?;
        }
        Ok(Self {
            inline,
            requests,
            checks,
            shared,
        })
    }

    /// The verdict on `request`: at once when the queue is full, and by `deadline` at the latest.
    pub async fn ask(&self, request: Request, ignore_case: bool, deadline: Deadline) -> Verdict {
        // It leaves names to the threads, which may look for them whatever their case.
        if let Some(inline) = self.inline.get(loops::current()).and_then(OnceLock::get)
            && let Ok(mut inline) = inline.try_lock()
            && let Some(verdict) = inline.answer(&request, SystemTime::now())
        {
            return verdict;
        }
        self.put(request, ignore_case, false, deadline).await
    }

    /// The verdict on `request`, which was let in before; see [`Authenticator::recheck`].
    pub async fn recheck(
        &self,
        request: Request,
        ignore_case: bool,
        deadline: Deadline,
    ) -> Verdict {
        self.put(request, ignore_case, true, deadline).await
    }

    async fn put(
        &self,
        request: Request,
        ignore_case: bool,
        recheck: bool,
        deadline: Deadline,
    ) -> Verdict {
        let named = request.name != ClaimedName::Nameless;
        let turn = named.then(|| self.shared.turn(&request, SystemTime::now()));
        let (answer, verdict) = oneshot::channel();
        let job = Job::Ask {
            request,
            ignore_case,
            recheck,
            deadline,
            answer,
        };
        self.queue(job, turn, verdict, deadline)
            .await
            .unwrap_or_else(Verdict::from)
    }

    /// Whether `name`, which `client` has sent, could mean another account than that of `identity`.
    pub async fn means_another(
        &self,
        name: &str,
        identity: &Identity,
        client: &Client,
        deadline: Deadline,
    ) -> Result<bool, Unavailable> {
        let request = Request {
            client: client.clone(),
            ..Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched)
        };
        let turn = self.shared.turn(&request, SystemTime::now());
        let (answer, another) = oneshot::channel();
        let job = Job::Compare {
            request,
            id: identity.id.clone(),
            deadline,
            answer,
        };
        self.queue(job, Some(turn), another, deadline).await?
    }

    /// What `read` gives, for a `client` that has sent `name`. Names are compared without regard to
    /// case.
    pub async fn read<T: Send + 'static>(
        &self,
        name: &str,
        client: &Client,
        deadline: Deadline,
        read: impl FnOnce(&mut Authenticator) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let request = Request {
            client: client.clone(),
            ..Request::new(ClaimedName::Named(name.to_owned()), Credential::Vouched)
        };
        let turn = self.shared.turn(&request, SystemTime::now());
        let (answer, result) = oneshot::channel();
        let reading = move |authenticator: &mut Authenticator| {
            // The caller may have given up, and has answered `unavailable`.
            if !answer.is_closed() && !deadline.passed() {
                drop(answer.send(read(authenticator)));
            }
        };
        let job = Job::Read(Reading(Box::new(reading)));
        self.queue(job, Some(turn), result, deadline).await?
    }

    /// Whether the stores answer by `deadline`.
    pub async fn health(&self, deadline: Deadline) -> Health {
        let (answer, health) = oneshot::channel();
        let job = Job::Examine { deadline, answer };
        // It looks for a name, and goes before all others.
        let turn = Turn {
            familiar: true,
            ..Turn::default()
        };
        self.queue(job, Some(turn), health, deadline)
            .await
            .unwrap_or_else(Health::unknown)
    }

    /// The lengths of the queues.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            requests: self.requests.len(),
            checks: self.checks.waiting(),
            limit: self.requests.most(),
        }
    }

    /// The statistics of the cache of verified passwords.
    pub fn cache(&self) -> CacheStatistics {
        self.shared.cache_statistics(SystemTime::now())
    }

    /// Whether counts of wrong passwords are shared with other machines now; `None` where they are
    /// not to be.
    pub fn shares_counts(&self) -> Option<bool> {
        self.shared.shares_counts()
    }

    /// Forgets the verified passwords; returns how many there were.
    pub fn flush_cache(&self) -> usize {
        self.shared.forget_verified()
    }

    async fn queue<T>(
        &self,
        job: Job,
        turn: Option<Turn>,
        answer: oneshot::Receiver<T>,
        deadline: Deadline,
    ) -> Result<T, Unavailable> {
        if let Some(displaced) = self.requests.put(job, turn) {
            displaced.refuse();
        }
        match tokio::time::timeout_at(deadline.instant().into(), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Unavailable::new("the question was not answered")),
            Err(_) => Err(Unavailable::new("no answer came within `deadline`")),
        }
    }
}

impl Job {
    /// Answers that the queue is full.
    fn refuse(self) {
        let full = Unavailable::new("the queue is full");
        match self {
            Self::Ask { answer, .. } => drop(answer.send(full.into())),
            Self::Compare { answer, .. } => drop(answer.send(Err(full))),
            Self::Examine { answer, .. } => drop(answer.send(Health::unknown(full))),
            // The caller notices that it is gone.
            Self::Read(_) => {}
        }
    }
}

/// Sends a verdict to the task that waits for it.
struct ToCaller(oneshot::Sender<Verdict>);

impl Answer for ToCaller {
    fn send(self: Box<Self>, verdict: Verdict) {
        drop(self.0.send(verdict));
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.requests.close();
    }
}

fn work(
    configuration: &Configuration,
    shared: Arc<Shared>,
    requests: &Queue<Job>,
    mut taker: Taker,
    checks: &Checks,
) {
    let mut authenticator = Authenticator::new(configuration).sharing(Arc::clone(&shared));
    // Few sites have hosts that ignore the case of names.
    let mut ignoring_case = None;
    let make_ignoring_case =
        || Authenticator::ignoring_case(configuration).sharing(Arc::clone(&shared));
    while let Some((job, of)) = requests.take(&mut taker) {
        match job {
            Job::Ask {
                request,
                ignore_case,
                recheck,
                deadline,
                answer,
            } => {
                // The caller has given up, and has answered `unavailable`.
                if answer.is_closed() || deadline.passed() {
                    of.into_iter().for_each(|of| requests.done(of));
                    continue;
                }
                let authenticator = if ignore_case && !configuration.access.lookup.ignore_case {
                    ignoring_case.get_or_insert_with(make_ignoring_case)
                } else {
                    &mut authenticator
                };
                let now = SystemTime::now();
                let progress = match recheck {
                    false => authenticator.begin(&request, now, deadline),
                    true => Progress::Answered(authenticator.recheck(&request, now, deadline)),
                };
                match progress {
                    // The caller may have given up meanwhile.
                    Progress::Answered(verdict) => drop(answer.send(verdict)),
                    Progress::Pending(check) => {
                        checks.put(*check, deadline, Box::new(ToCaller(answer)));
                    }
                }
            }
            Job::Compare {
                request,
                id,
                deadline,
                answer,
            } => drop(answer.send(authenticator.means_another(&request, &id, deadline))),
            Job::Examine { deadline, answer } => {
                let health = Health::examine(configuration, &mut authenticator, deadline);
                drop(answer.send(health));
            }
            Job::Read(Reading(read)) => {
                read(match configuration.access.lookup.ignore_case {
                    true => &mut authenticator,
                    false => ignoring_case.get_or_insert_with(make_ignoring_case),
                });
            }
        }
        of.into_iter().for_each(|of| requests.done(of));
    }
}

/// Whether a site's stores answer, and how soon.
#[derive(Debug)]
pub struct Health {
    stores: Vec<StoreHealth>,
    /// How far the database server is behind its primary, where that is measured and known.
    pub lag: Option<Duration>,
}

/// The answer of a store.
#[derive(Debug)]
pub struct StoreHealth {
    /// Its stable word.
    pub store: &'static str,
    pub answer: Result<(), Unavailable>,
    /// How long it took.
    pub took: Duration,
}

impl Health {
    /// The health of stores that could not be asked.
    fn unknown(unavailable: Unavailable) -> Self {
        let database = StoreHealth {
            store: "database",
            answer: Err(unavailable),
            took: Duration::ZERO,
        };
        Self {
            stores: vec![database],
            lag: None,
        }
    }

    /// Asks the stores the usual queries with values that no site has: a name, and a session where
    /// the configuration says enough to read one.
    fn examine(
        configuration: &Configuration,
        authenticator: &mut Authenticator,
        deadline: Deadline,
    ) -> Self {
        let mut is_named = true;
        let database = StoreHealth::timed("database", || {
            let answer = authenticator.is_ready(SystemTime::now(), deadline);
            is_named = answer.is_some();
            answer.unwrap_or(Ok(()))
        });
        let database = is_named.then_some(database);
        let sessions = configuration.reads_sessions().then(|| {
            StoreHealth::timed("sessions", || {
                let token = Secret::new([b'0'; 32]);
                let session = Request::new(ClaimedName::Nameless, Credential::Session(token));
                match authenticator.answer(&session, SystemTime::now(), deadline) {
                    Verdict::Unavailable(unavailable) => Err(unavailable),
                    _ => Ok(()),
                }
            })
        });
        Self {
            stores: [database, sessions].into_iter().flatten().collect(),
            lag: authenticator.lag(),
        }
    }

    /// The stores, each with its answer.
    pub fn stores(&self) -> &[StoreHealth] {
        &self.stores
    }
}

impl StoreHealth {
    fn timed(store: &'static str, ask: impl FnOnce() -> Result<(), Unavailable>) -> Self {
        let begun = Instant::now();
        Self {
            store,
            answer: ask(),
            took: begun.elapsed(),
        }
    }
}
