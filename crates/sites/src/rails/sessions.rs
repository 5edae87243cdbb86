//! Reads who is logged in to a session, and whether that still holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::rails::{LastRequest, Serializer, devise, redmine};
use hallpass_stores::sql::Queries;
use hallpass_stores::{Secret, Unavailable};
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::redmine::{remembered as redmine_remembered, session_end};
use super::remembered::{REMEMBERED, Remembered};
use super::settings::{Application, Rails};
use super::store::{Found, Store, keyring};
use crate::cookie::Reader;
use crate::{
    Account, Client, Login, Reason, Required, RestsOn, SessionSource, Stop, remembered, until,
};

/// How many characters of the hash are the salt (`authenticatable_salt` of database_authenticatable.rb,
/// Devise 4.8).
const SALT: usize = 29;

/// The sessions of a site.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Store,
    cookie_name: String,
    serializer: Serializer,
    zone: Option<TimeZone>,
    logins: Logins,
}

/// Whose logins are in them.
#[derive(Debug)]
enum Logins {
    Devise {
        scope: String,
        timeout_in: Option<Duration>,
        remembered: Option<Box<Remembered>>,
    },
    Redmine {
        /// The name of the cookie `autologin`.
        autologin: String,
    },
}

impl Sessions {
    pub(super) fn new(rails: &Rails) -> Self {
        Self {
            store: Store::new(&rails.store, rails.keys.as_ref()),
            cookie_name: rails.cookie_name.clone().unwrap_or_default(),
            serializer: rails.serializer,
            zone: rails.time_zone.clone(),
            logins: match &rails.application {
                Application::Devise(devise) => Logins::Devise {
                    scope: devise.scope.clone(),
                    timeout_in: devise.timeout_in,
                    remembered: rails
                        .keys
                        .as_ref()
                        .filter(|_| rails.remembers())
                        .map(|keys| {
                            Box::new(Remembered::new(
                                keyring(keys),
                                rails.signed_digest,
                                rails.serializer,
                                rails.time_zone.clone(),
                                devise,
                            ))
                        }),
                },
                Application::Redmine(autologin) => Logins::Redmine {
                    autologin: autologin.clone(),
                },
            },
        }
    }

    fn login(
        &self,
        queries: &mut Queries<'_>,
        found: &Found,
        now: SystemTime,
        owner: &mut Option<String>,
    ) -> Result<Login, Stop> {
        let serializer = match found.of_store {
            true => Serializer::Either,
            false => self.serializer,
        };
        let login = |key, auth_hash, expires| Login {
            key,
            auth_hash,
            expires: earlier(found.expires, expires),
            decoded: found.decoded,
            // Of a login of Redmine's, a table says whether it lasts.
            from_token: !found.of_store && matches!(self.logins, Logins::Devise { .. }),
        };
        match &self.logins {
            Logins::Devise {
                scope, timeout_in, ..
            } => {
                let read = devise(&found.payload, serializer, scope);
                payload_decided(queries, &read);
                let read = read.map_err(|_| Reason::InvalidSession)?;
                let read = read.ok_or(Reason::AnonymousSession)?;
                let end = match (timeout_in, read.last_request) {
                    (None, _) | (_, LastRequest::Never) => None,
                    (Some(_), LastRequest::Unclear) => return Err(Reason::InvalidSession.into()),
                    (Some(timeout_in), LastRequest::At(seconds)) => {
                        let seconds = u64::try_from(seconds).unwrap_or_default();
                        let last = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
                        let end = last.and_then(|last| last.checked_add(*timeout_in));
                        // Far enough away not to be a time is not over.
                        let end = end.map(|end| ended(queries, end, now)).transpose();
                        if end.is_err() {
                            *owner = Some(read.key.clone());
                        }
                        end?
                    }
                };
                Ok(login(read.key, read.salt, end))
            }
            Logins::Redmine { .. } => {
                let read = redmine(&found.payload, serializer);
                payload_decided(queries, &read);
                let read = read.map_err(|_| Reason::InvalidSession)?;
                let read = read.ok_or(Reason::AnonymousSession)?;
                let end = session_end(queries, &read, self.zone.as_ref(), now)?;
                let end = end.map(|end| ended(queries, end, now)).transpose()?;
                Ok(login(read.user, None, end))
            }
        }
    }
}

/// `authenticatable_salt`
pub(super) fn salt_of(encoded: &str) -> Zeroizing<String> {
    Zeroizing::new(encoded.chars().take(SALT).collect())
}

/// Whether the session is good, and the account has to do something first.
fn is_step(reason: Reason) -> bool {
    matches!(reason, Reason::NewPassword | Reason::SecondFactorSetUp)
}

impl Sessions {
    /// Who is logged in to the session of `cookie`, or why none is. `owner` is set to whose session
    /// it is where it timed out.
    fn session(
        &mut self,
        queries: &mut Queries<'_>,
        cookie: &[u8],
        now: SystemTime,
        owner: &mut Option<String>,
    ) -> Result<Login, Stop> {
        let Some(cookie) = decoded(cookie) else {
            return Err(Reason::InvalidSession.into());
        };
        let found = self.store.find(queries, &self.cookie_name, &cookie)?;
        if let Some(end) = found.expires {
            ended(queries, end, now)?;
        }
        self.login(queries, &found, now, owner)
    }

    fn remembered(
        &mut self,
        queries: &mut Queries<'_>,
        cookie: &[u8],
        owner: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<Login>, Stop> {
        let Some(cookie) = decoded(cookie) else {
            return Ok(None);
        };
        match &mut self.logins {
            Logins::Devise { remembered, .. } => match remembered {
                Some(remembered) => Ok(remembered.login(queries, &cookie, owner, now)?),
                None => Ok(None),
            },
            Logins::Redmine { .. } => redmine_remembered(queries, &cookie, self.zone.as_ref(), now),
        }
    }

    /// The name of a remembered login's cookie, where one counts.
    fn remember_cookie(&self) -> Option<&str> {
        match &self.logins {
            Logins::Devise { remembered, .. } => Some(&remembered.as_ref()?.cookie_name),
            Logins::Redmine { autologin } => Some(autologin),
        }
    }
}

fn payload_decided<T>(
    queries: &mut Queries<'_>,
    read: &Result<Option<T>, hallpass_sessions::Invalid>,
) {
    let is_login = matches!(read, Ok(Some(_)));
    queries
        .tracer()
        .decided("payload", is_login, || match read {
            Ok(Some(_)) => "an account is logged in".to_owned(),
            Ok(None) => "no account is logged in".to_owned(),
            Err(invalid) => invalid.to_string(),
        });
}

/// `end`, which is after `now`.
fn ended(
    queries: &mut Queries<'_>,
    end: SystemTime,
    now: SystemTime,
) -> Result<SystemTime, Reason> {
    match queries.tracer().decided("expiry", now < end, || until(end)) {
        true => Ok(end),
        false => Err(Reason::ExpiredSession),
    }
}

fn earlier(one: Option<SystemTime>, other: Option<SystemTime>) -> Option<SystemTime> {
    one.into_iter().chain(other).min()
}

impl SessionSource for Sessions {
    fn read(
        &mut self,
        queries: &mut Queries<'_>,
        token: &[u8],
        _client: &Client,
        now: SystemTime,
    ) -> Result<Login, Stop> {
        let (session, remembered) = remembered::cookies(token);
        let mut owner = None;
        match (self.session(queries, session, now, &mut owner), remembered) {
            (Err(Stop::Denied(reason)), Some(cookie)) if !is_step(reason) => {
                let remembered = self.remembered(queries, cookie, owner.as_deref(), now)?;
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
        let remembered = self.remember_cookie();
        Ok(remembered::token(
            header,
            Reader::Rack,
            &self.cookie_name,
            remembered,
        ))
    }

    /// The site makes another cookie of a remembered login now and then.
    fn lasting(&self, token: &[u8]) -> Option<Secret> {
        remembered::lasting(token)
    }

    fn keeps_in_cookie(&self) -> bool {
        matches!(self.store, Store::Cookie(_))
    }

    fn rests_on(&mut self) -> RestsOn<'_> {
        self.store.rests_on()
    }

    fn needs(&self) -> Vec<Required> {
        let mut needed = self.store.needs();
        match &self.logins {
            Logins::Devise { remembered, .. } => {
                needed.extend(remembered.iter().filter_map(|it| it.needed()));
            }
            Logins::Redmine { .. } => needed.extend(super::redmine::needed_for_sessions()),
        }
        needed
    }

    /// Whether the salt is the hash's own, and so the password still the same. Redmine deletes the
    /// tokens of an account with its password.
    fn confirms(&self, login: &Login, account: &Account) -> bool {
        if matches!(self.logins, Logins::Redmine { .. }) || login.decoded == REMEMBERED {
            return true;
        }
        match (&login.auth_hash, &account.encoded) {
            (None, None) => true,
            (Some(salt), Some(encoded)) => {
                bool::from(salt_of(encoded).as_bytes().ct_eq(salt.as_bytes()))
            }
            _ => false,
        }
    }
}

/// The value of a cookie as Rack decodes it (`URI.decode_www_form_component`): where any percent sign
/// stands for nothing, the value is left as it is. `None` for what is not UTF-8.
fn decoded(token: &[u8]) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(token.len()));
    let mut rest = token;
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) if is_pair(*high, *low) => {
                (hex(*high) << 4 | hex(*low), after)
            }
            (b'%', _) => {
                return std::str::from_utf8(token)
                    .ok()
                    .map(|it| it.to_owned().into());
            }
            (b'+', after) => (b' ', after),
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    let text = String::from_utf8(std::mem::take(&mut *bytes)).ok()?;
    Some(Zeroizing::new(text))
}

fn is_pair(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        digit => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `Rack::Utils.unescape(value) rescue value` of Rack 2.2 gave these.
    #[test]
    fn cookies_are_decoded_as_rack_does() {
        for (token, expected) in [
            ("abc", "abc"),
            ("a%2Cb+c", "a,b c"),
            ("a%2fb%3D%3d", "a/b=="),
            ("a%zz", "a%zz"),
            ("a+b%2", "a+b%2"),
            ("%", "%"),
            ("%C3%BC", "ü"),
            ("", ""),
        ] {
            let read = decoded(token.as_bytes());
            assert_eq!(
                read.as_deref().map(String::as_str),
                Some(expected),
                "{token}"
            );
        }
        assert!(decoded(b"%FF").is_none());
        assert!(decoded(b"\xff%").is_none());
    }
}
