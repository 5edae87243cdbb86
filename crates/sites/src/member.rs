//! Finds the account that a session names, and sessions in a cache under a prefix: for frameworks
//! whose sessions are maps, and whose accounts are those of `[custom]`.

use std::time::SystemTime;

use hallpass_sessions::{Invalid, Member, MemberPath};
use hallpass_settings::{Error, Table};
use hallpass_stores::cache::KeyPattern;
use hallpass_stores::{Deadline, Secret, Tracer, cache};
use zeroize::Zeroizing;

use crate::cache::{CacheLocation, other_database};
use crate::{Elsewhere, Reason, RestsOn, SAMPLE, Sample, Stop};

/// The longest name or id that is taken out of a session, in bytes.
const LONGEST_NAME: usize = 1024;
/// The longest id of a session, in bytes: as long as a cookie can be.
const LONGEST_ID: usize = 4096;

/// Where a session names its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionUser {
    /// Its primary key.
    Id(MemberPath),
    /// Its login name.
    Name(MemberPath),
}

impl SessionUser {
    pub(crate) fn path(&self) -> &MemberPath {
        match self {
            Self::Id(path) | Self::Name(path) => path,
        }
    }
}

/// The path that stands at `key` of `table`.
pub(crate) fn path(table: &Table<'_>, key: &str, text: &str) -> Result<MemberPath, Error> {
    text.parse()
        .map_err(|wrong| table.wrong(key, &format!("is not a path into the session: {wrong}")))
}

/// The key or name of the account that `member`, read from a session, is.
pub(crate) fn key_of(member: Result<Member, Invalid>, tracer: &Tracer) -> Result<String, Reason> {
    let whole = |text: &String| text.len() <= LONGEST_NAME && !text.contains(char::is_control);
    let key = match &member {
        Ok(Member::Text(text)) => Some(text.clone()).filter(whole),
        Ok(Member::Integer(number)) => Some(number.to_string()),
        _ => None,
    };
    tracer.decided("payload", key.is_some(), || match &member {
        Err(invalid) => invalid.to_string(),
        Ok(Member::Nothing) => "the session names no account".to_owned(),
        Ok(_) if key.is_none() => "what stands there is neither a name nor an id".to_owned(),
        Ok(_) => "the session names an account".to_owned(),
    });
    match member {
        Ok(Member::Nothing) => Err(Reason::AnonymousSession),
        _ => key.ok_or(Reason::InvalidSession),
    }
}

/// The id `token`; `None` for what no store has a session of.
pub(crate) fn session_id(token: &[u8]) -> Option<&str> {
    let id = std::str::from_utf8(token).ok()?;
    let may_be = !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(char::is_control);
    may_be.then_some(id)
}

/// The server that `cache` names, which must be Redis.
pub(crate) fn redis(
    table: &Table<'_>,
    location: Option<CacheLocation>,
) -> Result<Box<cache::Settings>, Error> {
    match location {
        None => {
            let message = "is missing: the Redis that sessions are in, as in \
                           \"redis://127.0.0.1:6379/0\"";
            Err(table.wrong("cache", message))
        }
        Some(CacheLocation::Server(settings))
            if matches!(settings.store, cache::Store::Redis { .. }) =>
        {
            Ok(settings)
        }
        Some(_) => Err(table.wrong(
            "cache",
            "is not a Redis, as in \"redis://127.0.0.1:6379/0\"",
        )),
    }
}

/// A session that is alive.
pub(crate) struct StoredSession {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) expires: Option<SystemTime>,
}

/// Sessions in a Redis, which lets them go by itself.
#[derive(Debug)]
pub(crate) struct RedisSessions {
    cache: cache::Cache,
    settings: Box<cache::Settings>,
    prefix: String,
}

impl RedisSessions {
    pub(crate) fn new(settings: &cache::Settings, prefix: &str) -> Self {
        Self {
            cache: cache::Cache::new(settings),
            settings: Box::new(settings.clone()),
            prefix: prefix.to_owned(),
        }
    }

    /// What the answer about one of them rests on.
    pub(crate) fn rests_on(&mut self) -> RestsOn<'_> {
        RestsOn::Cache(&mut self.cache)
    }

    /// The session called `id`. An empty value is none, to JavaScript and Python alike.
    pub(crate) fn find(&mut self, id: &str, deadline: Deadline) -> Result<StoredSession, Stop> {
        let key = Zeroizing::new(format!("{}{id}", self.prefix));
        let entry = self.cache.get(key.as_bytes(), deadline)?;
        match entry.filter(|entry| !entry.bytes.is_empty()) {
            Some(entry) => Ok(StoredSession {
                bytes: entry.bytes,
                expires: None,
            }),
            None => Err(Reason::NoSession.into()),
        }
    }

    /// Some of the sessions, each shown by what `token` makes of its id; `None` where the server does
    /// not tell its keys.
    pub(crate) fn sample(
        &mut self,
        deadline: Deadline,
        token: impl Fn(String) -> Option<String>,
    ) -> Option<Sample> {
        let prefix = self.prefix.as_bytes();
        // The store's own locks and other keys under its prefix have more in them.
        let is_letter = |it: &u8| it.is_ascii_alphanumeric() || b"-_".contains(it);
        let is_session = |key: &[u8]| {
            let id = key.strip_prefix(prefix);
            id.is_some_and(|id| !id.is_empty() && id.iter().all(is_letter))
        };
        let pattern = KeyPattern::beginning(prefix);
        let keys = self.cache.keys(&pattern, &is_session, SAMPLE, deadline)?;
        let id = |key: &Vec<u8>| Some(session_id(key.strip_prefix(prefix)?)?.to_owned());
        let ids: Vec<String> = keys.keys.iter().filter_map(id).collect();
        // Without a prefix, any key might be a session's.
        let elsewhere = if ids.is_empty() && keys.all && !prefix.is_empty() {
            other_database(&self.settings, &pattern, &is_session, deadline)
        } else {
            None
        };
        Some(Sample {
            elsewhere: elsewhere.map(Elsewhere::Database),
            unordered: true,
            partial: !keys.all,
            ..sample(ids.into_iter().filter_map(token))
        })
    }
}

/// A sample of the sessions that `tokens` show.
pub(crate) fn sample(tokens: impl IntoIterator<Item = String>) -> Sample {
    Sample::of(tokens.into_iter().map(Secret::new).collect())
}
