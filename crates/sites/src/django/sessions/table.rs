//! Reads sessions from tables of the site's database: a row for each session
//! (`django.contrib.sessions.backends.db`), or a table that maps sessions to users.

use std::time::SystemTime;

use hallpass_sessions::django::{Expiry, Login, PrimaryKey};
use hallpass_stores::sql::{self, LookUp, Queries, TableName, Value};

use super::containers::{Containers, Found, Lookup};
use crate::cache::CacheLocation;
use crate::django::datetime::{Clock, Moment};
use crate::django::settings::{DjangoSessions, SessionEngine, SessionProfile};
use crate::{Decoding, Reason, Required, SAMPLE, Stop, session_rows, until};

/// A table with the columns of `AbstractBaseSession`.
#[derive(Debug)]
pub(super) struct SessionTable {
    by_key: LookUp,
}

impl SessionTable {
    pub(super) fn new(settings: &DjangoSessions) -> Self {
        Self {
            by_key: LookUp::of_data(
                &["\"session_data\"", "\"expire_date\""],
                &settings.table.quoted(),
                "\"session_key\"",
                ":key",
            ),
        }
    }

    /// What is looked up for the session `key`.
    pub(super) fn look_up(&self, key: &str) -> (LookUp, Value) {
        (self.by_key.clone(), key.into())
    }

    /// As `SessionStore.load` in contrib/sessions/backends/db.py, 5.2.
    pub(super) fn find(
        &self,
        queries: &mut Queries<'_>,
        key: &str,
        containers: &Containers,
        clock: &Clock,
        now: SystemTime,
    ) -> Lookup {
        let mut rows = session_rows(queries.look_up(&self.by_key, key.into()))?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Reason::NoSession.into());
        };
        let Value::Text(container) = row.take(0) else {
            return Err(Reason::InvalidSession.into());
        };
        let Some(expires) = clock.read(&row.take(1)) else {
            return Err(Reason::InvalidSession.into());
        };
        must_live(&expires, queries, clock, now)?;
        let opened = containers.open(container.as_bytes(), queries.tracer())?;
        Ok(opened.found("the database's row", Some(expires.time))?)
    }
}

/// A table that maps sessions to users, as sites keep one for programs that cannot read Django's
/// sessions. Whether the session has ended is still read from the table of sessions.
///
/// Weaker than a session itself: nothing is signed, and a changed password does not end it.
#[derive(Debug)]
pub(super) struct Profile {
    statement: String,
}

impl Profile {
    pub(super) fn new(profile: &SessionProfile, settings: &DjangoSessions) -> Self {
        let SessionProfile {
            table,
            session_column,
            user_column,
        } = profile;
        let (table, sessions) = (table.quoted(), settings.table.quoted());
        Self {
            statement: format!(
                "SELECT p.{user_column}, s.\"expire_date\" FROM {table} p JOIN {sessions} s ON \
                 s.\"session_key\" = p.{session_column} WHERE p.{session_column} = :key"
            ),
        }
    }

    pub(super) fn find(
        &self,
        queries: &mut Queries<'_>,
        key: &str,
        clock: &Clock,
        now: SystemTime,
    ) -> Lookup {
        let mut rows = session_rows(queries.rows(&self.statement, &[(":key", key.into())], 2))?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Reason::NoSession.into());
        };
        let user = match row.take(0) {
            Value::Integer(key) => PrimaryKey::Integer(key),
            Value::Text(key) => PrimaryKey::Text(key),
            Value::Null => return Err(Reason::AnonymousSession.into()),
            _ => return Err(Reason::InvalidSession.into()),
        };
        let Some(expires) = clock.read(&row.take(1)) else {
            return Err(Reason::InvalidSession.into());
        };
        must_live(&expires, queries, clock, now)?;
        Ok(Found {
            login: Login {
                user,
                backend: String::new(),
                hash: None,
                expiry: Expiry::Default,
                otp_device: None,
            },
            expires: Some(expires.time),
            decoded: Decoding {
                store: "the table of session profiles",
                container: "",
                format: "",
            },
        })
    }
}

/// Whether a session that ends at `expires` is alive at the time `now`.
fn must_live(
    expires: &Moment,
    queries: &Queries<'_>,
    clock: &Clock,
    now: SystemTime,
) -> Result<(), Stop> {
    let lives = !clock.ended(expires, now);
    let told = || until(expires.time);
    if !queries.tracer().decided("expiry", lives, told) {
        return Err(Reason::ExpiredSession.into());
    }
    Ok(())
}

/// The tables.
#[derive(Debug)]
pub(super) struct Tables {
    sessions: Option<TableName>,
    profile: Option<SessionProfile>,
    cache: Option<TableName>,
}

impl Tables {
    pub(super) fn new(settings: &DjangoSessions) -> Self {
        let profile = settings.profile.clone();
        let in_table = profile.is_some()
            || matches!(
                settings.engine,
                SessionEngine::Database | SessionEngine::CachedDatabase(_)
            );
        let cache = match &settings.engine {
            SessionEngine::Cache(cache) | SessionEngine::CachedDatabase(cache) => {
                match &cache.location {
                    CacheLocation::Table(table) => Some(table.clone()),
                    CacheLocation::Directory(_) | CacheLocation::Server(_) => None,
                }
            }
            _ => None,
        };
        Self {
            sessions: in_table.then(|| settings.table.clone()),
            cache: cache.filter(|_| profile.is_none()),
            profile,
        }
    }

    /// What is read of them, column by column.
    pub(super) fn needs(&self) -> Vec<Required> {
        let mut needs = Vec::new();
        if let Some(table) = &self.cache {
            let columns = ["cache_key", "value", "expires"];
            needs.push(Required::table(table.to_string(), "django.cache", &columns));
        }
        if let Some(profile) = &self.profile {
            let columns = [&profile.session_column, &profile.user_column];
            let columns = columns.map(|column| sql::unquoted(column));
            needs.push(Required::table(
                profile.table.to_string(),
                "django.session_profile",
                &columns.each_ref().map(String::as_str),
            ));
        }
        if let Some(table) = &self.sessions {
            let columns = match &self.profile {
                Some(_) => &["session_key", "expire_date"][..],
                None => &["session_key", "session_data", "expire_date"],
            };
            needs.push(Required::table(
                table.to_string(),
                "django.session_table",
                columns,
            ));
        }
        needs
    }

    /// The statement that gives the keys of the newest sessions, where there is one.
    pub(super) fn newest(&self) -> Option<String> {
        let table = self.sessions.as_ref()?.quoted();
        Some(format!(
            "SELECT \"session_key\" FROM {table} ORDER BY \"expire_date\" DESC LIMIT {SAMPLE}"
        ))
    }
}
