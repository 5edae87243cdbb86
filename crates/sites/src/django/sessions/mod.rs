//! Reads sessions of `django.contrib.sessions`, by the engine that keeps them.

mod cache;
mod containers;
mod evidence;
mod file;
mod table;

use std::cell::OnceCell;
use std::time::SystemTime;

use hallpass_sessions::django::{self as format, AuthHashes, PrimaryKey};
use hallpass_stores::sql::{LookUp, Queries, Value};
use hallpass_stores::{Secret, Unavailable};

use self::cache::SessionCache;
use self::containers::{Containers, Lookup, find_in_cookie};
use self::evidence::Evidence;
use self::file::SessionFiles;
use self::table::{Profile, SessionTable, Tables};
use super::datetime::Clock;
use super::second_factor::SecondFactor;
use crate::django::settings::{Django, SessionEngine};
use crate::{
    Account, Client, Login, Overlooked, Reason, Required, RestsOn, Sample, SessionSource, Stop,
};

/// The longest token that is looked at, in bytes: as long as a cookie can be.
const LONGEST_TOKEN: usize = 4096;
/// Keys of fewer characters are no keys (`SessionBase._validate_session_key`, 1.9 and later).
const SHORTEST_KEY: usize = 8;

/// The sessions of a Django site.
#[derive(Debug)]
pub(super) struct Sessions {
    engine: Engine,
    containers: Containers,
    secret_keys: Vec<Secret>,
    /// Made of the secret keys when the first session is confirmed.
    hashes: OnceCell<AuthHashes>,
    version: format::Version,
    backends: Option<Vec<String>>,
    clock: Clock,
    tables: Tables,
    second_factor: Option<SecondFactor>,
    evidence: Option<Evidence>,
}

/// Where sessions are.
#[derive(Debug)]
enum Engine {
    Cache(SessionCache),
    CachedDatabase(SessionCache, SessionTable),
    Cookies { age: u64 },
    Database(SessionTable),
    Files(SessionFiles),
    Profile(Profile),
    Redis(SessionCache),
}

impl Sessions {
    pub(super) fn new(django: &Django) -> Self {
        let settings = &django.sessions;
        let table = || SessionTable::new(settings);
        let engine = match (&settings.engine, &settings.profile) {
            (_, Some(profile)) => Engine::Profile(Profile::new(profile, settings)),
            (SessionEngine::Database, None) => Engine::Database(table()),
            (SessionEngine::CachedDatabase(cache), None) => {
                Engine::CachedDatabase(SessionCache::new(cache), table())
            }
            (SessionEngine::Cache(cache), None) => Engine::Cache(SessionCache::new(cache)),
            (SessionEngine::Redis(cache), None) => Engine::Redis(SessionCache::new(cache)),
            (
                SessionEngine::File {
                    directory,
                    cookie_age,
                },
                None,
            ) => {
                let prefix = &settings.cookie_name;
                Engine::Files(SessionFiles::new(directory, prefix, *cookie_age))
            }
            (SessionEngine::SignedCookies { cookie_age }, None) => {
                Engine::Cookies { age: *cookie_age }
            }
        };
        let secrets = django.secret_keys.iter().map(Secret::expose);
        Self {
            engine,
            containers: Containers::new(django),
            secret_keys: secrets.map(Secret::new).collect(),
            hashes: OnceCell::new(),
            version: django.version,
            backends: django.authentication_backends.clone(),
            clock: Clock::new(django.time_zone.clone()),
            tables: Tables::new(settings),
            second_factor: SecondFactor::new(django.second_factor.as_deref()),
            evidence: Evidence::new(django),
        }
    }

    fn find(&mut self, queries: &mut Queries<'_>, key: &str, now: SystemTime) -> Lookup {
        let (containers, clock) = (&self.containers, &self.clock);
        match &mut self.engine {
            Engine::Database(table) => table.find(queries, key, containers, clock, now),
            // Django raises when it puts the row that it found, by whatever collation, into a cache
            // that takes no such key.
            Engine::CachedDatabase(cache, _) if cache.refuses(key) => Err(Reason::NoSession.into()),
            // The cache's copy wins, whatever the row says (`SessionStore.load` in
            // contrib/sessions/backends/cached_db.py, 4.2 and 5.2).
            Engine::CachedDatabase(cache, table) => match cache.find(queries, key, clock, now)? {
                None => table.find(queries, key, containers, clock, now),
                Some(found) => Ok(found?),
            },
            Engine::Cache(cache) => {
                let found = cache.find(queries, key, clock, now)?;
                Ok(found.unwrap_or(Err(Reason::NoSession))?)
            }
            Engine::Cookies { age } => Ok(find_in_cookie(
                key,
                *age,
                containers,
                now,
                queries.tracer(),
            )?),
            Engine::Files(files) => files.find(queries, key, containers, clock, now),
            Engine::Profile(profile) => profile.find(queries, key, clock, now),
            Engine::Redis(redis) => redis.find_container(queries, key, containers),
        }
    }
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let vouched = matches!(self.engine, Engine::Profile(_));
        if self.secret_keys.is_empty() && !self.containers.trusted() && !vouched {
            return Err(Unavailable::new(
                "sessions cannot be read: [django] secret_key is not configured",
            )
            .into());
        }
        let Some(key) = session_key(token) else {
            return Err(Reason::NoSession.into());
        };
        let found = queries.in_sessions(|queries| self.find(queries, key, now))?;
        let listed = |listed: &Vec<String>| listed.contains(&found.login.backend);
        let known = vouched || self.backends.as_ref().is_none_or(listed);
        let told = || format!("the session was made by {:?}", found.login.backend);
        if !queries.tracer().decided("backend", known, told) {
            return Err(Reason::InvalidSession.into());
        }
        let key = match found.login.user {
            PrimaryKey::Integer(key) => key.to_string(),
            PrimaryKey::Text(key) => key,
        };
        if let Some(second_factor) = &mut self.second_factor {
            let shown = found.login.otp_device.as_deref();
            let pending = second_factor.is_pending(queries, &key, shown)?;
            if !queries.tracer().decided("second-factor", !pending, || {
                "the account has one, and the session has not shown it".to_owned()
            }) {
                return Err(Reason::SecondFactor.into());
            }
        }
        Ok(Login {
            key,
            auth_hash: found.login.hash,
            expires: found.expires,
            decoded: found.decoded,
            from_token: false,
        })
    }

    fn look_up(&self, token: &[u8]) -> Option<(LookUp, Value)> {
        match &self.engine {
            // A second factor that is set up meanwhile counts as well.
            Engine::Database(table) if self.second_factor.is_none() => {
                Some(table.look_up(session_key(token)?))
            }
            _ => None,
        }
    }

    fn asks_only_database(&self) -> bool {
        matches!(self.engine, Engine::Cookies { .. } | Engine::Database(_))
    }

    fn keeps_in_cookie(&self) -> bool {
        matches!(self.engine, Engine::Cookies { .. })
    }

    fn rests_on(&mut self) -> RestsOn<'_> {
        match &mut self.engine {
            Engine::Cookies { .. } | Engine::Database(_) | Engine::Profile(_) => RestsOn::Database,
            Engine::Cache(cache) | Engine::CachedDatabase(cache, _) | Engine::Redis(cache) => {
                cache.rests_on()
            }
            Engine::Files(_) => RestsOn::More,
        }
    }

    fn needs(&self) -> Vec<Required> {
        self.tables.needs()
    }

    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let listed = match self.tables.newest() {
            Some(newest) => queries.in_sessions(|queries| crate::tokens(queries, &newest))?,
            None => None,
        };
        Ok(match &mut self.engine {
            Engine::Files(files) => Some(Sample::of(files.sample()?)),
            Engine::Cache(cache) | Engine::Redis(cache) => cache.sample(queries.deadline()),
            Engine::CachedDatabase(cache, _) => listed.map(|listed| Sample {
                elsewhere: cache.sample(queries.deadline()).and_then(|it| it.elsewhere),
                ..listed
            }),
            Engine::Cookies { .. } | Engine::Database(_) | Engine::Profile(_) => listed,
        })
    }

    fn overlooked(
        &mut self,
        queries: &mut Queries<'_>,
        now: SystemTime,
    ) -> Result<Vec<Overlooked>, Unavailable> {
        let listed = match &self.engine {
            Engine::Files(_) | Engine::Cache(_) => self.sample(queries)?,
            _ => None,
        };
        let is_empty =
            listed.is_some_and(|it| it.tokens.is_empty() && it.elsewhere.is_none() && !it.partial);
        match &self.evidence {
            Some(it) => it.faults(queries, &self.containers, &self.clock, is_empty, now),
            None => Ok(Vec::new()),
        }
    }

    /// The session's hash of the password, under any of the keys (`get_user` in
    /// contrib/auth/__init__.py, 5.2). A table that maps sessions to users says nothing of it.
    fn confirms(&self, login: &Login, account: &Account) -> bool {
        if matches!(self.engine, Engine::Profile(_))
            || (self.secret_keys.is_empty() && self.containers.trusted())
        {
            return true;
        }
        // Python's `str()` of an account without a password (`salted_hmac` in utils/crypto.py, 5.2).
        let password = account.encoded.as_deref().unwrap_or("None");
        match &login.auth_hash {
            Some(hash) => {
                let hashes = self.hashes.get_or_init(|| {
                    let secrets = self.secret_keys.iter().map(Secret::expose);
                    AuthHashes::new(self.version, secrets)
                });
                hashes.is_current(password, hash)
            }
            // Django 1.6 and earlier write none.
            None => !self.version.hashes_password(),
        }
    }
}

/// The key that `token` is; `None` where it can be none.
fn session_key(token: &[u8]) -> Option<&str> {
    let key = std::str::from_utf8(token).ok()?;
    let may_be = key.len() <= LONGEST_TOKEN
        && key.chars().count() >= SHORTEST_KEY
        && !key.contains(char::is_control);
    may_be.then_some(key)
}
