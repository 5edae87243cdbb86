//! The tables that sessions are read from.

use hallpass_stores::sql;

use crate::cache::CacheLocation;
use crate::django::settings::{DjangoSessions, SessionEngine, SessionProfile};
use crate::{Required, SAMPLE};

/// The tables, as quoted identifiers.
#[derive(Debug)]
pub(super) struct Tables {
    sessions: Option<String>,
    profile: Option<SessionProfile>,
    cache: Option<String>,
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
            needs.push(Required::table(
                sql::unquoted(table),
                "django.cache",
                &columns,
            ));
        }
        if let Some(profile) = &self.profile {
            let columns = [&profile.session_column, &profile.user_column];
            let columns = columns.map(|column| sql::unquoted(column));
            needs.push(Required::table(
                sql::unquoted(&profile.table),
                "django.session_profile",
                &columns.each_ref().map(String::as_str),
            ));
        }
        if let Some(table) = &self.sessions {
            let columns = match &self.profile {
                Some(_) => &["session_key", "expire_date"][..],
                None => &["session_key", "session_data", "expire_date"],
            };
            let table = sql::unquoted(table);
            needs.push(Required::table(table, "django.session_table", columns));
        }
        needs
    }

    /// The statement that gives the keys of the newest sessions, where there is one.
    pub(super) fn newest(&self) -> Option<String> {
        let table = self.sessions.as_ref()?;
        Some(format!(
            "SELECT \"session_key\" FROM {table} ORDER BY \"expire_date\" DESC LIMIT {SAMPLE}"
        ))
    }
}
