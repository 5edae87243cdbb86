//! Looks up accounts for tools that need no verdict, and writes the SQL of grants.

use std::time::{Duration, SystemTime};

use hallpass_passwords::{Encoded, ParseError};
use hallpass_stores::sql::{self, Following, Location};
use hallpass_stores::{Cause, Deadline, Unavailable};

use super::admission::groups;
use super::{Authenticator, scan};
use crate::request::malformed_name;
use crate::{Account, Client, Id, Reason, Request, Secret};

impl Authenticator {
    /// The account that `name` means, and its groups, inactive ones included. One that is banned at
    /// the time `now`, from whatever address, is inactive.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn account(
        &mut self,
        name: &str,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<(Account, Vec<String>)>, Unavailable> {
        if malformed_name(name) || self.access.lookup.login.is_empty() {
            return Ok(None);
        }
        let accounts = &mut *self.site.accounts;
        self.database.ask(deadline, |queries| {
            let Some(mut account) = accounts.by_name(queries, name)? else {
                return Ok(None);
            };
            if account.active {
                let anywhere = Client::default();
                account.active = !accounts.is_banned(queries, &account, &anywhere, now)?;
                account.inactive = Reason::Banned;
            }
            let groups = groups(accounts, queries, &account)?;
            Ok(Some((account, groups)))
        })
    }

    /// Whether the name of `request` could mean another account than the one with the primary key
    /// `id`.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn means_another(
        &mut self,
        request: &Request,
        id: &str,
        deadline: Deadline,
    ) -> Result<bool, Unavailable> {
        let name = request.name.as_deref().unwrap_or_default();
        if malformed_name(name) {
            return Ok(true);
        }
        let shared = self.shared.clone();
        let _scan = scan(shared.as_deref(), &self.site, request, deadline)?;
        let candidates = self.candidates(name, deadline)?;
        Ok(candidates.iter().any(|(key, _)| key != id))
    }

    /// The keys and the login names of the accounts that `name` could mean.
    pub(crate) fn candidates(
        &mut self,
        name: &str,
        deadline: Deadline,
    ) -> Result<Vec<(String, String)>, Unavailable> {
        let accounts = &mut *self.site.accounts;
        let candidates = self
            .database
            .ask(deadline, |queries| accounts.candidates(queries, name))?;
        let account = |account: Account| (account.id.text, account.name);
        let mut accounts: Vec<_> = candidates.into_iter().map(account).collect();
        accounts.sort();
        accounts.dedup();
        Ok(accounts)
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
        let accounts = &mut *self.site.accounts;
        let page = self
            .database
            .ask(deadline, |queries| accounts.page_after(queries, last))?;
        match (page.last(), last) {
            // A statement of the configuration that takes no notice of `:id`.
            (Some(end), Some(last)) if end.id == *last => Err(Unavailable::new(
                "accounts cannot be listed: the same ones come again and again; write \
                 WHERE id > :id ORDER BY id into [custom] accounts",
            )),
            _ => Ok(page),
        }
    }

    /// How many accounts there are; `None` where that cannot be counted.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn count(&mut self, deadline: Deadline) -> Result<Option<u64>, Unavailable> {
        let accounts = &mut *self.site.accounts;
        self.database
            .ask(deadline, |queries| accounts.count(queries))
    }

    /// The tokens of a few sessions, the newest first where that is known; none where they cannot be
    /// listed.
    ///
    /// # Errors
    /// [`Unavailable`] when a store cannot be asked.
    pub fn sample_sessions(&mut self, deadline: Deadline) -> Result<Vec<Secret>, Unavailable> {
        let sessions = &mut *self.site.sessions;
        let sample = self
            .database
            .ask(deadline, |queries| sessions.sample(queries))?;
        Ok(sample.map(|sample| sample.tokens).unwrap_or_default())
    }

    /// Parses the stored hash of `account`.
    ///
    /// # Errors
    /// [`ParseError`] where there is none, or none that the site's rules know.
    pub fn stored_hash(&self, account: &Account) -> Result<Encoded, ParseError> {
        self.site
            .parse_hash(account.encoded.as_deref().unwrap_or_default())
    }

    /// Whether the database knows the user that the configuration names, who may be the site's own.
    pub fn database_user_exists(&mut self, deadline: Deadline) -> bool {
        self.database_answers(deadline).is_ok()
    }

    fn database_answers(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        let ask = |queries: &mut sql::Queries<'_>| queries.rows("SELECT 1", &[], 1);
        self.database.ask(deadline, ask).map(drop)
    }

    /// Whether the site's database answers, by a query for a name that no site has; `None` where
    /// there is none, because what a session says is all there is of an account.
    ///
    /// # Errors
    /// [`Unavailable`] when it does not answer.
    pub fn is_ready(
        &mut self,
        now: SystemTime,
        deadline: Deadline,
    ) -> Option<Result<(), Unavailable>> {
        match self.account("hallpass readiness", now, deadline) {
            Err(error) if error.cause() == Cause::Unconfigured => {
                let is_named = !matches!(self.settings.location, Location::Nowhere);
                is_named.then(|| self.database_answers(deadline))
            }
            account => Some(account.map(drop)),
        }
    }

    /// How far the database server that was asked last is behind its primary; `None` where that is
    /// not measured, or cannot be known.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        match self.database.following()? {
            Following::Primary => Some(Duration::ZERO),
            Following::Behind(lag) => Some(lag),
            Following::Alone | Following::Stopped => None,
        }
    }

    /// The SQL that makes a database user who may read what is read, and nothing else: the user that
    /// the configuration names.
    #[must_use]
    pub fn grants(&self) -> String {
        self.grants_by(&self.settings, Location::clone)
    }

    /// The same for a user called `name`.
    #[must_use]
    pub fn grants_to(&self, name: &str) -> String {
        self.grants_by(&self.settings, |location| {
            let mut location = location.clone();
            if let Location::Postgres(servers) | Location::Mysql(servers) = &mut location {
                servers.user = Some(name.to_owned());
            }
            location
        })
    }

    /// The statements for each of the databases, whose location `change` may change.
    fn grants_by(
        &self,
        settings: &sql::Settings,
        change: impl Fn(&Location) -> Location,
    ) -> String {
        let location = change(&settings.location);
        let mut tables = self.site.accounts.tables();
        let of_sessions = self.site.sessions.tables();
        let mut elsewhere = String::new();
        match &settings.sessions {
            None => tables.extend(of_sessions),
            Some(sessions) => {
                let location = change(&sessions.location);
                let tables: Vec<&str> = of_sessions.iter().map(String::as_str).collect();
                elsewhere = format!("-- In the database of the sessions, {location}:\n");
                elsewhere += &sql::grants(&location, &tables, &[], &[]);
                if sessions.max_lag.is_some() {
                    elsewhere += &sql::monitor_grant(&location);
                }
            }
        }
        tables.sort();
        tables.dedup();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let changed = self
            .site
            .accounts
            .writable_columns()
            .filter(|_| self.changes);
        let (table, columns) = changed.unwrap_or_default();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let update = [(table.as_str(), columns.as_slice())];
        let insert = [table.as_str()];
        let count = usize::from(!columns.is_empty());
        let (update, insert) = (update.get(..count), insert.get(..count));
        let (update, insert) = (update.unwrap_or_default(), insert.unwrap_or_default());
        let mut grants = sql::grants(&location, &tables, update, insert);
        if settings.max_lag.is_some() {
            grants += &sql::monitor_grant(&location);
        }
        grants + &elsewhere
    }
}
