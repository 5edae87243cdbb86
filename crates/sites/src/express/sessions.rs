//! Finds who is logged in to a session of express-session or Auth.js.

use std::time::SystemTime;

use hallpass_sessions::express::{Secrets, read};
use hallpass_stores::sql::{Queries, Value};
use hallpass_stores::{Secret, Tracer, Unavailable};
use zeroize::Zeroizing;

use super::settings::{Express, ExpressStore};
use super::table::{SessionTable, StoredRow};
use crate::member::{self, RedisSessions, SessionUser, StoredSession, key_of, session_id};
use crate::{
    Account, Client, Decoding, Login, Reason, Required, RestsOn, Sample, SessionSource, Stop, until,
};

/// The sessions of a site in Express.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Store,
    secrets: Secrets,
    is_configured: bool,
    user: Option<SessionUser>,
}

/// Where sessions are.
#[derive(Debug)]
enum Store {
    Redis(RedisSessions),
    Table(SessionTable),
    /// The rows of Auth.js, which have the account's id.
    Tokens(SessionTable),
}

impl Sessions {
    pub(super) fn new(express: &Express) -> Self {
        Self {
            store: match &express.store {
                ExpressStore::Redis { settings, prefix } => {
                    Store::Redis(RedisSessions::new(settings, prefix))
                }
                ExpressStore::Table(columns) => Store::Table(SessionTable::new(columns)),
                ExpressStore::Tokens(columns) => Store::Tokens(SessionTable::new(columns)),
            },
            secrets: Secrets::new(express.secrets.iter().map(Secret::expose)),
            is_configured: !express.secrets.is_empty(),
            user: express.user.clone(),
        }
    }

    /// The id of the session in the cookie `token`.
    fn id(&self, token: &[u8], tracer: &Tracer) -> Result<Zeroizing<String>, Stop> {
        if matches!(self.store, Store::Tokens(_)) {
            let id = session_id(token).ok_or(Reason::NoSession)?;
            return Ok(Zeroizing::new(id.to_owned()));
        }
        if !self.is_configured {
            return Err(Unavailable::new(
                "sessions cannot be read: [express] secrets is not configured",
            )
            .into());
        }
        if token.is_empty() {
            return Err(Reason::NoSession.into());
        }
        let id = self.secrets.unsign(token);
        tracer.decided("signature", id.is_ok(), || match &id {
            Ok(_) => "one of the secrets signed the cookie".to_owned(),
            Err(invalid) => invalid.to_string(),
        });
        let id = id.map_err(|_| Reason::InvalidSession)?;
        session_id(id.as_bytes()).ok_or(Reason::NoSession)?;
        Ok(id)
    }

    /// The account that the session names, when the session ends, and where it was.
    fn find(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        now: SystemTime,
    ) -> Result<(String, Option<SystemTime>, &'static str), Stop> {
        let tracer = queries.tracer().clone();
        let id = self.id(token, &tracer)?;
        let (found, store) = match &mut self.store {
            Store::Redis(redis) => (redis.find(&id, queries.deadline())?, "Redis"),
            Store::Table(table) => {
                let row = queries.in_sessions(|queries| table.find(queries, &id, now))?;
                (in_row(row)?, "the database's row")
            }
            Store::Tokens(table) => {
                let row = queries.in_sessions(|queries| table.find_token(queries, &id, now))?;
                let key = match row.data {
                    Value::Integer(key) => key.to_string(),
                    Value::Text(key) if !key.is_empty() => key,
                    _ => return Err(Reason::InvalidSession.into()),
                };
                return Ok((key, row.expires, "the database's row"));
            }
        };
        tracer.read("store", || {
            format!("{store} has the session, {} bytes", found.bytes.len())
        });
        let Some(user) = &self.user else {
            return Err(Reason::InvalidSession.into());
        };
        let key = key_of(read(&found.bytes, user.path()), &tracer)?;
        Ok((key, found.expires, store))
    }
}

/// The JSON in a row.
fn in_row(row: StoredRow) -> Result<StoredSession, Reason> {
    let bytes = match row.data {
        Value::Text(text) => text.into_bytes(),
        Value::Bytes(bytes) => bytes,
        _ => return Err(Reason::InvalidSession),
    };
    Ok(StoredSession {
        bytes: Zeroizing::new(bytes),
        expires: row.expires,
    })
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let (key, expires, store) = self.find(queries, token, now)?;
        if let Some(end) = expires {
            queries.tracer().decided("expiry", true, || until(end));
        }
        Ok(Login {
            key,
            auth_hash: None,
            expires,
            decoded: Decoding {
                store,
                ..Decoding::default()
            },
            from_token: false,
        })
    }

    fn rests_on(&mut self) -> RestsOn<'_> {
        match &mut self.store {
            Store::Redis(redis) => redis.rests_on(),
            Store::Table(_) | Store::Tokens(_) => RestsOn::Database,
        }
    }

    fn needs(&self) -> Vec<Required> {
        match &self.store {
            Store::Redis(_) => Vec::new(),
            Store::Table(table) | Store::Tokens(table) => vec![table.needed()],
        }
    }

    /// Ids are signed as the site would.
    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        let secrets = &self.secrets;
        let signed = |id: String| secrets.sign(&id).map(|signed| signed.to_string());
        Ok(match &mut self.store {
            Store::Redis(redis) => redis.sample(queries.deadline(), signed),
            Store::Table(table) => {
                let ids = queries.in_sessions(|queries| table.ids(queries))?;
                Some(member::sample(ids.into_iter().filter_map(signed)))
            }
            Store::Tokens(table) => {
                let ids = queries.in_sessions(|queries| table.ids(queries))?;
                Some(member::sample(ids))
            }
        })
    }

    /// A changed password ends nothing in express-session, Passport or Auth.js.
    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }

    fn names_users(&self) -> bool {
        matches!(self.user, Some(SessionUser::Name(_)))
    }
}
