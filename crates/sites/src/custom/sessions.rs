//! Reads sessions, as the site's statement gives them.

use std::time::{SystemTime, UNIX_EPOCH};

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::rows::{Rows, key_text};
use super::settings::Custom;
use crate::{
    Account, Client, Decoding, Login, Reason, Required, SessionSource, Stop, session_rows,
};

/// The longest token that is looked at, in bytes: as long as a cookie can be.
const LONGEST_TOKEN: usize = 4096;

/// The sessions that `[custom]` describes.
#[derive(Debug)]
pub(super) struct Sessions {
    statement: Option<String>,
}

impl Sessions {
    pub(super) fn new(custom: &Custom) -> Self {
        Self {
            statement: custom.session.clone(),
        }
    }
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let Some(statement) = &self.statement else {
            return Err(Unavailable::new(
                "sessions cannot be read: [custom] session is not configured",
            )
            .into());
        };
        let token = match std::str::from_utf8(token) {
            Ok(token)
                if !token.is_empty()
                    && token.len() <= LONGEST_TOKEN
                    && !token.contains(char::is_control) =>
            {
                token
            }
            _ => return Err(Reason::NoSession.into()),
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let parameters = [
            (":session", token.into()),
            (":now", i64::try_from(now).unwrap_or(i64::MAX).into()),
        ];
        let rows = session_rows(Rows::read(queries, "session", statement, &parameters, 2))?;
        if rows.is_empty() {
            return Err(Reason::NoSession.into());
        }
        let at = rows.only_column("user_id")?;
        let rows = rows.into_rows().into_iter();
        let mut keys = rows
            .map(|mut row| key_text(&row.take(at), "session", "user_id"))
            .collect::<Result<Vec<_>, _>>()?;
        keys.dedup();
        // Of two users neither is it.
        let (Some(key), true) = (keys.pop(), keys.is_empty()) else {
            return Err(Reason::InvalidSession.into());
        };
        let Some(key) = key else {
            return Err(Reason::AnonymousSession.into());
        };
        Ok(Login {
            key,
            auth_hash: None,
            expires: None,
            decoded: Decoding {
                store: "the rows of [custom] session",
                ..Decoding::default()
            },
            from_token: false,
        })
    }

    fn needs(&self) -> Vec<Required> {
        let needed = |statement: &String| Required::Statement {
            key: "custom.session",
            statement: statement.clone(),
            columns: &["user_id"],
        };
        self.statement.iter().map(needed).collect()
    }

    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }
}
