//! Reads sessions in the order in which Laravel does: the cookie (`EncryptCookies`), the store
//! (`StartSession`), the guard (`SessionGuard::user`), and `AuthenticateSession` where the site uses
//! it; of laravel/framework 8.83 and 12.x.
//!
//! A token is the value of the session cookie, and behind a semicolon each the values of the other
//! cookies that count: a remembered login's, and with the driver `cookie` the session's data. Each is
//! tied to the name of its cookie, so that their order does not count.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::laravel::{
    Cookie, Encrypter, Facts, Recaller, Serialization, decrypt, from_cookie, from_redis, from_row,
    is_of_password, read, seal_cookie, session_id,
};
use hallpass_sessions::php::{MemcachedClient, unwrap_memcached};
use hallpass_stores::cache::{self, Cache, KeyPattern};
use hallpass_stores::sql::{LookUp, Queries, Value};
use hallpass_stores::{Deadline, File, Files, Secret, Unavailable};
use rustix::process::geteuid;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::accounts::key_value;
use super::settings::{Laravel, SessionStore, Users};
use crate::cache::other_database;
use crate::cookie::{self, Reader};
use crate::php::settings::usual_owners;
use crate::{
    Account, Client, Decoding, Elsewhere, Login, Reason, Required, RestsOn, SAMPLE, Sample,
    SessionSource, Stop, quoted, quoted_table, session_rows, until,
};

/// The longest file of a session that is read, in bytes.
const LONGEST_FILE: usize = 1 << 20;
/// How often a file is read while the site holds its lock.
const ATTEMPTS: u32 = 5;
/// The pause between two reads.
const PAUSE: Duration = Duration::from_millis(5);
/// The most cookies in a token.
const COOKIES: usize = 3;
/// What stands between the cookies of a token. No value has one.
const BETWEEN: u8 = b';';

/// The sessions of a site.
#[derive(Debug)]
pub(super) struct Sessions {
    encrypter: Option<Encrypter>,
    app_key: Secret,
    cookie: String,
    guard: hallpass_sessions::laravel::Guard,
    store: Store,
    /// The Redis that has them, where one does.
    cache: Option<Box<cache::Settings>>,
    encrypted: bool,
    serialization: Option<Serialization>,
    authenticate_session: bool,
    remember: bool,
    users: Users,
}

#[derive(Debug)]
enum Store {
    Table {
        name: String,
        row: LookUp,
        lifetime: u64,
    },
    Files {
        files: Files,
        owners: Vec<u32>,
        lifetime: u64,
    },
    Redis(Box<Cache>, Vec<String>),
    Memcached(Box<Cache>, Vec<String>),
    Cookie,
    Unplaced(&'static str),
}

/// A session as its store has it.
struct Stored {
    payload: Zeroizing<Vec<u8>>,
    /// When it ends; `None` where the store lets it go by itself.
    end: Option<u64>,
    store: &'static str,
}

/// The cookies of a token.
struct Shown {
    /// The id of the session.
    id: Option<String>,
    /// The remembered login.
    recaller: Option<Recaller>,
    /// Those that are neither.
    others: Vec<Cookie>,
    /// Why one was not read.
    unread: Option<hallpass_sessions::Invalid>,
}

impl Sessions {
    pub(super) fn new(laravel: &Laravel) -> Self {
        Self {
            encrypter: laravel.encrypter.clone(),
            app_key: Secret::new(laravel.app_key.as_ref().map_or(&b""[..], Secret::expose)),
            cookie: laravel.session_cookie.clone().unwrap_or_default(),
            guard: laravel.guard.clone(),
            store: Store::new(&laravel.store),
            cache: match &laravel.store {
                SessionStore::Redis(cached) => Some(cached.servers.clone()),
                _ => None,
            },
            encrypted: laravel.session_encrypt,
            serialization: laravel.serialization,
            authenticate_session: laravel.authenticate_session,
            remember: laravel.remember,
            users: laravel.users.clone(),
        }
    }

    fn encrypter(&self) -> Result<&Encrypter, Unavailable> {
        self.encrypter.as_ref().ok_or_else(|| {
            Unavailable::new("sessions cannot be read: [laravel] app_key is not configured")
        })
    }

    /// The cookies in `token`, as far as the site made them.
    fn shown(&self, token: &[u8], encrypter: &Encrypter) -> Shown {
        let mut shown = Shown {
            id: None,
            recaller: None,
            others: Vec::new(),
            unread: None,
        };
        for value in token.split(|byte| *byte == BETWEEN).take(COOKIES) {
            let cookie = match Cookie::open(value, encrypter) {
                Ok(cookie) => cookie,
                Err(invalid) => {
                    shown.unread = Some(invalid);
                    continue;
                }
            };
            if let Some(id) = cookie.value_of(&self.cookie, encrypter) {
                shown.id = session_id(id).map(str::to_owned);
            } else if let Some(value) = cookie.value_of(self.guard.recaller_name(), encrypter) {
                shown.recaller = Recaller::parse(value).filter(|_| self.remember);
            } else {
                shown.others.push(cookie);
            }
        }
        shown
    }

    /// Who is logged in to the session that `shown` holds, or why none is.
    fn session(
        &mut self,
        queries: &mut Queries<'_>,
        shown: &Shown,
        now: u64,
    ) -> Result<Login, Stop> {
        let encrypter = self.encrypter()?.clone();
        let opened = shown.id.as_deref();
        let told = || match shown.unread {
            _ if opened.is_some() => format!("the site made it, for {}", self.cookie),
            Some(invalid) => invalid.to_string(),
            None => format!("it is not one of {}", self.cookie),
        };
        if !queries.tracer().decided("cookie", opened.is_some(), told) {
            return Err(Reason::InvalidSession.into());
        }
        let id = opened.ok_or(Reason::InvalidSession)?;
        let stored = self
            .store
            .find(queries, id, &shown.others, &encrypter, now)?;
        let end = stored.end.and_then(moment);
        let lives = stored.end.is_none_or(|end| end >= now);
        if stored.end.is_some() {
            let told = || end.map_or_else(|| "it has no end".to_owned(), until);
            if !queries.tracer().decided("expiry", lives, told) {
                return Err(Reason::ExpiredSession.into());
            }
        }
        let facts = self.facts(&stored.payload, &encrypter);
        queries.tracer().decided(
            "payload",
            matches!(&facts, Ok(Facts { user: Some(_), .. })),
            || match &facts {
                Ok(Facts {
                    user: Some(user), ..
                }) => format!("the account {user} is logged in"),
                Ok(_) => "nobody is logged in".to_owned(),
                Err(invalid) => invalid.to_string(),
            },
        );
        let facts = facts.map_err(|_| Reason::InvalidSession)?;
        Ok(Login {
            key: facts.user.ok_or(Reason::AnonymousSession)?,
            auth_hash: facts.password,
            expires: end,
            decoded: Decoding {
                store: stored.store,
                container: if self.encrypted { "encrypted" } else { "" },
                format: match facts.serialization {
                    Serialization::Php => "PHP's serialize",
                    Serialization::Json => "JSON",
                },
            },
            from_token: false,
        })
    }

    fn facts(
        &self,
        payload: &[u8],
        encrypter: &Encrypter,
    ) -> Result<Facts, hallpass_sessions::Invalid> {
        match self.encrypted {
            true => read(
                &decrypt(payload, encrypter)?,
                &self.guard,
                self.serialization,
            ),
            false => read(payload, &self.guard, self.serialization),
        }
    }

    /// Who is logged in by a remembered login: the account whose row has its token
    /// (`EloquentUserProvider::retrieveByToken`).
    fn remembered(
        &self,
        queries: &mut Queries<'_>,
        recaller: &Recaller,
    ) -> Result<Option<Login>, Unavailable> {
        let statement = format!(
            "SELECT {id}, \"remember_token\" FROM {} WHERE {id} = :id",
            quoted_table(&self.users.table),
            id = quoted(&self.users.id),
        );
        let rows = queries.rows(&statement, &[(":id", key_value(&recaller.user))], 2)?;
        let holds = rows.into_iter().any(|mut row| {
            let id = match row.take(0) {
                Value::Integer(id) => id.to_string(),
                Value::Text(id) => id,
                _ => return false,
            };
            let token = row.text(1).unwrap_or_default();
            // `$rememberToken &&`: these are false.
            let counts = !matches!(token.as_str(), "" | "0") && id == recaller.user;
            counts && bool::from(token.as_bytes().ct_eq(&recaller.token))
        });
        let told = || match holds {
            true => format!("the account {} is remembered", recaller.user),
            false => "no account has its token".to_owned(),
        };
        if !queries.tracer().decided("remember", holds, told) {
            return Ok(None);
        }
        Ok(Some(Login {
            key: recaller.user.clone(),
            auth_hash: Some(String::from_utf8_lossy(&recaller.password).into_owned()),
            expires: None,
            decoded: Decoding {
                store: "the cookie of a remembered login",
                container: "",
                format: "",
            },
            from_token: false,
        }))
    }
}

impl Store {
    fn new(store: &SessionStore) -> Self {
        match store {
            SessionStore::Table { name, lifetime } => Self::Table {
                row: LookUp::of_data(
                    &["\"id\"", "\"payload\"", "\"last_activity\""],
                    &quoted_table(name),
                    "\"id\"",
                    ":session",
                ),
                name: name.clone(),
                lifetime: *lifetime,
            },
            SessionStore::Files {
                directory,
                lifetime,
            } => Self::Files {
                files: Files::new(directory),
                // In a world-writable directory, any user could put a session.
                owners: [usual_owners(), vec![0, geteuid().as_raw()]].concat(),
                lifetime: *lifetime,
            },
            SessionStore::Redis(cached) => Self::Redis(
                Box::new(Cache::new(&cached.servers)),
                cached.prefixes.clone(),
            ),
            SessionStore::Memcached(cached) => Self::Memcached(
                Box::new(Cache::new(&cached.servers)),
                cached.prefixes.clone(),
            ),
            SessionStore::Cookie => Self::Cookie,
            SessionStore::Unplaced(key) => Self::Unplaced(key),
        }
    }

    /// The session `id`.
    fn find(
        &mut self,
        queries: &mut Queries<'_>,
        id: &str,
        others: &[Cookie],
        encrypter: &Encrypter,
        now: u64,
    ) -> Result<Stored, Stop> {
        let deadline = queries.deadline();
        match self {
            Self::Table { row, lifetime, .. } => {
                let rows = queries.in_sessions(|queries| queries.look_up(row, id.into()));
                // A collation may take several for the same; ids have case.
                let row = session_rows(rows)?.into_iter().find_map(|mut row| {
                    let stored = row.words(0)?;
                    (stored == id).then_some(row)
                });
                let mut row = row.ok_or(Reason::NoSession)?;
                let payload = match row.take(1) {
                    Value::Text(text) => text.into_bytes(),
                    Value::Bytes(bytes) => bytes,
                    _ => return Err(Reason::NoSession.into()),
                };
                let payload = Zeroizing::new(payload);
                let last = row.take(2).integer_like();
                let last = last.and_then(|last| u64::try_from(last).ok());
                let last = last.ok_or(Reason::InvalidSession)?;
                Ok(Stored {
                    payload: from_row(&payload),
                    end: Some(last.saturating_add(*lifetime)),
                    store: "the table of sessions",
                })
            }
            Self::Files {
                files,
                owners,
                lifetime,
            } => {
                let file = settled(files, id, deadline)?.ok_or(Reason::NoSession)?;
                if !owners.contains(&file.owner) && files.is_open_to_all()? {
                    return Err(Reason::InvalidSession.into());
                }
                Ok(Stored {
                    end: Some(seconds(file.modified).saturating_add(*lifetime)),
                    payload: file.bytes,
                    store: "the session file",
                })
            }
            Self::Redis(cache, prefixes) => {
                let (value, _) = cached(cache, prefixes, id, queries)?;
                Ok(Stored {
                    payload: from_redis(&value).map_err(|_| Reason::InvalidSession)?,
                    end: None,
                    store: "Redis",
                })
            }
            Self::Memcached(cache, prefixes) => {
                let (value, flags) = cached(cache, prefixes, id, queries)?;
                let flags = flags.unwrap_or_default();
                let payload = unwrap_memcached(&value, flags, MemcachedClient::Memcached);
                let payload = payload.map_err(|_| Reason::InvalidSession)?.into_owned();
                Ok(Stored {
                    payload: Zeroizing::new(payload),
                    end: None,
                    store: "memcached",
                })
            }
            Self::Cookie => {
                let mut values = others.iter().filter_map(|it| it.value_of(id, encrypter));
                let value = values.next().ok_or(Reason::NoSession)?;
                let (payload, end) = from_cookie(value).map_err(|_| Reason::InvalidSession)?;
                if end < now {
                    return Err(Reason::ExpiredSession.into());
                }
                Ok(Stored {
                    payload,
                    end: Some(end),
                    store: "the session's own cookie",
                })
            }
            Self::Unplaced(key) => Err(Unavailable::new(format!(
                "sessions cannot be read: where they are is not known; {key} says it"
            ))
            .into()),
        }
    }
}

/// The file of the session `id`. The site writes it under a lock that its own readers wait for, and
/// empties it first.
fn settled(files: &Files, id: &str, deadline: Deadline) -> Result<Option<File>, Unavailable> {
    let mut attempts = 0;
    loop {
        let file = files.read(id.as_bytes(), LONGEST_FILE, deadline)?;
        attempts += 1;
        let locked = file.as_ref().is_some_and(|file| file.locked);
        if !locked || attempts >= ATTEMPTS || deadline.remaining() <= PAUSE {
            return Ok(file);
        }
        thread::sleep(PAUSE);
    }
}

/// The value of the session `id`, and its flags.
fn cached(
    cache: &mut Cache,
    prefixes: &[String],
    id: &str,
    queries: &Queries<'_>,
) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), Stop> {
    for prefix in prefixes {
        let key = Zeroizing::new(format!("{prefix}{id}"));
        if let Some(entry) = cache.get(key.as_bytes(), queries.deadline())? {
            return Ok((entry.bytes, entry.flags));
        }
    }
    Err(Reason::NoSession.into())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn moment(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let shown = self.shown(token, self.encrypter()?);
        let session = match (&shown.id, &shown.recaller) {
            // There is only a remembered login.
            (None, Some(_)) => Err(Reason::NoSession.into()),
            _ => self.session(queries, &shown, seconds(now)),
        };
        match (session, &shown.recaller) {
            (Err(Stop::Denied(reason)), Some(recaller)) => {
                let remembered = self.remembered(queries, recaller)?;
                remembered.ok_or(Stop::Denied(reason))
            }
            (session, _) => session,
        }
    }

    /// A row by a key, and nothing else counts but the account's own.
    fn asks_only_database(&self) -> bool {
        matches!(self.store, Store::Table { .. })
    }

    fn look_up(&self, token: &[u8]) -> Option<(LookUp, Value)> {
        let Store::Table { row, .. } = &self.store else {
            return None;
        };
        let id = self.shown(token, self.encrypter.as_ref()?).id?;
        Some((row.clone(), Value::from(id)))
    }

    fn token(
        &mut self,
        _queries: &mut Queries<'_>,
        header: &[u8],
    ) -> Result<Option<Secret>, Unavailable> {
        let encrypter = self.encrypter()?;
        let value = |name: &str| {
            let reader = Reader::Php;
            cookie::value([header], cookie::Cookie { name, reader })
        };
        let mut values = Vec::new();
        let session = value(&self.cookie);
        if let (Store::Cookie, Some(session)) = (&self.store, &session) {
            let id = self.shown(session, encrypter).id;
            values.extend(id.and_then(|id| value(&id)));
        }
        if self.remember {
            values.extend(value(self.guard.recaller_name()));
        }
        let values: Vec<Vec<u8>> = session.into_iter().chain(values).collect();
        let token = values.join(&BETWEEN);
        Ok((!values.is_empty()).then(|| Secret::new(token)))
    }

    /// The site encrypts the id anew for each of its answers.
    fn lasting(&self, token: &[u8]) -> Option<Secret> {
        self.shown(token, self.encrypter.as_ref()?)
            .id
            .map(Secret::new)
    }

    fn keeps_in_cookie(&self) -> bool {
        matches!(self.store, Store::Cookie)
    }

    fn rests_on(&mut self) -> RestsOn<'_> {
        match &mut self.store {
            Store::Table { .. } | Store::Cookie => RestsOn::Database,
            Store::Redis(cache, _) | Store::Memcached(cache, _) => RestsOn::Cache(cache),
            Store::Files { .. } | Store::Unplaced(_) => RestsOn::More,
        }
    }

    fn needs(&self) -> Vec<Required> {
        let mut needs = Vec::new();
        if let Store::Table { name, .. } = &self.store {
            let columns = ["id", "payload", "last_activity"];
            needs.push(Required::table(name, "laravel.session_table", &columns));
        }
        needs
    }

    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let deadline = queries.deadline();
        let (mut unordered, mut partial, mut elsewhere) = (false, false, None);
        let ids: Vec<Vec<u8>> = match &mut self.store {
            Store::Table { name, .. } => {
                let columns = queries.in_sessions(|queries| queries.columns(name))?;
                let people = columns.iter().any(|column| column.name == "user_id");
                let people = if people {
                    " WHERE \"user_id\" IS NOT NULL"
                } else {
                    ""
                };
                let statement = format!(
                    "SELECT \"id\" FROM {}{people} ORDER BY \"last_activity\" DESC LIMIT {SAMPLE}",
                    quoted_table(name)
                );
                let found = queries.in_sessions(|queries| crate::tokens(queries, &statement))?;
                let tokens = found.map(|it| it.tokens).unwrap_or_default();
                tokens.iter().map(|it| it.expose().to_vec()).collect()
            }
            Store::Files { files, .. } => files.newest(b"", SAMPLE)?,
            Store::Redis(cache, prefixes) => {
                let first = prefixes.first().map(String::as_bytes).unwrap_or_default();
                let id = |key: &[u8]| {
                    let mut prefixes = prefixes.iter().rev();
                    let id = prefixes.find_map(|it| key.strip_prefix(it.as_bytes()));
                    id.filter(|id| session_id(id).is_some()).map(<[u8]>::to_vec)
                };
                let is_session = |key: &[u8]| id(key).is_some();
                let pattern = KeyPattern::beginning(first);
                let Some(keys) = cache.keys(&pattern, &is_session, SAMPLE, deadline) else {
                    return Ok(None);
                };
                (unordered, partial) = (true, !keys.all);
                // Without a prefix, any key might be a session's.
                if keys.keys.is_empty()
                    && keys.all
                    && !first.is_empty()
                    && let Some(settings) = &self.cache
                {
                    let other = other_database(settings, &pattern, &is_session, deadline);
                    elsewhere = other.map(Elsewhere::Database);
                }
                keys.keys.iter().filter_map(|key| id(key)).collect()
            }
            Store::Memcached(..) | Store::Cookie | Store::Unplaced(_) => return Ok(None),
        };
        let Some(encrypter) = &self.encrypter else {
            return Ok(None);
        };
        let ids = ids.iter().filter_map(|id| session_id(id)).take(SAMPLE);
        let sealed = ids.filter_map(|id| seal_cookie(&self.cookie, id.as_bytes(), encrypter));
        Ok(Some(Sample {
            elsewhere,
            unordered,
            partial,
            ..Sample::of(sealed.map(Secret::new).collect())
        }))
    }

    /// `AuthenticateSession`: a session without a password's hash gets one at the next request.
    fn confirms(&self, login: &Login, account: &Account) -> bool {
        let (true, Some(stored)) = (self.authenticate_session, &login.auth_hash) else {
            return true;
        };
        let password = account.encoded.as_deref().unwrap_or_default();
        let known = !password.is_empty() && !stored.is_empty();
        known
            && is_of_password(
                stored.as_bytes(),
                password.as_bytes(),
                self.app_key.expose(),
            )
    }
}
