//! Reads `[joomla]`: what the site's `configuration.php` says, under the same names.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hallpass_settings::{Error, Fallback, LooseText, SecretSource, Table, fields};
use hallpass_stores::cache::{self, Login, RedisServers, Store};
use hallpass_stores::sql::Settings;
use hallpass_stores::{Address, Secret, Tls, TlsMode};
use md5::{Digest, Md5};

use serde::Deserialize;

use crate::http::is_token;
use crate::php::settings::usual_owners;
use crate::secret;
use crate::site_file::{self, Kind, SiteFile, filled, number, prefix};

/// What `$lifetime` is where the file does not say, in minutes.
const LIFETIME: u32 = 15;
/// How long a cache may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What its file's settings are the properties of.
pub(super) const CLASS: Option<&str> = Some("JConfig");

/// The keys that are Hallpass' own.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct JoomlaTable {
    /// The site's own file, relative to this one.
    pub(super) configuration: Option<String>,
    /// Whose sessions count: those of `"site"`, or of `"administrator"`.
    client: JoomlaClient,
    /// The name of the session cookie.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "from `secret` and `session_name`")))]
    session_cookie_name: Option<String>,
    /// The site's Joomla. Before 4 it knows other hashes: `{SHA256}`, but not `$H$` and `crypt`;
    /// and its sessions in caches have the keys of PHP's own handlers, not `jfw…`. Without it,
    /// both keys are tried.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the newest rules")))]
    version: Option<String>,
    /// Whether accounts that must choose a new password are accepted.
    allow_require_reset: bool,
    /// Whether accounts that must pass or set up a second factor are let in without it.
    allow_missing_second_factor: bool,
}

impl Default for JoomlaTable {
    fn default() -> Self {
        Self {
            configuration: None,
            client: JoomlaClient::Site,
            session_cookie_name: None,
            version: None,
            allow_require_reset: false,
            allow_missing_second_factor: false,
        }
    }
}

/// The keys that stand in the site's own file under the same names.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct JoomlaFile {
    /// `mysqli`, `mysql`, `pdomysql`, `pgsql`, `postgresql`.
    dbtype: Option<LooseText>,
    /// A name, an address, either with `:port`, `[::1]:port`, `name:/path/of/a.sock`,
    /// `unix:/path`. `localhost` is the socket of Debian's server, else TCP.
    host: Option<LooseText>,
    /// The database's user.
    user: Option<LooseText>,
    /// The database's password.
    password: Option<SecretSource>,
    /// The database's name.
    db: Option<LooseText>,
    /// The prefix of the site's tables.
    dbprefix: Option<LooseText>,
    /// Whether connections use TLS, as in Joomla 4.
    dbencryption: Option<LooseText>,
    /// A file of trusted certificates, in PEM.
    dbsslca: Option<LooseText>,
    /// Whether the server's certificate must be signed by one of them, and name the host.
    dbsslverifyservercert: Option<LooseText>,
    /// The session cookie's name comes from it, and from `session_name`.
    secret: Option<SecretSource>,
    /// The session's name; without it, the word in `client`.
    session_name: Option<LooseText>,
    /// How long a session lives after its last request, in minutes.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "15")))]
    lifetime: Option<LooseText>,
    /// `database`, `redis`, `memcached`, `memcache` (before 4), `filesystem`, `none`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"database\"")))]
    session_handler: Option<LooseText>,
    /// The directory of sessions. For `filesystem` and `none` without a path, give PHP's
    /// `session.save_path` here.
    session_filesystem_path: Option<LooseText>,
    /// The Redis server.
    session_redis_server_host: Option<LooseText>,
    /// Its port.
    session_redis_server_port: Option<LooseText>,
    /// Its password.
    session_redis_server_auth: Option<SecretSource>,
    /// The number of its database.
    session_redis_server_db: Option<LooseText>,
    /// The memcached server.
    session_memcached_server_host: Option<LooseText>,
    /// Its port.
    session_memcached_server_port: Option<LooseText>,
    /// The memcached server, for `memcache`.
    session_memcache_server_host: Option<LooseText>,
    /// Its port.
    session_memcache_server_port: Option<LooseText>,
    /// Whether `#__session` has a row for each session.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "true")))]
    session_metadata: Option<LooseText>,
    /// Whether the site and the back end share their sessions.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "false")))]
    shared_session: Option<LooseText>,
}

/// A Joomla site.
#[derive(Debug)]
pub struct Joomla {
    /// `$dbprefix`: letters, digits and underscores.
    pub prefix: String,
    /// Which of the two applications the sessions are of.
    pub client: JoomlaClient,
    /// The name of the session cookie; `None` where neither it nor `$secret` is known.
    pub session_cookie_name: Option<String>,
    /// How long a session lives after its last request.
    pub lifetime: Duration,
    /// `$session_handler`: what has the sessions' data.
    pub sessions: JoomlaSessions,
    /// `$session_metadata`: whether `#__session` has a row for each session.
    pub session_metadata: bool,
    /// `$shared_session`: whether both applications share their sessions.
    pub shared_session: bool,
    /// The major version of the site's Joomla, where it is said. Before 4 it knows other hashes,
    /// and has its sessions in caches under other keys.
    pub major: Option<u32>,
    /// Whether accounts that must choose a new password are let in all the same.
    pub allow_require_reset: bool,
    /// Whether accounts with a second factor are let in without it.
    pub allow_missing_second_factor: bool,
}

/// One of Joomla's applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum JoomlaClient {
    /// The site itself; `client_id` is 0.
    Site,
    /// The back end; `client_id` is 1.
    Administrator,
}

/// What has the sessions' data.
#[derive(Debug)]
pub enum JoomlaSessions {
    /// `#__session`.
    Database,
    /// Files of PHP's.
    Files {
        /// Their directory.
        directory: PathBuf,
        /// The ids of the users whose files are sessions, where it is world-writable.
        owners: Vec<u32>,
    },
    /// Redis or memcached, and what Joomla asks it by.
    Cache(Box<cache::Settings>, JoomlaCache),
    /// Files of PHP's, whose directory only PHP's own settings name.
    Unplaced,
    /// Something that cannot be asked from outside PHP (APCu, `WinCache`): its name.
    Unreachable(String),
}

/// What Joomla asks a cache by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoomlaCache {
    /// pecl/memcache; before 4 alone.
    Memcache,
    /// pecl/memcached.
    Memcached,
    /// phpredis.
    Redis,
}

impl Joomla {
    /// Reads the table; the site's database is what comes with it, unless one is `given`.
    pub(super) fn read(
        table: &Table<'_>,
        given: Option<Settings>,
    ) -> Result<(Self, Settings), Error> {
        let own: JoomlaTable = table.read_beside(fields::<JoomlaFile>(), None)?;
        let path = own.configuration.as_deref();
        let site_file = path
            .map(|path| SiteFile::read(table, path, CLASS))
            .transpose()?;
        let fallback = site_file.as_ref().map(|file| file as &dyn Fallback);
        let mut file: JoomlaFile = table.read_beside(fields::<JoomlaTable>(), fallback)?;
        let database = file.database(table)?;
        let database = match given {
            Some(given) => given,
            None => database?,
        };
        if let Some(name) = &own.session_cookie_name
            && !is_token(name)
        {
            return Err(table.wrong("session_cookie_name", "is not a valid cookie name"));
        }
        let secret = secret(table, "secret", file.secret.take())?;
        let session_cookie_name = own.session_cookie_name.or_else(|| {
            let name = filled(&file.session_name).unwrap_or(match own.client {
                JoomlaClient::Administrator => "administrator",
                JoomlaClient::Site => "site",
            });
            Some(cookie_name_of(secret.as_ref()?, name))
        });
        let lifetime = number(table, "lifetime", &file.lifetime)?.filter(|minutes| *minutes > 0);
        let lifetime = Duration::from_secs(u64::from(lifetime.unwrap_or(LIFETIME)) * 60);
        let major = |version: String| {
            let major = version
                .split('.')
                .next()
                .and_then(|major| major.parse().ok());
            major.ok_or_else(|| table.wrong("version", "is not a version, as in \"4.4\""))
        };
        let truth =
            |text: &Option<LooseText>, usual| text.as_ref().map_or(usual, LooseText::is_true);
        let directory = site_file::directory(table, own.configuration.as_deref());
        let joomla = Self {
            prefix: prefix(table, "dbprefix", &file.dbprefix)?,
            client: own.client,
            session_cookie_name,
            lifetime,
            sessions: file.sessions(table, &directory)?,
            session_metadata: truth(&file.session_metadata, true),
            shared_session: truth(&file.shared_session, false),
            major: own.version.map(major).transpose()?,
            allow_require_reset: own.allow_require_reset,
            allow_missing_second_factor: own.allow_missing_second_factor,
        };
        Ok((joomla, database))
    }

    /// The key that is missing to read sessions.
    #[must_use]
    pub(super) fn missing_for_sessions(&self) -> Option<&'static str> {
        match (&self.session_cookie_name, &self.sessions) {
            (None, _) => Some("joomla.secret"),
            (Some(_), JoomlaSessions::Unplaced) => Some("joomla.session_filesystem_path"),
            (Some(_), JoomlaSessions::Unreachable(_)) => Some("joomla.session_handler"),
            (Some(_), _) => None,
        }
    }
}

/// The site's own file, where `table` names one.
pub(super) fn site_file<'a>(table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
    let own: JoomlaTable = table.read_beside(fields::<JoomlaFile>(), None)?;
    let path = own.configuration.as_deref();
    path.map(|path| SiteFile::read(table, path, CLASS))
        .transpose()
}

/// The name that Joomla gives its session cookie: the MD5 of the MD5 of secret and session name
/// (libraries/src/Application/ApplicationHelper.php and libraries/src/Session/Session.php of
/// 4.4, and the same since 1.5).
fn cookie_name_of(secret: &Secret, session_name: &str) -> String {
    let hex = |digest: [u8; 16]| format!("{:032x}", u128::from_be_bytes(digest));
    let inner: [u8; 16] = Md5::new()
        .chain_update(secret.expose())
        .chain_update(session_name)
        .finalize()
        .into();
    hex(Md5::digest(hex(inner)).into())
}

impl JoomlaFile {
    /// What it says about the database; why that cannot be used, where another is given, does not
    /// matter.
    fn database(&mut self, table: &Table<'_>) -> Result<Result<Settings, Error>, Error> {
        let password = secret(table, "password", self.password.take())?;
        let encryption = number(table, "dbencryption", &self.dbencryption)?.unwrap_or(0);
        let missing = |key| {
            let message = "is missing; it stands in the site's configuration.php, which \
                           `configuration` names";
            Ok(Err(table.wrong(key, message)))
        };
        let kind = match filled(&self.dbtype) {
            Some("mysqli" | "mysql" | "pdomysql") => Kind::Mysql,
            Some("pgsql" | "postgresql") => Kind::Postgres,
            None => return missing("dbtype"),
            Some(_) => {
                let message = "is none of \"mysqli\", \"mysql\", \"pdomysql\", \"pgsql\", \
                               \"postgresql\", which are read here";
                return Ok(Err(table.wrong("dbtype", message)));
            }
        };
        let Some(name) = filled(&self.db) else {
            return missing("db");
        };
        let (host, port) = split_host(filled(&self.host).unwrap_or("localhost"));
        let addresses = match site_file::addresses(kind, host, port) {
            Ok(addresses) => addresses,
            Err(message) => return Ok(Err(table.wrong("host", message))),
        };
        let user = filled(&self.user).map(str::to_owned);
        let mut settings = site_file::settings(kind, addresses, name.to_owned(), user, password);
        if encryption > 0 {
            let verify = &self.dbsslverifyservercert;
            settings.tls = Tls {
                mode: match verify.as_ref().is_some_and(LooseText::is_true) {
                    true => TlsMode::VerifyFull,
                    false => TlsMode::Require,
                },
                ca: filled(&self.dbsslca).map(PathBuf::from),
            };
        }
        Ok(Ok(settings))
    }

    /// What has the sessions' data (libraries/src/Session/SessionFactory.php of 4.4, and
    /// libraries/joomla/session/storage of 3.10). What is said of other handlers is not looked at:
    /// Joomla's form leaves it as it was.
    fn sessions(&mut self, table: &Table<'_>, directory: &Path) -> Result<JoomlaSessions, Error> {
        let cache = |store, client| {
            let settings = cache::Settings {
                store,
                connect_timeout: TIMEOUT,
                query_timeout: TIMEOUT,
            };
            JoomlaSessions::Cache(Box::new(settings), client)
        };
        let login = |password| {
            Arc::new(Login {
                username: None,
                password,
            })
        };
        Ok(match filled(&self.session_handler) {
            None | Some("database") => JoomlaSessions::Database,
            Some("redis") => {
                let redis = server(
                    table,
                    &self.session_redis_server_host,
                    ("session_redis_server_port", &self.session_redis_server_port),
                    6379,
                )?;
                let password = self.session_redis_server_auth.take();
                let password = secret(table, "session_redis_server_auth", password)?;
                let key = "session_redis_server_db";
                let database = number(table, key, &self.session_redis_server_db)?;
                let store = Store::Redis {
                    servers: RedisServers::Replicated(vec![redis]),
                    login: password.map(login),
                    database: database.unwrap_or(0),
                    tls: Tls {
                        mode: TlsMode::Disable,
                        ..Tls::default()
                    },
                };
                cache(store, JoomlaCache::Redis)
            }
            Some("memcached") => {
                let port = &self.session_memcached_server_port;
                let server = server(
                    table,
                    &self.session_memcached_server_host,
                    ("session_memcached_server_port", port),
                    11211,
                )?;
                cache(Store::Memcached(vec![server]), JoomlaCache::Memcached)
            }
            Some("memcache") => {
                let port = &self.session_memcache_server_port;
                let server = server(
                    table,
                    &self.session_memcache_server_host,
                    ("session_memcache_server_port", port),
                    11211,
                )?;
                cache(Store::Memcached(vec![server]), JoomlaCache::Memcache)
            }
            Some("filesystem" | "none") => match filled(&self.session_filesystem_path) {
                Some(path) => JoomlaSessions::Files {
                    directory: directory.join(path),
                    owners: usual_owners(),
                },
                None => JoomlaSessions::Unplaced,
            },
            Some(other) => {
                let other = other.escape_default();
                JoomlaSessions::Unreachable(format!("the session handler {other}"))
            }
        })
    }
}

/// The cache server at `host`, whose port is given by key and value. A socket has none, whatever is
/// written: phpredis wants −1, memcached 0.
fn server(
    table: &Table<'_>,
    host: &Option<LooseText>,
    port: (&str, &Option<LooseText>),
    usual: u16,
) -> Result<Address, Error> {
    let host = filled(host).unwrap_or("localhost");
    let path = host.strip_prefix("unix://").unwrap_or(host);
    if path.starts_with('/') {
        return Ok(Address::Unix(path.into()));
    }
    let (key, text) = port;
    let number = number(table, key, text)?;
    let port = match number {
        None | Some(0) => usual,
        Some(number) => {
            u16::try_from(number).map_err(|_| table.wrong(key, "is not from 1 to 65535"))?
        }
    };
    Ok(Address::Tcp {
        host: host.to_owned(),
        port,
    })
}

/// Host and port as Joomla's drivers take them out of `$host` (`MysqliDriver::connect` of
/// joomla/database 2.0): `unix:/path`, `host:port`, `host:/path`, `[::1]:port`, `:port`, or an
/// IPv6 address by itself.
fn split_host(host: &str) -> (&str, Option<&str>) {
    if let Some(path) = host.strip_prefix("unix:") {
        return ("localhost", Some(path));
    }
    if host.starts_with('[') {
        return match host.split_once(']') {
            Some((address, rest)) => (address.trim_start_matches('['), rest.strip_prefix(':')),
            None => (host, None),
        };
    }
    match host.split_once(':') {
        Some((_, rest)) if rest.contains(':') => (host, None),
        Some((host, port)) => (host, Some(port)),
        None => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cookies that Joomla 4.4.0 set for a site whose `$secret` was this.
    #[test]
    fn the_cookie_is_called_as_joomla_calls_it() {
        let secret = Secret::new("TK0JI2K0m4hXPWcE");
        let site = cookie_name_of(&secret, "site");
        assert_eq!(site, "40702c4b0b5df7e9e0ca13edb2943794");
        let administrator = cookie_name_of(&secret, "administrator");
        assert_eq!(administrator, "8884afe0780c608d73aa691684eef803");
    }

    #[test]
    fn hosts_are_split_as_joomla_splits_them() {
        for (host, expected) in [
            ("localhost", ("localhost", None)),
            ("127.0.0.1:33971", ("127.0.0.1", Some("33971"))),
            ("localhost:/run/a.sock", ("localhost", Some("/run/a.sock"))),
            ("unix:/run/a.sock", ("localhost", Some("/run/a.sock"))),
            ("[::1]:3307", ("::1", Some("3307"))),
            ("[::1]", ("::1", None)),
            ("::1", ("::1", None)),
            ("fe80::2", ("fe80::2", None)),
            (":3307", ("", Some("3307"))),
        ] {
            assert_eq!(split_host(host), expected, "{host}");
        }
    }
}
