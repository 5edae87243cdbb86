//! Reads a row for each session: `SqlAlchemySessionInterface` of Flask-Session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use crate::member::StoredSession;
use crate::{Reason, Required, SAMPLE, Stop, quoted_table, session_rows};

/// The columns of `create_session_model` (sqlalchemy/sqlalchemy.py, Flask-Session 0.8; the same in
/// sessions.py of 0.5).
const COLUMNS: [&str; 3] = ["session_id", "data", "expiry"];

/// The table of sessions.
#[derive(Debug)]
pub(super) struct SessionTable {
    name: String,
    prefix: String,
    statement: String,
}

impl SessionTable {
    pub(super) fn new(name: &str, prefix: &str) -> Self {
        Self {
            statement: format!(
                "SELECT data, expiry FROM {} WHERE session_id = :id",
                quoted_table(name)
            ),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// What of the database is read.
    pub(super) fn needed(&self) -> Required {
        Required::table(&self.name, "flask.session_table", &COLUMNS)
    }

    /// The ids of some of the sessions.
    pub(super) fn ids(&self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = format!(
            "SELECT session_id FROM {} ORDER BY expiry DESC LIMIT {SAMPLE}",
            quoted_table(&self.name)
        );
        let rows = queries.rows(&statement, &[], SAMPLE)?;
        let ids = rows.into_iter().filter_map(|mut row| row.words(0));
        let ids = ids.filter_map(|id| id.strip_prefix(&self.prefix).map(str::to_owned));
        Ok(ids.collect())
    }

    /// As `_retrieve_session_data`: a session has ended at the moment that its row names, in UTC,
    /// and where it names none.
    pub(super) fn find(
        &self,
        queries: &mut Queries<'_>,
        id: &str,
        now: SystemTime,
    ) -> Result<StoredSession, Stop> {
        let id = Zeroizing::new(format!("{}{id}", self.prefix));
        let parameters = [(":id", (&**id).into())];
        let mut rows = session_rows(queries.rows_of_data(&self.statement, &parameters, 2))?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Reason::NoSession.into());
        };
        let bytes = match row.take(0) {
            Value::Bytes(bytes) => bytes,
            Value::Text(text) => text.into_bytes(),
            _ => return Err(Reason::InvalidSession.into()),
        };
        let bytes = Zeroizing::new(bytes);
        let expires = match row.take(1) {
            Value::Null => return Err(Reason::ExpiredSession.into()),
            value => moment(&value).ok_or(Reason::InvalidSession)?,
        };
        if expires <= now {
            return Err(Reason::ExpiredSession.into());
        }
        Ok(StoredSession {
            bytes,
            expires: Some(expires),
        })
    }
}

/// The moment that a column shows: a datetime without a zone is UTC's.
fn moment(value: &Value) -> Option<SystemTime> {
    match value {
        Value::Moment(moment) => Some(*moment),
        Value::Text(text) => {
            let time: DateTime = text.trim().parse().ok()?;
            let stamp = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let seconds = u64::try_from(stamp.as_second()).ok()?;
            let nanoseconds = u32::try_from(stamp.subsec_nanosecond()).ok()?;
            UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        let at = |seconds, nanoseconds| Some(UNIX_EPOCH + Duration::new(seconds, nanoseconds));
        for (text, expected) in [
            ("2026-11-29 21:04:05.690243", at(1_795_986_245, 690_243_000)),
            ("2026-11-29 21:04:05", at(1_795_986_245, 0)),
            ("2026-11-29T21:04:05.5", at(1_795_986_245, 500_000_000)),
            ("1969-12-31 23:59:59", None),
            ("1795986245", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(moment(&Value::from(text)), expected, "{text}");
        }
        assert_eq!(moment(&Value::Integer(1_795_986_245)), None);
        assert_eq!(moment(&Value::Null), None);
    }
}
