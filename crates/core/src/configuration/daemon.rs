//! `[daemon]`

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::Error;
use super::secret::beside;
use super::section::Section;

/// How `hallpassd` listens and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Where it listens.
    pub listen: Vec<Listener>,
    /// The credentials it takes.
    pub accept: Accepted,
    /// The realm of Basic authentication.
    pub realm: String,
    /// Where people log in; `{url}` stands for the percent-encoded address they wanted.
    pub login_url: Option<String>,
    /// How many threads answer questions; `None` for one a core.
    pub threads: Option<usize>,
    /// How many questions may wait for a thread.
    pub queue: usize,
    /// Whose word is taken for the address that a client wanted.
    pub trusted_proxies: Vec<TrustedProxy>,
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
}

/// Who may say what a client wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// A host, by its address.
    Address(IpAddr),
    /// Whoever can open the unix socket.
    Unix,
}

impl Daemon {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, Error> {
        let listen = section
            .strings("listen")?
            .unwrap_or_else(|| vec!["unix:/run/hallpass/http.sock?mode=0660".to_owned()]);
        let listen = listen
            .iter()
            .map(|text| listener(&section, text))
            .collect::<Result<Vec<_>, _>>()?;
        let mut accept = Accepted {
            password: true,
            session: true,
        };
        if let Some(words) = section.strings("accept")? {
            accept = Accepted {
                password: false,
                session: false,
            };
            for word in words {
                match word.as_str() {
                    "password" => accept.password = true,
                    "session" => accept.session = true,
                    _ => {
                        let message = "may hold \"session\" and \"password\"";
                        return Err(section.wrong("accept", message));
                    }
                }
            }
        }
        let realm = section
            .string("realm")?
            .unwrap_or_else(|| "Restricted".to_owned());
        if !realm.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(section.wrong("realm", "may hold printable ASCII alone"));
        }
        let login_url = section.string("login_url")?;
        if let Some(url) = &login_url
            && !url.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
        {
            let message = "is not a URL: percent-encode spaces and what is not ASCII";
            return Err(section.wrong("login_url", message));
        }
        let number = |number: Option<u64>| number.and_then(|number| number.try_into().ok());
        let threads = number(section.integer("threads", 1..1025)?);
        let queue = number(section.integer("queue", 1..1_000_001)?).unwrap_or(1024);
        let trusted_proxies = match section.strings("trusted_proxies")? {
            None => vec![
                TrustedProxy::Unix,
                TrustedProxy::Address([127, 0, 0, 1].into()),
            ],
            Some(words) => {
                let proxy = |word: &String| match word.as_str() {
                    "unix" => Ok(TrustedProxy::Unix),
                    address => address.parse().map(TrustedProxy::Address).map_err(|_| {
                        section.wrong("trusted_proxies", "may hold \"unix\" and IP addresses")
                    }),
                };
                words.iter().map(proxy).collect::<Result<_, _>>()?
            }
        };
        section.finish()?;
        Ok(Self {
            listen,
            accept,
            realm,
            login_url,
            threads,
            queue,
            trusted_proxies,
        })
    }
}

/// `unix:PATH`, `unix:PATH?mode=0660` or `tcp:ADDRESS:PORT`.
fn listener(section: &Section<'_>, text: &str) -> Result<Listener, Error> {
    let shape = "may hold \"unix:/path?mode=0660\" and \"tcp:127.0.0.1:8088\"";
    if let Some(address) = text.strip_prefix("tcp:") {
        let address = address
            .parse()
            .map_err(|_| section.wrong("listen", shape))?;
        return Ok(Listener::Tcp(address));
    }
    let path = text
        .strip_prefix("unix:")
        .ok_or_else(|| section.wrong("listen", shape))?;
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
        _ => Err(section.wrong("listen", shape)),
    }
}
