//! Answers requests: decodes the credential, finds the account, verifies, and admits.

mod accounts;
mod admission;
mod change;
mod check;
mod directory;
mod jwt;
mod memo;
mod password;
mod recorded;
mod session;
mod token;
mod trace;

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::Encoded;
use hallpass_stores::sql::{self, Database, Queries};
use hallpass_stores::{Deadline, Tracer, Unavailable};

use self::admission::{Found, admit};
pub use self::change::Change;
pub use self::check::{Decision, HashJob, Pending, Progress, Step};
pub use self::directory::{People, Person, Sought};
use self::memo::SessionMemo;
pub use self::recorded::Recorded;
pub use self::session::{InlineAuthenticator, session_digest};
use crate::configuration::{Access, Configuration, Jwt, LoginField, Passwords, TicketSettings};
use crate::cookie;
use crate::denial_cost::DenialCost;
use crate::request::malformed_name;
use crate::scans::Scan;
use crate::{
    Account, Credential, Identity, PasswordStamp, Reason, Request, Shared, Tickets, Verdict,
};
use hallpass_sites::{AccountLookup, Accounts, Site, Stop, ask};
use sha2::{Digest, Sha256};

/// Answers requests about one site, one at a time.
///
/// Opens nothing until the first request, and keeps what it opened for the next one.
#[derive(Debug)]
pub struct Authenticator {
    site: Site,
    /// The same, whose accounts are looked up by their e-mail addresses; `None` where nothing does.
    by_email: Option<Site>,
    database: Database,
    settings: sql::Settings,
    /// Whether accounts may be changed, and not only read.
    changes: bool,
    cookie: Option<(String, cookie::Reader)>,
    access: Access,
    passwords: Passwords,
    longest_password: usize,
    tickets: Option<Tickets>,
    jwt: Option<Jwt>,
    /// What a denial costs, where the configuration says so.
    dummy: Option<Arc<Encoded>>,
    denial_cost: Arc<DenialCost>,
    memo: SessionMemo,
    shared: Option<Arc<Shared>>,
    tracer: Tracer,
    /// Whether verdicts carry a stamp of the account's password.
    stamps: bool,
    /// Whether what a verdict rests on is recorded: then it is all read.
    records: bool,
}

impl Authenticator {
    /// An authenticator for the site that `configuration` describes.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        Self::with(configuration, configuration.access.clone())
    }

    /// The same, for hosts whose names have no case, as those of XMPP servers.
    #[must_use]
    pub fn ignoring_case(configuration: &Configuration) -> Self {
        let mut access = configuration.access.clone();
        access.lookup.ignore_case = true;
        Self::with(configuration, access)
    }

    fn with(configuration: &Configuration, access: Access) -> Self {
        let site = configuration.open(&access.lookup);
        let dummy = configuration.passwords.dummy.as_deref();
        let by_email = AccountLookup {
            login: vec![LoginField::Email],
            ..access.lookup.clone()
        };
        Self {
            by_email: configuration
                .is_directory()
                .then(|| configuration.open(&by_email)),
            dummy: dummy.and_then(|it| site.parse_cost(it)).map(Arc::new),
            site,
            database: Database::new(&configuration.database),
            settings: configuration.database.clone(),
            changes: configuration.ejabberd.account_changes,
            cookie: configuration
                .session_cookie()
                .map(|cookie| (cookie.name.to_owned(), cookie.reader)),
            access,
            passwords: configuration.passwords.clone(),
            longest_password: configuration.limits.max_password,
            tickets: configuration.tickets.as_ref().map(TicketSettings::tickets),
            jwt: configuration.jwt.clone(),
            denial_cost: Arc::default(),
            memo: SessionMemo::default(),
            shared: None,
            tracer: Tracer::default(),
            stamps: false,
            records: false,
        }
    }

    /// Reports every step on the way to a verdict to `tracer`.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Self {
            database: self.database.traced(tracer.clone()),
            tracer,
            ..self
        }
    }

    /// Shares the count of wrong passwords, the memory for hashes and the cost of a denial with the
    /// other authenticators of a program.
    #[must_use]
    pub fn sharing(self, shared: Arc<Shared>) -> Self {
        Self {
            denial_cost: Arc::clone(&shared.denial_cost),
            shared: Some(shared),
            ..self
        }
    }

    /// The verdict on `request`, at the time `now`. Stores give up at `deadline`; a hash that has
    /// been started is finished.
    pub fn answer(&mut self, request: &Request, now: SystemTime, deadline: Deadline) -> Verdict {
        let verdict = Verdict::from(self.decide(request, now, deadline));
        let granted = matches!(verdict, Verdict::Granted(_));
        self.tracer
            .decided("verdict", granted, || trace::verdict(&verdict));
        verdict
    }

    /// As [`answer`](Self::answer), for what was let in earlier: the identity of a name that the host
    /// vouches for, or of a token, carries a stamp of the account's password.
    pub fn recheck(&mut self, request: &Request, now: SystemTime, deadline: Deadline) -> Verdict {
        self.stamps = true;
        let verdict = self.answer(request, now, deadline);
        self.stamps = false;
        verdict
    }

    /// The state of the database; `None` where it does not tell, and where the verdict on a session
    /// rests on anything else but the time at which the session ends.
    pub fn database_state(&mut self, deadline: Deadline) -> Option<sql::State> {
        let alone = self.site.sessions.asks_only_database()
            && !self.database.keeps_sessions_elsewhere()
            && self.access.lookup.account_where.is_none();
        if !alone {
            return None;
        }
        let state = self.database.ask(deadline, |queries| queries.asked_state());
        state.ok().flatten()
    }

    /// The way to a verdict: decodes the credential, finds the account that it proves (a password:
    /// throttle, find, verify), and [admits](admit) that account.
    fn decide(
        &mut self,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        match &request.credential {
            Credential::Password(password) => self.password(password, request, now, deadline),
            Credential::Session(token) => self.session(token, request, now, deadline),
            Credential::Cookies(header) => {
                let token = self.session_in(header, deadline)?;
                self.session(&token, request, now, deadline)
            }
            Credential::Ticket(ticket) => {
                let token = self.session_behind(ticket, now, deadline)?;
                self.session(&token, request, now, deadline)
            }
            Credential::Token(token) => self.token(token, request, now, deadline),
            Credential::Jwt(token) => self.jwt(token, request, now, deadline),
            Credential::Vouched => self.vouched(request, now, deadline),
        }
    }

    /// Finds the account of a name that the host vouches for, and admits it.
    fn vouched(
        &mut self,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        let name = self.name_of(request).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| self.refuses("question", Reason::Malformed))?;
        let is_sought = !self.access.lookup.login.is_empty();
        let find = |accounts: &mut dyn Accounts, queries: &mut Queries<'_>| match is_sought {
            true => accounts.by_name(queries, name),
            false => Ok(None),
        };
        let by = Some(name);
        self.find(find, by, Reason::UnknownUser, request, now, deadline)
    }

    /// Admits the account that `find` gives, looked up by `name` where it was a name that gave it.
    /// The answer is `missing` where there is no such account.
    fn find(
        &mut self,
        find: impl FnOnce(&mut dyn Accounts, &mut Queries<'_>) -> Result<Option<Account>, Unavailable>,
        name: Option<&str>,
        missing: Reason,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Identity, Stop> {
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let (accounts, stamps) = (&mut *self.site.accounts, self.stamps);
        ask(&mut self.database, deadline, |queries| {
            let account = find(accounts, queries)?;
            trace::account(queries.tracer(), account.as_ref());
            let account = account.ok_or(missing)?;
            let found = Found {
                account: &account,
                by: name,
            };
            let identity = admit(accounts, queries, found, &self.access, request, now)?;
            let stamp = stamps.then(|| stamp(account.encoded.as_deref().unwrap_or_default()));
            Ok(Identity { stamp, ..identity })
        })
    }

    /// The name of `request`, where it has one that can be looked up.
    fn name_of<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let name = request.name.as_deref()?;
        let empty = name.is_empty() && self.site.accounts.takes_empty_names();
        (empty || !malformed_name(name)).then_some(name)
    }

    /// Traces that `subject` is refused because of `reason`, and returns that.
    fn refuses(&self, subject: &'static str, reason: Reason) -> Reason {
        self.tracer
            .decided(subject, false, || reason.meaning().to_owned());
        reason
    }
}

/// The stamp of the stored password `encoded`: a part of its digest, by which it cannot be found.
fn stamp(encoded: &str) -> PasswordStamp {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"hallpass password\0")
        .chain_update(encoded)
        .finalize()
        .into();
    PasswordStamp(u64::from_be_bytes(
        digest.first_chunk().copied().unwrap_or_default(),
    ))
}

/// The right to look up the name of `request`, where that may read all accounts: one of a program's
/// authenticators does so at a time. It is taken before the first statement, because the site could
/// have to wait for the lock of that.
fn scan<'a>(
    shared: Option<&'a Shared>,
    site: &Site,
    request: &Request,
    deadline: Deadline,
) -> Result<Option<Scan<'a>>, Unavailable> {
    match (shared, request.name.as_deref()) {
        (Some(shared), Some(name)) if !malformed_name(name) && site.accounts.scans(name) => {
            shared.scans.begin(deadline).map(Some)
        }
        _ => Ok(None),
    }
}
