//! Reads remembered logins: the cookie of Devise's `rememberable`, and Redmine's `autologin`.
//!
//! Sources: `Strategies::Rememberable` and `Models::Rememberable` of Devise 4.8; `try_to_autologin` of
//! application_controller.rb and `Token.find_token` of Redmine 5.0.

use std::time::{Duration, SystemTime};

use hallpass_sessions::rails::{DeviseRecaller, Keyring, Serializer, SignedDigest};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::moment::moment;
use super::sessions::salt_of;
use super::settings::Devise;
use super::statements::KeyKind;
use crate::{Decoding, Login, Required, quoted, quoted_table};

/// The remembered logins of a model of Devise's.
#[derive(Debug)]
pub(super) struct Remembered {
    keyring: Keyring,
    digest: SignedDigest,
    pub(super) cookie_name: String,
    serializer: Serializer,
    zone: Option<TimeZone>,
    devise: Devise,
    /// Made at the first use. `Some(None)` where the model has none.
    statement: Option<Option<Statement>>,
}

/// The statement that reads an account's row: key, `remember_created_at`, hash, and `remember_token`
/// where there is one.
#[derive(Clone, Debug)]
struct Statement {
    text: String,
    key: KeyKind,
    has_token: bool,
}

impl Remembered {
    pub(super) fn new(
        keyring: Keyring,
        digest: SignedDigest,
        serializer: Serializer,
        zone: Option<TimeZone>,
        devise: &Devise,
    ) -> Self {
        Self {
            keyring,
            digest,
            cookie_name: devise.remember_cookie_name.clone(),
            serializer,
            zone,
            devise: devise.clone(),
            statement: None,
        }
    }

    fn statement(&mut self, queries: &mut Queries<'_>) -> Result<Option<Statement>, Unavailable> {
        if let Some(made) = &self.statement {
            return Ok(made.clone());
        }
        let devise = &self.devise;
        let known = queries.columns(&devise.table)?;
        let column = |name: &str| known.iter().find(|column| column.name == name);
        let created = column("remember_created_at");
        // What the configuration asks for is read in any case: without it the site is unavailable.
        let statement = devise.rememberable.unwrap_or(created.is_some()).then(|| {
            let plain = quoted("remember_created_at");
            let created = match created {
                Some(column) => queries.seconds_of(&plain, &column.kind),
                None => plain,
            };
            let has_token = column("remember_token").is_some();
            let token = if has_token {
                quoted("remember_token")
            } else {
                "NULL".to_owned()
            };
            let (id, password) = (quoted(&devise.id), quoted(&devise.password));
            let table = quoted_table(&devise.table);
            Statement {
                text: format!(
                    "SELECT {id}, {created}, {password}, {token} FROM {table} WHERE {id} = :id"
                ),
                key: KeyKind::of(&known, &devise.id),
                has_token,
            }
        });
        self.statement = Some(statement.clone());
        Ok(statement)
    }

    /// Who is logged in by the value of the remembered login's cookie, percent-encoding undone. Where
    /// a session timed out, its `owner` alone counts (`remember_me_is_active?`).
    pub(super) fn login(
        &mut self,
        queries: &mut Queries<'_>,
        cookie: &str,
        owner: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<Login>, Unavailable> {
        let opened = self
            .keyring
            .open_signed(&self.cookie_name, cookie, self.digest);
        let read = opened.and_then(|(payload, expires)| {
            Ok((DeviseRecaller::read(&payload, self.serializer)?, expires))
        });
        let (recaller, expires) = match read {
            Ok(read) => read,
            Err(invalid) => {
                let told = || invalid.to_string();
                queries.tracer().decided("remember", false, told);
                return Ok(None);
            }
        };
        let end = recaller.generated_at.checked_add(self.devise.remember_for);
        let end = end.into_iter().chain(expires).min();
        let lives = end.is_none_or(|end| now < end) && owner.is_none_or(|it| it == recaller.key);
        let holds = lives && self.is_of_account(queries, &recaller)?;
        let told = || match (lives, holds) {
            (false, _) => "the remembered login has ended, or is another account's".to_owned(),
            (true, false) => "the account's row has another token, or none".to_owned(),
            (true, true) => format!("the account {} is remembered", recaller.key),
        };
        if !queries.tracer().decided("remember", holds, told) {
            return Ok(None);
        }
        Ok(Some(Login {
            key: recaller.key,
            // Its token has been compared.
            auth_hash: None,
            expires: end,
            decoded: REMEMBERED,
            from_token: false,
        }))
    }

    /// Whether the account's row has the token of `recaller`, and remembers logins since before it
    /// (`remember_me?`).
    fn is_of_account(
        &mut self,
        queries: &mut Queries<'_>,
        recaller: &DeviseRecaller,
    ) -> Result<bool, Unavailable> {
        let Some(statement) = self.statement(queries)? else {
            return Ok(false);
        };
        let Some(key) = statement.key.value(&recaller.key) else {
            return Ok(false);
        };
        let mut rows = queries.rows(&statement.text, &[(":id", key)], 2)?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(false);
        };
        let id = match row.take(0) {
            Value::Integer(id) => id.to_string(),
            Value::Text(id) => id,
            _ => return Ok(false),
        };
        let created = moment(&row.take(1), self.zone.as_ref());
        let (password, token) = (row.text(2), row.text(3));
        let own = match statement.has_token {
            true => token.map(Zeroizing::new),
            false => password.as_deref().map(salt_of),
        };
        // A blank one is none.
        let own = own.filter(|own| !own.trim().is_empty());
        let since = created.is_some_and(|created| created < recaller.generated_at);
        let same = own.is_some_and(|own| own.as_bytes().ct_eq(recaller.token.as_bytes()).into());
        Ok(since && same && statement.key.is_same(&id, &recaller.key))
    }

    /// What the database must have for them, where the configuration asks for them.
    pub(super) fn needed(&self) -> Option<Required> {
        let devise = &self.devise;
        let columns = [&*devise.id, &devise.password, "remember_created_at"];
        (devise.rememberable == Some(true))
            .then(|| Required::table(&*devise.table, "rails.user_table", &columns))
    }
}

/// How a remembered login was read.
pub(super) const REMEMBERED: Decoding = Decoding {
    store: "the cookie of a remembered login",
    container: "",
    format: "",
};

/// How long a token of `autologin` counts: `days` of the setting of that name, where `created` tells
/// when that began. `None` where it does not count at all.
pub(super) fn autologin_end(created: Option<SystemTime>, days: u64) -> Option<SystemTime> {
    let length = Duration::from_secs(days.checked_mul(super::redmine::DAY)?);
    (days > 0).then(|| created?.checked_add(length)).flatten()
}
