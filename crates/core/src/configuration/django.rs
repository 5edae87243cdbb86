//! `[django]`: Django's own setting names, in lower case.

use std::iter;

use hallpass_sessions::django::SESSION_SALT;
use hallpass_stores::sql;
use jiff::tz::TimeZone;

use super::Error;
use super::section::Section;
use crate::Secret;

/// A Django site.
#[derive(Debug)]
pub struct Django {
    /// `SECRET_KEY` first, then its fallbacks. Empty where none is configured.
    pub secret_keys: Vec<Secret>,
    /// `SESSION_COOKIE_NAME`
    pub session_cookie_name: String,
    /// `AUTHENTICATION_BACKENDS`; `None` for any.
    pub authentication_backends: Option<Vec<String>>,
    /// The user model's tables.
    pub user: UserTable,
    /// The table of sessions, as a quoted identifier.
    pub session_table: String,
    /// The salt that sessions are signed with.
    pub session_key_salt: String,
    /// The zone of datetimes without one; `None` for UTC.
    pub time_zone: Option<TimeZone>,
    /// The algorithms that are allowed; `None` for all that Django ever shipped.
    pub password_hashers: Option<Vec<String>>,
    /// What is done to a typed name before it is looked up.
    pub normalize: Normalization,
    /// Whether sessions are read without checking who signed them.
    pub trust_session_store: bool,
}

/// What is done to a typed name before it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalization {
    /// Unicode NFKC, as Django's login form does.
    Nfkc,
    /// Nothing, as Django's `authenticate` does.
    None,
}

/// The user model's tables and columns, all but the table names unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTable {
    /// The table of users, unquoted.
    pub table: String,
    /// The primary key.
    pub id: String,
    /// `USERNAME_FIELD`
    pub username: String,
    /// The encoded password.
    pub password: String,
    /// Whether the account is active; `None` where the model has no such field.
    pub active: Option<String>,
    /// The e-mail address; `None` where the model may or may not have `email`.
    pub email: Option<String>,
    /// The table that maps users to groups; `None` for `<user_table>_groups`, if there is one.
    pub groups_table: Option<String>,
    /// The table that maps users to permissions; `None` for `<user_table>_user_permissions`, if
    /// there is one.
    pub permissions_table: Option<String>,
    /// The column in both that holds the user.
    pub foreign_key: String,
}

impl UserTable {
    /// The tables of `django.contrib.auth.models.User`.
    #[must_use]
    pub fn contrib() -> Self {
        Self {
            table: "auth_user".to_owned(),
            id: "id".to_owned(),
            username: "username".to_owned(),
            password: "password".to_owned(),
            active: Some("is_active".to_owned()),
            email: None,
            groups_table: None,
            permissions_table: None,
            foreign_key: "user_id".to_owned(),
        }
    }

    fn read(section: &mut Section<'_>) -> Result<Self, Error> {
        let mut name = |key, default: String| -> Result<String, Error> {
            let name = section.string(key)?.unwrap_or(default);
            if sql::identifier(&name).is_none() {
                return Err(section.wrong(key, "no table or column can be called that"));
            }
            Ok(name)
        };
        let default = Self::contrib();
        let table = name("user_table", default.table)?;
        let id = name("user_id_column", default.id)?;
        let username = name("username_column", default.username)?;
        let password = name("password_column", default.password)?;
        let foreign_key = name("user_foreign_key", default.foreign_key)?;
        let mut optional = |key| -> Result<Option<String>, Error> {
            let name = section.string(key)?;
            if name
                .as_ref()
                .is_some_and(|name| sql::identifier(name).is_none())
            {
                return Err(section.wrong(key, "no table or column can be called that"));
            }
            Ok(name)
        };
        let email = optional("email_column")?;
        let groups_table = optional("groups_table")?;
        let permissions_table = optional("permissions_table")?;
        let active = match section.string("active_column")? {
            None => default.active,
            Some(name) if name.is_empty() => None,
            Some(name) if sql::identifier(&name).is_none() => {
                return Err(section.wrong("active_column", "no column can be called that"));
            }
            Some(name) => Some(name),
        };
        Ok(Self {
            table,
            id,
            username,
            password,
            active,
            email,
            groups_table,
            permissions_table,
            foreign_key,
        })
    }
}

impl Django {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        check_version(&mut section)?;
        match section.string("session_engine")?.as_deref().map(last_word) {
            None | Some("db") => {}
            Some("cached_db" | "cache" | "file" | "signed_cookies") => {
                return Err(section.wrong("session_engine", "this version reads \"db\" alone"));
            }
            Some(_) => {
                let message = "is none of Django's: db, cached_db, cache, file, signed_cookies";
                return Err(section.wrong("session_engine", message));
            }
        }
        let time_zone = match section.string("time_zone")?.as_deref() {
            None | Some("UTC") => None,
            Some(name) => Some(TimeZone::get(name).map_err(|_| {
                section.wrong(
                    "time_zone",
                    "is no zone of this system's time zone database",
                )
            })?),
        };
        // Known, so that a site's settings can be written down whole; the `db` engine keeps the
        // end of each session in its row.
        section.seconds("session_cookie_age")?;
        let secret_key = section.secret("secret_key")?;
        let fallbacks = section.secrets("secret_key_fallbacks")?;
        let session_table = section.string("session_table")?;
        let session_table =
            sql::identifier(session_table.as_deref().unwrap_or("django_session"))
                .ok_or_else(|| section.wrong("session_table", "no table can be called that"))?;
        let session_cookie_name = section
            .string("session_cookie_name")?
            .unwrap_or_else(|| "sessionid".to_owned());
        if session_cookie_name.is_empty() {
            return Err(section.wrong("session_cookie_name", "is empty"));
        }
        let normalize = match section.string("normalize")?.as_deref() {
            None | Some("none") => Normalization::None,
            Some("nfkc") => Normalization::Nfkc,
            Some(_) => return Err(section.wrong("normalize", "is neither \"none\" nor \"nfkc\"")),
        };
        let django = Self {
            // Django has no site without the first.
            secret_keys: secret_key
                .map(|key| iter::once(key).chain(fallbacks).collect())
                .unwrap_or_default(),
            session_cookie_name,
            authentication_backends: section.strings("authentication_backends")?,
            user: UserTable::read(&mut section)?,
            session_table,
            session_key_salt: section
                .string("session_key_salt")?
                .unwrap_or_else(|| SESSION_SALT.to_owned()),
            time_zone,
            password_hashers: section.strings("password_hashers")?,
            normalize,
            trust_session_store: section.boolean("trust_session_store")?.unwrap_or(false),
        };
        section.finish()?;
        Ok(django)
    }
}

/// The site's Django decides which session containers are legal. The ones of 4.0 and later are
/// read.
fn check_version(section: &mut Section<'_>) -> Result<(), Error> {
    let Some(version) = section.string("version")? else {
        return Ok(());
    };
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match numbers.next() {
        Some(Ok(major)) if numbers.all(|number| number.is_ok()) => {
            if major < 4 {
                let message = "this version reads the sessions of Django 4.0 and later alone";
                return Err(section.wrong("version", message));
            }
            Ok(())
        }
        _ => Err(section.wrong("version", "is not a version, as in \"5.2\"")),
    }
}

fn last_word(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}
