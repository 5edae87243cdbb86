//! Writes the keys of `[django]` that say where the sessions are.

use std::path::Path;

use serde_json::Value;

use super::cache::Place;
use super::found::{Cache, CacheKey, Database, Found, Sessions, text};
use crate::init::Page;

/// Django's own session engines, by their modules.
const ENGINES: [&str; 5] = ["cache", "cached_db", "db", "file", "signed_cookies"];

/// The salt of a `SessionStore` that is called so.
const USUAL_SALT: &str = "django.contrib.sessions.SessionStore";
/// What can be told apart by looking at a session.
const WRITTEN: [&str; 2] = ["json", "pickle"];
/// The engine of django-redis-sessions.
const REDIS_SESSIONS: &str = "redis_sessions.session";

/// A cache that has sessions in it.
pub struct InCache {
    pub place: Place,
    /// The site's setting that describes it.
    pub setting: String,
    keys: Keys,
}

/// How a session's key becomes one of the cache.
enum Keys {
    /// As Django does by itself, with `KEY_PREFIX` and `VERSION`.
    Usual { prefix: String, version: u64 },
    /// By what stands before it and after it.
    Around(String, String),
}

/// Sessions that can be read here.
pub struct Readable<'found> {
    engine: &'static str,
    /// The database whose tables it needs.
    pub database: Option<&'found Database>,
    /// The cache that the engine needs.
    cache: Option<InCache>,
    /// Why the table alone is read, of an engine that keeps its sessions in a cache as well.
    table_alone: Option<String>,
}

/// Writes the keys. Where the sessions cannot be read, none is written, and it is said why. The cache
/// comes back: it is a table of its own.
pub fn write(
    page: &mut Page,
    found: &Found,
    readable: Result<Readable<'_>, String>,
) -> Option<InCache> {
    let sessions = &found.sessions;
    match readable {
        Err(why) => {
            page.warn(&format!("sessions are not read: {why}"));
            None
        }
        Ok(Readable {
            engine,
            cache,
            table_alone,
            ..
        }) => {
            if let Some(why) = table_alone {
                page.note(&format!(
                    "The table of the sessions is read alone, which has all of them: {why}."
                ));
            }
            if let Some((first, fallbacks)) = found.secret_keys.split_first() {
                page.secret(
                    "secret_key",
                    "secret_key",
                    first,
                    "SECRET_KEY: signs sessions",
                );
                if !fallbacks.is_empty() {
                    page.secrets(
                        "secret_key_fallbacks",
                        "secret_key_fallback",
                        fallbacks.iter().map(|key| key.as_slice()),
                        "SECRET_KEY_FALLBACKS",
                    );
                }
            }
            page.string(
                "session_engine",
                engine,
                &format!("SESSION_ENGINE: {}", sessions.engine),
            );
            let comment = "SESSION_COOKIE_NAME";
            page.string("session_cookie_name", &sessions.cookie_name, comment);
            page.session_cookie(&sessions.cookie);
            match sessions.cookie_age.as_u64() {
                Some(age) => {
                    page.number("session_cookie_age", age, "SESSION_COOKIE_AGE, in seconds")
                }
                None => {
                    page.warn("SESSION_COOKIE_AGE is not a whole number of seconds: 14d is assumed")
                }
            }
            if engine == "file" {
                page.string(
                    "session_file_path",
                    &sessions.file_path,
                    "SESSION_FILE_PATH",
                );
            }
            if matches!(engine, "db" | "cached_db")
                && let Some(table) = &sessions.table
            {
                page.string("session_table", table, "the session model's table");
            }
            if engine != "signed_cookies" && sessions.salt != USUAL_SALT {
                page.string(
                    "session_key_salt",
                    &sessions.salt,
                    "of the site's own SessionStore",
                );
            }
            let own = sessions.engine.as_str() != REDIS_SESSIONS
                && !sessions
                    .engine
                    .starts_with("django.contrib.sessions.backends.");
            if own {
                page.warn(&format!(
                    "{} is not Django's; its sessions are read as those of {engine}, which it is \
                     made of",
                    sessions.engine
                ));
            }
            let cache = cache?;
            match &cache.keys {
                Keys::Usual { prefix, version } => {
                    if !prefix.is_empty() {
                        page.string("cache_key_prefix", prefix, "KEY_PREFIX");
                    }
                    page.number("cache_version", *version, "VERSION");
                }
                Keys::Around(before, after) => page.string(
                    "session_cache_key",
                    &format!("{before}{{session_key}}{after}"),
                    "as the site itself makes it",
                ),
            }
            Some(cache)
        }
    }
}

/// The engine, and the cache that it needs, for a site in `directory`.
///
/// # Errors
/// Why the sessions cannot be read here.
pub fn readable<'found>(
    found: &'found Found,
    directory: &Path,
) -> Result<Readable<'found>, String> {
    let sessions = &found.sessions;
    let engine = engine(sessions).ok_or_else(|| {
        format!(
            "SESSION_ENGINE is {}, which is not known here",
            sessions.engine
        )
    })?;
    if engine != "cache" && !WRITTEN.contains(&sessions.writes.as_str()) {
        return Err(format!(
            "SESSION_SERIALIZER is {}, which is not known here: {}",
            sessions.serializer, sessions.writes
        ));
    }
    let table = sessions.database.as_ref();
    let in_table = matches!(engine, "db" | "cached_db");
    let without_cache = Readable {
        engine,
        database: table.filter(|_| in_table),
        cache: None,
        table_alone: None,
    };
    match engine {
        "cache" | "cached_db" => {}
        REDIS_SESSIONS => {
            let settings = sessions.redis.as_ref();
            let settings = settings.ok_or("SESSION_REDIS is not known")?;
            let place = Place::of_redis_sessions(settings);
            let around = settings.get("key").and_then(Value::as_array);
            let around = around.map(|words| words.iter().filter_map(text).collect::<Vec<_>>());
            let Some([before, after]) = around.as_deref() else {
                return Err("their keys in Redis are not known here".to_owned());
            };
            return Ok(Readable {
                engine,
                database: None,
                cache: Some(InCache {
                    place: place.map_err(|why| format!("SESSION_REDIS {why}"))?,
                    setting: "SESSION_REDIS".to_owned(),
                    keys: Keys::Around(before.clone(), after.clone()),
                }),
                table_alone: None,
            });
        }
        _ => return Ok(without_cache),
    }
    let cache = sessions
        .cache
        .as_ref()
        .ok_or("SESSION_CACHE_ALIAS names no entry of CACHES")?;
    let place = Place::of(cache, directory).map_err(|why| format!("their cache {why}"));
    let place = place.and_then(|place| Ok((place, keys(cache, engine)?)));
    let (place, keys) = match place {
        Ok(found) => found,
        // Django writes each session into the table first, and ends it there as well.
        Err(why) if engine == "cached_db" && table.is_some() => {
            return Ok(Readable {
                engine: "db",
                table_alone: Some(why),
                ..without_cache
            });
        }
        Err(why) => return Err(why),
    };
    let cached = cache.database.as_ref();
    if let (true, Some(table), Some(cached)) = (in_table, table, cached)
        && !table.is_same(cached)
    {
        return Err(format!(
            "their table is in the database {}, and their cache in {}",
            table.alias, cached.alias
        ));
    }
    Ok(Readable {
        engine,
        database: table.filter(|_| in_table).or(cached),
        cache: Some(InCache {
            place,
            setting: format!("CACHES[\"{}\"]", cache.alias),
            keys,
        }),
        table_alone: None,
    })
}

/// How the keys of sessions of `engine` become those of `cache`.
fn keys(cache: &Cache, engine: &str) -> Result<Keys, String> {
    let (before, after) = match &cache.key {
        CacheKey::Around(before, after) => (before, after),
        CacheKey::Unknown(why) => return Err(format!("their cache: {why}")),
    };
    let prefix = &cache.key_prefix;
    let version = cache.version.as_u64();
    let version = version.filter(|version| *version < u64::from(u32::MAX));
    if let Some(version) = version
        && after.is_empty()
        && *before == format!("{prefix}:{version}:django.contrib.sessions.{engine}")
    {
        let prefix = prefix.clone();
        return Ok(Keys::Usual { prefix, version });
    }
    Ok(Keys::Around(before.clone(), after.clone()))
}

/// Django's engine that the site's is made of.
fn engine(sessions: &Sessions) -> Option<&'static str> {
    sessions.modules.iter().find_map(|module| {
        // django-user-sessions: Django's own engine, with a table of its own.
        if module == "user_sessions.backends.db" {
            return Some("db");
        }
        if module == REDIS_SESSIONS {
            return Some(REDIS_SESSIONS);
        }
        let name = module.strip_prefix("django.contrib.sessions.backends.")?;
        ENGINES.into_iter().find(|engine| *engine == name)
    })
}
