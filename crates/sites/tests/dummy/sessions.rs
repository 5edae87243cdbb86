//! Reads logins: a row each, which holds the member, the end, and the end of the password's hash.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row};
use subtle::ConstantTimeEq;

use super::settings::Dummy;
use crate::{
    Account, Client, Decoding, Login, Reason, Required, Sample, SessionSource, Stop, prefixed,
    session_rows, tokens, until,
};

/// The length of a token, in hexadecimal digits.
const TOKEN: usize = 32;
/// How much of the end of a member's hash a login keeps.
const STAMP: usize = 8;

/// The logins of a site.
#[derive(Debug)]
pub(super) struct Sessions {
    prefix: String,
}

impl Sessions {
    pub(super) fn new(dummy: &Dummy) -> Self {
        Self {
            prefix: dummy.table_prefix.clone(),
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
        let token = match std::str::from_utf8(token) {
            Ok(token) if token.len() == TOKEN && token.bytes().all(|it| it.is_ascii_hexdigit()) => {
                token
            }
            _ => return Err(Reason::NoSession.into()),
        };
        let table = prefixed(&self.prefix, "logins");
        let statement = format!(
            "SELECT \"member\", \"stamp\", \"expires\" FROM {table} WHERE \"token\" = :token"
        );
        let rows = session_rows(queries.rows(&statement, &[(":token", token.into())], 2))?;
        let [mut row]: [Row; 1] = rows.try_into().map_err(|_| Reason::NoSession)?;
        let (member, stamp) = (row.take(0).integer_like(), row.text(1));
        let expires = row
            .take(2)
            .integer_like()
            .and_then(|seconds| u64::try_from(seconds).ok())
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let (Some(stamp), Some(expires)) = (stamp, expires) else {
            return Err(Reason::InvalidSession.into());
        };
        let tracer = queries.tracer();
        if !tracer.decided("expiry", expires > now, || until(expires)) {
            return Err(Reason::ExpiredSession.into());
        }
        Ok(Login {
            key: member.ok_or(Reason::AnonymousSession)?.to_string(),
            auth_hash: Some(stamp),
            expires: Some(expires),
            decoded: Decoding {
                store: "the table of logins",
                ..Decoding::default()
            },
            from_token: false,
        })
    }

    fn asks_only_database(&self) -> bool {
        true
    }

    fn needs(&self) -> Vec<Required> {
        let columns = &["token", "member", "stamp", "expires"];
        let table = format!("{}logins", self.prefix);
        vec![Required::table(table, "dummy.table_prefix", columns)]
    }

    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let table = prefixed(&self.prefix, "logins");
        let statement = format!("SELECT \"token\" FROM {table} ORDER BY \"expires\" DESC");
        tokens(queries, &statement)
    }

    /// A new password has another hash.
    fn confirms(&self, login: &Login, account: &Account) -> bool {
        let hash = account.encoded.as_deref().unwrap_or_default().as_bytes();
        let end = hash.last_chunk::<STAMP>();
        let stamp = login.auth_hash.as_deref().map(str::as_bytes);
        end.zip(stamp)
            .is_some_and(|(end, stamp)| end.ct_eq(stamp).into())
    }
}
