//! Reads `[express]`: the secrets and the store of express-session, or the tables of Auth.js.

use hallpass_settings::{Error, SecretSource, Table, UrlOr};
use hallpass_stores::sql::Location;
use hallpass_stores::{Secret, cache, sql};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::cache::CacheTable;
use crate::http::is_token;
use crate::member::{self, SessionUser};
use crate::secret;

/// The table.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct ExpressTable {
    /// All that express-session gets as `secret`: each may have signed a cookie. Required, but with
    /// `preset = "authjs"`, which signs none.
    secrets: Vec<SecretSource>,
    /// `"authjs"`: the sessions of Auth.js (or NextAuth.js) in a database, in place of those of
    /// express-session. See *Auth.js*.
    preset: Option<Preset>,
    /// The name of the session cookie.
    #[cfg_attr(feature = "schema", schemars(extend(
        "x-default" = "`\"connect.sid\"`; `\"authjs.session-token\"` of the preset"
    )))]
    session_cookie_name: Option<String>,
    /// `"redis"`: connect-redis; `"sql"`: connect-pg-simple, express-mysql-session and their like.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`\"redis\"`, or `\"sql\"` where `cache` is missing")))]
    session_store: Option<SessionStore>,
    /// The Redis that sessions are in, for `session_store = "redis"`.
    cache: Option<UrlOr<CacheTable>>,
    /// The `prefix` of connect-redis.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`\"sess:\"`")))]
    session_prefix: Option<String>,
    /// The table of sessions, which may be `"schema.table"`.
    #[cfg_attr(feature = "schema", schemars(extend(
        "x-default" = "`\"session\"` of connect-pg-simple, or `\"sessions\"` of \
                       express-mysql-session where that is there; `\"Session\"` of the preset"
    )))]
    session_table: Option<String>,
    /// Its column of ids.
    #[cfg_attr(feature = "schema", schemars(extend(
        "x-default" = "`sid` or `session_id`, as the table has it; `sessionToken` of the preset"
    )))]
    id_column: Option<String>,
    /// Its column of JSON.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`sess` or `data`, likewise")))]
    data_column: Option<String>,
    /// Its column of the times at which sessions end: a number of seconds (of milliseconds where it
    /// is that large), or a datetime.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`expire` or `expires`, likewise")))]
    expires_column: Option<String>,
    /// Its column of accounts' ids, for the preset.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`userId`")))]
    user_column: Option<String>,
    /// The zone of datetimes without one in that column.
    #[cfg_attr(feature = "schema", schemars(extend(
        "x-default" = "PostgreSQL's own, which connect-pg-simple goes by; UTC elsewhere, and of the preset"
    )))]
    time_zone: Option<String>,
    /// The path to the account's id in the session, which `user_by_id` of `[custom]` finds.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`\"passport.user\"`")))]
    user_id: Option<String>,
    /// Instead, the path to the login name.
    user: Option<String>,
}

/// Software whose sessions are not those of express-session.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum Preset {
    AuthJs,
}

/// Where express-session keeps sessions.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum SessionStore {
    Redis,
    Sql,
}

/// A site in Express.
#[derive(Debug)]
pub(super) struct Express {
    /// What may have signed a cookie.
    pub(super) secrets: Vec<Secret>,
    pub(super) cookie_name: String,
    pub(super) store: ExpressStore,
    /// Where a session has its account; `None` where a column has.
    pub(super) user: Option<SessionUser>,
}

/// Where sessions are.
#[derive(Debug)]
pub(super) enum ExpressStore {
    /// connect-redis
    Redis {
        settings: Box<cache::Settings>,
        prefix: String,
    },
    /// A row for each session, with its JSON.
    Table(SessionColumns),
    /// A row for each session, with its account: Auth.js.
    Tokens(SessionColumns),
}

/// A table of sessions, as far as the configuration names it. All are identifiers without quotes.
#[derive(Clone, Debug)]
pub(super) struct SessionColumns {
    pub(super) table: Option<String>,
    pub(super) id: Option<String>,
    /// The column of JSON, or of accounts' ids.
    pub(super) data: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) zone: Option<TimeZone>,
    /// Whether the site's database is MySQL or MariaDB, where express-mysql-session's table is usual.
    pub(super) in_mysql: bool,
}

impl Express {
    /// Reads the table, of a site whose database is at `location`. Whether sessions are `read` by what
    /// it says.
    pub(super) fn read(table: &Table<'_>, location: &Location, read: bool) -> Result<Self, Error> {
        let mut given: ExpressTable = table.read()?;
        let mut secrets = Vec::new();
        for source in std::mem::take(&mut given.secrets) {
            secrets.extend(secret(table, "secrets", Some(source))?);
        }
        let is_authjs = given.preset == Some(Preset::AuthJs);
        given.check(table, is_authjs)?;
        let user = match (&given.user_id, &given.user) {
            _ if is_authjs => None,
            (None, Some(name)) => Some(SessionUser::Name(member::path(table, "user", name)?)),
            (id, _) => {
                let id = id.as_deref().unwrap_or("passport.user");
                Some(SessionUser::Id(member::path(table, "user_id", id)?))
            }
        };
        let usual = if is_authjs {
            "authjs.session-token"
        } else {
            "connect.sid"
        };
        let cookie_name = given.session_cookie_name.clone();
        Ok(Self {
            secrets,
            cookie_name: cookie_name.unwrap_or_else(|| usual.to_owned()),
            store: given.store(table, location, is_authjs, read)?,
            user,
        })
    }
}

impl ExpressTable {
    /// Refuses keys that have no effect, and names that are not valid.
    fn check(&self, table: &Table<'_>, is_authjs: bool) -> Result<(), Error> {
        if let Some(name) = &self.session_cookie_name
            && !is_token(name)
        {
            return Err(table.wrong("session_cookie_name", "is not a valid cookie name"));
        }
        if self.user.is_some() && self.user_id.is_some() {
            return Err(table.wrong("user_id", "is given beside `user`; one of them counts"));
        }
        let unused: &[&str] = if is_authjs {
            &[
                "secrets",
                "session_store",
                "cache",
                "session_prefix",
                "data_column",
                "user_id",
                "user",
            ]
        } else {
            &["user_column"]
        };
        if let Some(key) = unused.iter().find(|key| table.has(key)) {
            let message = if is_authjs {
                "has no effect with preset = \"authjs\""
            } else {
                "has no effect without preset = \"authjs\""
            };
            return Err(table.wrong(key, message));
        }
        for (key, name) in [
            ("session_table", &self.session_table),
            ("id_column", &self.id_column),
            ("data_column", &self.data_column),
            ("expires_column", &self.expires_column),
            ("user_column", &self.user_column),
        ] {
            let Some(name) = name else {
                continue;
            };
            let valid = match key {
                "session_table" => sql::TableName::parse(name).is_some(),
                _ => sql::identifier(name).is_some(),
            };
            if !valid {
                return Err(table.wrong(key, "is not a valid name of a table or column"));
            }
        }
        Ok(())
    }

    fn store(
        mut self,
        table: &Table<'_>,
        location: &Location,
        is_authjs: bool,
        read: bool,
    ) -> Result<ExpressStore, Error> {
        let cache = crate::cache::resolve(&table.section("cache")?, self.cache.take())?;
        let store = self.session_store.unwrap_or(match cache {
            Some(_) => SessionStore::Redis,
            None => SessionStore::Sql,
        });
        let in_redis = store == SessionStore::Redis && !is_authjs && read;
        if in_redis {
            for key in [
                "session_table",
                "id_column",
                "data_column",
                "expires_column",
                "time_zone",
            ] {
                if table.has(key) {
                    let message = "has no effect with session_store = \"redis\"";
                    return Err(table.wrong(key, message));
                }
            }
            let prefix = self.session_prefix.take();
            return Ok(ExpressStore::Redis {
                settings: member::redis(table, cache)?,
                prefix: prefix.unwrap_or_else(|| "sess:".to_owned()),
            });
        }
        let zone = match &self.time_zone {
            None => None,
            Some(name) => {
                let message = "is unknown to this system's time zone database";
                let zone = TimeZone::get(name).map_err(|_| table.wrong("time_zone", message));
                Some(zone?)
            }
        };
        let columns = SessionColumns {
            table: self.session_table,
            id: self.id_column,
            data: self.data_column,
            expires: self.expires_column,
            zone,
            in_mysql: matches!(location, Location::Mysql(_)),
        };
        if !is_authjs {
            return Ok(ExpressStore::Table(columns));
        }
        // The model that @auth/prisma-adapter and Auth.js' own documentation have.
        let or = |name: Option<String>, usual: &str| Some(name.unwrap_or_else(|| usual.to_owned()));
        Ok(ExpressStore::Tokens(SessionColumns {
            table: or(columns.table, "Session"),
            id: or(columns.id, "sessionToken"),
            data: or(self.user_column, "userId"),
            expires: or(columns.expires, "expires"),
            zone: Some(columns.zone.unwrap_or(TimeZone::UTC)),
            in_mysql: columns.in_mysql,
        }))
    }
}
