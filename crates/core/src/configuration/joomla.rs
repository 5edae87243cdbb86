//! `[joomla]`: what the site's `configuration.php` says, under the same names.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hallpass_stores::cache::{self, Login, RedisServers, Store};
use hallpass_stores::sql::Settings;
use hallpass_stores::{Address, Secret, Tls, TlsMode};
use md5::{Digest, Md5};

use super::Error;
use super::http::is_token;
use super::php::usual_owners;
use super::section::Section;
use super::site_file::{self, Kind, SiteFile};

/// What `$lifetime` is where the file does not say, in minutes.
const LIFETIME: u32 = 15;
/// How long a cache may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoomlaClient {
    /// The back end; `client_id` is 1.
    Administrator,
    /// The site itself; `client_id` is 0.
    Site,
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
        /// The ids of the users whose files are sessions, where everybody may write to it.
        owners: Vec<u32>,
    },
    /// Redis or memcached, and what Joomla asks it by.
    Cache(Box<cache::Settings>, JoomlaCache),
    /// Something that cannot be asked from outside PHP (APCu, `WinCache`, PHP's own handler with
    /// an unknown place): its name.
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
    /// Reads the section; the site's database is what comes with it, unless one is `given`.
    pub(super) fn read(
        section: Section<'_>,
        given: Option<Settings>,
    ) -> Result<(Self, Settings), Error> {
        let mut file = SiteFile::read(section, Some("JConfig"))?;
        let database = database(&mut file)?;
        let database = match given {
            Some(given) => given,
            None => database?,
        };
        let client = match file.section.string("client")?.as_deref() {
            None | Some("site") => JoomlaClient::Site,
            Some("administrator") => JoomlaClient::Administrator,
            Some(_) => {
                let message = "is neither \"site\" nor \"administrator\"";
                return Err(file.section.wrong("client", message));
            }
        };
        let secret = file.secret("secret")?;
        let session_name = file.filled("session_name")?;
        let cookie_name = file.section.string("session_cookie_name")?;
        if let Some(name) = &cookie_name
            && !is_token(name)
        {
            let message = "no cookie can be called that";
            return Err(file.section.wrong("session_cookie_name", message));
        }
        let session_cookie_name = cookie_name.or_else(|| {
            let secret = secret.as_ref()?;
            let name = session_name.as_deref().unwrap_or(match client {
                JoomlaClient::Administrator => "administrator",
                JoomlaClient::Site => "site",
            });
            Some(cookie_name_of(secret, name))
        });
        let lifetime = file.number("lifetime")?.filter(|minutes| *minutes > 0);
        let lifetime = Duration::from_secs(u64::from(lifetime.unwrap_or(LIFETIME)) * 60);
        let major = match file.section.string("version")? {
            None => None,
            Some(version) => {
                let major = version
                    .split('.')
                    .next()
                    .and_then(|it| it.parse::<u32>().ok());
                let message = "is not a version, as in \"4.4\"";
                Some(major.ok_or_else(|| file.section.wrong("version", message))?)
            }
        };
        let joomla = Self {
            prefix: file.prefix("dbprefix")?,
            client,
            session_cookie_name,
            lifetime,
            sessions: sessions(&mut file)?,
            session_metadata: file.truth("session_metadata")?.unwrap_or(true),
            shared_session: file.truth("shared_session")?.unwrap_or(false),
            major,
            allow_require_reset: file
                .section
                .boolean("allow_require_reset")?
                .unwrap_or(false),
            allow_missing_second_factor: file
                .section
                .boolean("allow_missing_second_factor")?
                .unwrap_or(false),
        };
        file.finish()?;
        Ok((joomla, database))
    }

    /// The key that is missing to read sessions.
    #[must_use]
    pub(super) fn missing_for_sessions(&self) -> Option<&'static str> {
        match (&self.session_cookie_name, &self.sessions) {
            (None, _) => Some("joomla.secret"),
            (Some(_), JoomlaSessions::Unreachable(_)) => Some("joomla.session_handler"),
            (Some(_), _) => None,
        }
    }
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

/// What the file says about the database; why it cannot be used, where another is given, does not
/// matter.
fn database(file: &mut SiteFile<'_>) -> Result<Result<Settings, Error>, Error> {
    let dbtype = file.filled("dbtype")?;
    let host = file
        .filled("host")?
        .unwrap_or_else(|| "localhost".to_owned());
    let (name, user) = (file.filled("db")?, file.filled("user")?);
    let password = file.secret("password")?;
    let encryption = file.number("dbencryption")?.unwrap_or(0);
    let verify = file.truth("dbsslverifyservercert")?.unwrap_or(false);
    let ca = file.filled("dbsslca")?;
    let kind = match dbtype.as_deref() {
        Some("mysqli" | "mysql" | "pdomysql") => Kind::Mysql,
        Some("pgsql" | "postgresql") => Kind::Postgres,
        None => return Ok(Err(missing(file, "dbtype"))),
        Some(_) => {
            let message = "is none of \"mysqli\", \"mysql\", \"pdomysql\", \"pgsql\", \
                           \"postgresql\", which are read here";
            return Ok(Err(file.section.wrong("dbtype", message)));
        }
    };
    let Some(name) = name else {
        return Ok(Err(missing(file, "db")));
    };
    let (host, port) = split_host(&host);
    let addresses = match site_file::addresses(kind, host, port) {
        Ok(addresses) => addresses,
        Err(message) => return Ok(Err(file.section.wrong("host", message))),
    };
    let mut settings = site_file::settings(kind, addresses, name, user, password);
    if encryption > 0 {
        settings.tls = Tls {
            mode: if verify {
                TlsMode::VerifyFull
            } else {
                TlsMode::Require
            },
            ca: ca.map(PathBuf::from),
        };
    }
    Ok(Ok(settings))
}

fn missing(file: &SiteFile<'_>, key: &str) -> Error {
    let message = "is missing; it stands in the site's configuration.php, which `configuration` \
                   names";
    file.section.wrong(key, message)
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

/// What has the sessions' data (libraries/src/Session/SessionFactory.php of 4.4, and
/// libraries/joomla/session/storage of 3.10).
fn sessions(file: &mut SiteFile<'_>) -> Result<JoomlaSessions, Error> {
    let handler = file.filled("session_handler")?;
    let path = file.filled("session_filesystem_path")?;
    let redis = Server::read(
        file,
        "session_redis_server_host",
        "session_redis_server_port",
        6379,
    )?;
    let redis_password = file.secret("session_redis_server_auth")?;
    let redis_database = file.number("session_redis_server_db")?.unwrap_or(0);
    let memcached = Server::read(
        file,
        "session_memcached_server_host",
        "session_memcached_server_port",
        11211,
    )?;
    let memcache = Server::read(
        file,
        "session_memcache_server_host",
        "session_memcache_server_port",
        11211,
    )?;
    let cache = |store, client| {
        let settings = cache::Settings {
            store,
            connect_timeout: TIMEOUT,
            query_timeout: TIMEOUT,
        };
        JoomlaSessions::Cache(Box::new(settings), client)
    };
    Ok(match handler.as_deref() {
        None | Some("database") => JoomlaSessions::Database,
        Some("redis") => cache(
            Store::Redis {
                servers: RedisServers::Replicated(vec![redis.address]),
                login: redis_password.map(|password| {
                    Arc::new(Login {
                        username: None,
                        password,
                    })
                }),
                database: redis_database,
                tls: Tls {
                    mode: TlsMode::Disable,
                    ..Tls::default()
                },
            },
            JoomlaCache::Redis,
        ),
        Some("memcached") => cache(
            Store::Memcached(vec![memcached.address]),
            JoomlaCache::Memcached,
        ),
        Some("memcache") => cache(
            Store::Memcached(vec![memcache.address]),
            JoomlaCache::Memcache,
        ),
        Some("filesystem" | "none") => match path {
            Some(path) => JoomlaSessions::Files {
                directory: file.directory().join(path),
                owners: usual_owners(),
            },
            None => JoomlaSessions::Unreachable(
                "PHP's own files, whose place is known when `session_filesystem_path` is given \
                 here (as `session.save_path` of the site's php.ini)"
                    .to_owned(),
            ),
        },
        Some(other) => {
            JoomlaSessions::Unreachable(format!("the session handler {}", other.escape_default()))
        }
    })
}

/// A cache server of Joomla's.
struct Server {
    address: Address,
}

impl Server {
    fn read(
        file: &mut SiteFile<'_>,
        host: &'static str,
        port: &'static str,
        usual: u16,
    ) -> Result<Self, Error> {
        let name = file.filled(host)?.unwrap_or_else(|| "localhost".to_owned());
        let number = file.number(port)?;
        let path = name.strip_prefix("unix://").unwrap_or(&name);
        if path.starts_with('/') {
            return Ok(Self {
                address: Address::Unix(path.into()),
            });
        }
        let number = match number {
            None | Some(0) => usual,
            Some(number) => u16::try_from(number)
                .map_err(|_| file.section.wrong(port, "is not from 1 to 65535"))?,
        };
        Ok(Self {
            address: Address::Tcp {
                host: name,
                port: number,
            },
        })
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
