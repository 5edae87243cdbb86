//! Reads `cache`: where the site's cache is.

pub(crate) mod address;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hallpass_settings::{Error, SecretSource, Table, UrlOr, Wait};
use hallpass_stores::cache::{Cache, KeyPattern, Login, RedisServers, Settings, Store};
use hallpass_stores::{Address, Deadline, Secret, Tls, TlsMode, sql};
use serde::Deserialize;
use zeroize::Zeroizing;

use self::url::Url;
use crate::secret;

/// The table of a cache.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CacheTable {
    /// Where the cache is: see above.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("writeOnly" = true)))]
    url: Zeroizing<String>,
    /// The user name.
    username: Option<String>,
    /// The password: a secret.
    password: Option<SecretSource>,
    /// The user name for the Sentinels of `"redis+sentinel://host:26379,host/master/1"`.
    sentinel_username: Option<String>,
    /// The password for the Sentinels: a secret.
    sentinel_password: Option<SecretSource>,
    /// How several Redis servers share the keys: `"replicas"`: each has all of them; `"shards"`:
    /// each has some (django-redis' `ShardClient`), and all are asked.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"replicas\"")))]
    servers: Option<Several>,
    /// `"disable"`, `"require"` or `"verify-full"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "as the URL says")))]
    tls: Option<TlsWord>,
    /// A file of trusted certificates, in PEM.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the system's")))]
    ca: Option<String>,
    /// The longest that connecting may take.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"2s\"")))]
    connect_timeout: Option<Wait>,
    /// The longest that an answer may take.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"2s\"")))]
    query_timeout: Option<Wait>,
}

/// What several servers of Redis have.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum Several {
    /// Each has all keys.
    Replicas,
    /// Each has some.
    Shards,
}

/// What is asked of a connection.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "kebab-case")]
enum TlsWord {
    Disable,
    Require,
    VerifyFull,
}

/// Where a cache of the site is.
#[derive(Debug)]
pub enum CacheLocation {
    /// Files in a directory.
    Directory(PathBuf),
    /// Redis or memcached.
    Server(Box<Settings>),
    /// Rows of a table of the site's database.
    Table(sql::TableName),
}

/// The Redis or Valkey that `table` describes.
///
/// # Errors
/// What is wrong with the table, or that it names something else.
pub fn redis(
    table: &Table<'_>,
    given: Option<UrlOr<CacheTable>>,
) -> Result<Option<Settings>, Error> {
    match resolve(table, given)? {
        None => Ok(None),
        Some(CacheLocation::Server(settings)) if matches!(settings.store, Store::Redis { .. }) => {
            Ok(Some(*settings))
        }
        Some(_) => Err(table.wrong(
            "url",
            "is not a Redis or Valkey, as in \"redis://127.0.0.1:6379/0\"",
        )),
    }
}

/// How long connecting and asking may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The cache that `table` describes.
pub(crate) fn resolve(
    table: &Table<'_>,
    cache: Option<UrlOr<CacheTable>>,
) -> Result<Option<CacheLocation>, Error> {
    let Some(UrlOr(given)) = cache else {
        return Ok(None);
    };
    let url = Url::parse(&given.url).map_err(|wrong| table.wrong("url", wrong))?;
    let (unused, kind): (&[&str], _) = match &url {
        Url::Directory(_) | Url::Table(_) => (&OPTIONS, "a server"),
        Url::Memcached(_) => (OPTIONS.get(2..).unwrap_or_default(), "Redis"),
        Url::Redis(redis) if redis.service.is_some() => (&["servers"], "servers without Sentinels"),
        Url::Redis(_) => (&["sentinel_username", "sentinel_password"], "Sentinels"),
    };
    if let Some(key) = unused.iter().find(|key| table.has(key)) {
        let message = format!("no such key: it is for {kind}, which the URL does not name");
        return Err(table.wrong(key, &message));
    }
    let wait = |wait: Option<Wait>| wait.map_or(TIMEOUT, Wait::get);
    let (connect_timeout, query_timeout) = (wait(given.connect_timeout), wait(given.query_timeout));
    let store = match url {
        Url::Directory(path) => {
            return Ok(Some(CacheLocation::Directory(table.beside(path))));
        }
        Url::Table(name) => {
            let name = sql::TableName::parse(&name);
            let name = name.ok_or_else(|| table.wrong("url", "is not a valid table name"))?;
            return Ok(Some(CacheLocation::Table(name)));
        }
        Url::Memcached(addresses) => Store::Memcached(all_beside(table, addresses)),
        Url::Redis(redis) => {
            if redis.password.is_some() {
                table.warn_of_secret("url");
            }
            store(table, redis, given)?
        }
    };
    Ok(Some(CacheLocation::Server(Box::new(Settings {
        store,
        connect_timeout,
        query_timeout,
    }))))
}

/// The keys beside the URL: two for every server, and those for Redis.
const OPTIONS: [&str; 9] = [
    "connect_timeout",
    "query_timeout",
    "username",
    "password",
    "sentinel_username",
    "sentinel_password",
    "servers",
    "tls",
    "ca",
];

fn store(table: &Table<'_>, mut redis: url::Redis, given: CacheTable) -> Result<Store, Error> {
    for (key, twice) in [
        (
            "username",
            given.username.is_some() && redis.username.is_some(),
        ),
        (
            "password",
            given.password.is_some() && redis.password.is_some(),
        ),
    ] {
        if twice {
            return Err(table.wrong(key, "is given in the URL, too"));
        }
    }
    let username = given.username.or(redis.username.take());
    let password = secret(table, "password", given.password)?.or(redis.password.take());
    let login = login(username, password).map_err(|wrong| table.wrong("url", wrong))?;
    let addresses = all_beside(table, redis.addresses);
    let servers = match (redis.service, given.servers) {
        (Some(service), _) => {
            let password = secret(table, "sentinel_password", given.sentinel_password)?;
            RedisServers::Sentinel {
                sentinels: addresses,
                service,
                login: self::login(given.sentinel_username, password)
                    .map_err(|wrong| table.wrong("sentinel_username", wrong))?,
            }
        }
        (None, None | Some(Several::Replicas)) => RedisServers::Replicated(addresses),
        (None, Some(Several::Shards)) => RedisServers::Sharded(addresses),
    };
    let mode = match given.tls {
        None => redis.tls,
        Some(TlsWord::Disable) => TlsMode::Disable,
        Some(TlsWord::Require) => TlsMode::Require,
        Some(TlsWord::VerifyFull) => TlsMode::VerifyFull,
    };
    let key = if given.ca.is_some() { "ca" } else { "url" };
    let ca = given.ca.or(redis.ca).map(|path| table.beside(path));
    if ca.is_some() && mode == TlsMode::Disable {
        let message = "names certificates, but there is no TLS: use rediss://";
        return Err(table.wrong(key, message));
    }
    Ok(Store::Redis {
        servers,
        login,
        database: redis.database.unwrap_or(0),
        tls: Tls { mode, ca },
    })
}

fn login(
    username: Option<String>,
    password: Option<Secret>,
) -> Result<Option<Arc<Login>>, &'static str> {
    match (username, password) {
        (None, None) => Ok(None),
        (Some(_), None) => Err("names a user without a password"),
        (username, Some(password)) => Ok(Some(Arc::new(Login { username, password }))),
    }
}

/// The addresses, with sockets relative to the file.
fn all_beside(table: &Table<'_>, addresses: Vec<Address>) -> Vec<Address> {
    let beside = |address| match address {
        Address::Unix(path) => Address::Unix(table.beside(path)),
        tcp @ Address::Tcp { .. } => tcp,
    };
    addresses.into_iter().map(beside).collect()
}

/// The most databases of a Redis that are looked into.
const MOST_DATABASES: usize = 16;

/// The number of another database of the Redis of `settings` that has keys which fit `pattern`, and
/// which `is_session` takes for those of sessions; `None` where none was found.
pub(crate) fn other_database(
    settings: &Settings,
    pattern: &KeyPattern,
    is_session: &dyn Fn(&[u8]) -> bool,
    deadline: Deadline,
) -> Option<u32> {
    let databases = Cache::new(settings).databases(deadline)?;
    let mut numbers = databases.into_iter().take(MOST_DATABASES);
    numbers.find_map(|(number, _)| {
        let (configured, other) = settings.in_database(number)?;
        if number == configured {
            return None;
        }
        let keys = Cache::new(&other).keys(pattern, is_session, 1, deadline)?;
        (!keys.keys.is_empty()).then_some(number)
    })
}

#[cfg(test)]
mod tests;
