//! Reads `[daemon]`: how `hallpassd` listens and answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hallpass_settings::{Error, Listener, Memory, Number, SecretSource, Table, Wait};
use hallpass_sites::secret;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;

use super::Access;
use crate::Secret;

/// The shortest interval at which what was let in is looked at again.
const SHORTEST_WATCH: Duration = Duration::from_millis(100);

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct DaemonTable {
    /// Listeners for [HTTP](http.md).
    listen: Vec<Listener>,
    /// Listeners for [FastCGI](fastcgi.md).
    fastcgi: Vec<Listener>,
    /// Listeners for [clients of Dovecot](sasl.md).
    dovecot_auth: Vec<Listener>,
    /// Listeners for [clients of saslauthd](sasl.md).
    saslauthd: Vec<Listener>,
    /// Listeners for [LDAP](ldap.md): the site as a read-only directory.
    ldap: Vec<Listener>,
    /// Listeners that answer [`/healthz`, `/readyz` and `/metrics`](metrics.md) only, to every client
    /// that reaches them.
    status: Vec<Listener>,
    /// Listeners for programs that ask [in their own form](dialects.md), at `/as/DIALECT`. On TCP
    /// they need `dialect_token`.
    dialects: Vec<Listener>,
    /// A secret that those programs show where they ask over TCP: as a Bearer token, or as the password
    /// of Basic authentication.
    dialect_token: Option<SecretSource>,
    /// Realms that are removed from the names that clients of Dovecot and saslauthd send.
    sasl_realms: Vec<String>,
    /// The credentials that HTTP and FastCGI accept: `"password"`, `"session"` (which includes
    /// tickets), `"ticket"` (only tickets).
    accept: Vec<Accept>,
    /// The realm of Basic authentication.
    realm: String,
    /// The site's login page. `{url}` in it is replaced by the address that the client requested,
    /// percent-encoded. Most login pages only redirect back to their own host until they are
    /// configured otherwise: [Django](django.md#the-way-back-from-the-login-page),
    /// [Joomla](django-with-joomla.md).
    login_url: Option<String>,
    /// How long verified passwords are remembered; `"0s"` switches it off.
    verified_cache: Memory,
    /// The most verified passwords that are remembered; `0` switches it off.
    verified_cache_size: Number<0, 10_000_000>,
    /// How many threads check passwords.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "one a core")))]
    threads: Option<Number<1, 1024>>,
    /// How many requests, and how many password checks, may wait. Further ones are answered
    /// `unavailable` at once.
    queue: Number<1, 1_000_000>,
    /// The proxies that are believed about the client's address and the address that it requested:
    /// IP addresses, networks (`"10.244.0.0/16"`), and `"unix"` for every program that can open a
    /// unix socket. This also applies to FastCGI, Dovecot, saslauthd and `/check`. The proxies must
    /// [set both](http.md#what-every-recipe-does).
    trusted_proxies: Vec<TrustedProxy>,
    /// The listeners on which a host may ask about a name without a credential, as
    /// [FastCGI](fastcgi.md#a-name-without-a-password) and programs with `via` do, and some
    /// [programs with forms of their own](dialects.md): `"unix"` for all unix sockets, or a listener as
    /// written in `listen`, `fastcgi` or `dialects`. Over TCP, `dialect_token` allows it, too.
    vouch: Vec<Vouching>,
    /// How often [sessions that were let in](live.md) are looked at again, where a host asks for it.
    /// Where that takes longer than a quarter of the time, the interval grows.
    watch_interval: Wait,
}

/// A credential that the daemon takes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum Accept {
    Session,
    Ticket,
    Password,
}

impl Default for DaemonTable {
    fn default() -> Self {
        Self {
            listen: vec![Listener::unix("/run/hallpass/http.sock")],
            fastcgi: Vec::new(),
            dovecot_auth: Vec::new(),
            saslauthd: Vec::new(),
            ldap: Vec::new(),
            status: Vec::new(),
            dialects: Vec::new(),
            dialect_token: None,
            sasl_realms: Vec::new(),
            accept: vec![Accept::Session, Accept::Password],
            realm: "Restricted".to_owned(),
            login_url: None,
            verified_cache: Memory::seconds(300),
            verified_cache_size: Number(10_000),
            threads: None,
            queue: Number(1024),
            trusted_proxies: vec![
                TrustedProxy::Unix,
                TrustedProxy::Address([127, 0, 0, 1].into()),
            ],
            vouch: vec![Vouching::Unix],
            watch_interval: Wait::seconds(2),
        }
    }
}

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
    /// Where it listens for LDAP.
    pub ldap: Vec<Listener>,
    /// Where it tells every client its state.
    pub status: Vec<Listener>,
    /// Where it listens for programs that ask in their own form.
    pub dialects: Vec<Listener>,
    /// What those programs show over TCP.
    pub dialect_token: Option<DialectToken>,
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
    /// How often what was let in is looked at again.
    pub watch_interval: Duration,
}

/// The secret that a program shows over TCP if it asks in its own form.
#[derive(Clone, Debug)]
pub struct DialectToken(Arc<Secret>);

impl DialectToken {
    /// Whether a program has shown this token. How long the comparison takes depends on the lengths
    /// alone.
    #[must_use]
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.expose().ct_eq(shown).into()
    }
}

impl PartialEq for DialectToken {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.expose())
    }
}

impl Eq for DialectToken {}

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

/// A proxy that is believed about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// A host, by its address.
    Address(IpAddr),
    /// The hosts of a network: its first address, and how many bits of it the others share.
    Network(IpAddr, u32),
    /// Every program that can open the unix socket.
    Unix,
}

impl TrustedProxy {
    /// Whether the host at `peer` is one of these.
    fn includes(&self, peer: IpAddr) -> bool {
        match (*self, peer) {
            (Self::Address(address), _) => address == peer,
            (Self::Network(IpAddr::V4(first), bits), IpAddr::V4(peer)) => {
                (first.to_bits() ^ peer.to_bits())
                    .checked_shr(u32::BITS - bits)
                    .unwrap_or(0)
                    == 0
            }
            (Self::Network(IpAddr::V6(first), bits), IpAddr::V6(peer)) => {
                (first.to_bits() ^ peer.to_bits())
                    .checked_shr(u128::BITS - bits)
                    .unwrap_or(0)
                    == 0
            }
            (Self::Network(..) | Self::Unix, _) => false,
        }
    }

    /// A network as `ADDRESS/BITS`, no bit of whose address is set beyond these.
    fn network(text: &str) -> Option<Self> {
        let (first, bits) = text.split_once('/')?;
        let first = first.parse().ok()?;
        // Not as `+16` or `016`.
        let bits = bits
            .parse()
            .ok()
            .filter(|parsed: &u32| parsed.to_string() == bits)?;
        let zero = match first {
            IpAddr::V4(first) => {
                bits <= u32::BITS && first.to_bits().checked_shl(bits).unwrap_or(0) == 0
            }
            // Those that hold addresses of IPv4 would match none: peers have these as they are.
            IpAddr::V6(first) => {
                first.to_ipv4_mapped().is_none()
                    && bits <= u128::BITS
                    && first.to_bits().checked_shl(bits).unwrap_or(0) == 0
            }
        };
        zero.then_some(Self::Network(first, bits))
    }
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
    pub fn listeners(&self) -> [(&'static str, &[Listener]); 7] {
        [
            ("listen", &self.listen),
            ("fastcgi", &self.fastcgi),
            ("dovecot_auth", &self.dovecot_auth),
            ("saslauthd", &self.saslauthd),
            ("ldap", &self.ldap),
            ("status", &self.status),
            ("dialects", &self.dialects),
        ]
    }

    /// Whether `peer`, or a program at a unix socket where it is `None`, is a trusted proxy.
    #[must_use]
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        self.trusted_proxies.iter().any(|trusted| match peer {
            Some(address) => trusted.includes(address),
            None => *trusted == TrustedProxy::Unix,
        })
    }

    /// Whether a name without any credential may be asked about at `listener`.
    #[must_use]
    pub fn vouches(&self, listener: &Listener) -> bool {
        self.vouch.iter().any(|vouching| match vouching {
            Vouching::Listener(other) => other.is_at(listener),
            Vouching::Unix => matches!(listener, Listener::Unix { .. }),
        })
    }
}

impl DaemonTable {
    pub(super) fn resolve(self, table: &Table<'_>, access: &Access) -> Result<Daemon, Error> {
        let listen = listeners(table, "listen", self.listen)?;
        let fastcgi = listeners(table, "fastcgi", self.fastcgi)?;
        let dovecot_auth = listeners(table, "dovecot_auth", self.dovecot_auth)?;
        let saslauthd = listeners(table, "saslauthd", self.saslauthd)?;
        let ldap = listeners(table, "ldap", self.ldap)?;
        let status = listeners(table, "status", self.status)?;
        let dialects = listeners(table, "dialects", self.dialects)?;
        let dialect_token = secret(table, "dialect_token", self.dialect_token)?;
        for (key, listeners) in [
            ("listen", &listen),
            ("fastcgi", &fastcgi),
            ("dovecot_auth", &dovecot_auth),
            ("saslauthd", &saslauthd),
            ("ldap", &ldap),
        ] {
            warn_of_guesses(table, key, listeners);
        }
        warn_of_dialects(table, &dialects, dialect_token.as_ref());
        let is_tcp = |listener: &Listener| matches!(listener, Listener::Tcp(_));
        if dialect_token.is_none() && dialects.iter().any(is_tcp) {
            let message = "has a TCP listener, which needs `dialect_token`: every program that reaches \
                           it could guess passwords; `openssl rand -hex 32` makes a token";
            return Err(table.wrong("dialects", message));
        }
        if saslauthd.iter().any(is_tcp) {
            let message = "must be unix sockets: saslauthd has no other clients";
            return Err(table.wrong("saslauthd", message));
        }
        if !self.realm.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(table.wrong("realm", "must consist of printable ASCII"));
        }
        let is_realm = |realm: &String| !realm.is_empty() && !realm.contains('@');
        if !self.sasl_realms.iter().all(is_realm) {
            return Err(table.wrong("sasl_realms", "a realm is what comes after the last `@`"));
        }
        if let Some(url) = &self.login_url
            && !url.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
        {
            let message = "is not a URL: percent-encode spaces and what is not ASCII";
            return Err(table.wrong("login_url", message));
        }
        let watch_interval = self.watch_interval.get();
        if watch_interval < SHORTEST_WATCH {
            return Err(table.wrong("watch_interval", "must be 100ms or longer"));
        }
        let known = listen.iter().chain(&fastcgi).chain(&dialects);
        let vouch = vouch(table, self.vouch, &known.collect::<Vec<_>>());
        let remembered = self.verified_cache.get();
        let verified_cache_size = self.verified_cache_size.count();
        let accepts = |credential| self.accept.contains(&credential);
        Ok(Daemon {
            accept: Accepted {
                password: accepts(Accept::Password) && access.passwords,
                session: accepts(Accept::Session),
                // A ticket stands for a session.
                ticket: accepts(Accept::Ticket) || accepts(Accept::Session),
            },
            listen,
            listens_by_default: !table.has("listen"),
            fastcgi,
            dovecot_auth,
            saslauthd,
            ldap,
            status,
            dialects,
            dialect_token: dialect_token.map(|token| DialectToken(Arc::new(token))),
            realm: self.realm,
            sasl_realms: self.sasl_realms,
            login_url: self.login_url,
            verified_cache: (!remembered.is_zero() && verified_cache_size > 0)
                .then_some(remembered),
            verified_cache_size,
            threads: self.threads.map(Number::count),
            queue: self.queue.count(),
            trusted_proxies: self.trusted_proxies,
            vouch,
            watch_interval,
        })
    }
}

impl<'de> Deserialize<'de> for TrustedProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "unix" => Ok(Self::Unix),
            network if network.contains('/') => Self::network(network).ok_or_else(|| {
                D::Error::custom(
                    "has an invalid network: write its first address and how many bits are \
                     fixed, as in \"10.244.0.0/16\"",
                )
            }),
            address => address
                .parse()
                .map(|address: IpAddr| Self::Address(address.to_canonical()))
                .map_err(|_| D::Error::custom("may hold \"unix\", IP addresses and networks")),
        }
    }
}

impl<'de> Deserialize<'de> for Vouching {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "unix" => Ok(Self::Unix),
            listener => listener.parse().map(Self::Listener).map_err(|_| {
                D::Error::custom(
                    "may hold \"unix\", and listeners as `listen` and `fastcgi` have them",
                )
            }),
        }
    }
}

/// The listeners at `key`, their sockets relative to the file.
fn listeners(
    table: &Table<'_>,
    key: &str,
    listeners: Vec<Listener>,
) -> Result<Vec<Listener>, Error> {
    let mut known: Vec<Listener> = Vec::new();
    for listener in listeners {
        let listener = listener.beside(table);
        if known.iter().any(|other| other.is_at(&listener)) {
            return Err(table.wrong(key, "names one socket twice"));
        }
        known.push(listener);
    }
    Ok(known)
}

/// Warns of those of the `listeners` at `key` at which more can ask than the programs of this
/// machine that may.
fn warn_of_guesses(table: &Table<'_>, key: &str, listeners: &[Listener]) {
    for listener in listeners {
        let message = match listener {
            Listener::Tcp(address) if !address.ip().to_canonical().is_loopback() => {
                "every client that can reach this address can ask there and guess passwords: listen \
                 at 127.0.0.1 or a unix socket, or restrict the address by a firewall"
            }
            Listener::Unix { mode, .. } if mode & 0o002 != 0 => {
                "every user of this machine can ask there and guess passwords: mode=0660 and a group"
            }
            _ => continue,
        };
        table.warn(key, &format!("{listener}: {message}"));
    }
}

/// The fewest bytes of a token that is not guessed.
const SHORTEST_TOKEN: usize = 16;

/// Warns of those of the `dialects` at which passwords are read or guessed by others than their
/// programs.
fn warn_of_dialects(table: &Table<'_>, dialects: &[Listener], token: Option<&Secret>) {
    if token.is_some_and(|token| token.expose().len() < SHORTEST_TOKEN) {
        let message =
            "is shorter than 16 bytes, and can be guessed: `openssl rand -hex 32` makes one";
        table.warn("dialect_token", message);
    }
    for listener in dialects {
        match listener {
            Listener::Tcp(address) if !address.ip().to_canonical().is_loopback() => {
                let message = "the token and the passwords cross the network in clear: listen at \
                               127.0.0.1, or behind a proxy with TLS";
                table.warn("dialects", &format!("{listener}: {message}"));
            }
            Listener::Tcp(_) => {}
            unix @ Listener::Unix { .. } => {
                warn_of_guesses(table, "dialects", std::slice::from_ref(unix));
            }
        }
    }
}

/// The listeners of `vouch`, some of which are `known`; warns of others.
fn vouch(table: &Table<'_>, vouch: Vec<Vouching>, known: &[&Listener]) -> Vec<Vouching> {
    const KEY: &str = "vouch";
    let beside = |vouching| match vouching {
        Vouching::Unix => Vouching::Unix,
        Vouching::Listener(listener) => {
            let listener = listener.beside(table);
            if !known.iter().any(|other| other.is_at(&listener)) {
                let message = format!(
                    "{listener} is in none of `listen`, `fastcgi` and `dialects`: this has an effect \
                     only where systemd hands that socket over"
                );
                table.warn(KEY, &message);
            }
            Vouching::Listener(listener)
        }
    };
    vouch.into_iter().map(beside).collect()
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::{Serialize, Serializer};

    use super::{TrustedProxy, Vouching};

    impl Serialize for TrustedProxy {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Unix => serializer.serialize_str("unix"),
                Self::Address(address) => serializer.collect_str(address),
                Self::Network(first, bits) => {
                    serializer.collect_str(&format_args!("{first}/{bits}"))
                }
            }
        }
    }

    impl JsonSchema for TrustedProxy {
        fn schema_name() -> Cow<'static, str> {
            "TrustedProxy".into()
        }

        fn inline_schema() -> bool {
            true
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string" })
        }
    }

    impl Serialize for Vouching {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Unix => serializer.serialize_str("unix"),
                Self::Listener(listener) => listener.serialize(serializer),
            }
        }
    }

    impl JsonSchema for Vouching {
        fn schema_name() -> Cow<'static, str> {
            "Vouching".into()
        }

        fn inline_schema() -> bool {
            true
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": "^(unix|unix:.+|tcp:.+:[0-9]+)$" })
        }
    }
}
