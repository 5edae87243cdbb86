//! Writes `[django.cache]`: the cache that holds the site's sessions.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::found::{Cache, CacheKey, Secret, text};
use crate::init::Page;
use crate::init::url::{User, encode, without_user};

/// Where a cache is, in the words of `cache`.
pub struct Place {
    url: String,
    username: Option<String>,
    password: Option<Secret>,
    sentinel_username: Option<String>,
    sentinel_password: Option<Secret>,
    /// Whether a key is on one of the servers alone.
    shards: bool,
    /// Whether the servers are nodes of a Redis Cluster.
    cluster: bool,
    ca: Option<String>,
    /// Whether the server's certificate is believed, whatever it is.
    unverified: bool,
}

impl Place {
    /// Where `cache` is, for a site in `directory`.
    ///
    /// # Errors
    /// Why it cannot be read here, as words that follow "the sessions' cache".
    pub fn of(cache: &Cache, directory: &Path) -> Result<Self, String> {
        let is = |class: &str| cache.backend.iter().any(|name| name == class);
        let backend = cache.backend.first().map_or("", String::as_str);
        if let CacheKey::Unknown(why) = &cache.key {
            return Err(format!("cannot be asked for a session: {why}"));
        }
        let first = || cache.location.first().map_or("", String::as_str);
        if is("django.core.cache.backends.db.DatabaseCache") {
            return Ok(Self::at(format!("db:{}", first())));
        }
        if is("django.core.cache.backends.filebased.FileBasedCache") {
            let path = directory.join(first());
            let path = path.to_str().ok_or("has a path that is not Unicode")?;
            return Ok(Self::at(format!("file:{path}")));
        }
        if is("django.core.cache.backends.memcached.BaseMemcachedCache") {
            return memcached(cache);
        }
        if is("django.core.cache.backends.redis.RedisCache") {
            return redis(cache);
        }
        if is("django_redis.cache.RedisCache") {
            return django_redis(cache);
        }
        if is("django.core.cache.backends.locmem.LocMemCache") {
            return Err("is in the memory of the site's processes (LocMemCache)".to_owned());
        }
        if is("django.core.cache.backends.dummy.DummyCache") {
            return Err("keeps nothing (DummyCache)".to_owned());
        }
        Err(format!("is {backend}, which is not known here"))
    }

    fn at(url: String) -> Self {
        Self {
            url,
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            shards: false,
            cluster: false,
            ca: None,
            unverified: false,
        }
    }

    /// The Redis of django-redis-sessions, by its settings (redis_sessions/session.py, 0.6.2).
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_redis_sessions(settings: &BTreeMap<String, Value>) -> Result<Self, String> {
        let given = |key: &str| settings.get(key).filter(|value| !value.is_null());
        for (key, what) in [
            ("connection_object", "a connection of the site's own"),
            ("sentinel_list", "Sentinels"),
            ("pool", "several servers"),
        ] {
            if given(key).is_some() {
                return Err(format!("has {what}, which are not known here"));
            }
        }
        let word = |key: &str| given(key).and_then(text);
        let (mut place, has_login) = match (word("url"), word("unix_domain_socket_path")) {
            (Some(url), _) => {
                let (url, user) = without_user(&url);
                let mut place = Self::at(url);
                place.login(user)?;
                (place, true)
            }
            (None, Some(path)) => (Self::at(format!("unix:{}", encode(&path))), false),
            (None, None) => {
                let host = word("host").unwrap_or_else(|| "localhost".to_owned());
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host
                };
                let port = word("port").unwrap_or_else(|| "6379".to_owned());
                (Self::at(format!("redis://{host}:{port}")), false)
            }
        };
        if !has_login {
            if let Some(number) = word("db").filter(|number| number != "0") {
                place.url = match place.url.starts_with("unix:") {
                    true => format!("{}?db={number}", place.url),
                    false => format!("{}/{number}", place.url),
                };
            }
            place.login(User {
                name: None,
                password: given("password").and_then(secret),
            })?;
        }
        Ok(place)
    }

    /// Writes the table, for what the site's `setting` says.
    pub fn write(&self, page: &mut Page, setting: &str) {
        page.table("django.cache", setting);
        let comment = if self.cluster {
            "LOCATION: of a Redis Cluster, any of whose nodes leads to the one that has a key"
        } else {
            "LOCATION"
        };
        page.string("url", &self.url, comment);
        if let Some(username) = &self.username {
            page.string("username", username, "who asks the server");
        }
        if let Some(password) = &self.password {
            page.secret("password", "cache_password", password, "and its password");
        }
        if let Some(username) = &self.sentinel_username {
            page.string("sentinel_username", username, "who asks the Sentinels");
        }
        if let Some(password) = &self.sentinel_password {
            let comment = "and its password";
            page.secret("sentinel_password", "sentinel_password", password, comment);
        }
        if self.shards {
            page.string(
                "servers",
                "shards",
                "CLIENT_CLASS: a key is on one of them alone",
            );
        }
        if self.unverified {
            page.string(
                "tls",
                "require",
                "ssl_cert_reqs: any certificate is believed",
            );
        }
        if let Some(ca) = &self.ca {
            page.string("ca", ca, "ssl_ca_certs");
        }
    }

    fn login(&mut self, user: User) -> Result<(), String> {
        if user.password.is_none() && user.name.is_none() {
            return Ok(());
        }
        let different = self.password.is_some() && self.password != user.password;
        if different {
            return Err("has servers with different passwords".to_owned());
        }
        self.username = user.name;
        self.password = user.password;
        Ok(())
    }
}

/// `LOCATION` of Django's memcached backends: a list, or text with commas or semicolons.
fn memcached(cache: &Cache) -> Result<Place, String> {
    if cache.options.contains_key("username") {
        return Err("wants a password of its clients (SASL), which is not spoken here".to_owned());
    }
    let servers: Vec<&str> = servers(cache).collect();
    Ok(Place::at(match servers.as_slice() {
        [socket] if socket.starts_with("unix:") || socket.starts_with('/') => {
            format!("memcached:unix:{}", socket.trim_start_matches("unix:"))
        }
        servers => format!("memcached://{}", servers.join(",")),
    }))
}

fn servers(cache: &Cache) -> impl Iterator<Item = &str> {
    let several = cache
        .location
        .iter()
        .flat_map(|text| text.split([',', ';']));
    several.map(str::trim).filter(|server| !server.is_empty())
}

/// `django.core.cache.backends.redis`, whose options are redis-py's.
fn redis(cache: &Cache) -> Result<Place, String> {
    if cache.options.contains_key("serializer") {
        return Err("has a serializer of the site's own".to_owned());
    }
    let mut place = redis_servers(cache)?;
    place.database(cache.options.get("db"));
    place.options(&cache.options, "username", "password")?;
    Ok(place)
}

/// `django_redis`: <https://github.com/jazzband/django-redis>, README of 5.4.
fn django_redis(cache: &Cache) -> Result<Place, String> {
    let last_word = |key: &str| {
        let dotted = cache.options.get(key).and_then(text);
        dotted.map(|dotted| dotted.rsplit('.').next().unwrap_or_default().to_owned())
    };
    let serializers = ["PickleSerializer", "JSONSerializer", "MSGPackSerializer"];
    if let Some(serializer) = last_word("SERIALIZER")
        && !serializers.contains(&serializer.as_str())
    {
        return Err(format!(
            "has the serializer {serializer}, which is not known here"
        ));
    }
    let mut place = match client_of(cache).as_deref() {
        None | Some("DefaultClient") => redis_servers(cache)?,
        Some("ShardClient") => Place {
            shards: true,
            ..redis_servers(cache)?
        },
        Some("SentinelClient") => sentinel(cache)?,
        Some(other) => return Err(format!("has the client {other}, which is not known here")),
    };
    place.database(cache.options.get("DB"));
    place.options(&cache.options, "USERNAME", "PASSWORD")?;
    for key in ["CONNECTION_POOL_KWARGS", "REDIS_CLIENT_KWARGS"] {
        if let Some(Value::Object(more)) = cache.options.get(key) {
            let more = more.iter().map(|(key, value)| (key.clone(), value.clone()));
            place.options(&more.collect(), "username", "password")?;
        }
    }
    // redis-py's own, or one that is made of it. It cannot be used without a connection factory,
    // which the site has of its own then.
    let redis_client = last_word("REDIS_CLIENT_CLASS").unwrap_or_default();
    place.cluster = redis_client.contains("Cluster");
    if place.cluster && place.has_database() {
        return Err("is a Redis Cluster, and has another database than 0".to_owned());
    }
    Ok(place)
}

/// The client of django-redis that `cache` has: one that the site has made of one of them counts
/// as that, as it does with backends.
fn client_of(cache: &Cache) -> Option<String> {
    let known = [
        "ShardClient",
        "SentinelClient",
        "HerdClient",
        "DefaultClient",
    ];
    let inherited = cache.client.iter().filter_map(|class| {
        let name = class.rsplit('.').next()?;
        (class.starts_with("django_redis.client.") && known.contains(&name)).then_some(name)
    });
    let named = cache.options.get("CLIENT_CLASS").and_then(text);
    let named = || named.map(|dotted| dotted.rsplit('.').next().unwrap_or_default().to_owned());
    inherited.map(str::to_owned).next().or_else(named)
}

/// The servers that `LOCATION` names by URLs.
fn redis_servers(cache: &Cache) -> Result<Place, String> {
    let mut place = Place::at(String::new());
    let mut urls = Vec::new();
    for server in servers(cache) {
        let (url, user) = without_user(server);
        place.login(user)?;
        urls.push(url);
    }
    place.url = urls.join(",");
    Ok(place)
}

/// `LOCATION` names the master, and `SENTINELS` who knows where that is.
fn sentinel(cache: &Cache) -> Result<Place, String> {
    let shape = || "has Sentinels in a way that is not known here".to_owned();
    let mut place = redis_servers(cache)?;
    let (scheme, rest) = place.url.split_once("://").ok_or_else(shape)?;
    let rest = rest.split('?').next().unwrap_or_default();
    let (service, database) = rest.split_once('/').unwrap_or((rest, ""));
    let Some(Value::Array(sentinels)) = cache.options.get("SENTINELS") else {
        return Err(shape());
    };
    let sentinels: Option<Vec<String>> = sentinels
        .iter()
        .map(|server| match server.as_array()?.as_slice() {
            [host, port] => Some(format!("{}:{}", text(host)?, text(port)?)),
            _ => None,
        })
        .collect();
    let (sentinels, service) = (sentinels.ok_or_else(shape)?.join(","), encode(service));
    place.url = format!("{scheme}+sentinel://{sentinels}/{service}/{database}");
    if let Some(Value::Object(login)) = cache.options.get("SENTINEL_KWARGS") {
        place.sentinel_username = login.get("username").and_then(text);
        place.sentinel_password = login.get("password").and_then(secret);
    }
    Ok(place)
}

impl Place {
    /// The number of the database, where no URL has it.
    fn database(&mut self, number: Option<&Value>) {
        let Some(number) = number.and_then(text) else {
            return;
        };
        let path = self.url.split_once("://").map_or("", |(_, rest)| rest);
        if !path.contains(['/', '?', ',']) {
            self.url = format!("{}/{number}", self.url);
        }
    }

    /// Whether a URL has the number of a database but 0.
    fn has_database(&self) -> bool {
        self.url.split(',').any(|url| {
            let rest = url.split_once("://").map_or("", |(_, rest)| rest);
            let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
            let path = place.split_once('/').map_or("", |(_, path)| path);
            let mut numbers = query
                .split('&')
                .filter_map(|pair| pair.strip_prefix("db="))
                .chain([path]);
            numbers.any(|number| !matches!(number.trim_end_matches('/'), "" | "0"))
        })
    }

    /// What the options say about who asks, and how the server is known.
    fn options(
        &mut self,
        options: &BTreeMap<String, Value>,
        username: &str,
        password: &str,
    ) -> Result<(), String> {
        let user = User {
            name: options.get(username).and_then(text),
            password: options.get(password).and_then(secret),
        };
        if user.password.is_some() {
            self.login(user)?;
        }
        if let Some(ca) = options.get("ssl_ca_certs").and_then(text) {
            self.ca = Some(ca);
        }
        if let Some(wanted) = options.get("ssl_cert_reqs") {
            let wanted = text(wanted).unwrap_or_default().to_ascii_lowercase();
            self.unverified = matches!(wanted.as_str(), "" | "none" | "cert_none" | "0");
        }
        Ok(())
    }
}

fn secret(value: &Value) -> Option<Secret> {
    let text = text(value).filter(|text| !text.is_empty())?;
    Some(Zeroizing::new(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DJANGO_REDIS: &str = "django_redis.cache.RedisCache";
    const REDIS: &str = "django.core.cache.backends.redis.RedisCache";
    const MEMCACHED: &str = "django.core.cache.backends.memcached.BaseMemcachedCache";

    fn place(backend: &str, location: Value, options: Value) -> Result<Place, String> {
        let cache = json!({
            "alias": "default", "backend": ["the.sites.Own", backend], "location": location,
            "options": options, "key_prefix": "", "version": 1, "key": ["", ""],
        });
        let cache: Cache = serde_json::from_value(cache).map_err(|error| error.to_string())?;
        Place::of(&cache, Path::new("/srv"))
    }

    /// What is written, without comments; it loads.
    fn written(backend: &str, location: Value, options: Value) -> Vec<String> {
        let place = place(backend, location, options).unwrap_or_else(Place::at);
        let mut page = Page::new("hallpass", |_| {});
        place.write(&mut page, "CACHES");
        let lines = page.text().lines().skip(2);
        let lines = lines.filter_map(|line| Some(line.split("  #").next()?.to_owned()));
        lines.collect()
    }

    #[test]
    fn entries_become_tables() {
        let sentinel = json!({
            "CLIENT_CLASS": "django_redis.client.SentinelClient", "PASSWORD": "p",
            "SENTINELS": [["one", 26379], ["two", "26380"]],
            "SENTINEL_KWARGS": {"password": "q"},
        });
        let password = "password = { file = \"hallpass.cache_password\" }";
        for (backend, location, options, expected) in [
            (
                REDIS,
                json!(["redis://h:1/2"]),
                json!({}),
                vec!["url = \"redis://h:1/2\""],
            ),
            (
                REDIS,
                json!(["redis://:p@one/1,redis://:p@two/1"]),
                json!({}),
                vec!["url = \"redis://one/1,redis://two/1\"", password],
            ),
            (
                REDIS,
                json!(["rediss://h"]),
                json!({"db": 3, "username": "u", "password": "p", "ssl_cert_reqs": null}),
                vec![
                    "url = \"rediss://h/3\"",
                    "username = \"u\"",
                    password,
                    "tls = \"require\"",
                ],
            ),
            (
                DJANGO_REDIS,
                json!(["redis://one/1", "redis://two/1"]),
                json!({"CLIENT_CLASS": "django_redis.client.ShardClient"}),
                vec![
                    "url = \"redis://one/1,redis://two/1\"",
                    "servers = \"shards\"",
                ],
            ),
            (
                DJANGO_REDIS,
                json!(["redis://the master/4"]),
                sentinel,
                vec![
                    "url = \"redis+sentinel://one:26379,two:26380/the%20master/4\"",
                    password,
                    "sentinel_password = { file = \"hallpass.sentinel_password\" }",
                ],
            ),
            (
                DJANGO_REDIS,
                json!(["redis://:p@one:7000/0", "redis://:p@two:7000/0"]),
                json!({
                    "REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster",
                    "REDIS_CLIENT_KWARGS": {"ssl_ca_certs": "/ca.pem"},
                }),
                vec![
                    "url = \"redis://one:7000/0,redis://two:7000/0\"",
                    password,
                    "ca = \"/ca.pem\"",
                ],
            ),
            (
                MEMCACHED,
                json!(["one:1", "two:2;three:3"]),
                json!({}),
                vec!["url = \"memcached://one:1,two:2,three:3\""],
            ),
            (
                MEMCACHED,
                json!(["unix:/run/m.sock"]),
                json!({}),
                vec!["url = \"memcached:unix:/run/m.sock\""],
            ),
        ] {
            assert_eq!(written(backend, location, options), expected);
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for (backend, location, options) in [
            ("redis_cache.RedisCache", json!(["h:1"]), json!({})),
            (
                REDIS,
                json!(["redis://h"]),
                json!({"serializer": "own.Serializer"}),
            ),
            (
                REDIS,
                json!(["redis://:p@one", "redis://:q@two"]),
                json!({}),
            ),
            (
                DJANGO_REDIS,
                json!(["redis://h"]),
                json!({"SERIALIZER": "own.Serializer"}),
            ),
            (
                DJANGO_REDIS,
                json!(["redis://h"]),
                json!({"CLIENT_CLASS": "a.HerdClient"}),
            ),
            (
                DJANGO_REDIS,
                json!(["redis://m/1"]),
                json!({"CLIENT_CLASS": "a.SentinelClient"}),
            ),
            (
                DJANGO_REDIS,
                json!(["redis://h:7000/1"]),
                json!({"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster"}),
            ),
            (
                DJANGO_REDIS,
                json!(["redis://h:7000?db=1"]),
                json!({"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster"}),
            ),
            (
                DJANGO_REDIS,
                json!(["redis://h:7000"]),
                json!({"REDIS_CLIENT_CLASS": "redis.cluster.RedisCluster", "DB": 2}),
            ),
            (
                MEMCACHED,
                json!(["h:1"]),
                json!({"username": "u", "password": "p"}),
            ),
        ] {
            assert!(
                place(backend, location, options.clone()).is_err(),
                "{options}"
            );
        }
    }

    #[test]
    fn a_client_counts_as_that_which_it_is_made_of() {
        let with = |client: &[&str]| {
            let cache = json!({
                "alias": "default", "backend": [DJANGO_REDIS], "location": ["redis://h:7000"],
                "options": {"CLIENT_CLASS": client.first()}, "client": client,
                "key_prefix": "", "version": 1, "key": ["", ""],
            });
            let cache: Cache = serde_json::from_value(cache).map_err(|error| error.to_string())?;
            Place::of(&cache, Path::new("/srv")).map(|place| (place.url, place.shards))
        };
        let url = "redis://h:7000".to_owned();
        let default = "django_redis.client.default.DefaultClient";
        let shard = "django_redis.client.sharded.ShardClient";
        assert_eq!(
            with(&["own.ClusterClient", default]),
            Ok((url.clone(), false))
        );
        assert_eq!(with(&["own.Client", shard, default]), Ok((url, true)));
        for client in [
            &["own.Client", "django_redis.client.herd.HerdClient", default][..],
            &["own.Client"],
            &["own.DefaultClients", "own.ShardClient2"],
        ] {
            assert!(with(client).is_err(), "{client:?}");
        }
    }
}
