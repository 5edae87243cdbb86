//! Reads sessions by the rules of phpbb/session.php of 3.3 (`session_begin` and `session_create`).
//! Where phpBB would make a new session from a persistent login, the login alone is proof here, and
//! nothing is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::sql::{Queries, Row, Value};
use hallpass_stores::{Secret, Unavailable};
use md5::{Digest, Md5};

use super::board::Settings;
use super::checks::Made;
use super::cookies::{self, Persistent, Token};
use crate::phpbb::settings::Phpbb;
use crate::prefixed;
use crate::{
    Account, Client, Decoding, Login, Reason, Required, SAMPLE, Sample, SessionSource, Stop,
    session_rows, until,
};

/// The account of visitors who are not logged in.
const ANONYMOUS: i64 = 1;
/// A session's time is written once a minute at most.
const GRACE: u64 = 60;
const DAY: u64 = 86_400;

/// The sessions of a board.
#[derive(Debug)]
pub(super) struct Sessions {
    phpbb: Phpbb,
}

/// A session as it is stored.
struct Stored {
    user: i64,
    time: u64,
    autologin: bool,
    made: Made,
}

impl Sessions {
    pub(super) fn new(phpbb: &Phpbb) -> Self {
        Self {
            phpbb: phpbb.clone(),
        }
    }

    /// The account that is logged in to the session `id`, or why none is.
    fn session(
        &self,
        queries: &mut Queries<'_>,
        settings: &Settings,
        id: &str,
        client: &Client,
        now: u64,
    ) -> Result<Login, Stop> {
        let statement = format!(
            "SELECT \"session_id\", \"session_user_id\", \"session_time\", \"session_ip\", \
             \"session_browser\", \"session_forwarded_for\", \"session_autologin\" FROM {} WHERE \
             \"session_id\" = :id",
            prefixed(&self.phpbb.prefix, "sessions")
        );
        let rows = session_rows(queries.rows(&statement, &[(":id", id.into())], 2))?;
        let Some(stored) = rows.into_iter().find_map(|row| stored(row, id)) else {
            return Err(Reason::NoSession.into());
        };
        let bound = stored.made.admits(settings, client);
        let told = || {
            let as_made = if bound { "as" } else { "not as" };
            format!("address, browser and X-Forwarded-For are {as_made} the session was made with")
        };
        if !queries.tracer().decided("client", bound, told) {
            return Err(Reason::InvalidSession.into());
        }
        let end = match (stored.autologin, settings.max_autologin_time) {
            (false, _) => Some(stored.time.saturating_add(settings.session_length + GRACE)),
            (true, _) if !settings.allow_autologin => return Err(Reason::ExpiredSession.into()),
            (true, 0) => None,
            // The sign of the minute is phpBB's.
            (true, days) => {
                let length = days.saturating_mul(DAY).saturating_sub(GRACE);
                Some(stored.time.saturating_add(length))
            }
        };
        let lives = end.is_none_or(|end| end >= now);
        let told = || {
            end.and_then(moment)
                .map_or("it has no end".to_owned(), until)
        };
        if !queries.tracer().decided("expiry", lives, told) {
            return Err(Reason::ExpiredSession.into());
        }
        if stored.user <= ANONYMOUS {
            return Err(Reason::AnonymousSession.into());
        }
        Ok(Login {
            key: stored.user.to_string(),
            auth_hash: None,
            expires: end.and_then(moment),
            decoded: Decoding {
                store: "the table sessions",
                container: "",
                format: "",
            },
            from_token: false,
        })
    }

    /// The account of a persistent login; `None` if there is no such login.
    fn persistent(
        &self,
        queries: &mut Queries<'_>,
        settings: &Settings,
        login: &Persistent<'_>,
        now: u64,
    ) -> Result<Option<Login>, Unavailable> {
        if !settings.allow_autologin || login.user <= ANONYMOUS {
            return Ok(None);
        }
        let statement = format!(
            "SELECT \"last_login\" FROM {} WHERE \"key_id\" = :key AND \"user_id\" = :user",
            prefixed(&self.phpbb.prefix, "sessions_keys")
        );
        let digest: [u8; 16] = Md5::digest(login.key).into();
        let digest = format!("{:032x}", u128::from_be_bytes(digest));
        let parameters = [
            (":key", Value::from(&*digest)),
            (":user", login.user.into()),
        ];
        let mut rows = queries.rows(&statement, &parameters, 1)?;
        let last = rows.pop().and_then(|mut row| seconds(&row.take(0)));
        let Some(last) = last else {
            return Ok(None);
        };
        // phpBB throws older ones away now and then; here they are gone at once.
        let end = match settings.max_autologin_time {
            0 => None,
            days => Some(last.saturating_add(days.saturating_mul(DAY))),
        };
        if end.is_some_and(|end| end < now) {
            return Ok(None);
        }
        Ok(Some(Login {
            key: login.user.to_string(),
            auth_hash: None,
            expires: end.and_then(moment),
            decoded: Decoding {
                store: "the table sessions_keys",
                container: "",
                format: "",
            },
            from_token: false,
        }))
    }
}

/// `None` for another session's row, which a collation may take for the same.
fn stored(mut row: Row, id: &str) -> Option<Stored> {
    if row.text(0)?.trim_end() != id {
        return None;
    }
    Some(Stored {
        user: row.take(1).integer_like()?,
        time: seconds(&row.take(2))?,
        made: Made {
            address: row.text(3).unwrap_or_default(),
            browser: row.text(4).unwrap_or_default(),
            forwarded_for: row.text(5).unwrap_or_default(),
        },
        autologin: row.truth(6),
    })
}

fn seconds(value: &Value) -> Option<u64> {
    value
        .integer_like()
        .and_then(|seconds| u64::try_from(seconds).ok())
}

fn moment(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

impl SessionSource for Sessions {
    /// The cookies are called as the board says.
    fn token(
        &mut self,
        queries: &mut Queries<'_>,
        header: &[u8],
    ) -> Result<Option<Secret>, Unavailable> {
        let cookie_name = match &self.phpbb.cookie_name {
            Some(name) => name.clone(),
            None => Settings::read(&self.phpbb, queries)?.cookie_name,
        };
        Ok(cookies::token(&cookie_name, header))
    }

    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let Some(token) = Token::parse(token) else {
            return Err(Reason::NoSession.into());
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let settings = Settings::read(&self.phpbb, queries)?;
        let found = self.session(queries, &settings, token.session_id, client, now);
        let found = Stop::settle(found)?;
        match (found, &token.persistent) {
            (Err(reason), Some(login)) if reason != Reason::AnonymousSession => {
                let login = self.persistent(queries, &settings, login, now)?;
                Ok(login.ok_or(reason)?)
            }
            (found, _) => Ok(found?),
        }
    }

    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let newest = format!(
            "SELECT \"session_id\" FROM {} WHERE \"session_user_id\" > {ANONYMOUS} ORDER BY \
             \"session_time\" DESC LIMIT {SAMPLE}",
            prefixed(&self.phpbb.prefix, "sessions")
        );
        crate::tokens(queries, &newest)
    }

    fn needs(&self) -> Vec<Required> {
        let full = |name| format!("{}{name}", self.phpbb.prefix);
        let key = "phpbb.table_prefix";
        let sessions = [
            "session_id",
            "session_user_id",
            "session_time",
            "session_ip",
            "session_browser",
            "session_forwarded_for",
            "session_autologin",
        ];
        vec![
            Required::table(full("config"), key, &["config_name", "config_value"]),
            Required::table(full("sessions"), key, &sessions),
            Required::table(
                full("sessions_keys"),
                key,
                &["key_id", "user_id", "last_login"],
            ),
        ]
    }

    /// phpBB's sessions say nothing of the password: a new one ends them by deleting them.
    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }
}
