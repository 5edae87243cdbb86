//! Reads a row for each session: Symfony's `PdoSessionHandler`, and the tables of other frameworks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_stores::sql::{Queries, Value};
use hallpass_stores::{Secret, Unavailable};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::sessions::{Found, Lookup};
use crate::php::settings::{PhpTable, PhpTime};
use crate::{Reason, Required, SAMPLE, Sample, quoted, quoted_table, session_rows};

/// The longest lifetime that is one; more is the moment when the session ends (`MAX_LIFETIME` of
/// PdoSessionHandler.php in Symfony 4.4 and 5.4).
const LONGEST_LIFETIME: i64 = 315_576_000;

/// The table of sessions.
#[derive(Debug)]
pub(super) struct SessionTable {
    names: PhpTable,
    /// Made when the first session is looked for: the database says of which type the times are.
    statement: Option<String>,
    /// What a session's lifetime is where the table has none.
    gc_maxlifetime: i64,
}

impl SessionTable {
    pub(super) fn new(names: &PhpTable, gc_maxlifetime: u64) -> Self {
        Self {
            statement: None,
            names: names.clone(),
            gc_maxlifetime: i64::try_from(gc_maxlifetime).unwrap_or(i64::MAX),
        }
    }

    /// The column with times.
    fn time(&self) -> &str {
        match &self.names.time {
            PhpTime::Written(column) | PhpTime::End(column) => column,
        }
    }

    /// What of the database is read.
    pub(super) fn needed(&self) -> Required {
        let PhpTable { table, id, .. } = &self.names;
        let mut columns = vec![&**id, &self.names.data, self.time()];
        columns.extend(self.names.lifetime.as_deref());
        columns.extend(self.names.name.as_ref().map(|(column, _)| column.as_str()));
        Required::table(table, "php.table", &columns)
    }

    /// The condition that a row is one of this site's sessions: of `:name`.
    fn of_this_name(&self) -> Option<String> {
        let (column, _) = self.names.name.as_ref()?;
        Some(format!("{} = :name", quoted(column)))
    }

    fn name(&self) -> (&'static str, Value) {
        let name = self.names.name.as_ref().map(|(_, name)| name.as_str());
        (":name", name.unwrap_or_default().into())
    }

    /// The newest sessions.
    pub(super) fn sample(&self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let PhpTable { table, id, .. } = &self.names;
        let condition = self.of_this_name().map(|it| format!(" WHERE {it}"));
        let statement = format!(
            "SELECT {} FROM {}{} ORDER BY {} DESC LIMIT {SAMPLE}",
            quoted(id),
            quoted_table(table),
            condition.unwrap_or_default(),
            quoted(self.time())
        );
        let rows = queries.rows(&statement, &[self.name()], SAMPLE)?;
        let ids = rows.into_iter().filter_map(|mut row| row.words(0));
        let token = |id: String| id.strip_prefix(&self.names.prefix).map(Secret::new);
        Ok(Some(Sample::of(ids.filter_map(token).collect())))
    }

    fn statement(&mut self, queries: &mut Queries<'_>) -> Result<String, Unavailable> {
        if let Some(statement) = &self.statement {
            return Ok(statement.clone());
        }
        let PhpTable { table, id, .. } = &self.names;
        let columns = queries.columns(table)?;
        let kind = columns.iter().find(|column| column.name == self.time());
        let kind = kind.map_or("", |column| &column.kind);
        let lifetime = self.names.lifetime.as_deref();
        let condition = self.of_this_name().map(|it| format!(" AND {it}"));
        let statement = format!(
            "SELECT {}, {}, {} FROM {} WHERE {} = :id{}",
            quoted(&self.names.data),
            lifetime.map_or("NULL".to_owned(), quoted),
            queries.seconds_of(&quoted(self.time()), kind),
            quoted_table(table),
            quoted(id),
            condition.unwrap_or_default()
        );
        // A table that is missing may come.
        if !columns.is_empty() {
            self.statement = Some(statement.clone());
        }
        Ok(statement)
    }

    /// As `PdoSessionHandler::doRead` in Symfony 2.6 to 7.1: by the rule of 4.4, which knows both
    /// meanings that the lifetime has had. Where a column says when a session ends, it has ended at
    /// that second, as `DbSession::readSession` of Yii 2.0 has it. CodeIgniter and CakePHP leave it
    /// to the collection of garbage.
    pub(super) fn find(
        &mut self,
        queries: &mut Queries<'_>,
        id: &str,
        now: SystemTime,
    ) -> Lookup<Found> {
        let statement = self.statement(queries)?;
        let id = format!("{}{id}", self.names.prefix);
        let parameters = [(":id", id.into()), self.name()];
        let mut rows = session_rows(queries.rows_of_data(&statement, &parameters, 2))?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Reason::NoSession.into());
        };
        let bytes = match row.take(0) {
            Value::Bytes(bytes) => bytes,
            Value::Text(text) => self.decoded(text),
            Value::Null => Vec::new(),
            _ => return Err(Reason::InvalidSession.into()),
        };
        let bytes = Zeroizing::new(bytes);
        let lifetime = match row.take(1) {
            Value::Null => Some(self.gc_maxlifetime),
            value => value.integer_like(),
        };
        let time = seconds(&row.take(2), self.names.zone.as_ref());
        let (Some(lifetime), Some(time)) = (lifetime, time) else {
            return Err(Reason::InvalidSession.into());
        };
        // The row that holds a new session's place.
        if bytes.is_empty() {
            return Err(Reason::NoSession.into());
        }
        let end = match self.names.time {
            // It has ended when that second begins.
            PhpTime::End(_) => time.saturating_sub(1),
            PhpTime::Written(_) if lifetime <= LONGEST_LIFETIME => lifetime.saturating_add(time),
            PhpTime::Written(_) => lifetime,
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

    /// The data of a session in a column of text. What PHP serializes is never Base64.
    fn decoded(&self, text: String) -> Vec<u8> {
        let decoded = self
            .names
            .base64
            .then(|| STANDARD.decode(text.trim_end()).ok());
        decoded.flatten().unwrap_or_else(|| text.into_bytes())
    }
}

/// The Unix seconds of a time: a number, or a datetime, which is one of `zone` where it does not say
/// so itself.
fn seconds(value: &Value, zone: Option<&TimeZone>) -> Option<i64> {
    match value {
        Value::Moment(moment) => {
            let since = moment.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_secs()).ok()
        }
        Value::Text(text) if value.integer_like().is_none() => {
            let time: DateTime = text.trim().parse().ok()?;
            let zone = zone.cloned().unwrap_or(TimeZone::UTC);
            Some(time.to_zoned(zone).ok()?.timestamp().as_second())
        }
        value => value.integer_like(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_or_datetimes() {
        let warsaw = TimeZone::get("Europe/Warsaw").unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (value, zone, expected) in [
            (Value::Integer(7), None, Some(7)),
            (Value::from("1700000000"), None, Some(1_700_000_000)),
            (
                Value::from("2023-11-14 22:13:20"),
                None,
                Some(1_700_000_000),
            ),
            (
                Value::from("2023-11-14 22:13:20.5"),
                None,
                Some(1_700_000_000),
            ),
            (
                Value::from("2023-11-14 23:13:20"),
                Some(&warsaw),
                Some(1_700_000_000),
            ),
            (Value::Moment(at(9)), Some(&warsaw), Some(9)),
            (Value::from(""), None, None),
            (Value::from("soon"), None, None),
            (Value::from("0000-00-00 00:00:00"), None, None),
            (Value::from("2023-11-14"), None, Some(1_699_920_000)),
            (Value::from("infinity"), None, None),
            (Value::Null, None, None),
        ] {
            assert_eq!(seconds(&value, zone), expected, "{zone:?}");
        }
    }
}
