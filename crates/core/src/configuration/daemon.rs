//! `[daemon]`

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::secret::beside;
use super::section::Section;
use super::values::Most;
use super::{Access, Error};

/// How `hallpassd` listens and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Where it listens for HTTP.
    pub listen: Vec<Listener>,
    /// Whether that is so because the file says nothing else.
    pub listens_by_default: bool,
    /// Where it listens for FastCGI, as an authorizer.
    pub fastcgi: Vec<Listener>,
    /// Where it listens for clients of Dovecot's authentication.
    pub dovecot_auth: Vec<Listener>,
    /// Where it listens for clients of saslauthd.
    pub saslauthd: Vec<Listener>,
    /// The credentials it takes.
    pub accept: Accepted,
    /// The realm of Basic authentication.
    pub realm: String,
    /// The realms of SASL that add nothing to a name: in these `alice@realm` is `alice`.
    pub sasl_realms: Vec<String>,
    /// Where people log in; `{url}` stands for the percent-encoded address they wanted.
    pub login_url: Option<String>,
    /// How long a verified password is remembered; `None` for not at all.
    pub verified_cache: Option<Duration>,
    /// How many verified passwords are remembered.
    pub verified_cache_size: usize,
    /// How many threads check passwords; `None` for one a core.
    pub threads: Option<usize>,
    /// How many questions may wait for a thread.
    pub queue: usize,
    /// Whose word is taken for the address that a client wanted.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Where a name without any credential may be asked about.
    pub vouch: Vec<Vouching>,
}

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A unix socket, and the permissions it gets.
    Unix {
        /// Where the socket is made.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl std::fmt::Display for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
            Self::Unix { path, .. } => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// Which credentials the daemon takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// A name and a password, by Basic authentication.
    pub password: bool,
    /// The site's session cookie.
    pub session: bool,
    /// A ticket, where `[tickets]` has a key.
    pub ticket: bool,
}

/// Who may say what a client wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// A host, by its address.
    Address(IpAddr),
    /// Whoever can open the unix socket.
    Unix,
}

/// The listeners whose clients are believed to have let in the account that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouching {
    /// At one listener.
    Listener(Listener),
    /// At every unix socket.
    Unix,
}

impl Daemon {
    /// The keys that list listeners, one an endpoint, each with its listeners.
    #[must_use]
    pub fn listeners(&self) -> [(&'static str, &[Listener]); 4] {
        [
            ("listen", &self.listen),
            ("fastcgi", &self.fastcgi),
            ("dovecot_auth", &self.dovecot_auth),
            ("saslauthd", &self.saslauthd),
        ]
    }

    /// Whether a name without any credential may be asked about at `listener`.
    #[must_use]
    pub fn vouches(&self, listener: &Listener) -> bool {
        self.vouch.iter().any(|vouching| match vouching {
            Vouching::Listener(other) => other.to_string() == listener.to_string(),
            Vouching::Unix => matches!(listener, Listener::Unix { .. }),
        })
    }

    pub(super) fn read(mut section: Section<'_>, access: &Access) -> Result<Self, Error> {
        let listen = listeners(&mut section, "listen")?;
        let listens_by_default = listen.is_none();
        let listen = listen.unwrap_or_else(|| {
            let path = PathBuf::from("/run/hallpass/http.sock");
            vec![Listener::Unix { path, mode: 0o660 }]
        });
        let fastcgi = listeners(&mut section, "fastcgi")?.unwrap_or_default();
        let dovecot_auth = listeners(&mut section, "dovecot_auth")?.unwrap_or_default();
        let saslauthd = listeners(&mut section, "saslauthd")?.unwrap_or_default();
        if saslauthd
            .iter()
            .any(|listener| matches!(listener, Listener::Tcp(_)))
        {
            let message = "may hold unix sockets alone: saslauthd has no other clients";
            return Err(section.wrong("saslauthd", message));
        }
        let accept = accepted(&mut section)?;
        let accept = Accepted {
            password: accept.password && access.passwords,
            ..accept
        };
        let realm = section
            .string("realm")?
            .unwrap_or_else(|| "Restricted".to_owned());
        if !realm.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(section.wrong("realm", "may hold printable ASCII alone"));
        }
        let sasl_realms = section.strings("sasl_realms")?.unwrap_or_default();
        if sasl_realms
            .iter()
            .any(|realm| realm.is_empty() || realm.contains('@'))
        {
            return Err(section.wrong("sasl_realms", "a realm is what comes after the last `@`"));
        }
        let login_url = section.string("login_url")?;
        if let Some(url) = &login_url
            && !url.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
        {
            let message = "is not a URL: percent-encode spaces and what is not ASCII";
            return Err(section.wrong("login_url", message));
        }
        let number = |number: Option<u64>| number.and_then(|number| number.try_into().ok());
        let remembered = section.duration("verified_cache", Most::Memory)?;
        let remembered = remembered.unwrap_or(Duration::from_secs(300));
        let most = section.integer("verified_cache_size", 0..10_000_001)?;
        let verified_cache_size = number(most).unwrap_or(10_000);
        let threads = number(section.integer("threads", 1..1025)?);
        let queue = number(section.integer("queue", 1..1_000_001)?).unwrap_or(1024);
        let trusted_proxies = trusted_proxies(&mut section)?;
        for (key, listeners) in [
            ("listen", &listen),
            ("fastcgi", &fastcgi),
            ("dovecot_auth", &dovecot_auth),
            ("saslauthd", &saslauthd),
        ] {
            warn_of_open(&section, key, listeners);
        }
        let known = listen.iter().chain(&fastcgi);
        let vouch = vouch(&mut section, &known.collect::<Vec<_>>())?;
        section.finish()?;
        Ok(Self {
            listen,
            listens_by_default,
            fastcgi,
            dovecot_auth,
            saslauthd,
            accept,
            realm,
            sasl_realms,
            login_url,
            verified_cache: (!remembered.is_zero() && verified_cache_size > 0)
                .then_some(remembered),
            verified_cache_size,
            threads,
            queue,
            trusted_proxies,
            vouch,
        })
    }
}

/// Warns of `listeners` at which more can ask than the programs of this machine that may.
fn warn_of_open(section: &Section<'_>, key: &str, listeners: &[Listener]) {
    for listener in listeners {
        let message = match listener {
            Listener::Tcp(address) if !address.ip().to_canonical().is_loopback() => {
                "whoever can reach this address can ask there and guess passwords: listen at \
                 127.0.0.1 or a unix socket, or let a firewall say who may"
            }
            Listener::Unix { mode, .. } if mode & 0o002 != 0 => {
                "every user of this machine can ask there and guess passwords: mode=0660 and a group"
            }
            _ => continue,
        };
        section.warn(key, &format!("{listener}: {message}"));
    }
}

fn accepted(section: &mut Section<'_>) -> Result<Accepted, Error> {
    let Some(words) = section.strings("accept")? else {
        return Ok(Accepted {
            password: true,
            session: true,
            ticket: true,
        });
    };
    let mut accept = Accepted {
        password: false,
        session: false,
        ticket: false,
    };
    for word in words {
        match word.as_str() {
            "password" => accept.password = true,
            // A ticket stands for a session.
            "session" => (accept.session, accept.ticket) = (true, true),
            "ticket" => accept.ticket = true,
            _ => {
                let message = "may hold \"session\", \"ticket\" and \"password\"";
                return Err(section.wrong("accept", message));
            }
        }
    }
    Ok(accept)
}

fn trusted_proxies(section: &mut Section<'_>) -> Result<Vec<TrustedProxy>, Error> {
    let Some(words) = section.strings("trusted_proxies")? else {
        return Ok(vec![
            TrustedProxy::Unix,
            TrustedProxy::Address([127, 0, 0, 1].into()),
        ]);
    };
    let proxy = |word: &String| match word.as_str() {
        "unix" => Ok(TrustedProxy::Unix),
        address => address
            .parse()
            .map(|address: IpAddr| TrustedProxy::Address(address.to_canonical()))
            .map_err(|_| section.wrong("trusted_proxies", "may hold \"unix\" and IP addresses")),
    };
    words.iter().map(proxy).collect()
}

/// `"unix"`, and listeners as they are written elsewhere in the table, some of which are `known`.
fn vouch(section: &mut Section<'_>, known: &[&Listener]) -> Result<Vec<Vouching>, Error> {
    const KEY: &str = "vouch";
    let Some(words) = section.strings(KEY)? else {
        return Ok(vec![Vouching::Unix]);
    };
    let mut vouch = Vec::new();
    for word in words {
        if word == "unix" {
            vouch.push(Vouching::Unix);
            continue;
        }
        let Ok(listener) = listener(section, KEY, &word) else {
            let message = "may hold \"unix\", and listeners as `listen` and `fastcgi` have them";
            return Err(section.wrong(KEY, message));
        };
        let same = |other: &&&Listener| other.to_string() == listener.to_string();
        if known.iter().find(same).is_none() {
            let message = format!(
                "{listener} is neither in `listen` nor in `fastcgi`: this has an effect only where \
                 systemd hands that socket over"
            );
            section.warn(KEY, &message);
        }
        vouch.push(Vouching::Listener(listener));
    }
    Ok(vouch)
}

fn listeners(section: &mut Section<'_>, key: &'static str) -> Result<Option<Vec<Listener>>, Error> {
    let Some(texts) = section.strings(key)? else {
        return Ok(None);
    };
    let mut listeners: Vec<Listener> = Vec::new();
    for text in texts {
        let listener = listener(section, key, &text)?;
        if listeners
            .iter()
            .any(|other| other.to_string() == listener.to_string())
        {
            return Err(section.wrong(key, "names one socket twice"));
        }
        listeners.push(listener);
    }
    Ok(Some(listeners))
}

/// `unix:PATH`, `unix:PATH?mode=0660` or `tcp:ADDRESS:PORT`.
fn listener(section: &Section<'_>, key: &'static str, text: &str) -> Result<Listener, Error> {
    let wrong = || {
        let shape = "may hold \"unix:/path?mode=0660\" and \"tcp:127.0.0.1:8088\"";
        section.wrong(key, shape)
    };
    if let Some(address) = text.strip_prefix("tcp:") {
        return address.parse().map(Listener::Tcp).map_err(|_| wrong());
    }
    let path = text.strip_prefix("unix:").ok_or_else(wrong)?;
    let (path, mode) = match path.split_once("?mode=") {
        None => (path, Some(0o660)),
        Some((path, mode)) => (
            path,
            u32::from_str_radix(mode, 8).ok().filter(|m| *m <= 0o777),
        ),
    };
    match mode {
        Some(mode) if !path.is_empty() => Ok(Listener::Unix {
            path: beside(section.path(), path),
            mode,
        }),
        _ => Err(wrong()),
    }
}
