//! Reads the values that caches keep for a session: the dict itself, unsigned, in the cache
//! client's own encoding.
//!
//! | cache | key | value |
//! |---|---|---|
//! | Redis | `:1:django.contrib.sessions.cachewx2jf0…` | `\x80\x05\x95…}\x94(\x8c\r_auth_user_id\x94…u.` |
//! | memcached, flags 1 | the same | the same |
//! | a table | the same, in `cache_key` | `gAWVWgAAAAAAAAB9lCiMDV9hdXRoX3VzZXJfaWSU…` |
//! | a file | its MD5 and `.djcache`, as the file's name | `\x80\x05\x95\n\0…GA\xda\xd2t\x80\0\0\0.` (when it ends), then the value in zlib |
//!
//! Sources: `RedisSerializer` in core/cache/backends/redis.py, `DatabaseCache` in
//! core/cache/backends/db.py and `FileBasedCache` in core/cache/backends/filebased.py, Django 1.4
//! and 5.2; serializers/ and compressors/ of django-redis 5.4 and 6.0; pymemcache/serde.py 4.0;
//! memcache.py of python-memcached 1.62; src/_pylibmcmodule.c of pylibmc 1.6.

use super::Login;
use super::payload::{read_encoded_json, read_msgpack, read_pickle};
use crate::json::Encoding;
use crate::python_base64::{self, Alphabet};
use crate::{Invalid, MAX_INPUT, Value, compression, json, msgpack, pickle};

/// The flag of a pickled value in memcached; the same in every client.
const PICKLED: u32 = 1;
/// The flag of a value compressed with zlib; the same in every client.
const COMPRESSED: u32 = 8;

/// The contents of a file of a file-based cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheFile {
    /// When the value ends, in Unix seconds: it is dead as soon as that is less than the time
    /// (`_is_expired` in core/cache/backends/filebased.py, 5.2). `None` is never.
    pub expires: Option<f64>,
    /// Whose session the value is; `None` in an anonymous one.
    pub login: Option<Login>,
}

/// Reads the value that Redis or memcached keeps for a session. `Ok(None)` is an
/// anonymous session.
///
/// `flags` are memcached's, by which its clients know their encodings; Redis has none, and
/// nothing else says how a value was made: it is known by its first bytes.
///
/// # Errors
/// [`Invalid::Format`] where the client could not read the value either, or read it as `None`: the
/// session is not there then, to Django's engines. Where it might have read something else, which
/// is not a session, [`Invalid::Kind`]; [`Invalid::TooLarge`].
pub fn read_cache_value(value: &[u8], flags: Option<u32>) -> Result<Option<Login>, Invalid> {
    if value.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    match flags {
        None => match compression::recognized(value)? {
            Some(plain) => read_serialized(&plain),
            None => read_serialized(value),
        },
        Some(PICKLED) => read_pickle(value),
        Some(flags) if flags == PICKLED | COMPRESSED => read_pickle(&compression::zlib(value)?),
        Some(_) => Err(Invalid::Kind("the cache's value is not pickled")),
    }
}

/// Reads the value that the table of a database cache keeps for a session: Base64 of a pickle.
///
/// # Errors
/// As [`read_cache_value`].
pub fn read_cache_row(value: &[u8]) -> Result<Option<Login>, Invalid> {
    if value.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    read_pickle(&python_base64::decode(value, Alphabet::Standard)?)
}

/// Reads the file that a file-based cache keeps for a session: a pickle of when it ends, and after
/// it a pickle of the value, compressed since Django 1.7.
///
/// # Errors
/// As [`read_cache_value`].
pub fn read_cache_file(file: &[u8]) -> Result<CacheFile, Invalid> {
    if file.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    let (expires, value) = pickle::scalar(file)?;
    let expires = match expires {
        Value::Null => None,
        Value::Fraction(seconds) => Some(seconds),
        Value::Integer(seconds) => Some(seconds as f64),
        _ => {
            return Err(Invalid::Format(
                "the cache's file does not say when it ends",
            ));
        }
    };
    let login = if compression::is_zlib(value) {
        read_pickle(&compression::zlib(value)?)?
    } else {
        read_pickle(value)?
    };
    Ok(CacheFile { expires, login })
}

/// Reads what django-redis serializes to: a pickle, JSON or MessagePack.
fn read_serialized(value: &[u8]) -> Result<Option<Login>, Invalid> {
    let read = match value {
        [b'{' | b' ' | b'\t' | b'\n' | b'\r', ..] => read_encoded_json(value, Encoding::Utf8),
        // A map of up to 15 members, of which a pickle's first byte is the empty one; or a larger.
        [0x80] | [0x81..=0x8f | 0xde | 0xdf, ..] => read_msgpack(value),
        _ => read_pickle(value),
    };
    match read {
        // Bytes that one serializer refuses are a list to another.
        Err(Invalid::Format(_)) if is_something_else(value) => {
            Err(Invalid::Kind("the cache's value is not a dict"))
        }
        read => read,
    }
}

/// Whether some serializer reads a value that is neither a pickle of a session nor `None`. Both
/// clients keep integers as Python writes them, and read them as leniently.
fn is_something_else(value: &[u8]) -> bool {
    let digits = value.iter().any(u8::is_ascii_digit);
    let of_integers = |byte: &u8| {
        byte.is_ascii_digit() || byte.is_ascii_whitespace() || b"+-_\x0b".contains(byte)
    };
    (digits && value.iter().all(of_integers)) || json::is_value(value) || msgpack::is_value(value)
}
