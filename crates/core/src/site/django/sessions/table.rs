//! A row for each session: `django.contrib.sessions.backends.db`.

use std::time::SystemTime;

use hallpass_stores::sql::{LookUp, Queries, Value};

use super::{Containers, Lookup};
use crate::Reason;
use crate::configuration::DjangoSessions;
use crate::site::django::datetime::Clock;
use crate::site::{session_rows, until};

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
        containers: &mut Containers,
        clock: &Clock,
        now: SystemTime,
    ) -> Lookup {
        let mut rows = match session_rows(queries.look_up(&self.by_key, key.into()))? {
            Ok(rows) => rows,
            Err(reason) => return Ok(Err(reason)),
        };
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(Err(Reason::NoSession));
        };
        let Value::Text(container) = row.take(0) else {
            return Ok(Err(Reason::InvalidSession));
        };
        let Some(expires) = clock.read(&row.take(1)) else {
            return Ok(Err(Reason::InvalidSession));
        };
        let lives = !clock.ended(&expires, now);
        if !queries
            .tracer()
            .decided("expiry", lives, || until(expires.time))
        {
            return Ok(Err(Reason::ExpiredSession));
        }
        let opened = containers.open(container.as_bytes(), queries.tracer());
        Ok(opened.and_then(|opened| opened.found("the database's row", Some(expires.time))))
    }
}
