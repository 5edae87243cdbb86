//! Sessions in a cache: `django.contrib.sessions.backends.cache` and `cached_db`.

use std::time::SystemTime;

use hallpass_sessions::Invalid;
use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::Found;
use crate::django::cache::Cached;
use crate::django::datetime::Clock;
use crate::django::settings::DjangoCache;
use crate::{Decoding, Reason, Secret};
use crate::{SAMPLE, Sample};

/// How long the keys of sessions are (`_get_new_session_key` in
/// contrib/sessions/backends/base.py, 5.2).
const KEY_LENGTH: usize = 32;

/// The site's cache, and where in it the sessions are.
#[derive(Debug)]
pub(super) struct SessionCache {
    cache: Cached,
    /// `cache_key_prefix` of the engine's `SessionStore`.
    prefix: &'static str,
}

impl SessionCache {
    pub(super) fn new(cache: &DjangoCache, prefix: &'static str) -> Self {
        Self {
            cache: Cached::new(cache),
            prefix,
        }
    }

    /// Whether the cache's own client raises at such a key.
    pub(super) fn refuses(&self, key: &str) -> bool {
        self.cache.refuses(&format!("{}{key}", self.prefix))
    }

    /// Some of the sessions that the cache has, and where it has some under other keys; `None`
    /// where it does not tell its keys.
    pub(super) fn sample(&mut self, deadline: Deadline) -> Option<Sample> {
        let (here, keys) = self.cache.some_keys(deadline)?;
        let mut sample = Sample::default();
        for key in &keys {
            let Some((before, token)) = key.rsplit_once(self.prefix) else {
                continue;
            };
            if token.len() != KEY_LENGTH || !token.bytes().all(|it| it.is_ascii_alphanumeric()) {
                continue;
            }
            if before == here {
                sample.tokens.push(Secret::new(token));
            } else {
                sample.elsewhere = Some(before.to_owned());
            }
        }
        if !sample.tokens.is_empty() {
            sample.elsewhere = None;
        }
        sample.tokens.truncate(SAMPLE);
        Some(sample)
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
        let key = [self.prefix, key].concat();
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
