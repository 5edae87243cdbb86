//! The threads behind all doors. Those that ask the stores answer what needs no more than that;
//! passwords they hand on to those that compute, and are free for the next question.

mod health;
mod queue;

use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::SystemTime;

use hallpass_checks::{Answer, Checks};
use hallpass_core::{
    Authenticator, CacheStatistics, ClaimedName, Client, Configuration, Credential, Deadline,
    Identity, InlineAuthenticator, Progress, Request, Shared, Turn, Unavailable, Verdict,
};
use tokio::sync::oneshot;

pub use self::health::Health;
use self::queue::{Queue, Taker};

/// How many threads ask the stores of a site when the database's settings do not say.
const STORE_THREADS: usize = 4;

/// What answers about one site: threads that each have an authenticator of their own, and take
/// questions from one queue; and those that check passwords for all sites. The first thread takes
/// no question with a name in it, which may have to be looked for in a whole table: sessions never
/// wait behind names, unless the database's settings allow one connection alone.
#[derive(Debug)]
pub struct Engine {
    /// What answers where nobody need wait, in the thread that asks.
    at_once: Arc<OnceLock<Mutex<InlineAuthenticator>>>,
    questions: Arc<Queue<Job>>,
    checks: Arc<Checks>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum Job {
    Ask {
        request: Request,
        ignore_case: bool,
        deadline: Deadline,
        answer: oneshot::Sender<Verdict>,
    },
    /// Whether the name of a question could mean another account than that of `id`.
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
}

/// How many wait for a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Questions, for one that asks the stores.
    pub questions: usize,
    /// Passwords of all sites, for one that computes.
    pub checks: usize,
    /// How many of either may.
    pub limit: usize,
}

impl Engine {
    /// Starts the threads that ask the stores of the site that `configuration` describes. They end
    /// when it is dropped.
    pub fn start(configuration: &Arc<Configuration>, checks: Arc<Checks>) -> std::io::Result<Self> {
        let threads = configuration.database.pool.unwrap_or(STORE_THREADS);
        let shared = Arc::new(Shared::remembering(configuration));
        // Of one client no more names are looked for at a time than leave room for another's.
        let at_once = threads.saturating_sub(2).max(1);
        let questions = Arc::new(Queue::new(configuration.daemon.queue, at_once));
        let at_once = Arc::new(OnceLock::new());
        for number in 0..threads {
            let (configuration, questions) = (Arc::clone(configuration), Arc::clone(&questions));
            let (shared, checks) = (Arc::clone(&shared), Arc::clone(&checks));
            let taker = match number {
                0 if threads > 1 => Taker::of_sessions(),
                _ => Taker::of_all(),
            };
            let at_once = (number == 0).then(|| Arc::clone(&at_once));
            thread::Builder::new()
                .name(format!("stores {number}"))
                .spawn(move || {
                    if let Some(place) = at_once
                        && let Some(made) =
                            InlineAuthenticator::new(&configuration, Arc::clone(&shared))
                    {
                        place.get_or_init(|| Mutex::new(made));
                    }
                    work(&configuration, shared, &questions, taker, &checks);
                })?;
        }
        Ok(Self {
            at_once,
            questions,
            checks,
            shared,
        })
    }

    /// The verdict on `request`: at once when the queue is full, and by `deadline` at the latest.
    pub async fn ask(&self, request: Request, ignore_case: bool, deadline: Deadline) -> Verdict {
        // Where there is a name, it is left to those who may look for it whatever its case.
        if let Some(at_once) = self.at_once.get()
            && let Ok(mut at_once) = at_once.try_lock()
            && let Some(verdict) = at_once.answer(&request, SystemTime::now())
        {
            return verdict;
        }
        let named = request.name != ClaimedName::Nameless;
        let turn = named.then(|| self.shared.turn(&request, SystemTime::now()));
        let (answer, verdict) = oneshot::channel();
        let job = Job::Ask {
            request,
            ignore_case,
            deadline,
            answer,
        };
        self.hand_over(job, turn, verdict, deadline)
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
        self.hand_over(job, Some(turn), another, deadline).await?
    }

    /// Whether the stores answer by `deadline`.
    pub async fn health(&self, deadline: Deadline) -> Health {
        let (answer, health) = oneshot::channel();
        let job = Job::Examine { deadline, answer };
        // A name is looked for, before anybody else's.
        let turn = Turn {
            familiar: true,
            ..Turn::default()
        };
        self.hand_over(job, Some(turn), health, deadline)
            .await
            .unwrap_or_else(Health::unknown)
    }

    /// How many wait.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            questions: self.questions.len(),
            checks: self.checks.waiting(),
            limit: self.questions.most(),
        }
    }

    /// How the cache of verified passwords does.
    pub fn cache(&self) -> CacheStatistics {
        self.shared.cache_statistics(SystemTime::now())
    }

    /// Forgets the verified passwords; returns how many there were.
    pub fn flush_cache(&self) -> usize {
        self.shared.forget_verified()
    }

    async fn hand_over<T>(
        &self,
        job: Job,
        turn: Option<Turn>,
        answer: oneshot::Receiver<T>,
        deadline: Deadline,
    ) -> Result<T, Unavailable> {
        if let Some(displaced) = self.questions.put(job, turn) {
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
    /// Says that there was no room for it.
    fn refuse(self) {
        let full = Unavailable::new("the queue is full");
        match self {
            Self::Ask { answer, .. } => drop(answer.send(full.into())),
            Self::Compare { answer, .. } => drop(answer.send(Err(full))),
            Self::Examine { answer, .. } => drop(answer.send(Health::unknown(full))),
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
        self.questions.close();
    }
}

fn work(
    configuration: &Configuration,
    shared: Arc<Shared>,
    questions: &Queue<Job>,
    mut taker: Taker,
    checks: &Checks,
) {
    let mut authenticator = Authenticator::new(configuration).sharing(Arc::clone(&shared));
    // For hosts whose names have no case, which many sites do not have.
    let mut ignoring_case = None;
    while let Some((job, of)) = questions.take(&mut taker) {
        match job {
            Job::Ask {
                request,
                ignore_case,
                deadline,
                answer,
            } => {
                // Whoever asked has been told already that there is no answer.
                if answer.is_closed() || deadline.passed() {
                    of.into_iter().for_each(|of| questions.done(of));
                    continue;
                }
                let authenticator = if ignore_case && !configuration.access.ignore_case {
                    ignoring_case.get_or_insert_with(|| {
                        Authenticator::ignoring_case(configuration).sharing(Arc::clone(&shared))
                    })
                } else {
                    &mut authenticator
                };
                match authenticator.begin(&request, SystemTime::now(), deadline) {
                    // They may have given up while it was found.
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
        }
        of.into_iter().for_each(|of| questions.done(of));
    }
}
