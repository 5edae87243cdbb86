//! `[django.cache]`: the cache that the site's Django keeps its sessions in.

use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::found::{Cache, Secret, text};
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
        if cache.own_keys {
            return Err("makes its keys by a KEY_FUNCTION of the site's own".to_owned());
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

    /// Writes the table.
    pub fn write(&self, page: &mut Page, alias: &str) {
        page.table("django.cache", &format!("CACHES[\"{alias}\"]"));
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
        options: &std::collections::BTreeMap<String, Value>,
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
#[path = "cache_tests.rs"]
mod tests;
