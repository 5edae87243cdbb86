//! Opens the signed containers that sessions are kept in, and sessions that the cookie itself holds
//! (`django.contrib.sessions.backends.signed_cookies`).

use std::cell::OnceCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_sessions::Invalid;
use hallpass_sessions::django::{self as format, Keyring, Version, open_trusted};
use hallpass_stores::{Secret, Tracer};

use crate::django::settings::{Django, SessionEngine};
use crate::{Decoding, Reason, Stop};

/// Opens containers.
#[derive(Debug)]
pub(super) struct Containers {
    secret_keys: Vec<Secret>,
    version: Version,
    salt: String,
    in_cookies: bool,
    trust_store: bool,
    /// Made of the secret keys when the first session is read: a program that is started for one
    /// password has no use for it.
    keyring: OnceCell<Keyring>,
}

/// A session that an engine found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) login: format::Login,
    pub(super) expires: Option<SystemTime>,
    pub(super) decoded: Decoding,
}

/// A session, or why there is none.
pub(super) type Lookup = Result<Found, Stop>;

/// What was in a container.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) login: Option<format::Login>,
    /// How it was sealed; the payload is gone.
    pub(super) seal: format::Opened,
    container: &'static str,
    format: &'static str,
}

impl Opened {
    /// The session, if an account is logged in to it.
    pub(super) fn found(
        self,
        store: &'static str,
        expires: Option<SystemTime>,
    ) -> Result<Found, Reason> {
        Ok(Found {
            login: self.login.ok_or(Reason::AnonymousSession)?,
            expires,
            decoded: Decoding {
                store,
                container: self.container,
                format: self.format,
            },
        })
    }
}

impl Containers {
    pub(super) fn new(django: &Django) -> Self {
        let secrets = django.secret_keys.iter().map(Secret::expose);
        Self {
            secret_keys: secrets.map(Secret::new).collect(),
            version: django.version,
            salt: django.sessions.salt.clone(),
            in_cookies: matches!(django.sessions.engine, SessionEngine::SignedCookies { .. }),
            trust_store: django.sessions.trust_store,
            keyring: OnceCell::new(),
        }
    }

    /// Whether sessions are accepted without a check of their signature.
    pub(super) fn trusted(&self) -> bool {
        self.trust_store && self.secret_keys.is_empty()
    }

    /// Opens one, and tells `tracer` how.
    pub(super) fn open(&self, container: &[u8], tracer: &Tracer) -> Result<Opened, Reason> {
        let opened = self.read(container);
        match &opened {
            Err(Invalid::Signature) => {
                tracer.decided("signature", false, || {
                    let keys = self.secret_keys.len();
                    format!("it is by none of the {keys} keys of secret_key and its fallbacks")
                });
            }
            Err(invalid) => {
                tracer.decided("payload", false, || invalid.to_string());
            }
            Ok(opened) => {
                tracer.decided("signature", true, || opened.container.to_owned());
                tracer.decided("payload", opened.login.is_some(), || {
                    let found = match &opened.login {
                        None => "nobody is logged in",
                        Some(_) => "somebody is logged in",
                    };
                    format!("{}: {found}", opened.format)
                });
            }
        }
        opened.map_err(|_| Reason::InvalidSession)
    }

    fn read(&self, container: &[u8]) -> Result<Opened, Invalid> {
        let mut seal = if self.trusted() {
            open_trusted(self.version, container)?
        } else {
            self.keyring
                .get_or_init(|| self.keyring())
                .open(container)?
        };
        let payload = std::mem::take(&mut seal.payload);
        Ok(Opened {
            login: format::read(&payload)?,
            container: match (self.trusted(), seal.is_legacy()) {
                (true, _) => "signature not checked",
                (false, false) => "signed",
                (false, true) => "signed as before Django 3.1",
            },
            format: if payload.starts_with(b"{") {
                "JSON"
            } else {
                "pickle"
            },
            seal,
        })
    }

    fn keyring(&self) -> Keyring {
        let secrets = self.secret_keys.iter().map(Secret::expose);
        if self.in_cookies {
            Keyring::cookies(self.version, secrets)
        } else {
            Keyring::stored(self.version, &self.salt, secrets)
        }
    }
}

/// As `SessionStore.load` in contrib/sessions/backends/signed_cookies.py, 5.2: the signature's age
/// is all that ends such a session, whatever expiry is set in it.
pub(super) fn find_in_cookie(
    cookie: &str,
    age: u64,
    containers: &Containers,
    now: SystemTime,
    tracer: &Tracer,
) -> Result<Found, Reason> {
    let opened = containers.open(cookie.as_bytes(), tracer)?;
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let young = !opened.seal.is_older_than(age, since_1970.as_secs_f64());
    let told = || {
        format!(
            "signed at {:?}, in Unix seconds, and good for {age} s",
            opened.seal.signed_at
        )
    };
    if !tracer.decided("expiry", young, told) {
        return Err(Reason::ExpiredSession);
    }
    let expires = opened
        .seal
        .signed_at
        .and_then(|signed_at| u64::try_from(signed_at).ok()?.checked_add(age))
        .and_then(|expires| UNIX_EPOCH.checked_add(Duration::from_secs(expires)));
    opened.found("the cookie itself", expires)
}
