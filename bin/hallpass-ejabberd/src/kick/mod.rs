//! Ends the connections of ejabberd whose session has ended (`[ejabberd] kick`).
//!
//! Each process watches what it let in itself, on a thread of its own: it lives as long as the
//! ejabberd whose connections these are, whatever happens to hallpassd.

mod api;
mod ending;
mod logins;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use hallpass_core::{
    Clock, Configuration, Credential, Deadline, Ended, Identity, Request, Secret, Unavailable,
    Verdict, Watched,
};
use hallpass_runtime::{Log, SiteClient};

pub use self::api::Jid;
#[cfg(any(test, fuzzing))]
pub use self::api::listed;
use self::api::{Stream, is_slow, streams};
use self::ending::{Endings, call};
use self::logins::{Login, assign};
use crate::PROGRAM;

/// How many logins are watched; the oldest is forgotten for another.
const MOST_LOGINS: usize = 10_000;
/// How many logins may wait to be watched.
const MOST_WAITING: usize = 256;
/// How long a login waits at most for the list of the connections that are there already.
const LIST_BEFORE: Duration = Duration::from_millis(500);
/// When connections are looked for after a login, before the interval does.
const SOON: Duration = Duration::from_millis(60);
/// When that is, where a look starts a program.
const SLOWLY: Duration = Duration::from_secs(1);
/// For how long that is done.
const SOON_FOR: Duration = Duration::from_secs(2);
/// How often it is looked whether the connection of a login is still there.
const TIDY: Duration = Duration::from_secs(30);
/// A round takes at most one part of this many of the time; the rest is a pause.
const SHARE: u32 = 4;
/// How many questions in a row may find a store unavailable before a round is given up.
const MOST_UNAVAILABLE: u32 = 3;

/// Passes logins on to the thread that watches them.
#[derive(Debug, Default)]
pub struct Kicker {
    logins: Option<SyncSender<Message>>,
}

struct Message {
    configuration: Arc<Configuration>,
    login: Login,
}

impl Kicker {
    /// Watches a login of `jid` that was let in, as `kick` in `configuration` says. To be called before
    /// ejabberd gets its answer, so that the login's own connection is not there yet.
    pub fn let_in(
        &mut self,
        configuration: &Arc<Configuration>,
        jid: Jid,
        watched: Watched,
        identity: &Identity,
        log: &Log,
    ) {
        let Some(kick) = &configuration.ejabberd.kick else {
            return;
        };
        let listed = (!is_slow(kick))
            .then(|| streams(kick, &jid, Deadline::after(LIST_BEFORE)))
            .and_then(Result::ok);
        let session = identity.session.as_ref();
        let login = Login {
            jid,
            watched,
            since: Instant::now(),
            digest: session.map(|session| session.digest.clone()),
            before: listed.map(|streams| streams.iter().map(Stream::id).collect()),
            own: Vec::new(),
            settled: false,
            in_doubt: false,
            listed: false,
        };
        let message = Message {
            configuration: Arc::clone(configuration),
            login,
        };
        if self.logins.is_none() {
            self.logins = start(configuration);
        }
        let logins = self.logins.as_ref();
        let sent = logins.is_some_and(|logins| logins.try_send(message).is_ok());
        if !sent {
            log.error("cannot watch a login: its connection will not be ended");
        }
    }
}

fn start(configuration: &Arc<Configuration>) -> Option<SyncSender<Message>> {
    let (sender, logins) = mpsc::sync_channel(MOST_WAITING);
    let watcher = Watcher::new(Arc::clone(configuration));
    let thread = thread::Builder::new().name("kick".to_owned());
    thread.spawn(move || watcher.run(&logins)).ok()?;
    Some(sender)
}

/// The request that asks again about what `credential` let in; `None` where that is not known.
pub fn lasting(configuration: &Configuration, request: &Request) -> Option<Request> {
    let copy = |secret: &Secret| Secret::new(secret.expose());
    let credential = match &request.credential {
        Credential::Session(token) => Credential::Session(copy(token)),
        Credential::Token(token) => Credential::Token(copy(token)),
        Credential::Jwt(token) => Credential::Jwt(copy(token)),
        Credential::Cookies(header) => Credential::Cookies(copy(header)),
        Credential::Ticket(ticket) => {
            let tickets = configuration.tickets.as_ref()?.tickets();
            tickets.session(ticket.expose(), SystemTime::now()).ok()?
        }
        Credential::Password(_) | Credential::Vouched => return None,
    };
    Some(copy_with(request, credential))
}

fn copy_with(request: &Request, credential: Credential) -> Request {
    Request {
        name: request.name.clone(),
        credential,
        conditions: request.conditions.clone(),
        wants_groups: false,
        client: request.client.clone(),
    }
}

/// Whether the connection of `login` is to be expected any moment.
fn is_fresh(login: &Login) -> bool {
    login.own.is_empty() && login.since.elapsed() < SOON_FOR
}

struct Watcher {
    site: SiteClient,
    log: Log,
    clock: Clock,
    logins: Vec<Login>,
    endings: Endings,
    tidied: Instant,
    /// Until when ejabberd is not asked for connections, where that is slow.
    rests: Instant,
    /// What the questions of this round took that were answered.
    busy: Duration,
    /// Whether the log says that ejabberd does not answer.
    is_away: bool,
}

impl Watcher {
    fn new(configuration: Arc<Configuration>) -> Self {
        let now = Instant::now();
        Self {
            log: Log::new(PROGRAM, configuration.log),
            site: SiteClient::new(configuration, PROGRAM),
            clock: Clock::new((now, SystemTime::now())),
            logins: Vec::new(),
            endings: Endings::default(),
            tidied: now,
            rests: now,
            busy: Duration::ZERO,
            is_away: false,
        }
    }

    /// Watches what comes by `logins` until nothing comes any more.
    fn run(mut self, logins: &Receiver<Message>) {
        let mut due = Instant::now();
        loop {
            let now = Instant::now();
            let wait = due.saturating_duration_since(now);
            let wait = match self.logins.iter().any(is_fresh) {
                true if self.is_slow() => wait.min(SLOWLY),
                true => wait.min(SOON),
                false => wait,
            };
            let received = match self.logins.is_empty() && self.endings.is_empty() {
                true => logins.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => logins.recv_timeout(wait),
            };
            match received {
                Ok(message) => {
                    self.take(message);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let due_now = Instant::now() >= due;
            self.bind(!due_now);
            if due_now {
                let begun = Instant::now();
                self.busy = Duration::ZERO;
                self.look();
                self.end();
                self.tidy();
                let interval = self.site.configuration.daemon.watch_interval;
                let rest = self.busy.saturating_mul(SHARE - 1);
                due = (begun + interval).max(Instant::now() + rest);
            }
        }
    }

    fn take(&mut self, message: Message) {
        let Message {
            configuration,
            login,
        } = message;
        if !Arc::ptr_eq(&configuration, &self.site.configuration) {
            self.log = Log::new(PROGRAM, configuration.log);
            self.site = SiteClient::new(configuration, PROGRAM);
        }
        if self.logins.len() >= MOST_LOGINS {
            self.logins.remove(0);
            let message =
                format!("more than {MOST_LOGINS} logins: the oldest is no longer watched");
            self.log.warning(&message);
        }
        self.logins.push(login);
    }

    /// Looks for the connections of logins that have none yet; only of those of the last moments, if
    /// `fresh`.
    fn bind(&mut self, fresh: bool) {
        let now = Instant::now();
        let unbound = |login: &&Login| login.waits(now) && (!fresh || is_fresh(login));
        let unbound = self.logins.iter().filter(unbound);
        let jids: HashSet<Jid> = unbound.map(|login| login.jid.clone()).collect();
        for jid in jids {
            if Instant::now() < self.rests {
                return;
            }
            let Some(streams) = self.streams(&jid) else {
                return;
            };
            let of_jid = self.logins.iter_mut().filter(|login| login.jid == jid);
            assign(&mut of_jid.collect::<Vec<_>>(), &streams, Instant::now());
        }
    }

    /// Looks at all logins again.
    fn look(&mut self) {
        let mut unavailable = 0;
        let mut kept = Vec::with_capacity(self.logins.len());
        for login in std::mem::take(&mut self.logins) {
            let ended = match unavailable < MOST_UNAVAILABLE {
                true => self.ended(&login, &mut unavailable),
                false => None,
            };
            match ended {
                Some(ended) => {
                    let name = format!("{}@{}", login.jid.user, login.jid.host);
                    let message = format!("a login of {name:?} has ended: {}", ended.word());
                    self.log.info(&message);
                    self.endings.add(login, ended == Ended::Closed);
                }
                None => kept.push(login),
            }
        }
        self.logins = kept;
    }

    fn ended(&mut self, login: &Login, unavailable: &mut u32) -> Option<Ended> {
        let request = &login.watched.request;
        let again = match &request.credential {
            Credential::Vouched => copy_with(request, Credential::Vouched),
            _ => lasting(&self.site.configuration, request)?,
        };
        let begun = Instant::now();
        let deadline = self.site.deadline(begun);
        let verdict = self.site.recheck(again, deadline);
        let now = SystemTime::now();
        let even = self.clock.is_even((Instant::now(), now));
        if matches!(verdict, Verdict::Unavailable(_)) {
            *unavailable += 1;
        } else {
            *unavailable = 0;
            self.busy += begun.elapsed();
        }
        let expires = login.watched.expires().filter(|_| even);
        let ended = login.watched.judge(&verdict, expires, now);
        ended.filter(|ended| even || *ended != Ended::Expired)
    }

    /// Has the connections ended whose sessions have.
    fn end(&mut self) {
        let configuration = Arc::clone(&self.site.configuration);
        let by = configuration.ejabberd.kick.as_ref();
        let round = self.endings.end(by, &mut self.logins);
        self.busy += round.spent;
        self.is_away &= !round.answered;
        if let Some(unavailable) = &round.failure {
            self.away(unavailable);
        }
    }

    fn is_slow(&self) -> bool {
        let kick = self.site.configuration.ejabberd.kick.as_ref();
        kick.is_some_and(is_slow)
    }

    /// Forgets logins whose connection is gone.
    fn tidy(&mut self) {
        if self.tidied.elapsed() < TIDY || Instant::now() < self.rests {
            return;
        }
        self.tidied = Instant::now();
        let mut listed: HashMap<Jid, Vec<Stream>> = HashMap::new();
        for login in std::mem::take(&mut self.logins) {
            let known = match listed.get(&login.jid) {
                Some(streams) => Some(streams),
                None => match self.streams(&login.jid) {
                    Some(streams) => Some(&*listed.entry(login.jid.clone()).or_insert(streams)),
                    None => None,
                },
            };
            let over = known.is_some_and(|streams| login.is_over(streams, Instant::now()));
            if !over {
                self.logins.push(login);
            }
        }
    }

    /// The connections of `jid`; `None` where ejabberd does not say.
    fn streams(&mut self, jid: &Jid) -> Option<Vec<Stream>> {
        let configuration = Arc::clone(&self.site.configuration);
        let kick = configuration.ejabberd.kick.as_ref()?;
        let begun = Instant::now();
        match streams(kick, jid, Deadline::after(call(kick))) {
            Ok(streams) => {
                self.is_away = false;
                if is_slow(kick) {
                    self.rests = Instant::now() + begun.elapsed().saturating_mul(SHARE - 1);
                }
                Some(streams)
            }
            Err(unavailable) => {
                self.away(&unavailable);
                None
            }
        }
    }

    fn away(&mut self, unavailable: &Unavailable) {
        if !self.is_away {
            self.is_away = true;
            self.log
                .error(&format!("cannot end connections: {unavailable}"));
        }
    }
}
