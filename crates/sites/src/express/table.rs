//! Reads a row for each session: connect-pg-simple, express-mysql-session, Auth.js.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::settings::SessionColumns;
use crate::{Reason, Required, SAMPLE, Stop, quoted, quoted_table, session_rows};

/// The table and columns of connect-pg-simple (table.sql, 10.0) and of express-mysql-session
/// (schema.sql, 3.0).
const USUAL: [(&str, [&str; 3]); 2] = [
    ("session", ["sid", "sess", "expire"]),
    ("sessions", ["session_id", "data", "expires"]),
];
/// A number that is larger is one of milliseconds: as seconds it would be in the year 5138.
const LARGEST_SECONDS: i64 = 100_000_000_000;

/// The table of sessions.
#[derive(Debug)]
pub(super) struct SessionTable {
    columns: SessionColumns,
    /// Made when the first session is looked for: the database says which columns there are, and of
    /// which type the times.
    found: Option<Found>,
}

/// The table as the database has it.
#[derive(Clone, Debug)]
struct Found {
    table: String,
    id: String,
    data: String,
    /// The column of times, as a statement reads it.
    expires: String,
}

/// A row of a session that is alive.
pub(super) struct StoredRow {
    /// The JSON, or the account's id.
    pub(super) data: Value,
    pub(super) expires: Option<SystemTime>,
}

/// How the site's software compares the end of a session with the time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// In whole seconds: a session is there in the second that it ends. connect-pg-simple cuts the
    /// time off, and express-mysql-session rounds it (`get` in both).
    Seconds,
    /// To the millisecond, as Auth.js (lib/actions/session.js of @auth/core 0.41).
    Exact,
}

impl SessionTable {
    pub(super) fn new(columns: &SessionColumns) -> Self {
        Self {
            columns: columns.clone(),
            found: None,
        }
    }

    /// The usual tables, first the one of such a database.
    fn usual(&self) -> [(&'static str, [&'static str; 3]); 2] {
        let mut usual = USUAL;
        if self.columns.in_mysql {
            usual.reverse();
        }
        usual
    }

    /// What of the database is read: where the configuration does not say it, what is usual in such a
    /// database.
    pub(super) fn needed(&self) -> Required {
        let [(usual_table, usual), _] = self.usual();
        let SessionColumns {
            table,
            id,
            data,
            expires,
            ..
        } = &self.columns;
        let [usual_id, usual_data, usual_expires] = usual;
        let names = [
            id.as_deref().unwrap_or(usual_id),
            data.as_deref().unwrap_or(usual_data),
            expires.as_deref().unwrap_or(usual_expires),
        ];
        let table = table.as_deref().unwrap_or(usual_table);
        Required::table(table, "express.session_table", &names)
    }

    /// The table in the database. One that is missing may come.
    fn found(&mut self, queries: &mut Queries<'_>) -> Result<Found, Unavailable> {
        if let Some(found) = &self.found {
            return Ok(found.clone());
        }
        for (usual_table, usual) in self.usual() {
            let name = self.columns.table.as_deref().unwrap_or(usual_table);
            let columns = queries.columns(name)?;
            let names = [&self.columns.id, &self.columns.data, &self.columns.expires];
            let names: Vec<String> = names
                .into_iter()
                .zip(usual)
                .map(|(given, usual)| given.clone().unwrap_or_else(|| usual.to_owned()))
                .collect();
            let there = |name: &String| columns.iter().any(|column| column.name == *name);
            let ([id, data, expires], true) = (names.as_slice(), names.iter().all(there)) else {
                continue;
            };
            let kind = columns.iter().find(|column| column.name == *expires);
            let kind = kind.map_or("", |column| &column.kind);
            let column = quoted(expires);
            // `timestamp(6) without time zone`
            let is_zoneless = kind.starts_with("timestamp") && kind.ends_with("without time zone");
            let found = Found {
                table: quoted_table(name),
                id: quoted(id),
                data: quoted(data),
                // By the clock that the database shows such a time in, as in `expire >=
                // to_timestamp(…)`.
                expires: if is_zoneless && self.columns.zone.is_none() {
                    format!("CAST({column} AS timestamp with time zone)")
                } else {
                    queries.seconds_of(&column, kind)
                },
            };
            self.found = Some(found.clone());
            return Ok(found);
        }
        Err(Unavailable::new(
            "no table of sessions is found: name it with [express] session_table, and its columns \
             with id_column, data_column and expires_column",
        ))
    }

    /// The session `id` of express-session.
    pub(super) fn find(
        &mut self,
        queries: &mut Queries<'_>,
        id: &str,
        now: SystemTime,
    ) -> Result<StoredRow, Stop> {
        self.row(queries, id, now, Clock::Seconds)
    }

    /// The session `token` of Auth.js.
    pub(super) fn find_token(
        &mut self,
        queries: &mut Queries<'_>,
        token: &str,
        now: SystemTime,
    ) -> Result<StoredRow, Stop> {
        self.row(queries, token, now, Clock::Exact)
    }

    fn row(
        &mut self,
        queries: &mut Queries<'_>,
        id: &str,
        now: SystemTime,
        clock: Clock,
    ) -> Result<StoredRow, Stop> {
        let Found {
            table,
            id: column,
            data,
            expires,
        } = self.found(queries)?;
        let statement = format!("SELECT {data}, {expires} FROM {table} WHERE {column} = :id");
        let id = Zeroizing::new(id.to_owned());
        let parameters = [(":id", (&**id).into())];
        let mut rows = session_rows(queries.rows_of_data(&statement, &parameters, 2))?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Reason::NoSession.into());
        };
        let data = row.take(0);
        let end = match row.take(1) {
            Value::Null => return Err(Reason::ExpiredSession.into()),
            value => End::of(&value, self.columns.zone.as_ref()).ok_or(Reason::InvalidSession)?,
        };
        if end.is_past(now, clock) {
            return Err(Reason::ExpiredSession.into());
        }
        Ok(StoredRow {
            data,
            expires: UNIX_EPOCH.checked_add(end.since_1970()),
        })
    }

    /// The ids of some of the sessions.
    pub(super) fn ids(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let Found {
            table, id, expires, ..
        } = self.found(queries)?;
        let statement = format!("SELECT {id} FROM {table} ORDER BY {expires} DESC LIMIT {SAMPLE}");
        let rows = queries.rows(&statement, &[], SAMPLE)?;
        Ok(rows
            .into_iter()
            .filter_map(|mut row| row.words(0))
            .collect())
    }
}

/// When a session ends, as its row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At a moment: a datetime.
    Moment(Duration),
    /// At a number of seconds.
    Seconds(u64),
}

impl End {
    fn of(value: &Value, zone: Option<&TimeZone>) -> Option<Self> {
        let number = match value {
            Value::Moment(moment) => {
                return Some(Self::Moment(moment.duration_since(UNIX_EPOCH).ok()?));
            }
            // SQLite's; whole seconds are exact in it.
            Value::Real(number) if (0.0..1e15).contains(number) => *number as i64,
            value => match value.integer_like() {
                Some(number) => number,
                None => return Self::of_text(value, zone),
            },
        };
        let unsigned = u64::try_from(number).ok()?;
        Some(if number > LARGEST_SECONDS {
            Self::Moment(Duration::from_millis(unsigned))
        } else {
            Self::Seconds(unsigned)
        })
    }

    fn of_text(value: &Value, zone: Option<&TimeZone>) -> Option<Self> {
        let Value::Text(text) = value else {
            return None;
        };
        let text = text.trim();
        let stamp = match text.parse::<jiff::Timestamp>() {
            Ok(stamp) => stamp,
            Err(_) => {
                let time: DateTime = text.parse().ok()?;
                let zone = zone.cloned().unwrap_or(TimeZone::UTC);
                time.to_zoned(zone).ok()?.timestamp()
            }
        };
        let seconds = u64::try_from(stamp.as_second()).ok()?;
        let nanoseconds = u32::try_from(stamp.subsec_nanosecond()).ok()?;
        Some(Self::Moment(Duration::new(seconds, nanoseconds)))
    }

    fn since_1970(self) -> Duration {
        match self {
            Self::Moment(moment) => moment,
            Self::Seconds(seconds) => Duration::from_secs(seconds),
        }
    }

    fn is_past(self, now: SystemTime, clock: Clock) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        match (self, clock) {
            (end, Clock::Exact) => end.since_1970() < now,
            (Self::Moment(end), Clock::Seconds) => end.as_secs() < now.as_secs(),
            (Self::Seconds(end), Clock::Seconds) => {
                end < now.as_secs() + u64::from(now.subsec_millis() >= 500)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_numbers_or_datetimes() {
        let warsaw = TimeZone::get("Europe/Warsaw").unwrap();
        let millis = |number| Some(End::Moment(Duration::from_millis(number)));
        for (value, zone, expected) in [
            (
                Value::Integer(1_795_989_892),
                None,
                Some(End::Seconds(1_795_989_892)),
            ),
            (
                Value::from("1795989892"),
                None,
                Some(End::Seconds(1_795_989_892)),
            ),
            (
                Value::Real(1_795_989_890.5),
                None,
                Some(End::Seconds(1_795_989_890)),
            ),
            (
                Value::Integer(1_795_989_892_123),
                None,
                millis(1_795_989_892_123),
            ),
            (
                Value::from("2026-11-29 22:04:50.5"),
                None,
                millis(1_795_989_890_500),
            ),
            (
                Value::from("2026-11-29 23:04:50"),
                Some(&warsaw),
                millis(1_795_989_890_000),
            ),
            (
                Value::from("2026-11-29T22:04:50.000Z"),
                Some(&warsaw),
                millis(1_795_989_890_000),
            ),
            (
                Value::Moment(UNIX_EPOCH + Duration::from_secs(9)),
                None,
                millis(9000),
            ),
            (Value::Integer(-1), None, None),
            (Value::Real(f64::NAN), None, None),
            (Value::from("soon"), None, None),
            (Value::from(""), None, None),
            (Value::Null, None, None),
        ] {
            assert_eq!(End::of(&value, zone), expected, "{zone:?}");
        }
    }

    #[test]
    fn each_software_ends_a_session_by_its_own_clock() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let moment = End::Moment(Duration::from_millis(10_200));
        for (end, clock, last) in [
            (moment, Clock::Exact, 10_200),
            (moment, Clock::Seconds, 10_999),
            (End::Seconds(10), Clock::Seconds, 10_499),
            (End::Seconds(10), Clock::Exact, 10_000),
        ] {
            assert!(!end.is_past(at(last), clock), "{end:?}");
            assert!(end.is_past(at(last + 1), clock), "{end:?}");
        }
    }
}
