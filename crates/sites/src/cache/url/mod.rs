//! Reads the URLs of caches.
//!
//! Beside forms of its own, it reads those of a site's settings: redis-py's (`parse_url` of
//! `redis/connection.py`), and Django's lists of them.

use hallpass_stores::{Address, Secret, TlsMode};
use zeroize::Zeroizing;

use super::address::{Wrong, decode, number, socket, tcp};

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const MEMCACHED_PORT: u16 = 11211;

/// What a URL names.
#[derive(Debug)]
pub(super) enum Url {
    /// `file:/path`
    Directory(String),
    /// `memcached://host:port,…` and `memcached:unix:/path`
    Memcached(Vec<Address>),
    /// `redis://host:port/db` and its relatives.
    Redis(Redis),
    /// `db:table`
    Table(String),
}

/// What a URL says about Redis.
#[derive(Debug, Default)]
pub(super) struct Redis {
    /// The servers, or the Sentinels.
    pub(super) addresses: Vec<Address>,
    /// The name of the master, where it is for Sentinels to know.
    pub(super) service: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<u32>,
    pub(super) tls: TlsMode,
    pub(super) ca: Option<String>,
}

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        const SHAPE: Wrong = "is not a URL, as in \"redis://host:port/db\"";
        let (scheme, rest) = text.split_once(':').ok_or(SHAPE)?;
        match scheme {
            "db" if rest.is_empty() => Err("names no table, as in \"db:table_name\""),
            "db" => Ok(Self::Table(rest.to_owned())),
            "file" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err("names no directory, as in \"file:/var/cache/site\""),
                path => Ok(Self::Directory(path.to_owned())),
            },
            "memcached" | "memcache" => memcached(rest).map(Self::Memcached),
            _ => Redis::parse(scheme, rest).map(Self::Redis),
        }
    }
}

fn memcached(rest: &str) -> Result<Vec<Address>, Wrong> {
    if rest.contains('@') {
        return Err("has a user in it: memcached's SASL is not spoken here");
    }
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let server = |text: &str| match text.strip_prefix("unix:") {
        Some(path) => socket(path.strip_prefix("//").unwrap_or(path)),
        None if text.starts_with('/') => socket(text),
        None if text.is_empty() => Err("names no server, as in \"memcached://host:port\""),
        None => tcp(text.strip_suffix('/').unwrap_or(text), MEMCACHED_PORT),
    };
    rest.split([',', ';']).map(server).collect()
}

impl Redis {
    fn parse(scheme: &str, rest: &str) -> Result<Self, Wrong> {
        let (tls, kind) = match scheme {
            "redis" | "valkey" => match rest.strip_prefix("unix:") {
                Some(path) => return Self::unix(path),
                None => (TlsMode::Disable, Kind::Servers),
            },
            "rediss" | "valkeys" => (TlsMode::VerifyFull, Kind::Servers),
            "redis+sentinel" => (TlsMode::Disable, Kind::Sentinels),
            "rediss+sentinel" => (TlsMode::VerifyFull, Kind::Sentinels),
            "unix" | "redis+unix" | "redis+socket" => return Self::unix(rest),
            _ => {
                return Err(
                    "starts with none of redis:, rediss:, unix:, redis+sentinel:, \
                            memcached:, db:, file:",
                );
            }
        };
        let rest = rest
            .strip_prefix("//")
            .ok_or("has no // after its colon, as in \"redis://host:port/db\"")?;
        let mut redis = Self {
            tls,
            ..Self::default()
        };
        let rest = redis.query(rest)?;
        let several = rest.contains([',', ';']);
        for server in rest.split([',', ';']) {
            // Django joins whole URLs.
            let server = match server.split_once("://") {
                Some((again, server)) if again == scheme => server,
                Some(_) => return Err("has servers of different kinds"),
                None => server,
            };
            let (server, path) = server.split_once('/').unwrap_or((server, ""));
            let server = redis.user(server)?;
            redis.addresses.push(match kind {
                Kind::Servers if server.is_empty() && !several => tcp("localhost", REDIS_PORT)?,
                Kind::Servers => tcp(server, REDIS_PORT)?,
                Kind::Sentinels => tcp(server, SENTINEL_PORT)?,
            });
            let database = match kind {
                Kind::Servers => path,
                Kind::Sentinels => {
                    let (service, database) = path.split_once('/').unwrap_or((path, ""));
                    if !service.is_empty() {
                        same(&mut redis.service, decode(service)?)?;
                    }
                    database
                }
            };
            redis.database_in(database.strip_suffix('/').unwrap_or(database))?;
        }
        if matches!(kind, Kind::Sentinels) && redis.service.is_none() {
            return Err("names no master, as in \"redis+sentinel://host:port/master/db\"");
        }
        Ok(redis)
    }

    /// `//user:password@/path?db=1`, with as much of it as there is.
    fn unix(rest: &str) -> Result<Self, Wrong> {
        let mut redis = Self {
            tls: TlsMode::Disable,
            ..Self::default()
        };
        let rest = redis.query(rest)?;
        let path = match rest.strip_prefix("//") {
            None => rest,
            Some(rest) => {
                let slash = rest.find('/').unwrap_or(rest.len());
                let (user, path) = rest.split_at(slash);
                if !redis.user(user)?.is_empty() {
                    return Err("has a host before the path, as in \"unix:///run/redis.sock\"");
                }
                path
            }
        };
        redis.addresses.push(socket(&decode(path)?)?);
        Ok(redis)
    }

    /// Takes the parameters in after `?`, and gives what stands before.
    fn query<'text>(&mut self, rest: &'text str) -> Result<&'text str, Wrong> {
        if rest.contains('#') {
            return Err("has a `#` in it; in a password it is written %23");
        }
        let Some((rest, query)) = rest.split_once('?') else {
            return Ok(rest);
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Zeroizing::new(decode(&Zeroizing::new(value.replace('+', " ")))?);
            match name {
                "db" if value.is_empty() => return Err(NO_DATABASE),
                "db" => self.database_in(&value)?,
                "username" => same(&mut self.username, value.to_string())?,
                "password" => self.password_is(&value)?,
                "ssl_ca_certs" => self.ca = Some(value.to_string()),
                "ssl_cert_reqs" if self.tls == TlsMode::Disable => {
                    return Err("has ssl_cert_reqs, but no TLS: that is rediss://");
                }
                "ssl_cert_reqs" => {
                    self.tls = match value.as_str() {
                        "none" | "CERT_NONE" => TlsMode::Require,
                        "required" | "CERT_REQUIRED" => TlsMode::VerifyFull,
                        _ => return Err("has an unknown ssl_cert_reqs; write none or required"),
                    };
                }
                _ => {
                    return Err(
                        "has an unknown parameter after `?`; known are db, username, \
                                password, ssl_cert_reqs, ssl_ca_certs",
                    );
                }
            }
        }
        Ok(rest)
    }

    /// Takes the user in before `@`, and gives what stands after.
    fn user<'text>(&mut self, authority: &'text str) -> Result<&'text str, Wrong> {
        let Some((user, host)) = authority.rsplit_once('@') else {
            return Ok(authority);
        };
        let (username, password) = user.split_once(':').unwrap_or((user, ""));
        if !username.is_empty() {
            same(&mut self.username, decode(username)?)?;
        }
        if !password.is_empty() {
            self.password_is(&Zeroizing::new(decode(password)?))?;
        }
        Ok(host)
    }

    fn password_is(&mut self, password: &str) -> Result<(), Wrong> {
        match &self.password {
            Some(before) if before.expose() != password.as_bytes() => Err(DIFFERENT),
            _ => {
                self.password = Some(Secret::new(password));
                Ok(())
            }
        }
    }

    fn database_in(&mut self, text: &str) -> Result<(), Wrong> {
        if text.is_empty() {
            return Ok(());
        }
        let database = number(text).ok_or(NO_DATABASE)?;
        same(&mut self.database, database)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Sentinels,
    Servers,
}

const NO_DATABASE: Wrong = "has no number where that of the database should be, as in \"/1\"";
const DIFFERENT: Wrong = "has servers with different users, passwords or databases";

/// Says once more what may have been said before.
fn same<T: PartialEq>(known: &mut Option<T>, value: T) -> Result<(), Wrong> {
    match known {
        Some(known) if *known != value => Err(DIFFERENT),
        _ => {
            *known = Some(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
