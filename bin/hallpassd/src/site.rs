//! Answers requests about a site, whichever endpoint they came by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hallpass_checks::Checks;
use hallpass_core::basic::Unreadable;
use hallpass_core::configuration::{Accepted, TicketSettings};
use hallpass_core::{
    ClaimedName, Client, Conditions, Configuration, Credential, Deadline, NoTicket, Reason,
    Request, Secret, Tickets, Verdict,
};
use hallpass_runtime::Log;
use hallpass_runtime::log::{Decision, Through, sharing_report};
use tokio::sync::Mutex;

use crate::credentials::{Accepting, Shown};
use crate::engine::{Engine, Health, StoreHealth};
use crate::ldap::Directory;
use crate::metrics::SiteMetrics;
use crate::sockets::Peer;
use crate::start::PROGRAM;
use crate::watch::Watch;

/// A site that the daemon serves.
#[derive(Debug)]
pub struct ServedSite {
    pub configuration: Arc<Configuration>,
    pub log: Log,
    pub metrics: SiteMetrics,
    pub engine: Engine,
    /// The site as a directory of LDAP.
    pub directory: Directory,
    /// The sessions that were let in and are watched, whatever configuration is in force.
    pub watch: Arc<Watch>,
    tickets: Option<Tickets>,
    has_warned_of_vouch: AtomicBool,
    /// What the stores answered last, and when.
    examined: Mutex<Option<(Instant, Arc<Health>)>>,
}

/// How old a reported state of the stores may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The stores are asked now.
    Now,
    /// An answer of the last second may be reported again.
    Recent,
}

/// For how long an answer of the stores is recent.
const RECENT: Duration = Duration::from_secs(1);

/// A request as an endpoint has read it: its credentials, each of which becomes a [`Request`], and
/// what its host needs beyond a verdict.
#[derive(Debug)]
pub struct Inquiry<'a> {
    /// The stable word of the endpoint or of its path, for logs and metrics.
    pub word: &'static str,
    /// Its credentials, where they can be read.
    pub shown: Result<Shown, Unreadable>,
    /// The program that asks, if it says so.
    pub host: Option<&'a str>,
    pub client: Client,
    pub conditions: Conditions,
    pub wants_groups: bool,
    /// Whether to ignore the case of names, whatever the configuration says.
    pub ignore_case: bool,
    /// Whether a name without a credential may be asked about.
    pub vouches: bool,
    /// Whether the host may make paths of names.
    pub for_paths: bool,
    /// The name that the host continues with, where that is longer than the name that is looked up.
    /// It must not mean another account.
    pub whole_name: Option<String>,
    /// The time limit, where that is shorter than the configuration's.
    pub time: Option<Duration>,
    /// Whether this was let in before and is looked at again, which is neither logged nor counted.
    pub recheck: bool,
}

impl Inquiry<'_> {
    /// Asks without conditions, and for the groups, too.
    pub fn new(word: &'static str, shown: Result<Shown, Unreadable>, client: Client) -> Self {
        Self {
            word,
            shown,
            host: None,
            client,
            conditions: Conditions::default(),
            wants_groups: true,
            ignore_case: false,
            vouches: false,
            for_paths: false,
            whole_name: None,
            time: None,
            recheck: false,
        }
    }
}

impl ServedSite {
    /// Starts the threads that ask the site's stores, and hand passwords to `checks`. Requests come
    /// from as many event `loops`. `before` is the same site as an earlier configuration described
    /// it.
    ///
    /// # Errors
    /// When the system cannot start a thread, or the certificate of the directory cannot be used.
    pub fn start(
        configuration: Arc<Configuration>,
        log: Log,
        metrics: SiteMetrics,
        checks: Arc<Checks>,
        loops: usize,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let directory = Directory::new(&configuration)?;
        let report = sharing_report(PROGRAM, configuration.log);
        let before = before.map(|before| &before.engine);
        let engine = Engine::start(&configuration, checks, loops, report, before)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        let tickets = configuration.tickets.as_ref();
        Ok(Self {
            tickets: tickets.map(TicketSettings::tickets),
            has_warned_of_vouch: AtomicBool::new(false),
            examined: Mutex::default(),
            configuration,
            log,
            metrics,
            engine,
            directory,
            watch: Arc::default(),
        })
    }

    /// The same, which goes on with what `watch` watches.
    pub fn watching(self, watch: Arc<Watch>) -> Self {
        Self { watch, ..self }
    }

    /// The site's name; empty where it has none.
    pub fn name(&self) -> &str {
        self.configuration.name.as_deref().unwrap_or_default()
    }

    /// The credentials that the site accepts.
    pub fn accepting(&self) -> Accepting<'_> {
        let configuration = &self.configuration;
        let accept = configuration.daemon.accept;
        let accept = Accepted {
            ticket: accept.ticket && self.gives_tickets(),
            ..accept
        };
        let cookie = configuration.session_cookie();
        Accepting::new(accept, cookie, configuration.reads_tokens())
            .with_jwt(configuration.jwt.as_ref())
    }

    /// The verdict on the first credential that is granted, else the most telling verdict:
    /// unavailable counts more than a known account that is not permitted, and that more than any
    /// other denial. It is logged and counted.
    pub async fn decide(&self, inquiry: Inquiry<'_>) -> Verdict {
        self.decide_on(inquiry, None).await
    }

    /// As [`decide`](Self::decide). Gives the requests that were asked and can be asked again: only
    /// the one that was granted, where one was.
    pub async fn decide_to_watch(&self, inquiry: Inquiry<'_>) -> (Verdict, Vec<Request>) {
        let mut requests = Vec::new();
        let verdict = self.decide_on(inquiry, Some(&mut requests)).await;
        (verdict, requests)
    }

    async fn decide_on(
        &self,
        inquiry: Inquiry<'_>,
        mut requests: Option<&mut Vec<Request>>,
    ) -> Verdict {
        let started = Instant::now();
        let Inquiry {
            word,
            shown,
            host,
            client,
            mut conditions,
            wants_groups,
            ignore_case,
            vouches,
            for_paths,
            whole_name,
            time,
            recheck,
        } = inquiry;
        let most = self.configuration.limits.deadline;
        let deadline = Deadline::after(time.map_or(most, |time| time.min(most)));
        let address = client.address;
        let (name, credentials, mut verdict) = match shown {
            Ok(Shown { name, credentials }) => {
                (name, credentials, Verdict::Denied(Reason::NoSession))
            }
            Err(Unreadable) => {
                let verdict = Verdict::Denied(Reason::Malformed);
                (ClaimedName::Nameless, Vec::new(), verdict)
            }
        };
        let mut credentials = credentials.into_iter();
        while let Some(credential) = credentials.next() {
            if !vouches && matches!(credential, Credential::Vouched) {
                // The same for every name, so that no answer tells which accounts there are.
                verdict = Verdict::Denied(Reason::NotPermitted);
                self.warn_of_vouch(word);
                break;
            }
            let last = credentials.as_slice().is_empty();
            let request = Request {
                name: name.clone(),
                credential,
                conditions: if last {
                    std::mem::take(&mut conditions)
                } else {
                    conditions.clone()
                },
                wants_groups,
                client: client.clone(),
            };
            let lasting = requests.is_some().then(|| self.lasting(&request)).flatten();
            let next = match recheck {
                false => self.engine.ask(request, ignore_case, deadline).await,
                true => self.engine.recheck(request, ignore_case, deadline).await,
            };
            if let (Some(requests), Some(lasting)) = (&mut requests, lasting) {
                if matches!(next, Verdict::Granted(_)) {
                    requests.clear();
                }
                requests.push(lasting);
            }
            if weight(&next) >= weight(&verdict) {
                verdict = next;
            }
            if matches!(verdict, Verdict::Granted(_)) {
                break;
            }
        }
        if let (Verdict::Granted(identity), Some(whole)) = (&verdict, &whole_name) {
            let another = self
                .engine
                .means_another(whole, identity, &client, deadline);
            verdict = match another.await {
                Ok(false) => verdict,
                Ok(true) => Verdict::Denied(Reason::WrongUser),
                Err(unavailable) => unavailable.into(),
            };
        }
        if for_paths {
            verdict = hallpass_runtime::for_paths(verdict, name.as_deref());
        }
        if recheck {
            return verdict;
        }
        let took = started.elapsed();
        let decision = Decision {
            user: name.as_deref(),
            client: address,
            verdict: &verdict,
            took,
        };
        let through = Through { door: word, host };
        self.log.decision_through(&decision, &through);
        self.metrics.count(word, &verdict, took);
        verdict
    }

    /// `request` in a form that can be asked again for as long as the session lives: a ticket as the
    /// session that it stands for. `None` for a name.
    fn lasting(&self, request: &Request) -> Option<Request> {
        let copy = |secret: &Secret| Secret::new(secret.expose());
        let credential = match &request.credential {
            Credential::Session(token) => Credential::Session(copy(token)),
            Credential::Cookies(header) => Credential::Cookies(copy(header)),
            Credential::Token(token) => Credential::Token(copy(token)),
            Credential::Jwt(token) => Credential::Jwt(copy(token)),
            Credential::Ticket(ticket) => {
                let tickets = self.tickets.as_ref()?;
                tickets.session(ticket.expose(), SystemTime::now()).ok()?
            }
            Credential::Password(_) | Credential::Vouched => return None,
        };
        Some(Request {
            name: request.name.clone(),
            credential,
            conditions: request.conditions.clone(),
            wants_groups: false,
            client: request.client.clone(),
        })
    }

    /// Warns once that a host asked about a bare name, which it may not.
    fn warn_of_vouch(&self, word: &str) {
        if !self.has_warned_of_vouch.swap(true, Ordering::Relaxed) {
            self.log.warning(&format!(
                "{word}: a name without any credential was asked about, and refused: list the \
                 listener in daemon.vouch if all who can reach it may know who has an account",
            ));
        }
    }

    /// Whether the site issues tickets.
    pub fn gives_tickets(&self) -> bool {
        self.tickets.is_some()
    }

    /// A ticket for the session of `token`, and the time at which it expires; `None` where the site
    /// issues no tickets.
    pub fn ticket(&self, token: &Secret) -> Option<Result<(String, SystemTime), NoTicket>> {
        let now = SystemTime::now();
        let tickets = self.tickets.as_ref()?;
        let ticket = tickets.issue(token, now);
        Some(ticket.map(|ticket| (ticket, tickets.void_from(now))))
    }

    /// Whether the stores answer. Those that do not are logged when they are asked.
    pub async fn health(&self, age: Age) -> Arc<Health> {
        if age == Age::Now {
            return Arc::new(self.examine().await);
        }
        // One client's request asks the stores; others wait for it and take its answer.
        let mut examined = self.examined.lock().await;
        if let Some((when, health)) = &*examined
            && when.elapsed() < RECENT
        {
            return Arc::clone(health);
        }
        let health = Arc::new(self.examine().await);
        *examined = Some((Instant::now(), Arc::clone(&health)));
        health
    }

    async fn examine(&self) -> Health {
        let deadline = Deadline::after(self.configuration.limits.deadline);
        let health = self.engine.health(deadline).await;
        for StoreHealth { store, answer, .. } in health.stores() {
            if let Err(unavailable) = answer {
                self.log.error(&format!("{store}: {unavailable}"));
            }
        }
        health
    }

    /// The value of `WWW-Authenticate` that asks for a name and a password (RFC 7617); `None` where
    /// the site accepts no passwords.
    pub fn challenge(&self) -> Option<String> {
        let daemon = &self.configuration.daemon;
        let realm = daemon.realm.replace('\\', "\\\\").replace('"', "\\\"");
        let basic = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        daemon.accept.password.then_some(basic)
    }

    /// Whether `peer` is trusted to say which page its client wanted, and the client's address.
    pub fn trusts(&self, peer: Peer) -> bool {
        self.configuration.daemon.trusts(match peer {
            Peer::Address(address) => Some(address),
            Peer::Unix => None,
        })
    }
}

fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Granted(_) => 3,
        Verdict::Unavailable(_) => 2,
        Verdict::Denied(Reason::NotPermitted) => 1,
        Verdict::Denied(_) => 0,
    }
}
