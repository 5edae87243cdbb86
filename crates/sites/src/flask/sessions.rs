//! Finds who is logged in to a Flask session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::flask::{CookieKeys, RememberKey, SidKey, read_cookie, read_stored};
use hallpass_sessions::{Invalid, Member, MemberPath};
use hallpass_stores::sql::Queries;
use hallpass_stores::{Secret, Tracer, Unavailable};
use zeroize::Zeroizing;

use super::protection::Fingerprint;
use super::settings::{Flask, FlaskStore, Protection};
use super::table::SessionTable;
use crate::cookie::Reader;
use crate::member::{self, RedisSessions, StoredSession, key_of, session_id};
use crate::{
    Account, Client, Decoding, Login, Reason, Required, RestsOn, Sample, SessionSource, Stop,
    remembered, until,
};

/// The sessions of a Flask site.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Store,
    signer: Signer,
    protection: Protection,
    user_id: MemberPath,
    cookie_name: String,
    remembered: Option<Remembered>,
}

/// The logins that Flask-Login remembers.
#[derive(Debug)]
struct Remembered {
    cookie_name: String,
    key: RememberKey,
}

/// Where sessions are.
#[derive(Debug)]
enum Store {
    Cookie {
        keys: CookieKeys,
        lifetime: u64,
        is_configured: bool,
    },
    Redis(RedisSessions),
    Table(SessionTable),
}

/// Who signs the ids of Flask-Session.
#[derive(Debug)]
struct Signer {
    key: Option<SidKey>,
    use_signer: Option<bool>,
}

/// How a session's data is read.
type Read = fn(&[u8], &MemberPath) -> Result<Member, Invalid>;

impl Sessions {
    pub(super) fn new(flask: &Flask) -> Self {
        let secrets = || flask.secret_keys.iter().map(Secret::expose);
        Self {
            store: match &flask.store {
                FlaskStore::Cookie { lifetime } => Store::Cookie {
                    keys: CookieKeys::new(secrets()),
                    lifetime: *lifetime,
                    is_configured: !flask.secret_keys.is_empty(),
                },
                FlaskStore::Redis { settings, prefix } => {
                    Store::Redis(RedisSessions::new(settings, prefix))
                }
                FlaskStore::Table { name, prefix } => Store::Table(SessionTable::new(name, prefix)),
            },
            signer: Signer {
                key: secrets().next().map(SidKey::new),
                use_signer: flask.use_signer,
            },
            protection: flask.protection,
            user_id: flask.user_id.clone(),
            cookie_name: flask.cookie_name.clone(),
            // Its fallbacks do not count (`_secret_key` in utils.py).
            remembered: flask.remember_cookie.clone().zip(secrets().next()).map(
                |(cookie_name, secret)| Remembered {
                    cookie_name,
                    key: RememberKey::new(secret),
                },
            ),
        }
    }

    /// The data of the session `token`, how it is read, and where it was.
    fn find(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        now: SystemTime,
    ) -> Result<(StoredSession, Read, &'static str), Stop> {
        let tracer = queries.tracer().clone();
        match &mut self.store {
            Store::Cookie {
                is_configured: false,
                ..
            } => Err(Unavailable::new(
                "sessions cannot be read: [flask] secret_key is not configured",
            )
            .into()),
            Store::Cookie { keys, lifetime, .. } => {
                let found = in_cookie(keys, *lifetime, token, now, &tracer)?;
                Ok((found, read_cookie, "the signed cookie"))
            }
            Store::Redis(redis) => {
                let id = self.signer.id(token, &tracer)?;
                let found = redis.find(&id, queries.deadline())?;
                Ok((found, read_stored, "Redis"))
            }
            Store::Table(table) => {
                let id = self.signer.id(token, &tracer)?;
                let found = queries.in_sessions(|queries| table.find(queries, &id, now))?;
                Ok((found, read_stored, "the database's row"))
            }
        }
    }
}

impl Sessions {
    /// Who is logged in to the session of the cookie `token`, or why none is. `forgets` is set where
    /// the session keeps Flask-Login from looking for a remembered login (`_load_user`).
    fn session(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        client: &Client,
        now: SystemTime,
        forgets: &mut bool,
    ) -> Result<Login, Stop> {
        let (found, read, store) = self.find(queries, token, now)?;
        let tracer = queries.tracer();
        tracer.read("store", || {
            format!("{store} has the session, {} bytes", found.bytes.len())
        });
        if let Some(end) = found.expires {
            tracer.decided("expiry", true, || until(end));
        }
        let strong = self.protection == Protection::Strong;
        let same = !strong || Fingerprint::read(&found.bytes, read).is_of(client);
        if self.remembered.is_some() {
            *forgets = !same || is_cleared(&found.bytes, read);
        }
        let key = key_of(read(&found.bytes, &self.user_id), tracer)?;
        if strong {
            let told = || "the session is bound to another address or browser".to_owned();
            if !tracer.decided("protection", same, told) {
                return Err(Reason::InvalidSession.into());
            }
        }
        Ok(Login {
            key,
            auth_hash: None,
            expires: found.expires,
            decoded: Decoding {
                store,
                ..Decoding::default()
            },
            from_token: matches!(self.store, Store::Cookie { .. })
                && self.protection != Protection::Strong,
        })
    }

    /// Whom the cookie of a remembered login logs in. Only the browser knows when it ends.
    fn remembered(&self, cookie: &[u8], tracer: &Tracer) -> Option<Login> {
        let opened = self.remembered.as_ref()?.key.open(cookie);
        tracer.decided("remember", opened.is_ok(), || match &opened {
            Ok(_) => "the site's key signed the cookie of a remembered login".to_owned(),
            Err(invalid) => invalid.to_string(),
        });
        let id = Member::Text(opened.ok()?.to_owned());
        Some(Login {
            key: key_of(Ok(id), tracer).ok()?,
            auth_hash: None,
            expires: None,
            decoded: Decoding {
                store: "the cookie of a remembered login",
                ..Decoding::default()
            },
            from_token: false,
        })
    }
}

/// Whether the site has logged the visitor out, and its answer has not reached the browser yet.
fn is_cleared(session: &[u8], read: Read) -> bool {
    let path = "_remember".parse();
    path.is_ok_and(|path| read(session, &path) == Ok(Member::Text("clear".to_owned())))
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let (session, remembered) = remembered::cookies(token);
        let mut forgets = false;
        match (
            self.session(queries, session, client, now, &mut forgets),
            remembered,
        ) {
            (Err(Stop::Denied(reason)), Some(cookie)) if !forgets => {
                let remembered = self.remembered(cookie, queries.tracer());
                remembered.ok_or(Stop::Denied(reason))
            }
            (session, _) => session,
        }
    }

    fn token(
        &mut self,
        _queries: &mut Queries<'_>,
        header: &[u8],
    ) -> Result<Option<Secret>, Unavailable> {
        let remembered = self.remembered.as_ref().map(|it| &*it.cookie_name);
        Ok(remembered::token(
            header,
            Reader::Werkzeug,
            &self.cookie_name,
            remembered,
        ))
    }

    fn lasting(&self, token: &[u8]) -> Option<Secret> {
        remembered::lasting(token)
    }

    fn keeps_in_cookie(&self) -> bool {
        matches!(self.store, Store::Cookie { .. })
    }

    fn rests_on(&mut self) -> RestsOn<'_> {
        match &mut self.store {
            Store::Redis(redis) => redis.rests_on(),
            Store::Cookie { .. } | Store::Table(_) => RestsOn::Database,
        }
    }

    fn needs(&self) -> Vec<Required> {
        match &self.store {
            Store::Cookie { .. } | Store::Redis(_) => Vec::new(),
            Store::Table(table) => vec![table.needed()],
        }
    }

    /// Ids are signed as the site would, where it does.
    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let key = self.signer.key.as_ref();
        let key = key.filter(|_| self.signer.use_signer == Some(true));
        let token = |id: String| Some(key.map_or_else(|| id.clone(), |key| key.sign(&id)));
        Ok(match &mut self.store {
            Store::Cookie { .. } => None,
            Store::Redis(redis) => redis.sample(queries.deadline(), token),
            Store::Table(table) => {
                let ids = queries.in_sessions(|queries| table.ids(queries))?;
                Some(member::sample(ids.into_iter().filter_map(token)))
            }
        })
    }

    /// A changed password ends nothing in Flask-Login.
    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }
}

/// As `SecureCookieSessionInterface.open_session` in sessions.py of Flask 3.1, which has
/// `TimestampSigner.unsign` of itsdangerous 2.2 look at the age in whole seconds, whether the session
/// is permanent or not. A signature of the future counts as little as one that is too old.
fn in_cookie(
    keys: &CookieKeys,
    lifetime: u64,
    token: &[u8],
    now: SystemTime,
    tracer: &Tracer,
) -> Result<StoredSession, Reason> {
    if token.is_empty() {
        return Err(Reason::NoSession);
    }
    let opened = keys.open(token);
    tracer.decided("signature", opened.is_ok(), || match &opened {
        Ok(_) => "one of the site's keys signed the cookie".to_owned(),
        Err(invalid) => invalid.to_string(),
    });
    let opened = opened.map_err(|_| Reason::InvalidSession)?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = now.checked_sub(opened.signed_at);
    if !tracer.decided(
        "age",
        age.is_some_and(|age| age <= lifetime),
        || match age {
            Some(age) => format!("the cookie is {age} seconds old, of {lifetime}"),
            None => "the cookie was signed in the future".to_owned(),
        },
    ) {
        return Err(Reason::ExpiredSession);
    }
    let end = opened.signed_at.saturating_add(lifetime);
    Ok(StoredSession {
        bytes: Zeroizing::new(opened.payload),
        expires: UNIX_EPOCH.checked_add(Duration::from_secs(end)),
    })
}

impl Signer {
    /// The id that `token` shows (`open_session` in base.py of Flask-Session 0.8, sessions.py of 0.5).
    fn id(&self, token: &[u8], tracer: &Tracer) -> Result<Zeroizing<String>, Stop> {
        let signed = self.use_signer.unwrap_or_else(|| token.contains(&b'.'));
        let id = match &self.key {
            _ if !signed => token,
            None => {
                let message = "ids are signed, and [flask] secret_key is not configured";
                return Err(Unavailable::new(format!("sessions cannot be read: {message}")).into());
            }
            Some(key) => {
                let id = key.unsign(token);
                tracer.decided("signature", id.is_ok(), || match &id {
                    Ok(_) => "the site's key signed the session's id".to_owned(),
                    Err(invalid) => invalid.to_string(),
                });
                id.map_err(|_| Reason::InvalidSession)?
            }
        };
        let id = session_id(id).ok_or(Reason::NoSession)?;
        Ok(Zeroizing::new(id.to_owned()))
    }
}
