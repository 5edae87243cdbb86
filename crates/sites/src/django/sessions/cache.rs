//! Reads sessions from Django's cache framework: `django.contrib.sessions.backends.cache` and
//! `cached_db`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::Invalid;
use hallpass_sessions::django::{Login, read_cache_file, read_cache_row, read_cache_value};
use hallpass_stores::cache::KeyPattern;
use hallpass_stores::sql::{LookUp, Queries, Value};
use hallpass_stores::{Deadline, Files, Secret, Unavailable, cache};
use md5::{Digest, Md5};

use super::containers::{Containers, Found, Lookup};
use crate::cache::CacheLocation;
use crate::cache::other_database;
use crate::django::datetime::Clock;
use crate::django::settings::DjangoCache;
use crate::{Decoding, Elsewhere, Reason, RestsOn, SAMPLE, Sample};

/// How long the keys of sessions are (`_get_new_session_key` in
/// contrib/sessions/backends/base.py, 5.2).
const KEY_LENGTH: usize = 32;

/// The site's cache, and where in it the sessions are.
#[derive(Debug)]
pub(super) struct SessionCache {
    cache: Cached,
    /// What stands before a session's key in a key of the cache.
    before: String,
    /// What stands after it.
    after: String,
    /// How its server is asked, where it is one.
    settings: Option<Box<cache::Settings>>,
}

impl SessionCache {
    pub(super) fn new(cache: &DjangoCache) -> Self {
        let (before, after) = cache.around_key.clone();
        Self {
            cache: Cached::new(cache),
            before,
            after,
            settings: match &cache.location {
                CacheLocation::Server(settings) => Some(settings.clone()),
                CacheLocation::Directory(_) | CacheLocation::Table(_) => None,
            },
        }
    }

    /// The key of the session `key` in the cache.
    fn key(&self, key: &str) -> String {
        [&*self.before, key, &self.after].concat()
    }

    /// What leads the cache's `key`, and the session's own key, where it is that of a session.
    fn session_key<'a>(&self, key: &'a [u8]) -> Option<(&'a str, &'a str)> {
        let whole = std::str::from_utf8(key).ok()?.strip_suffix(&*self.after)?;
        let (before, token) = whole.split_at_checked(whole.len().checked_sub(KEY_LENGTH)?)?;
        let is_token = token.bytes().all(|it| it.is_ascii_alphanumeric());
        is_token.then_some((before, token))
    }

    /// What the engine puts before a session's key, after the cache's own prefix and version.
    fn engine(&self) -> &str {
        self.before.rsplit(':').next().unwrap_or_default()
    }

    /// Whether the cache's own client raises at such a key.
    pub(super) fn refuses(&self, key: &str) -> bool {
        self.cache.refuses(&self.key(key))
    }

    pub(super) fn rests_on(&mut self) -> RestsOn<'_> {
        match &mut self.cache.0 {
            Store::Server(cache) => RestsOn::Cache(cache),
            Store::Table(_) => RestsOn::Database,
            Store::Directory(_) => RestsOn::More,
        }
    }

    /// Some of the sessions that the cache has, and where it has some under other keys; `None`
    /// where it does not tell its keys.
    pub(super) fn sample(&self, deadline: Deadline) -> Option<Sample> {
        let settings = self.settings.as_deref()?;
        let ours = KeyPattern::default()
            .text(self.before.as_bytes())
            .bytes(KEY_LENGTH)
            .text(self.after.as_bytes());
        let is_ours = |key: &[u8]| {
            let key = self.session_key(key);
            key.is_some_and(|(before, _)| before == self.before)
        };
        let keys = cache::Cache::new(settings).keys(&ours, &is_ours, SAMPLE, deadline)?;
        let tokens = keys.keys.iter().filter_map(|key| self.session_key(key));
        let tokens: Vec<_> = tokens.map(|(_, token)| Secret::new(token)).collect();
        let elsewhere = if tokens.is_empty() && keys.all {
            let elsewhere = self.other_keys(settings, deadline).map(Elsewhere::Keys);
            elsewhere.or_else(|| {
                let number = other_database(settings, &ours, &is_ours, deadline);
                number.map(Elsewhere::Database)
            })
        } else {
            None
        };
        Some(Sample {
            elsewhere,
            unordered: true,
            partial: !keys.all,
            ..Sample::of(tokens)
        })
    }

    /// What the keys of sessions begin with that another prefix or version of the cache wrote;
    /// `None` where none was found. `KEY_PREFIX` and `VERSION` come first.
    fn other_keys(&self, settings: &cache::Settings, deadline: Deadline) -> Option<String> {
        let engine = self.engine();
        if engine.is_empty() {
            return None;
        }
        let pattern = KeyPattern::default()
            .anything()
            .text(engine.as_bytes())
            .bytes(KEY_LENGTH)
            .text(self.after.as_bytes());
        let begin = |key: &[u8]| {
            let (before, _) = self.session_key(key)?;
            before.strip_suffix(engine).map(str::to_owned)
        };
        let is_session = |key: &[u8]| begin(key).is_some();
        let keys = cache::Cache::new(settings).keys(&pattern, &is_session, 1, deadline)?;
        begin(keys.keys.first()?)
    }

    /// `None` where the cache does not have it, or has what its client could not read or would
    /// read as `None`.
    pub(super) fn find(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
        clock: &Clock,
        now: SystemTime,
    ) -> Result<Option<Result<Found, Reason>>, Unavailable> {
        let key = self.key(key);
        let Some(value) = self.cache.get(queries, &key, clock, now)? else {
            return Ok(None);
        };
        let tracer = queries.tracer();
        match &value.login {
            Err(invalid) => tracer.decided("payload", false, || invalid.to_string()),
            Ok(None) => tracer.decided("payload", false, || "nobody is logged in".to_owned()),
            Ok(Some(_)) => tracer.decided("payload", true, || "somebody is logged in".to_owned()),
        };
        Ok(Some(match value.login {
            Err(Invalid::Format(_)) => return Ok(None),
            Err(_) => Err(Reason::InvalidSession),
            Ok(None) => Err(Reason::AnonymousSession),
            Ok(Some(login)) => Ok(Found {
                login,
                expires: value.expires,
                decoded: Decoding {
                    store: value.store,
                    container: "",
                    format: "",
                },
            }),
        }))
    }
}

impl SessionCache {
    /// A session of django-redis-sessions, which has in Redis what `db` has in a row
    /// (`SessionStore.load` in redis_sessions/session.py, 0.6.2).
    pub(super) fn find_container(
        &mut self,
        queries: &Queries<'_>,
        key: &str,
        containers: &Containers,
    ) -> Lookup {
        let key = self.key(key);
        let Some(entry) = self.cache.entry(queries, &key)? else {
            return Err(Reason::NoSession.into());
        };
        let opened = containers.open(&entry.bytes, queries.tracer())?;
        Ok(opened.found("Redis", None)?)
    }
}

/// The longest file of a cache that is read, in bytes.
const LONGEST_FILE: usize = 1 << 20;

/// A cache that a site's settings name.
#[derive(Debug)]
struct Cached(Store);

#[derive(Debug)]
enum Store {
    /// `django.core.cache.backends.filebased`
    Directory(Files),
    /// Redis or memcached.
    Server(cache::Cache),
    /// `django.core.cache.backends.db`
    Table(LookUp),
}

/// A session that a cache has.
#[derive(Debug)]
struct CachedSession {
    /// Who is logged in to it.
    login: Result<Option<Login>, Invalid>,
    /// When the cache lets it go, where it tells.
    expires: Option<SystemTime>,
    /// Which cache it is, in words for the administrator.
    store: &'static str,
}

impl Cached {
    fn new(cache: &DjangoCache) -> Self {
        Self(match &cache.location {
            CacheLocation::Server(settings) => Store::Server(cache::Cache::new(settings)),
            CacheLocation::Directory(path) => Store::Directory(Files::new(path)),
            CacheLocation::Table(table) => Store::Table(LookUp::of_data(
                &["\"value\"", "\"expires\"", "\"cache_key\""],
                &table.quoted(),
                "\"cache_key\"",
                ":key",
            )),
        })
    }

    /// Whether the clients of memcached raise at `key` (`memcache_key_warnings` in
    /// core/cache/backends/base.py, 5.2). The other backends warn of it, and go on.
    fn refuses(&self, key: &str) -> bool {
        let Store::Server(cache) = &self.0 else {
            return false;
        };
        cache.refuses(key.as_bytes())
    }

    /// The session that is cached under `key`; `None` where there is none.
    fn get(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
        clock: &Clock,
        now: SystemTime,
    ) -> Result<Option<CachedSession>, Unavailable> {
        match &mut self.0 {
            Store::Server(_) => {
                let entry = self.entry(queries, key)?;
                Ok(entry.map(|entry| CachedSession {
                    login: read_cache_value(&entry.bytes, entry.flags),
                    expires: None,
                    store: "the cache",
                }))
            }
            Store::Table(by_key) => from_table(by_key, queries, key, clock, now),
            Store::Directory(files) => from_file(files, queries, key, now),
        }
    }

    /// What a server has under `key`; `None` where the cache is not a server.
    fn entry(
        &mut self,
        queries: &Queries<'_>,
        key: &str,
    ) -> Result<Option<cache::Entry>, Unavailable> {
        let Store::Server(cache) = &mut self.0 else {
            return Ok(None);
        };
        let entry = cache.get(key.as_bytes(), queries.deadline())?;
        queries.tracer().read("cache", || {
            let found = if entry.is_some() {
                "has"
            } else {
                "does not have"
            };
            format!("the cache {found} the session's key")
        });
        Ok(entry)
    }
}

/// As `DatabaseCache.get_many` in core/cache/backends/db.py, 5.2.
fn from_table(
    by_key: &LookUp,
    queries: &mut Queries<'_>,
    key: &str,
    clock: &Clock,
    now: SystemTime,
) -> Result<Option<CachedSession>, Unavailable> {
    let mut rows = match queries.look_up(by_key, key.into()) {
        Err(cause) if cause.is_too_long() => {
            return Ok(Some(CachedSession {
                login: Err(Invalid::Format("the cache's row is longer than is read")),
                expires: None,
                store: "the table of the cache",
            }));
        }
        rows => rows?,
    };
    let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
        return Ok(None);
    };
    // A collation may have found the row of another key.
    if row.text(2).as_deref() != Some(key) {
        return Ok(None);
    }
    let value = row.take(0);
    let expires = clock.read(&row.take(1));
    let login = match (&value, &expires) {
        (Value::Text(_), Some(expires)) if clock.passed(expires, now) => return Ok(None),
        (Value::Text(value), Some(_)) => read_cache_row(value.as_bytes()),
        _ => Err(Invalid::Format("the cache's row holds no text or no time")),
    };
    Ok(Some(CachedSession {
        login,
        expires: expires.map(|expires| expires.time),
        store: "the table of the cache",
    }))
}

/// As `FileBasedCache.get` in core/cache/backends/filebased.py, 5.2.
fn from_file(
    files: &Files,
    queries: &Queries<'_>,
    key: &str,
    now: SystemTime,
) -> Result<Option<CachedSession>, Unavailable> {
    let digest: [u8; 16] = Md5::digest(key).into();
    let name = format!("{:032x}.djcache", u128::from_be_bytes(digest));
    let Some(file) = files.read(name.as_bytes(), LONGEST_FILE, queries.deadline())? else {
        return Ok(None);
    };
    let (login, expires) = match read_cache_file(&file.bytes) {
        Err(invalid) => (Err(invalid), None),
        Ok(read) => {
            let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            if read.expires.is_some_and(|end| end < now.as_secs_f64()) {
                return Ok(None);
            }
            (Ok(read.login), read.expires)
        }
    };
    let expires = expires
        .and_then(|end| Duration::try_from_secs_f64(end).ok())
        .and_then(|end| UNIX_EPOCH.checked_add(end));
    Ok(Some(CachedSession {
        login,
        expires,
        store: "the file of the cache",
    }))
}
