//! The way from a question to its verdict.

mod accounts;
mod admission;
mod change;
mod check;
mod denial_cost;
mod grants;
mod inline;
mod owners;
mod password;
mod proved;
mod session;
mod trace;

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::Encoded;
use hallpass_stores::sql::{self, Database};
use hallpass_stores::{Deadline, Tracer, Unavailable};

use self::admission::{Found, admit};
pub use self::check::{Decision, HashJob, Pending, Progress, Step};
pub(crate) use self::denial_cost::DenialCost;
pub use self::inline::InlineAuthenticator;
use self::owners::Owners;
use self::proved::Known;
use crate::configuration::{Access, Configuration, Passwords, TicketSettings};
use crate::cookie;
use crate::scans::Scan;
use crate::site::Site;
use crate::{Credential, Identity, Reason, Request, Shared, Tickets, Verdict};

/// The longest name that is looked up, in bytes. Django's own are 150 characters at most, and an
/// e-mail address 254.
const LONGEST_NAME: usize = 1024;

/// Answers questions about one site, one at a time.
///
/// Opens nothing until it is asked, and keeps what it opened for the next question.
#[derive(Debug)]
pub struct Authenticator {
    site: Site,
    database: Database,
    settings: sql::Settings,
    /// Whether accounts are to be changed, and not only looked at.
    changes: bool,
    cookie: Option<(String, cookie::Reader)>,
    access: Access,
    passwords: Passwords,
    longest_password: usize,
    tickets: Option<Tickets>,
    /// What a denial costs, where the configuration says that.
    dummy: Option<Arc<Encoded>>,
    denial_cost: Arc<DenialCost>,
    owners: Owners,
    known: Known,
    shared: Option<Arc<Shared>>,
    tracer: Tracer,
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
        access.ignore_case = true;
        Self::with(configuration, access)
    }

    fn with(configuration: &Configuration, access: Access) -> Self {
        let site = Site::new(configuration, &access);
        let dummy = configuration.passwords.dummy.as_deref();
        Self {
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
            denial_cost: Arc::default(),
            owners: Owners::default(),
            known: Known::default(),
            shared: None,
            tracer: Tracer::default(),
        }
    }

    /// Has `tracer` told of every step on the way to a verdict.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Self {
            database: self.database.traced(tracer.clone()),
            tracer,
            ..self
        }
    }

    /// Counts wrong passwords and memory together with the other authenticators of a program, and
    /// learns what a denial costs together with them.
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
        let verdict = self.verdict(request, now, deadline);
        let granted = matches!(verdict, Verdict::Granted(_));
        self.tracer
            .decided("verdict", granted, || trace::verdict(&verdict));
        verdict
    }

    fn verdict(&mut self, request: &Request, now: SystemTime, deadline: Deadline) -> Verdict {
        let verdict = match &request.credential {
            Credential::Password(password) => {
                let verdict = self.password(password, request, now, deadline);
                return verdict.unwrap_or_else(Verdict::from);
            }
            Credential::Session(token) => self.session(token, request, now, deadline),
            Credential::Cookies(header) => self.cookies(header, request, now, deadline),
            Credential::Ticket(ticket) => {
                let opened = match &self.tickets {
                    Some(tickets) => tickets.open(ticket.expose(), now),
                    None => Err(Reason::InvalidSession),
                };
                self.tracer
                    .decided("ticket", opened.is_ok(), || match &opened {
                        Ok(_) => "it is one of ours, and young enough".to_owned(),
                        Err(reason) => trace::reason(*reason).to_owned(),
                    });
                match opened {
                    Ok(token) => match cookie::header_in(&token) {
                        Some(header) => self.cookies(&header, request, now, deadline),
                        None => self.session(&token, request, now, deadline),
                    },
                    Err(reason) => Ok(Err(reason)),
                }
            }
            Credential::Token(token) => self.token(token, request, now, deadline),
            Credential::Vouched => self.vouched(request, now, deadline),
        };
        verdict.map_or_else(Verdict::from, |answer| match answer {
            Ok(identity) => Verdict::Granted(Box::new(identity)),
            Err(reason) => Verdict::Denied(reason),
        })
    }

    /// The costliest hash that the newest accounts have; `None` where none of them has a password.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn denial_cost(&mut self, deadline: Deadline) -> Result<Option<Arc<Encoded>>, Unavailable> {
        self.learn(None, deadline)?;
        Ok(self.denial_cost.costliest())
    }

    /// As [`answer`](Self::answer), but for the computing that a password takes: that is left to
    /// the caller.
    pub fn begin(&mut self, request: &Request, now: SystemTime, deadline: Deadline) -> Progress {
        let Credential::Password(password) = &request.credential else {
            return Progress::Answered(self.answer(request, now, deadline));
        };
        let progress = self.check(password, request, now, deadline);
        let progress = progress.and_then(|progress| match progress {
            Progress::Pending(mut check) => {
                let stored = check.job.stored.as_ref().ok();
                check.job.denial_cost = self.cost_of_denials(stored, deadline)?;
                Ok(Progress::Pending(check))
            }
            answered => Ok(answered),
        });
        progress.unwrap_or_else(|unavailable| Progress::Answered(unavailable.into()))
    }

    /// The name that a question is about, where it has one that can be looked up.
    fn name_of<'a>(&self, request: &'a Request) -> Option<&'a str> {
        let name = request.name.as_deref()?;
        let empty = name.is_empty() && self.site.directory.takes_empty_names();
        (empty || !malformed_name(name)).then_some(name)
    }

    fn refuses(&self, subject: &'static str, reason: Reason) {
        self.tracer
            .decided(subject, false, || trace::reason(reason).to_owned());
    }

    fn vouched(
        &mut self,
        request: &Request,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let Some(name) = self.name_of(request).filter(|name| !name.is_empty()) else {
            self.refuses("question", Reason::Malformed);
            return Ok(Err(Reason::Malformed));
        };
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let account = directory.by_name(queries, name)?;
            trace::account(queries.tracer(), account.as_ref());
            let Some(account) = account else {
                return Ok(Err(Reason::UnknownUser));
            };
            let found = Found::by_name(&account, name);
            admit(directory, queries, found, &self.access, request, now)
        })
    }
}

/// The right to look the name of `request` up, where that may read all accounts: one of a program's
/// authenticators does so at a time. To be had before the database is asked anything, which could
/// be a lock that the site would wait for.
fn scan<'a>(
    shared: Option<&'a Shared>,
    site: &Site,
    request: &Request,
    deadline: Deadline,
) -> Result<Option<Scan<'a>>, Unavailable> {
    match (shared, request.name.as_deref()) {
        (Some(shared), Some(name)) if !malformed_name(name) && site.directory.scans(name) => {
            shared.scans.begin(deadline).map(Some)
        }
        _ => Ok(None),
    }
}

fn malformed_name(name: &str) -> bool {
    name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control)
}
