//! A table that maps sessions to users, as sites keep one for programs that cannot read Django's
//! sessions.
//!
//! Weaker than a session itself: nothing is signed, and a changed password does not end it. That
//! the session has not ended is still looked up where sessions are.

use std::time::SystemTime;

use hallpass_sessions::django::{Expiry, Login, PrimaryKey};
use hallpass_stores::sql::{Queries, Value};

use super::{Found, Lookup};
use crate::django::datetime::Clock;
use crate::django::settings::{DjangoSessions, SessionProfile};
use crate::{Decoding, Reason};
use crate::{session_rows, until};

/// The table, beside the one of sessions.
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
        let sessions = &settings.table;
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
        let lives = !clock.ended(&expires, now);
        if !queries
            .tracer()
            .decided("expiry", lives, || until(expires.time))
        {
            return Err(Reason::ExpiredSession.into());
        }
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
