//! Reads a row for each session: Symfony's `PdoSessionHandler`, and tables like it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::sql::{Queries, Value};
use zeroize::Zeroizing;

use super::sessions::{Found, Lookup};
use crate::php::settings::PhpTable;
use crate::{Reason, Required, SAMPLE, quoted, quoted_table, session_rows};

/// The longest lifetime that is one; more is the moment when the session ends (`MAX_LIFETIME` of
/// PdoSessionHandler.php in Symfony 4.4 and 5.4).
const LONGEST_LIFETIME: i64 = 315_576_000;

/// The table of sessions.
#[derive(Debug)]
pub(super) struct SessionTable {
    names: PhpTable,
    statement: String,
    /// What a session's lifetime is where the table has none.
    gc_maxlifetime: i64,
}

impl SessionTable {
    pub(super) fn new(names: &PhpTable, gc_maxlifetime: u64) -> Self {
        let lifetime = names.lifetime.as_deref();
        let lifetime = lifetime.map_or("NULL".to_owned(), quoted);
        Self {
            statement: format!(
                "SELECT {}, {lifetime}, {} FROM {} WHERE {} = :id",
                quoted(&names.data),
                quoted(&names.time),
                quoted_table(&names.table),
                quoted(&names.id)
            ),
            names: names.clone(),
            gc_maxlifetime: i64::try_from(gc_maxlifetime).unwrap_or(i64::MAX),
        }
    }

    /// What of the database is read.
    pub(super) fn needed(&self) -> Required {
        let PhpTable { table, id, .. } = &self.names;
        let mut columns = vec![&**id, &self.names.data, &self.names.time];
        columns.extend(self.names.lifetime.as_deref());
        Required::table(table, "php.table", &columns)
    }

    /// The statement that gives the ids of the newest sessions.
    pub(super) fn newest(&self) -> String {
        let PhpTable {
            table, id, time, ..
        } = &self.names;
        format!(
            "SELECT {} FROM {} ORDER BY {} DESC LIMIT {SAMPLE}",
            quoted(id),
            quoted_table(table),
            quoted(time)
        )
    }

    /// As `PdoSessionHandler::doRead` in Symfony 2.6 to 7.1: by the rule of 4.4, which knows both
    /// meanings that the lifetime has had.
    pub(super) fn find(
        &self,
        queries: &mut Queries<'_>,
        id: &str,
        now: SystemTime,
    ) -> Lookup<Found> {
        let mut rows =
            session_rows(queries.rows_of_data(&self.statement, &[(":id", id.into())], 2))?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Reason::NoSession.into());
        };
        let bytes = match row.take(0) {
            Value::Bytes(bytes) => bytes,
            Value::Text(text) => text.into_bytes(),
            Value::Null => Vec::new(),
            _ => return Err(Reason::InvalidSession.into()),
        };
        let bytes = Zeroizing::new(bytes);
        let lifetime = match row.take(1) {
            Value::Null => Some(self.gc_maxlifetime),
            value => integer(&value),
        };
        let (Some(lifetime), Some(time)) = (lifetime, integer(&row.take(2))) else {
            return Err(Reason::InvalidSession.into());
        };
        // The row that holds a new session's place.
        if bytes.is_empty() {
            return Err(Reason::NoSession.into());
        }
        let end = if lifetime <= LONGEST_LIFETIME {
            lifetime.saturating_add(time)
        } else {
            lifetime
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let end = u64::try_from(end).unwrap_or_default();
        if end < now {
            return Err(Reason::ExpiredSession.into());
        }
        Ok(Found {
            bytes,
            expires: UNIX_EPOCH.checked_add(Duration::from_secs(end)),
            store: "the database's row",
        })
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}
