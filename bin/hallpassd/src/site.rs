//! One site, ready to be asked through any door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hallpass_checks::Checks;
use hallpass_core::basic::Unreadable;
use hallpass_core::configuration::{TicketSettings, TrustedProxy};
use hallpass_core::{
    ClaimedName, Client, Conditions, Configuration, Credential, Deadline, NoTicket, Reason,
    Request, Secret, Tickets, Verdict,
};
use hallpass_runtime::Log;
use hallpass_runtime::log::{Decision, Through};

use crate::door::Door;
use crate::engine::{Engine, Health};
use crate::metrics::SiteMetrics;
use crate::sockets::Peer;

/// One site.
#[derive(Debug)]
pub struct Site {
    pub configuration: Arc<Configuration>,
    pub log: Log,
    pub metrics: SiteMetrics,
    pub engine: Engine,
    tickets: Option<Tickets>,
    told_of_vouch: AtomicBool,
}

/// What a request shows: the name that its host goes on with, and its credentials, the cheapest to
/// check first.
#[derive(Debug)]
pub struct Shown {
    pub name: ClaimedName,
    pub credentials: Vec<Credential>,
}

impl Shown {
    /// One credential of the account that the host calls `name`.
    pub fn of(name: ClaimedName, credential: Credential) -> Self {
        let credentials = vec![credential];
        Self { name, credentials }
    }
}

/// What a host asks, apart from the credentials.
#[derive(Debug)]
pub struct Asking<'a> {
    pub door: Door,
    /// The program that asks, where it says.
    pub host: Option<&'a str>,
    pub client: Client,
    pub conditions: Conditions,
    pub wants_groups: bool,
    /// Whether the case of names counts for nothing, whatever the configuration says.
    pub ignore_case: bool,
    /// Whether a name without any credential may be asked about.
    pub vouches: bool,
    /// Whether the host may make paths of names.
    pub for_paths: bool,
    /// The name that the host goes on with, where that is longer than the name that is looked up. It
    /// must not mean another account.
    pub whole_name: Option<String>,
    /// How long there is, where that is less than the configuration says.
    pub time: Option<Duration>,
}

impl Asking<'_> {
    /// Asks without conditions, and for the groups, too.
    pub fn new(door: Door, client: Client) -> Self {
        Self {
            door,
            host: None,
            client,
            conditions: Conditions::default(),
            wants_groups: true,
            ignore_case: false,
            vouches: false,
            for_paths: false,
            whole_name: None,
            time: None,
        }
    }
}

impl Site {
    /// Starts the threads that ask the site's stores, and leave passwords to `checks`.
    pub fn start(
        configuration: Arc<Configuration>,
        log: Log,
        metrics: SiteMetrics,
        checks: Arc<Checks>,
    ) -> std::io::Result<Self> {
        let engine = Engine::start(&configuration, checks)?;
        let tickets = configuration.tickets.as_ref();
        Ok(Self {
            tickets: tickets.map(TicketSettings::tickets),
            told_of_vouch: AtomicBool::new(false),
            configuration,
            log,
            metrics,
            engine,
        })
    }

    /// The site's name; empty where it has none.
    pub fn name(&self) -> &str {
        self.configuration.name.as_deref().unwrap_or_default()
    }

    /// The verdict on what a request shows: that on the first credential that is granted, else the
    /// one that says most. Unavailable weighs more than a known account that is not permitted, and
    /// that more than any other denial.
    pub async fn decide(&self, shown: Result<Shown, Unreadable>, asking: Asking<'_>) -> Verdict {
        let started = Instant::now();
        let Asking {
            door,
            host,
            client,
            mut conditions,
            wants_groups,
            ignore_case,
            vouches,
            for_paths,
            whole_name,
            time,
        } = asking;
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
                self.tell_of_vouch(door);
                break;
            }
            let last = credentials.as_slice().is_empty();
            let question = Request {
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
            let next = self.engine.ask(question, ignore_case, deadline).await;
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
        let took = started.elapsed();
        let decision = Decision {
            user: name.as_deref(),
            client: address,
            verdict: &verdict,
            took,
        };
        let through = Through {
            door: door.word(),
            host,
        };
        self.log.decision_through(&decision, &through);
        self.metrics.count(door, &verdict, took);
        verdict
    }

    /// Says once what to do where a host that should ask about bare names may not.
    fn tell_of_vouch(&self, door: Door) {
        if !self.told_of_vouch.swap(true, Ordering::Relaxed) {
            self.log.warning(&format!(
                "{}: a name without any credential was asked about, and refused: list the listener \
                 in daemon.vouch if all who can reach it may know who has an account",
                door.word(),
            ));
        }
    }

    /// Whether tickets are switched on.
    pub fn gives_tickets(&self) -> bool {
        self.tickets.is_some()
    }

    /// A ticket for the session that `token` names, and the moment from which it is void; `None`
    /// where there are no tickets.
    pub fn ticket(&self, token: &Secret) -> Option<Result<(String, SystemTime), NoTicket>> {
        let now = SystemTime::now();
        let tickets = self.tickets.as_ref()?;
        let ticket = tickets.issue(token, now);
        Some(ticket.map(|ticket| (ticket, tickets.void_from(now))))
    }

    /// Whether the stores answer, asked for real.
    pub async fn health(&self) -> Health {
        let deadline = Deadline::after(self.configuration.limits.deadline);
        let health = self.engine.health(deadline).await;
        for (store, answer) in health.stores() {
            if let Err(unavailable) = answer {
                self.log.error(&format!("{store}: {unavailable}"));
            }
        }
        health
    }

    /// The value of `WWW-Authenticate` that asks for a name and a password (RFC 7617); `None` where
    /// the site takes none.
    pub fn challenge(&self) -> Option<String> {
        let daemon = &self.configuration.daemon;
        let realm = daemon.realm.replace('\\', "\\\\").replace('"', "\\\"");
        let basic = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        daemon.accept.password.then_some(basic)
    }

    /// Whether the word of `peer` is taken for what its client wanted and where it is.
    pub fn trusts(&self, peer: Peer) -> bool {
        let proxies = &self.configuration.daemon.trusted_proxies;
        proxies.contains(&match peer {
            Peer::Address(address) => TrustedProxy::Address(address),
            Peer::Unix => TrustedProxy::Unix,
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
