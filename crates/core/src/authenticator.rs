//! The way from a question to its verdict.

mod change;
mod check;
mod costliest;
mod told;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use hallpass_passwords::{Description, Outcome, Rules, identify};
use hallpass_stores::sql::{self, Database, Location, Queries};
use hallpass_stores::{Deadline, Unavailable, Witness};
use sha2::{Digest, Sha256};

pub use self::check::{Begun, Check, Computation, Conclusion, Next};
use self::check::{Known, Stage};
use self::costliest::Costliest;
use crate::account::Beside;
use crate::configuration::{Access, Configuration, Passwords, TicketSettings};
use crate::cookie::Cookie;
use crate::site::{Directory, Site};
use crate::{
    Account, Client, Conditions, Credential, Id, Identity, Question, Reason, Requirement, Secret,
    Session, Shared, Tickets, Verdict, cookie,
};

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
    costliest: Costliest,
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
            costliest: Costliest::default(),
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

    /// Counts wrong passwords and memory together with the other authenticators of a program.
    #[must_use]
    pub fn sharing(self, shared: Arc<Shared>) -> Self {
        Self {
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
            Credential::Password { name, password } => {
                let verdict = self.password(name, password, question, now, deadline);
                return verdict.unwrap_or_else(Verdict::from);
            }
            Credential::Session { token, owner } => {
                self.session(token, owner.as_deref(), question, now, deadline)
            }
            Credential::Cookies { header, owner } => {
                self.cookies(header, owner.as_deref(), question, now, deadline)
            }
            Credential::Ticket { ticket, owner } => {
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
                        Some(header) => {
                            self.cookies(&header, owner.as_deref(), question, now, deadline)
                        }
                        None => self.session(&token, owner.as_deref(), question, now, deadline),
                    },
                    Err(reason) => Ok(Err(reason)),
                }
            }
            Credential::Token { token, owner } => {
                self.token(token, owner.as_deref(), question, now, deadline)
            }
            Credential::Vouched { name } => self.vouched(name, question, now, deadline),
        };
        verdict.map_or_else(Verdict::from, |answer| match answer {
            Ok(identity) => Verdict::Granted(Box::new(identity)),
            Err(reason) => Verdict::Denied(reason),
        })
    }

    /// The account that `name` means, and the groups it is in, whatever may be wrong with it. One
    /// that is kept out at the time `now`, wherever its owner is, is inactive.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn account(
        &mut self,
        name: &str,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<(Account, Vec<String>)>, Unavailable> {
        if malformed_name(name) {
            return Ok(None);
        }
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let Some(mut account) = directory.by_name(queries, name)? else {
                return Ok(None);
            };
            if account.active {
                let anywhere = Client::default();
                account.active = !directory.bars(queries, &account, &anywhere, now)?;
            }
            let groups = groups(directory, queries, &account)?;
            Ok(Some((account, groups)))
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
        Ok(seen.map(|seen| (self.site.rules_of(seen), seen.to_owned())))
    }

    /// The next accounts after the one whose primary key is `last`, by their primary keys; none
    /// after the last one.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn accounts_after(
        &mut self,
        last: Option<&Id>,
        deadline: Deadline,
    ) -> Result<Vec<Account>, Unavailable> {
        let directory = &mut *self.site.directory;
        self.database
            .ask(deadline, |queries| directory.after(queries, last))
    }

    /// How many accounts there are; `None` where that cannot be counted.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn count(&mut self, deadline: Deadline) -> Result<Option<u64>, Unavailable> {
        let directory = &mut *self.site.directory;
        self.database
            .ask(deadline, |queries| directory.count(queries))
    }

    /// The rules by which the stored hash `encoded` is read.
    #[must_use]
    pub fn rules_of(&self, encoded: &str) -> Rules {
        self.site.rules_of(encoded)
    }

    /// The SQL that makes a database user who may read what is read, and nothing else.
    #[must_use]
    pub fn grants(&self) -> String {
        self.grants_at(&self.settings.location)
    }

    /// The same for a user called `hallpass`, whomever the configuration names.
    #[must_use]
    pub fn grants_to_its_own(&self) -> String {
        let mut location = self.settings.location.clone();
        if let Location::Postgres(servers) | Location::Mysql(servers) = &mut location {
            servers.user = None;
        }
        self.grants_at(&location)
    }

    fn grants_at(&self, location: &Location) -> String {
        let mut tables = self.site.directory.tables();
        tables.extend(self.site.sessions.tables());
        tables.sort();
        tables.dedup();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let changed = self.site.directory.changed().filter(|_| self.changes);
        let (table, columns) = changed.unwrap_or_default();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let update = [(table.as_str(), columns.as_slice())];
        let insert = [table.as_str()];
        let count = usize::from(!columns.is_empty());
        let (update, insert) = (update.get(..count), insert.get(..count));
        sql::grants(
            location,
            &tables,
            update.unwrap_or_default(),
            insert.unwrap_or_default(),
        )
    }

    /// What the stored hash of `account` says of itself.
    #[must_use]
    pub fn describe(&self, account: &Account) -> Option<Description> {
        let encoded = account.encoded.as_deref()?;
        identify(self.site.rules_of(encoded), encoded)
    }

    /// As [`answer`](Self::answer), but for the computing that a password takes: that is left to
    /// the caller.
    pub fn begin(&mut self, question: &Question, now: SystemTime, deadline: Deadline) -> Begun {
        let Credential::Password { name, password } = &question.credential else {
            return Begun::Answered(self.answer(question, now, deadline));
        };
        let begun = self.check(name, password, question, now, deadline);
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

    fn password(
        &mut self,
        name: &str,
        password: &Secret,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Verdict, Unavailable> {
        let (mut computation, conclusion) =
            match self.check(name, password, question, now, deadline)? {
                Begun::Answered(verdict) => return Ok(verdict),
                Begun::Check(check) => (check.computation, check.conclusion),
            };
        told::hash(&self.witness, &computation);
        let started = Instant::now();
        let checked = loop {
            // Whoever is let in costs no look at what others would cost.
            if computation.misses_a_cost() {
                let stored = computation.encoded.as_deref();
                computation.costliest = Some(self.cost_of_denials(stored, deadline)?);
            }
            match computation.advance() {
                Next::Done(outcome) => break outcome,
                Next::Derivation(_) | Next::Run => computation.run(deadline)?,
            }
        };
        told::password(&self.witness, checked, started.elapsed());
        Ok(conclusion.conclude(checked, now))
    }

    fn refuses(&self, subject: &'static str, reason: Reason) {
        self.witness
            .decided(subject, false, || told::reason(reason).to_owned());
    }

    /// Asks the stores all there is to ask about a name and a password.
    fn check(
        &mut self,
        name: &str,
        password: &Secret,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Begun, Unavailable> {
        let shared = self.shared.clone();
        let client = question.client.address;
        let refused = |reason| Ok(Begun::Answered(Verdict::Denied(reason)));
        if let Some(shared) = &shared
            && !shared.throttle.admits(name, client, now)
        {
            self.refuses("throttle", Reason::Throttled);
            return refused(Reason::Throttled);
        }
        if malformed_name(name) || self.malformed_password(password.expose()) {
            self.refuses("question", Reason::Malformed);
            return refused(Reason::Malformed);
        }
        let directory = &mut *self.site.directory;
        // What the account must be is looked up first, so that the database is not held while the
        // hash is computed, and so that a group costs a wrong password no less than a right one.
        let found = self.database.ask(deadline, |queries| {
            let account = directory.by_name(queries, name)?;
            told::account(queries.witness(), account.as_ref());
            let Some(account) = account else {
                return Ok(None);
            };
            let admitted = admit(directory, queries, &account, &self.access, question, now)?;
            let beside = directory.beside(queries, &account)?;
            Ok(Some((account, beside, admitted)))
        })?;
        let (encoded, beside, admitted) = match found {
            Some((account, beside, admitted)) => {
                (Some(account.encoded.unwrap_or_default()), beside, admitted)
            }
            None => (None, Beside::default(), Err(Reason::UnknownUser)),
        };
        let fingerprint = shared.as_ref().and_then(|shared| {
            let stored = encoded.as_deref().map_or(name.as_bytes(), str::as_bytes);
            let kind = match (&encoded, &admitted) {
                (None, _) => &b"nobody"[..],
                (Some(_), Ok(_)) => b"account",
                (Some(_), Err(_)) => b"in vain",
            };
            let fingerprints = shared.fingerprints.as_ref()?;
            let beside = beside.context();
            let [login_name, salt] =
                [beside.login_name, beside.salt].map(|text| text.unwrap_or_default().as_bytes());
            Some(fingerprints.of(&[kind, stored, login_name, salt, password.expose()]))
        });
        let conclusion = Conclusion {
            name: name.to_owned(),
            client,
            account: match encoded.as_deref() {
                None => Known::NoAccount,
                Some("") => Known::NoPassword,
                Some(_) => Known::Hash,
            },
            fingerprint,
            shared: shared.clone(),
            admitted,
        };
        if conclusion.admitted.is_ok()
            && let (Some(shared), Some(fingerprint)) = (&shared, &fingerprint)
            && let Some(verified) = &shared.verified
            && verified.knows(fingerprint, now)
        {
            let verdict = conclusion.conclude(Outcome::Match, now);
            return Ok(Begun::Answered(verdict));
        }
        let computation = Computation {
            rules: encoded
                .as_deref()
                .map_or(self.site.rules, |encoded| self.site.rules_of(encoded)),
            limits: self.passwords.limits.clone(),
            password: Secret::new(password.expose()),
            allowed: encoded
                .as_deref()
                .is_none_or(|encoded| self.allows(encoded)),
            in_vain: conclusion.admitted.is_err(),
            encoded,
            beside,
            costliest: None,
            fingerprint,
            shared,
            stage: Stage::Verify,
        };
        Ok(Begun::Check(Box::new(Check {
            computation,
            conclusion,
        })))
    }

    fn malformed_password(&self, password: &[u8]) -> bool {
        password.len() > self.longest_password
            || password.contains(&0)
            || std::str::from_utf8(password).is_err()
    }

    /// Whether the configuration allows the algorithm of this stored hash. What is no hash at all
    /// is for the rules to say.
    fn allows(&self, encoded: &str) -> bool {
        let Some(allowed) = &self.site.algorithms else {
            return true;
        };
        encoded.starts_with('!')
            || identify(self.site.rules_of(encoded), encoded)
                .is_none_or(|it| allowed.iter().any(|name| name == it.algorithm))
    }

    /// What a denial costs: as much as the site's costliest hash, `stored` among them, so that the
    /// time tells nobody which accounts there are.
    fn cost_of_denials(
        &mut self,
        stored: Option<&str>,
        deadline: Deadline,
    ) -> Result<String, Unavailable> {
        if let Some(dummy) = &self.passwords.dummy {
            return Ok(dummy.clone());
        }
        self.learn(stored, deadline)?;
        Ok(self.costliest.hash().to_owned())
    }

    /// Learns what hashes cost: that of `checked`, and the first time those of a few others, so
    /// that a program that answers once knows what it must cost, too.
    fn learn(&mut self, checked: Option<&str>, deadline: Deadline) -> Result<(), Unavailable> {
        let others = if self.costliest.seen().is_none() {
            let directory = &mut *self.site.directory;
            let ask = |queries: &mut Queries<'_>| directory.some_hashes(queries);
            self.database.ask(deadline, ask)?
        } else {
            Vec::new()
        };
        for encoded in others.iter().map(String::as_str).chain(checked) {
            let rules = self.site.rules_of(encoded);
            self.costliest.learn(rules, &self.passwords.limits, encoded);
        }
        Ok(())
    }

    fn cookies(
        &mut self,
        header: &Secret,
        owner: Option<&str>,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let token = match &self.cookie {
            Some((name, reader)) => {
                let cookie = Cookie {
                    name,
                    reader: *reader,
                };
                cookie::value([header.expose()], cookie).map(Secret::new)
            }
            None => {
                let sessions = &mut *self.site.sessions;
                let ask = |queries: &mut Queries<'_>| sessions.token(queries, header.expose());
                self.database.ask(deadline, ask)?
            }
        };
        match token {
            Some(token) => self.session(&token, owner, question, now, deadline),
            None => {
                self.refuses("cookie", Reason::NoSession);
                Ok(Err(Reason::NoSession))
            }
        }
    }

    fn session(
        &mut self,
        token: &Secret,
        owner: Option<&str>,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let Site {
            directory,
            sessions,
            ..
        } = &mut self.site;
        self.database.ask(deadline, |queries| {
            let login = sessions.read(queries, token.expose(), &question.client, now)?;
            told::session(queries.witness(), &login);
            let login = match login {
                Ok(login) => login,
                Err(reason) => return Ok(Err(reason)),
            };
            let account = if sessions.names_users() {
                directory.by_session_name(queries, &login.key)?
            } else {
                directory.by_key(queries, &login.key)?
            };
            told::account(queries.witness(), account.as_ref());
            let Some(account) = account else {
                return Ok(Err(Reason::UnknownUser));
            };
            if !account.active {
                told::active(queries.witness(), false);
                return Ok(Err(Reason::Inactive));
            }
            let confirmed = sessions.confirms(&login, &account);
            if !told::confirmed(queries.witness(), confirmed) {
                return Ok(Err(Reason::StaleSession));
            }
            let theirs = belongs(&mut **directory, queries, &account, owner)?;
            if !told::belongs(queries.witness(), theirs, owner, &account) {
                return Ok(Err(Reason::WrongUser));
            }
            let directory = &mut **directory;
            let admitted = admit(directory, queries, &account, &self.access, question, now)?;
            Ok(admitted.map(|identity| Identity {
                session: Some(Session {
                    digest: digest(token.expose()),
                    expires: login.expires,
                    decoded: login.decoded,
                }),
                ..identity
            }))
        })
    }

    fn token(
        &mut self,
        token: &Secret,
        owner: Option<&str>,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        let token = match std::str::from_utf8(token.expose()) {
            Ok(token) if !malformed_name(token) => token,
            _ => return Ok(Err(Reason::NoSession)),
        };
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let account = directory.by_token(queries, token)?;
            told::account(queries.witness(), account.as_ref());
            let Some(account) = account else {
                return Ok(Err(Reason::NoSession));
            };
            let theirs = belongs(directory, queries, &account, owner)?;
            if !told::belongs(queries.witness(), theirs, owner, &account) {
                return Ok(Err(Reason::WrongUser));
            }
            admit(directory, queries, &account, &self.access, question, now)
        })
    }

    fn vouched(
        &mut self,
        name: &str,
        question: &Question,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Result<Identity, Reason>, Unavailable> {
        if malformed_name(name) {
            self.refuses("question", Reason::Malformed);
            return Ok(Err(Reason::Malformed));
        }
        let directory = &mut *self.site.directory;
        self.database.ask(deadline, |queries| {
            let account = directory.by_name(queries, name)?;
            told::account(queries.witness(), account.as_ref());
            let Some(account) = account else {
                return Ok(Err(Reason::UnknownUser));
            };
            admit(directory, queries, &account, &self.access, question, now)
        })
    }
}

/// Whether `account` is the one that the host calls `owner`, where it calls it anything.
fn belongs(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
    owner: Option<&str>,
) -> Result<bool, Unavailable> {
    let Some(owner) = owner else {
        return Ok(true);
    };
    if malformed_name(owner) {
        return Ok(false);
    }
    directory.is_called(queries, account, owner)
}

/// Whether an account whose owner has proved who they are may in.
fn admit(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
    access: &Access,
    question: &Question,
    now: SystemTime,
) -> Result<Result<Identity, Reason>, Unavailable> {
    if !told::active(queries.witness(), account.active) {
        return Ok(Err(Reason::Inactive));
    }
    if directory.bars(queries, account, &question.client, now)? {
        queries.witness().decided("ban", false, || {
            "the account or the address is banned".to_owned()
        });
        return Ok(Err(Reason::Inactive));
    }
    let conditions = [&access.conditions, &question.conditions];
    let groups = if question.wants_groups || conditions.iter().any(|these| these.name_groups()) {
        directory.groups(queries, account)?
    } else {
        Vec::new()
    };
    for conditions in conditions {
        let mut met = |requirement: &Requirement| -> Result<bool, Unavailable> {
            let met = match requirement {
                Requirement::Group(name) => directory.is_in(queries, account, &groups, name)?,
                Requirement::Permission(permission) => {
                    account.superuser || directory.holds(queries, account, permission)?
                }
                Requirement::Staff => account.staff,
                Requirement::Superuser => account.superuser,
            };
            Ok(told::requirement(
                queries.witness(),
                requirement,
                met,
                &groups,
            ))
        };
        let mut permitted = conditions.any.is_empty();
        for requirement in &conditions.any {
            permitted = permitted || met(requirement)?;
        }
        for requirement in &conditions.all {
            permitted = permitted && met(requirement)?;
        }
        if !permitted {
            return Ok(Err(Reason::NotPermitted));
        }
    }
    let groups = if question.wants_groups {
        groups
    } else {
        Vec::new()
    };
    Ok(Ok(Identity {
        groups,
        ..account.identity()
    }))
}

/// The groups of an account; an inactive one is in none.
fn groups(
    directory: &mut dyn Directory,
    queries: &mut Queries<'_>,
    account: &Account,
) -> Result<Vec<String>, Unavailable> {
    if account.active {
        directory.groups(queries, account)
    } else {
        Ok(Vec::new())
    }
}

impl Conditions {
    fn name_groups(&self) -> bool {
        let names_group = |requirement| matches!(requirement, &Requirement::Group(_));
        self.any.iter().any(names_group) || self.all.iter().any(names_group)
    }
}

fn malformed_name(name: &str) -> bool {
    name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control)
}

/// Names a session for others: half of a SHA-256, from which no token can be found.
fn digest(token: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(b"hallpass session\0")
        .chain_update(token)
        .finalize()
        .into();
    let half = hash.first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}
