//! The way from a question to its verdict.

mod accounts;
mod admission;
mod at_once;
mod change;
mod check;
mod costliest;
mod grants;
mod owners;
mod password;
mod proved;
mod session;
mod told;

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::Rules;
use hallpass_stores::sql::{self, Database};
use hallpass_stores::{Deadline, Unavailable, Witness};

use self::admission::{Found, admit};
pub use self::at_once::AtOnce;
pub use self::check::{Begun, Check, Computation, Conclusion, Next};
pub(crate) use self::costliest::Costliest;
use self::owners::Owners;
use self::proved::Known;
use crate::configuration::{Access, Configuration, Passwords, TicketSettings};
use crate::cookie;
use crate::scans::Scan;
use crate::site::Site;
use crate::{Credential, Identity, Question, Reason, Shared, Tickets, Verdict};

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
    costliest: Arc<Costliest>,
    owners: Owners,
    known: Known,
    shared: Option<Arc<Shared>>,
    witness: Witness,
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
        Self {
            site: Site::new(configuration, &access),
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
            costliest: Arc::default(),
            owners: Owners::default(),
            known: Known::default(),
            shared: None,
            witness: Witness::default(),
        }
    }

    /// Has `witness` told of every step on the way to a verdict.
    #[must_use]
    pub fn witnessed(self, witness: Witness) -> Self {
        Self {
            database: self.database.witnessed(witness.clone()),
            witness,
            ..self
        }
    }

    /// Counts wrong passwords and memory together with the other authenticators of a program, and
    /// learns what a denial costs together with them.
    #[must_use]
    pub fn sharing(self, shared: Arc<Shared>) -> Self {
        Self {
            costliest: Arc::clone(&shared.costliest),
            shared: Some(shared),
            ..self
        }
    }

    /// The verdict on `question`, at the time `now`. Stores give up at `deadline`; a hash that has
    /// been started is finished.
    pub fn answer(&mut self, question: &Question, now: SystemTime, deadline: Deadline) -> Verdict {
        let verdict = self.verdict(question, now, deadline);
        let granted = matches!(verdict, Verdict::Granted(_));
        self.witness
            .decided("verdict", granted, || told::verdict(&verdict));
        verdict
    }

    fn verdict(&mut self, question: &Question, now: SystemTime, deadline: Deadline) -> Verdict {
        let verdict = match &question.credential {
            Credential::Password(password) => {
                let verdict = self.password(password, question, now, deadline);
                return verdict.unwrap_or_else(Verdict::from);
            }
            Credential::Session(token) => self.session(token, question, now, deadline),
            Credential::Cookies(header) => self.cookies(header, question, now, deadline),
            Credential::Ticket(ticket) => {
                let opened = match &self.tickets {
                    Some(tickets) => tickets.open(ticket.expose(), now),
                    None => Err(Reason::InvalidSession),
                };
                self.witness
                    .decided("ticket", opened.is_ok(), || match &opened {
                        Ok(_) => "it is one of ours, and young enough".to_owned(),
                        Err(reason) => told::reason(*reason).to_owned(),
                    });
                match opened {
                    Ok(token) => match cookie::header_in(&token) {
                        Some(header) => self.cookies(&header, question, now, deadline),
                        None => self.session(&token, question, now, deadline),
                    },
                    Err(reason) => Ok(Err(reason)),
                }
            }
            Credential::Token(token) => self.token(token, question, now, deadline),
            Credential::Vouched => self.vouched(question, now, deadline),
        };
        verdict.map_or_else(Verdict::from, |answer| match answer {
            Ok(identity) => Verdict::Granted(Box::new(identity)),
            Err(reason) => Verdict::Denied(reason),
        })
    }

    /// The costliest hash that the newest accounts have, and whose rules it goes by; `None` where
    /// none of them has a password.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn costliest(
        &mut self,
        deadline: Deadline,
    ) -> Result<Option<(Rules, String)>, Unavailable> {
        self.learn(None, deadline)?;
        let seen = self.costliest.seen();
        Ok(seen.map(|seen| (self.site.rules_of(&seen), seen)))
    }

    /// The rules by which the stored hash `encoded` is read.
    #[must_use]
    pub fn rules_of(&self, encoded: &str) -> Rules {
        self.site.rules_of(encoded)
    }

    /// As [`answer`](Self::answer), but for the computing that a password takes: that is left to
    /// the caller.
    pub fn begin(&mut self, question: &Question, now: SystemTime, deadline: Deadline) -> Begun {
        let Credential::Password(password) = &question.credential else {
            return Begun::Answered(self.answer(question, now, deadline));
        };
        let begun = self.check(password, question, now, deadline);
        let begun = begun.and_then(|begun| match begun {
            Begun::Check(mut check) => {
                let stored = check.computation.encoded.as_deref();
                check.computation.costliest = Some(self.cost_of_denials(stored, deadline)?);
                Ok(Begun::Check(check))
            }
            answered => Ok(answered),
        });
        begun.unwrap_or_else(|unavailable| Begun::Answered(unavailable.into()))
    }

    /// The name that a question is about, where it has one that can be looked up.
    fn name_of<'a>(&self, question: &'a Question) -> Option<&'a str> {
        let name = question.name.as_deref()?;
        let empty = name.is_empty() && self.site.directory.takes_empty_names();
        (empty || !malformed_name(name)).then_some(name)
    }

    fn refuses(&self, subject: &'static str, reason: Reason) {
        self.witness
            .decided(subject, false, || told::reason(reason).to_owned());
    }

    fn vouched(
        &mut self,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let Some(name) = self.name_of(question).filter(|name| !name.is_empty()) else {
            self.refuses("question", Reason::Malformed);
            return Ok(Err(Reason::Malformed));
        };
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, question, deadline)?;
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let account = directory.by_name(queries, name)?;
            told::account(queries.witness(), account.as_ref());
            let Some(account) = account else {
                return Ok(Err(Reason::UnknownUser));
            };
            let found = Found::by_name(&account, name);
            admit(directory, queries, found, &self.access, question, now)
        })
    }
}

/// The right to look the name of `question` up, where that may read all accounts: one of a program's
/// authenticators does so at a time. To be had before the database is asked anything, which could
/// be a lock that the site would wait for.
fn scan<'a>(
    shared: Option<&'a Shared>,
    site: &Site,
    question: &Question,
    deadline: Deadline,
) -> Result<Option<Scan<'a>>, Unavailable> {
    match (shared, question.name.as_deref()) {
        (Some(shared), Some(name)) if !malformed_name(name) && site.directory.scans(name) => {
            shared.scans.begin(deadline).map(Some)
        }
        _ => Ok(None),
    }
}

fn malformed_name(name: &str) -> bool {
    name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control)
}
