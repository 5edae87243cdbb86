//! Writes the keys of `[django]` that say where the sessions are.

use std::path::Path;

use super::cache::Place;
use super::found::{Cache, Found, Sessions, text};
use crate::init::Page;

/// Django's own session engines, by their modules.
const ENGINES: [&str; 5] = ["cache", "cached_db", "db", "file", "signed_cookies"];
/// The salt of a `SessionStore` that is called so.
const USUAL_SALT: &str = "django.contrib.sessions.SessionStore";
/// What can be told apart by looking at a session.
const SERIALIZERS: [&str; 4] = [
    "django.contrib.sessions.serializers.JSONSerializer",
    "django.contrib.sessions.serializers.PickleSerializer",
    "django.core.signing.JSONSerializer",
    "django.core.serializers.base.PickleSerializer",
];

/// A cache, and where it is.
type InCache<'found> = (Place, &'found Cache);

/// Sessions that can be read here.
pub struct Readable<'found> {
    engine: &'static str,
    /// The cache that the engine needs.
    cache: Option<InCache<'found>>,
}

/// Writes the keys. Where the sessions cannot be read, none is written, and it is said why. The cache
/// comes back: it is a table of its own.
pub fn write(
    page: &mut Page,
    found: &Found,
    readable: Result<Readable<'_>, String>,
) -> Option<(Place, String)> {
    let sessions = &found.sessions;
    match readable {
        Err(why) => {
            page.warn(&format!("sessions are not read: {why}"));
            None
        }
        Ok(Readable { engine, cache }) => {
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
            if !sessions
                .engine
                .starts_with("django.contrib.sessions.backends.")
            {
                page.warn(&format!(
                    "{} is not Django's; its sessions are read as those of {engine}, which it is \
                     made of",
                    sessions.engine
                ));
            }
            let (place, cache) = cache?;
            if !cache.key_prefix.is_empty() {
                page.string("cache_key_prefix", &cache.key_prefix, "KEY_PREFIX");
            }
            if let Some(version) = cache.version.as_u64() {
                page.number("cache_version", version, "VERSION");
            }
            Some((place, cache.alias.clone()))
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
    let known = |name: &String| SERIALIZERS.contains(&name.as_str());
    let in_cache = matches!(engine, "cache" | "cached_db");
    let known = !sessions.own_loads && sessions.serializer.iter().any(known);
    if engine != "cache" && !known {
        let serializer = sessions.serializer.first().map_or("", String::as_str);
        return Err(format!(
            "SESSION_SERIALIZER is {serializer}, which is not known here"
        ));
    }
    if let Some(alias) = &sessions.alias
        && matches!(engine, "db" | "cached_db")
        && *alias != found.database.alias
    {
        return Err(format!(
            "they are in the database {alias}, and the accounts are in {}",
            found.database.alias
        ));
    }
    if !in_cache {
        return Ok(Readable {
            engine,
            cache: None,
        });
    }
    let usual = format!("django.contrib.sessions.{engine}");
    if let Some(prefix) = &sessions.cache_key_prefix
        && *prefix != usual
    {
        return Err(format!(
            "the site begins their keys in the cache with {prefix}"
        ));
    }
    let cache = sessions
        .cache
        .as_ref()
        .ok_or("SESSION_CACHE_ALIAS names no entry of CACHES")?;
    let version = cache
        .version
        .as_u64()
        .is_some_and(|version| version < u64::from(u32::MAX));
    if !version {
        let version = text(&cache.version).unwrap_or_default();
        return Err(format!(
            "the VERSION of their cache is {version:?}, which is not a whole number"
        ));
    }
    let place = Place::of(cache, directory).map_err(|why| format!("their cache {why}"))?;
    Ok(Readable {
        engine,
        cache: Some((place, cache)),
    })
}

/// Django's engine that the site's is made of.
fn engine(sessions: &Sessions) -> Option<&'static str> {
    sessions.modules.iter().find_map(|module| {
        // django-user-sessions: Django's own engine, with a table of its own.
        if module == "user_sessions.backends.db" {
            return Some("db");
        }
        let name = module.strip_prefix("django.contrib.sessions.backends.")?;
        ENGINES.into_iter().find(|engine| *engine == name)
    })
}
