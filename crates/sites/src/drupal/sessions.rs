//! Reads sessions: `_drupal_session_read` in includes/session.inc of 7.105, and
//! `Cookie::getUserFromSession` (core/modules/user/src/Authentication/Provider/Cookie.php) with
//! core/lib/Drupal/Core/Session/SessionHandler.php of 10.3.
//!
//! Neither looks at how old a row is: garbage collection deletes it, now and then. A logout deletes
//! the row, and so does a new password, but for the session that it was typed in.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass_sessions::php::drupal;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{LookUp, Queries, Row, Value};
use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};

use super::modules::bytes;
use super::settings::Drupal;
use crate::{
    Account, Client, Decoding, Login, Reason, Required, Sample, SessionSource, Stop, session_rows,
};

/// The longest value of a cookie that is looked at: `sid` has 128 characters.
const LONGEST_TOKEN: usize = 4096;
/// The variables by which Drupal 7 keeps hashes of ids since 7.70, once `update.php` has run.
const HASHED: &str = "hashed_session_ids_supported";
const NOT_HASHED: &str = "do_not_hash_session_ids";
/// How long it counts that there is a table.
const LASTS: Duration = Duration::from_secs(60);

/// The sessions of a Drupal site.
#[derive(Debug)]
pub(super) struct Sessions {
    drupal: Drupal,
    /// The column that has the id, or its hash.
    column: &'static str,
    /// Of a row by that column, and who is logged in to it.
    by_id: LookUp,
    /// Whether there is a table of variables, and when that was seen.
    variables: Option<(bool, Instant)>,
}

impl Sessions {
    pub(super) fn new(drupal: &Drupal) -> Self {
        let name = drupal.session_cookie_name.as_deref().unwrap_or_default();
        let secure = name.starts_with("SSESS");
        let (column, who) = match (drupal.version.is_7(), secure) {
            (true, true) => ("ssid", "uid"),
            (true, false) => ("sid", "uid"),
            (false, _) => ("sid", "session"),
        };
        let columns = [&*format!("\"{column}\""), &format!("\"{who}\"")];
        let table = drupal.prefix.table("sessions");
        Self {
            drupal: drupal.clone(),
            column,
            by_id: LookUp::of_data(&columns, &table, columns[0], ":sid"),
            variables: None,
        }
    }

    /// Whether the site keeps ids as they are. A table of variables that is missing says nothing:
    /// hashes are the rule then.
    fn keeps_ids(&mut self, queries: &mut Queries<'_>) -> Result<bool, Unavailable> {
        if !self.drupal.version.is_7() || !self.has_variables(queries)? {
            return Ok(false);
        }
        let statement = format!(
            "SELECT \"name\", \"value\" FROM {} WHERE \"name\" IN ('{HASHED}', '{NOT_HASHED}')",
            self.drupal.prefix.table("variable")
        );
        let mut hashed = false;
        let mut not_hashed = self.drupal.do_not_hash_session_ids;
        for mut row in queries.rows(&statement, &[], 4)? {
            let name = row.text(0).unwrap_or_default();
            let value = is_true(&bytes(row.take(1)).unwrap_or_default());
            hashed |= name == HASHED && value;
            not_hashed |= name == NOT_HASHED && value;
        }
        Ok(!hashed || not_hashed)
    }

    /// Whether there is a table of variables, as far as the last minute tells.
    fn has_variables(&mut self, queries: &mut Queries<'_>) -> Result<bool, Unavailable> {
        // Deadlines run with the clock.
        let now = queries.deadline().instant();
        let recent = |seen: Instant| now.max(seen).duration_since(now.min(seen)) < LASTS;
        if let Some((there, seen)) = self.variables
            && recent(seen)
        {
            return Ok(there);
        }
        let name = self.drupal.prefix.name("variable");
        let there = !queries.columns(&name)?.is_empty();
        if !there && queries.hides(&name)? {
            return Err(Unavailable::new(format!(
                "whether ids of sessions are hashed is not known: this user may not read {name}"
            )));
        }
        self.variables = Some((there, now));
        Ok(there)
    }

    /// The row of the session, whose id is kept as `stored`.
    fn row(&self, queries: &mut Queries<'_>, stored: &str) -> Result<Option<Row>, Stop> {
        let rows = session_rows(queries.look_up(&self.by_id, Value::from(stored)))?;
        // A collation may take another session's for the same.
        let is_it = |row: &mut Row| row.text(0).is_some_and(|id| id.trim_end() == stored);
        let mut found = rows
            .into_iter()
            .filter_map(|mut row| is_it(&mut row).then_some(row));
        Ok(found.next())
    }
}

/// Whether PHP's serialized `value` is true: `b:1;`, `i:1;`, `s:1:"1";`.
fn is_true(value: &[u8]) -> bool {
    let falsy = [
        &b""[..],
        b"N;",
        b"b:0;",
        b"i:0;",
        b"s:1:\"0\";",
        b"s:0:\"\";",
        b"a:0:{}",
    ];
    !falsy.contains(&value)
}

/// The id of the session in the value of its cookie; `None` where that cannot be one. PHP decodes
/// the value, since ids of 8 and later may have a comma in them; what it takes for empty is not an
/// id.
fn id_in(token: &[u8]) -> Option<Vec<u8>> {
    let id = (token.len() <= LONGEST_TOKEN).then(|| percent_decode(token).collect());
    id.filter(|id: &Vec<u8>| !matches!(&**id, b"" | b"0"))
}

/// What Drupal keeps of the session `id` (`drupal_hash_base64`, `Crypt::hashBase64`).
fn hashed(id: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(id))
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        _now: SystemTime,
    ) -> Result<Login, Stop> {
        let id = id_in(token).ok_or(Reason::NoSession)?;
        let stored = match self.keeps_ids(queries)? {
            true => String::from_utf8(id).map_err(|_| Reason::NoSession)?,
            false => hashed(&id),
        };
        let Some(mut row) = self.row(queries, &stored)? else {
            return Err(Reason::NoSession.into());
        };
        let (user, format) = if self.drupal.version.is_7() {
            (row.take(1).integer_like(), "")
        } else {
            let data = bytes(row.take(1)).unwrap_or_default();
            let user = drupal::user(&data);
            let told = || match &user {
                Ok(_) => "it is what PHP writes".to_owned(),
                Err(wrong) => wrong.to_string(),
            };
            queries.tracer().decided("data", user.is_ok(), told);
            (user.map_err(|_| Reason::InvalidSession)?, "PHP")
        };
        let Some(user) = user.filter(|user| *user > 0) else {
            return Err(Reason::AnonymousSession.into());
        };
        Ok(Login {
            key: user.to_string(),
            auth_hash: None,
            expires: None,
            decoded: Decoding {
                store: "the table sessions",
                container: "",
                format,
            },
            from_token: false,
        })
    }

    /// In 7 its variables count, too.
    fn look_up(&self, token: &[u8]) -> Option<(LookUp, Value)> {
        if self.drupal.version.is_7() {
            return None;
        }
        let stored = hashed(&id_in(token)?);
        Some((self.by_id.clone(), stored.into()))
    }

    fn asks_only_database(&self) -> bool {
        true
    }

    /// Ids cannot be had from their hashes.
    fn sample(&mut self, _queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        Ok(None)
    }

    fn needs(&self) -> Vec<Required> {
        let full = |name| self.drupal.prefix.name(name);
        let key = "drupal.prefix";
        match self.drupal.version.is_7() {
            true => vec![
                Required::table(full("sessions"), key, &[self.column, "uid"]),
                Required::optional_table(full("variable"), key, &["name", "value"]),
            ],
            false => vec![Required::table(full("sessions"), key, &["sid", "session"])],
        }
    }

    /// Sessions say nothing of the password: a new one deletes them.
    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cookie of Drupal 10.3.10, and the row that it wrote.
    #[test]
    fn ids_are_kept_as_recorded() {
        let id = b"1f5AgWllmrlPuIPxDp2w2Ot1MHQu9,UQaLYteahnli7EoKGb";
        let encoded = b"1f5AgWllmrlPuIPxDp2w2Ot1MHQu9%2CUQaLYteahnli7EoKGb";
        assert_eq!(percent_decode(encoded).collect::<Vec<u8>>(), id);
        assert_eq!(hashed(id).len(), 43);
        assert!(hashed(id).starts_with("IebSBO"));
    }

    #[test]
    fn variables_are_true_as_php_has_them() {
        for value in ["b:1;", "i:1;", "s:1:\"1\";"] {
            assert!(is_true(value.as_bytes()), "{value}");
        }
        for value in ["", "N;", "b:0;", "i:0;", "s:1:\"0\";", "s:0:\"\";"] {
            assert!(!is_true(value.as_bytes()), "{value}");
        }
    }
}
