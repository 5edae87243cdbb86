//! Reads how a server of MySQL or MariaDB follows its source: `SHOW ALL SLAVES STATUS` of MariaDB (all
//! of its named connections), `SHOW REPLICA STATUS` of MySQL 8.0.22 and later, `SHOW SLAVE STATUS`
//! before.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row, Value};

use super::super::replica::Following;

const STATEMENTS: [&str; 3] = [
    "SHOW ALL SLAVES STATUS",
    "SHOW REPLICA STATUS",
    "SHOW SLAVE STATUS",
];

/// ER_PARSE_ERROR: the server has another word for it.
const UNKNOWN: u16 = 1064;

/// ER_SPECIFIC_ACCESS_DENIED_ERROR.
const DENIED: u16 = 1227;

/// What a user lacks who may not see it.
pub(super) const PRIVILEGE: &str = "`max_lag` asks how the server follows another, which this user \
                                    may not know: `hallpass grants` prints the statement that \
                                    permits it";

/// How the server follows its sources: as the one that it follows worst.
pub(super) async fn following(connection: &mut Conn) -> Result<Following, Error> {
    let mut last = Ok(Following::Primary);
    for statement in STATEMENTS {
        match connection.query::<Row, _>(statement).await {
            Ok(rows) => return Ok(worst(rows.iter().map(status))),
            Err(Error::Server(error)) if error.code == UNKNOWN => last = Err(Error::Server(error)),
            Err(error) => return Err(error),
        }
    }
    last
}

/// Whether the user may not ask.
pub(super) fn is_denied(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == DENIED)
}

fn worst(all: impl Iterator<Item = Following>) -> Following {
    all.max_by_key(|following| match following {
        Following::Primary => (0, Duration::ZERO),
        Following::Behind(lag) => (1, *lag),
        Following::Alone => (2, Duration::ZERO),
        Following::Stopped => (3, Duration::ZERO),
    })
    .unwrap_or(Following::Primary)
}

/// A row of the status: the columns of either vocabulary.
fn status(row: &Row) -> Following {
    let text = |names: [&str; 2]| {
        let columns = row.columns_ref().iter();
        let index = columns
            .map(|column| column.name_str())
            .position(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))?;
        match row.as_ref(index)? {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Value::Int(number) => Some(number.to_string()),
            Value::UInt(number) => Some(number.to_string()),
            _ => None,
        }
    };
    let is = |names, word: &str| text(names).is_some_and(|it| it.eq_ignore_ascii_case(word));
    let has_all = text(["Master_Log_File", "Source_Log_File"])
        == text(["Relay_Master_Log_File", "Relay_Source_Log_File"])
        && text(["Read_Master_Log_Pos", "Read_Source_Log_Pos"])
            == text(["Exec_Master_Log_Pos", "Exec_Source_Log_Pos"]);
    let lag = text(["Seconds_Behind_Master", "Seconds_Behind_Source"]);
    let lag = lag
        .and_then(|lag| lag.parse().ok())
        .map(Duration::from_secs);
    let applies = is(["Slave_SQL_Running", "Replica_SQL_Running"], "Yes");
    let receives = is(["Slave_IO_Running", "Replica_IO_Running"], "Yes");
    match (applies, receives, lag) {
        (true, true, Some(lag)) => Following::Behind(lag),
        // Whatever it still applies, it will not learn more.
        (true, false, _) if has_all => Following::Alone,
        (true, false, Some(lag)) => Following::Behind(lag),
        _ => Following::Stopped,
    }
}
