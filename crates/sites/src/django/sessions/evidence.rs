//! Compares the newest rows of sessions and the last logins with what the configuration says of
//! them: the zone of the site's clock, and whether the site keeps its sessions there.
//!
//! `SessionStore.save` (contrib/sessions/backends/db.py, 5.2) writes `expire_date` by the site's own
//! clock, and signs the data at the same moment with a timestamp that has no zone. `login`
//! (contrib/auth/__init__.py) writes `last_login`, and a session beside it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::django::Expiry;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{self, Queries, Value};

use super::containers::Containers;
use crate::django::datetime::{Clock, Moment};
use crate::django::settings::{Django, SessionEngine};
use crate::{Overlooked, SAMPLE, quoted};

/// Zones are quarters of an hour apart.
const QUARTER: i64 = 900;
/// How far the end of a session may be from a quarter of an hour: it is computed a moment before
/// the signature.
const NEAR: i64 = 5;
/// Zones are less than this apart.
const FARTHEST: i64 = 86_400 + 2 * 3600;
/// How much later than a row the login may be that made it.
const SAME: Duration = Duration::from_secs(60);
/// As many accounts that have logged in cannot all have logged out by chance.
const MANY: usize = 3;

/// Where a site's rows and logins are.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The table of sessions.
    table: sql::TableName,
    /// The word for the configured engine.
    engine: &'static str,
    /// `SESSION_COOKIE_AGE`, in seconds.
    cookie_age: i64,
    /// The table of users, unquoted.
    users: String,
}

/// A row of the table of sessions.
struct Row {
    expires: Moment,
    /// When it was signed, in Unix seconds.
    signed_at: Option<i64>,
    /// How long it was meant to live, in seconds.
    age: Option<i64>,
}

impl Evidence {
    /// `None` where a table that maps sessions to users says who is logged in.
    pub(super) fn new(django: &Django) -> Option<Self> {
        let settings = &django.sessions;
        if settings.profile.is_some() {
            return None;
        }
        Some(Self {
            table: settings.table.clone(),
            engine: match settings.engine {
                SessionEngine::Cache(_) => "cache",
                SessionEngine::CachedDatabase(_) => "cached_db",
                SessionEngine::Database => "db",
                SessionEngine::File { .. } => "file",
                SessionEngine::Redis(_) => "redis_sessions.session",
                SessionEngine::SignedCookies { .. } => "signed_cookies",
            },
            cookie_age: i64::try_from(settings.cookie_age).unwrap_or(i64::MAX),
            users: django.user.table.clone(),
        })
    }

    /// What is wrong. `is_empty`: the configured store, which is not the table, has no sessions.
    pub(super) fn faults(
        &self,
        queries: &mut Queries<'_>,
        containers: &Containers,
        clock: &Clock,
        is_empty: bool,
        now: SystemTime,
    ) -> Result<Vec<Overlooked>, Unavailable> {
        let in_use = self.is_in_use();
        let table = self.table.to_string();
        let rows = queries.in_sessions(|queries| {
            match in_use || !queries.columns(&table)?.is_empty() {
                true => self.rows(queries, containers, clock),
                false => Ok(Vec::new()),
            }
        })?;
        if in_use && let Some(fault) = self.zone(&rows, clock) {
            return Ok(vec![fault]);
        }
        let logins = self.logins(queries, clock)?;
        let newest = rows.iter().filter_map(|row| self.saved(row)).max();
        let fault = match in_use {
            true => self.missing(newest, &logins, now),
            false => {
                let live = rows.iter().filter(|row| !clock.ended(&row.expires, now));
                let unread = self.unread(newest, &logins, live.count());
                unread.or_else(|| match is_empty {
                    true => self.missing(None, &logins, now),
                    false => None,
                })
            }
        };
        Ok(fault.into_iter().collect())
    }

    /// Whether the table of sessions is read.
    fn is_in_use(&self) -> bool {
        matches!(self.engine, "db" | "cached_db")
    }

    fn rows(
        &self,
        queries: &mut Queries<'_>,
        containers: &Containers,
        clock: &Clock,
    ) -> Result<Vec<Row>, Unavailable> {
        let statement = format!(
            "SELECT \"session_data\", \"expire_date\" FROM {} ORDER BY \"expire_date\" DESC LIMIT \
             {SAMPLE}",
            self.table.quoted()
        );
        let rows = queries.rows_of_data(&statement, &[], SAMPLE)?;
        let tracer = queries.tracer();
        let read = |mut row: sql::Row| {
            let container = row.text(0)?;
            let expires = clock.read(&row.take(1))?;
            let opened = containers.open(container.as_bytes(), tracer).ok();
            let login = opened.as_ref().and_then(|opened| opened.login.as_ref());
            let age = match login.map(|login| &login.expiry) {
                None | Some(Expiry::Default | Expiry::Seconds(0)) => Some(self.cookie_age),
                Some(Expiry::Seconds(seconds)) => Some(*seconds),
                Some(Expiry::At(_) | Expiry::Unreadable) => None,
            };
            Some(Row {
                expires,
                signed_at: opened.and_then(|opened| opened.seal.signed_at),
                age,
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// When a row was written.
    fn saved(&self, row: &Row) -> Option<SystemTime> {
        match row.signed_at {
            Some(signed_at) => moment(signed_at),
            None => {
                let age = u64::try_from(row.age.unwrap_or(self.cookie_age)).ok()?;
                row.expires.time.checked_sub(Duration::from_secs(age))
            }
        }
    }

    /// The last logins of those who logged in last, the newest first; none where the user model has
    /// no such column.
    fn logins(
        &self,
        queries: &mut Queries<'_>,
        clock: &Clock,
    ) -> Result<Vec<SystemTime>, Unavailable> {
        let columns = queries.columns(&self.users)?;
        if !columns.iter().any(|column| column.name == "last_login") {
            return Ok(Vec::new());
        }
        let statement = format!(
            "SELECT \"last_login\" FROM {} WHERE \"last_login\" IS NOT NULL ORDER BY \"last_login\" \
             DESC LIMIT {SAMPLE}",
            quoted(&self.users)
        );
        let rows = queries.rows(&statement, &[], SAMPLE)?;
        let login = |mut row: sql::Row| match row.take(0) {
            Value::Null => None,
            value => clock.read(&value).map(|moment| moment.time),
        };
        Ok(rows.into_iter().filter_map(login).collect())
    }

    /// Whether most rows end as many hours too early or too late as zones are apart.
    fn zone(&self, rows: &[Row], clock: &Clock) -> Option<Overlooked> {
        let ahead = |row: &Row| {
            let (signed_at, age) = (row.signed_at?, row.age?);
            let ahead = clock.ahead(&row.expires, signed_at, age)?;
            let quarters = (ahead + ahead.signum() * QUARTER / 2) / QUARTER * QUARTER;
            ((ahead - quarters).abs() <= NEAR && quarters.abs() <= FARTHEST)
                .then_some((signed_at, quarters))
        };
        let mut known: Vec<(i64, i64)> = rows.iter().filter_map(ahead).collect();
        known.sort_unstable();
        let (signed_at, ahead) = known.last().copied()?;
        let same = known.iter().filter(|(_, other)| *other == ahead).count();
        if ahead == 0 || 2 * same <= rows.len() {
            return None;
        }
        let (too, so) = if ahead < 0 {
            ("early", "live sessions count as ended")
        } else {
            ("late", "ended sessions count as live")
        };
        let of_utc = clock.ahead_of_utc(signed_at).unwrap_or_default() + ahead;
        let sign = if of_utc < 0 { '-' } else { '+' };
        let zone = format!(
            "{sign}{:02}:{:02}",
            of_utc.abs() / 3600,
            of_utc.abs() / 60 % 60
        );
        let written = if of_utc == 0 {
            "\"UTC\", which a site with USE_TZ = True writes".to_owned()
        } else {
            format!("the site's TIME_ZONE, whose clock was at UTC{zone} then")
        };
        Some(Overlooked {
            check: "session-time-zone",
            tried: "compare when sessions end with when they were written",
            seen: format!(
                "read as {}, they end {} too {too}: {so}",
                clock.zone_name(),
                hours(ahead.abs())
            ),
            mend: format!("put into [django] time_zone {written}"),
            problem: true,
        })
    }

    /// Whether accounts have logged in, and left no session where they should be.
    fn missing(
        &self,
        newest: Option<SystemTime>,
        logins: &[SystemTime],
        now: SystemTime,
    ) -> Option<Overlooked> {
        let age = u64::try_from(self.cookie_age).unwrap_or_default();
        let oldest = now.checked_sub(Duration::from_secs(age))?;
        let since = newest.and_then(|newest| newest.checked_add(SAME));
        let without = |login: &&SystemTime| {
            **login > oldest && **login <= now && since.is_none_or(|since| **login > since)
        };
        let count = logins.iter().filter(without).count();
        // One or two may have logged out again, and a cache may have been emptied.
        let problem = self.is_in_use() && newest.is_none() && count >= MANY;
        if count == 0 || (newest.is_some() && count < MANY) {
            return None;
        }
        let table = self.table.to_string();
        let accounts = match count {
            1 => "1 account has".to_owned(),
            SAMPLE.. => format!("at least {SAMPLE} accounts have"),
            count => format!("{count} accounts have"),
        };
        let left = match newest {
            None if !self.is_in_use() => {
                "and there is no session where they are looked for".to_owned()
            }
            None => format!("and {table} is empty"),
            Some(_) => format!("after the newest row of {table} was written"),
        };
        let place = match self.engine {
            "file" => ", and SESSION_FILE_PATH into session_file_path",
            "cache" => ", and its cache into cache",
            _ => "",
        };
        Some(Overlooked {
            check: "session-engine",
            tried: "look for the sessions of the last logins",
            seen: format!("{accounts} logged in {left}"),
            mend: format!(
                "put the site's SESSION_ENGINE into [django] session_engine, where it is \"{}\" \
                 now{place}; nothing, if they all have logged out",
                self.engine
            ),
            problem,
        })
    }

    /// Whether the site still writes the rows that are not read.
    fn unread(
        &self,
        newest: Option<SystemTime>,
        logins: &[SystemTime],
        live: usize,
    ) -> Option<Overlooked> {
        let last_login = *logins.first()?;
        // After a change of the engine, old rows remain, and later logins leave none.
        if live == 0 || newest?.checked_add(SAME)? < last_login {
            return None;
        }
        let table = self.table.to_string();
        Some(Overlooked {
            check: "session-engine",
            tried: "look for the sessions of the last logins",
            seen: format!(
                "they are in the table {table}, and [django] session_engine = \"{}\" does not read it",
                self.engine
            ),
            mend: "write [django] session_engine = \"db\" or \"cached_db\", as the site's \
                   SESSION_ENGINE says"
                .to_owned(),
            problem: true,
        })
    }
}

fn moment(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// `seconds` as hours and minutes.
fn hours(seconds: i64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
