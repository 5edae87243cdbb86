//! Finds who is logged in to a PHP session.

use std::time::SystemTime;

use hallpass_sessions::Invalid;
use hallpass_sessions::php::{self, Handler, Scalar, find};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;
use zeroize::Zeroizing;

use super::cached::CachedSessions;
use super::file::SessionFiles;
use super::table::SessionTable;
use crate::php::settings::{Php, PhpStore, PhpUser};
use crate::{
    Account, Client, Decoding, Login, Reason, Required, RestsOn, Sample, SessionSource, Stop, until,
};

/// The longest id (`PS_MAX_SID_LENGTH` in ext/session/php_session.h, PHP 8.2).
const LONGEST_ID: usize = 256;
/// The longest name that is taken out of a session, in bytes.
const LONGEST_NAME: usize = 1024;

/// The sessions of a site in PHP.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Store,
    reader: Reader,
}

/// Where sessions are.
#[derive(Debug)]
enum Store {
    Cache(CachedSessions),
    Files(SessionFiles),
    Table(SessionTable),
}

/// A session that is alive.
pub(super) struct Found {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) expires: Option<SystemTime>,
    /// Where it was.
    pub(super) store: &'static str,
}

/// A session, or why there is none.
pub(super) type Lookup<T> = Result<T, Stop>;

impl Sessions {
    pub(super) fn new(php: &Php) -> Self {
        Self {
            store: match &php.store {
                PhpStore::Cache {
                    servers,
                    prefix,
                    client,
                } => Store::Cache(CachedSessions::new(servers, prefix, *client)),
                PhpStore::Files {
                    directory,
                    depth,
                    owners,
                    always,
                } => Store::Files(SessionFiles::new(
                    directory,
                    *depth,
                    owners.clone(),
                    *always,
                    php.gc_maxlifetime,
                )),
                PhpStore::Table(table) => {
                    Store::Table(SessionTable::new(table, php.gc_maxlifetime))
                }
            },
            reader: Reader {
                handler: php.serialize_handler,
                user: php.user.clone(),
                authenticated: php.authenticated.clone(),
            },
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
        let Some(id) = id(token) else {
            return Err(Reason::NoSession.into());
        };
        let reader = &self.reader;
        let found = match &mut self.store {
            Store::Cache(cache) => cache.find(&id, queries.deadline()),
            // What a page is about to write is read once more.
            Store::Files(files) => {
                let whole = |bytes: &[u8]| reader.login(bytes).is_ok();
                files.find(&id, whole, queries.deadline(), now)
            }
            Store::Table(table) => queries.in_sessions(|queries| table.find(queries, &id, now)),
        };
        let found = Stop::settle(found)?;
        let tracer = queries.tracer();
        tracer.read("store", || match &found {
            Ok(found) => format!(
                "{} has the session, {} bytes",
                found.store,
                found.bytes.len()
            ),
            Err(reason) => format!("no session to be read: {}", reason.word()),
        });
        let found = found?;
        if let Some(end) = found.expires {
            tracer.decided("expiry", true, || until(end));
        }
        let login = reader.login(&found.bytes);
        tracer.decided(
            "payload",
            matches!(login, Ok(Whose::Of(_))),
            || match &login {
                Err(invalid) => invalid.to_string(),
                Ok(Whose::Nobody) => {
                    "nothing that is true stands at `user`, `user_id` or `authenticated`".to_owned()
                }
                Ok(Whose::Unclear) => "what stands there is neither a name nor an id".to_owned(),
                Ok(Whose::Of(_)) => "somebody is logged in".to_owned(),
            },
        );
        // PHP takes an empty one for a session without variables.
        let key = match login {
            Err(_) => return Err(Reason::InvalidSession.into()),
            Ok(Whose::Nobody) => return Err(Reason::AnonymousSession.into()),
            Ok(Whose::Unclear) => return Err(Reason::InvalidSession.into()),
            Ok(Whose::Of(key)) => key,
        };
        Ok(Login {
            key,
            auth_hash: None,
            expires: found.expires,
            decoded: Decoding {
                store: found.store,
                container: "",
                format: reader.handler.map_or("", Handler::name),
            },
            from_token: false,
        })
    }

    fn rests_on(&mut self) -> RestsOn<'_> {
        match &mut self.store {
            Store::Cache(sessions) => sessions.rests_on(),
            Store::Table(_) => RestsOn::Database,
            Store::Files(_) => RestsOn::More,
        }
    }

    fn needs(&self) -> Vec<Required> {
        match &self.store {
            Store::Cache(_) | Store::Files(_) => Vec::new(),
            Store::Table(table) => vec![table.needed()],
        }
    }

    fn sample(&mut self, queries: &mut Queries<'_>) -> Result<Option<Sample>, Unavailable> {
        match &mut self.store {
            Store::Cache(cache) => Ok(cache.sample(queries.deadline())),
            Store::Files(files) => files.sample(),
            Store::Table(table) => queries.in_sessions(|queries| table.sample(queries)),
        }
    }

    fn confirms(&self, _login: &Login, _account: &Account) -> bool {
        true
    }

    fn names_users(&self) -> bool {
        matches!(self.reader.user, Some(PhpUser::Name(_)))
    }
}

/// The id in a cookie, which PHP encodes as in a URL (`php_session_send_cookie` in
/// ext/session/session.c, PHP 8.2); `None` for what PHP takes for none
/// (`php_session_valid_key`).
fn id(token: &[u8]) -> Option<Zeroizing<String>> {
    let mut id = Zeroizing::new(String::with_capacity(token.len()));
    let mut rest = token;
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            // Of all there can be in an id, it is the comma alone that is encoded.
            (b'%', [b'2', b'C' | b'c', after @ ..]) => (b',', after),
            _ => (*byte, after),
        };
        let known = byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'-');
        if !known || id.len() >= LONGEST_ID {
            return None;
        }
        id.push(char::from(byte));
        rest = after;
    }
    Some(id).filter(|id| !id.is_empty())
}

/// Finds in a session who is logged in.
#[derive(Debug)]
struct Reader {
    handler: Option<Handler>,
    user: Option<PhpUser>,
    authenticated: Option<php::Path>,
}

/// Who is logged in to a session.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    Nobody,
    Of(String),
    /// What stands there is neither a name nor nothing.
    Unclear,
}

impl Reader {
    fn login(&self, session: &[u8]) -> Result<Whose, Invalid> {
        if let Some(authenticated) = &self.authenticated {
            let authenticated = find(session, self.handler, authenticated)?;
            if !authenticated.is_some_and(|value| value.is_true()) {
                return Ok(Whose::Nobody);
            }
        }
        let Some(PhpUser::Id(path) | PhpUser::Name(path)) = &self.user else {
            return Ok(Whose::Unclear);
        };
        let Some(user) = find(session, self.handler, path)? else {
            return Ok(Whose::Nobody);
        };
        // Sites write an id of 0, an empty name or false where no account is logged in.
        if !user.is_true() {
            return Ok(Whose::Nobody);
        }
        let text = match user {
            Scalar::Text(text) => String::from_utf8(text).ok(),
            Scalar::Integer(number) => Some(number.to_string()),
            Scalar::Boolean(_) | Scalar::Compound { .. } | Scalar::Float(_) | Scalar::Null => None,
        };
        let whole = |text: &String| text.len() <= LONGEST_NAME && !text.contains(char::is_control);
        Ok(text.filter(whole).map_or(Whose::Unclear, Whose::Of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_php() {
        let read = |token: &[u8]| id(token).map(|id| id.to_string());
        for token in [
            "a",
            "b443rg8i0mq1csd5a2uk6t7f9e",
            "aZ09,-",
            &"a".repeat(256),
        ] {
            assert_eq!(read(token.as_bytes()).as_deref(), Some(token));
        }
        assert_eq!(read(b"a%2Cb%2cc").as_deref(), Some("a,b,c"));
        for token in [
            &b""[..],
            b"../../etc/passwd",
            b"a/b",
            b"a.b",
            b"a_LOCK",
            b"a b",
            b"a\0",
            b"a%2Fb",
            b"a%252C",
            b"a%",
            b"a%2",
            b"a:b",
            b"a\r\nget b",
            "ä".as_bytes(),
            &[b'a'; 257],
        ] {
            assert_eq!(read(token), None, "{token:?}");
        }
    }

    #[test]
    fn whoever_is_not_somebody_is_nobody() {
        let reader = Reader {
            handler: None,
            user: Some(PhpUser::Name("user".parse().unwrap())),
            authenticated: None,
        };
        let of = |session: &[u8]| reader.login(session).unwrap();
        assert_eq!(of(b"user|s:5:\"alice\";"), Whose::Of("alice".to_owned()));
        assert_eq!(of(b"user|i:7;"), Whose::Of("7".to_owned()));
        for nobody in [
            &b""[..],
            b"other|i:1;",
            b"user|N;",
            b"user|b:0;",
            b"user|i:0;",
            b"user|s:0:\"\";",
            b"user|s:1:\"0\";",
            b"user|a:0:{}",
        ] {
            assert_eq!(of(nobody), Whose::Nobody, "{nobody:?}");
        }
        for unclear in [
            &b"user|b:1;"[..],
            b"user|d:1.5;",
            b"user|a:1:{i:0;i:1;}",
            b"user|O:1:\"A\":0:{}",
            b"user|s:2:\"\xff\xfe\";",
            b"user|s:3:\"a\nb\";",
        ] {
            assert_eq!(of(unclear), Whose::Unclear, "{unclear:?}");
        }
        for torn in [&b"user|s:5:\"ali"[..], b"user|s:5:\"alice\";rest", b"user"] {
            assert!(reader.login(torn).is_err(), "{torn:?}");
        }
    }

    #[test]
    fn both_must_hold() {
        let reader = Reader {
            handler: None,
            user: Some(PhpUser::Name("user".parse().unwrap())),
            authenticated: Some("in".parse().unwrap()),
        };
        let of = |session: &[u8]| reader.login(session).unwrap();
        assert_eq!(of(b"in|b:1;user|s:1:\"a\";"), Whose::Of("a".to_owned()));
        for nobody in [
            &b"user|s:1:\"a\";"[..],
            b"in|b:0;user|s:1:\"a\";",
            b"in|s:1:\"0\";user|s:1:\"a\";",
            b"in|b:1;",
        ] {
            assert_eq!(of(nobody), Whose::Nobody, "{nobody:?}");
        }
    }
}
