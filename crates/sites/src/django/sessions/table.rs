//! A row for each session: `django.contrib.sessions.backends.db`.

use std::time::SystemTime;

use hallpass_stores::sql::{LookUp, Queries, Value};

use super::{Containers, Lookup};
use crate::Reason;
use crate::django::datetime::Clock;
use crate::django::settings::DjangoSessions;
use crate::{session_rows, until};

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
                &settings.table,
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
        let lives = !clock.ended(&expires, now);
        if !queries
            .tracer()
            .decided("expiry", lives, || until(expires.time))
        {
            return Err(Reason::ExpiredSession.into());
        }
        let opened = containers.open(container.as_bytes(), queries.tracer())?;
        Ok(opened.found("the database's row", Some(expires.time))?)
    }
}
