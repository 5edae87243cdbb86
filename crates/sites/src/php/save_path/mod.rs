//! Reads `session.save_path`, which each save handler writes in its own way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hallpass_stores::cache::{Login, RedisServers, Settings, Store};
use hallpass_stores::{Address, Secret, Tls, TlsMode};

use crate::cache::address::{Wrong, decode, number, socket, tcp};

const MEMCACHED_PORT: u16 = 11211;
const REDIS_PORT: u16 = 6379;
/// How long connecting and asking may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// PHP takes more, but no id has more characters to name directories by.
const DEEPEST: u32 = 21;

/// Where the files are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `None` for the system's directory for temporary files.
    pub(super) directory: Option<String>,
    pub(super) depth: usize,
}

/// `[N;[MODE;]]directory` (`PS_OPEN_FUNC(files)` in ext/session/mod_files.c, PHP 8.2).
pub(super) fn files(save_path: &str) -> Result<Place, Wrong> {
    let mut parts = save_path.splitn(3, ';');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    let (depth, mode, directory) = match (first, second, third) {
        (Some(depth), Some(mode), Some(directory)) => (depth, mode, directory),
        (Some(depth), Some(directory), None) => (depth, "0600", directory),
        (directory, ..) => ("0", "0600", directory.unwrap_or_default()),
    };
    if u32::from_str_radix(mode, 8).is_err() {
        return Err("has no octal number for the mode, as in \"2;0640;/var/lib/php/sessions\"");
    }
    let depth = number(depth).filter(|depth| *depth <= DEEPEST);
    let depth = depth.ok_or("has no number for the depth, as in \"2;/var/lib/php/sessions\"")?;
    if directory.contains('\0') {
        return Err("names no directory");
    }
    Ok(Place {
        directory: Some(directory.to_owned()).filter(|directory| !directory.is_empty()),
        depth: usize::try_from(depth).unwrap_or_default(),
    })
}

/// The number of a user, by its name in /etc/passwd or as a number.
pub(super) fn user(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        found.then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// `host:port:weight,…` (libmemcached's `memcached_servers_parse`) and `tcp://host:port?…, …`
/// (`PS_OPEN_FUNC(memcache)` of pecl/memcache): servers, of which either client chooses one by the
/// key. All of them are asked.
pub(super) fn memcached(save_path: &str, base: &Path) -> Result<Settings, Wrong> {
    // `PERSISTENT=name servers`, of pecl/memcached before 3.0.
    let servers = match save_path.strip_prefix("PERSISTENT=") {
        Some(rest) => rest.split_once(' ').map_or("", |(_, servers)| servers),
        None => save_path,
    };
    let server = |text: &str| {
        let text = text.trim().split('?').next().unwrap_or_default();
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return socket(path.strip_suffix(":0").unwrap_or(path));
        }
        if text.starts_with('/') {
            // What follows the path is a weight.
            return socket(text.split(':').next().unwrap_or_default());
        }
        let text = text.strip_prefix("tcp://").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.contains("://") {
            return Err("has a server that is neither host:port, tcp:// nor unix://");
        }
        // The third of three is a weight.
        let bracket = text.rfind(']').map_or(0, |at| at + 1);
        let colons = text.get(bracket..).unwrap_or_default();
        let text = match colons.matches(':').count() {
            2 => text.rsplit_once(':').map_or(text, |(server, _)| server),
            _ => text,
        };
        tcp(text, MEMCACHED_PORT)
    };
    let addresses = servers
        .split(',')
        .map(server)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(settings(Store::Memcached(
        addresses.into_iter().map(|it| beside(it, base)).collect(),
    )))
}

/// What a save_path says about Redis.
#[derive(Debug)]
pub(super) struct Redis {
    pub(super) settings: Settings,
    pub(super) prefix: Option<String>,
    /// Whether there is a password in it.
    pub(super) secret: bool,
}

/// `tcp://host:port?auth=…&database=…&prefix=…`, several of them with commas or white space
/// between (`PS_OPEN_FUNC(redis)` in redis_session.c, phpredis 5.3 and 6.0). The client chooses
/// one by the id. All of them are asked, and so must have the same in common but for the weight.
pub(super) fn redis(save_path: &str, base: &Path) -> Result<Redis, Wrong> {
    let mut addresses = Vec::new();
    let mut common: Option<Parameters> = None;
    let urls = save_path.split([',', ' ', '\t', '\n', '\r']);
    for url in urls.filter(|url| !url.is_empty()) {
        let (server, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, rest) = scheme_of(server, url).ok_or(REDIS_SHAPE)?;
        let mut parameters = Parameters::read(query)?;
        parameters.tls = match scheme {
            "tls" | "ssl" if parameters.unverified => TlsMode::Require,
            "tls" | "ssl" => TlsMode::VerifyFull,
            "tcp" | "redis" | "unix" => TlsMode::Disable,
            _ => return Err(REDIS_SHAPE),
        };
        let address = if scheme == "unix" {
            socket(&decode(rest)?)?
        } else {
            tcp(rest.strip_suffix('/').unwrap_or(rest), REDIS_PORT)?
        };
        addresses.push(beside(address, base));
        match &common {
            Some(common) if *common != parameters => {
                return Err("has servers with different passwords, databases or prefixes");
            }
            _ => common = Some(parameters),
        }
    }
    let common = common.ok_or(REDIS_SHAPE)?;
    let servers = RedisServers::Sharded(addresses);
    redis_with(servers, common, base)
}

/// The scheme of a server, and what follows. Without one, PHP's `parse_url`, which phpredis asks,
/// takes `host:port` for a host, as long as the end or a slash follows, and what begins with a slash
/// for a path.
fn scheme_of<'a>(server: &'a str, url: &str) -> Option<(&'a str, &'a str)> {
    if server.starts_with('/') {
        return match server.strip_prefix("//") {
            Some(host) => Some(("tcp", host)),
            None => Some(("unix", server)),
        };
    }
    let (scheme, rest) = server.split_once(':')?;
    let port = rest.strip_suffix('/').unwrap_or(rest);
    let is_port = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_port {
        // `host:port?…` is a scheme and a path to PHP.
        return (rest.ends_with('/') || server == url).then_some(("tcp", server));
    }
    Some((scheme, rest.strip_prefix("//").unwrap_or(rest)))
}

/// `seed[]=host:port&seed[]=…&auth=…&prefix=…` (`PS_OPEN_FUNC(rediscluster)` in redis_session.c,
/// phpredis 5.3 and 6.0): nodes of a cluster, any of which leads to the one that has the key.
pub(super) fn redis_cluster(save_path: &str, base: &Path) -> Result<Redis, Wrong> {
    const SHAPE: Wrong = "is not as in \"seed[]=10.0.0.1:6379&seed[]=10.0.0.2:6379&auth=…\"";
    let mut addresses = Vec::new();
    let mut others = Vec::new();
    let mut tls = false;
    for pair in save_path.trim().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_seed = decode(name)?
            .strip_prefix("seed[")
            .is_some_and(|index| index.ends_with(']'));
        if !is_seed {
            others.push(pair);
            continue;
        }
        let seed = decode(&value.replace('+', " "))?;
        let host = ["tls://", "ssl://"]
            .iter()
            .find_map(|scheme| seed.strip_prefix(scheme));
        tls |= host.is_some();
        let host = host.unwrap_or_else(|| seed.strip_prefix("tcp://").unwrap_or(&seed));
        // phpredis leaves out a seed without a port.
        let port = host.get(host.rfind(']').unwrap_or(0)..).unwrap_or_default();
        if !port.contains(':') {
            return Err(SHAPE);
        }
        addresses.push(tcp(host, REDIS_PORT)?);
    }
    if addresses.is_empty() {
        return Err(SHAPE);
    }
    let mut parameters = Parameters::read(&others.join("&"))?;
    // A cluster has one database, and phpredis asks for no other.
    parameters.database = 0;
    parameters.tls = match (tls || parameters.stream, parameters.unverified) {
        (false, _) => TlsMode::Disable,
        (true, false) => TlsMode::VerifyFull,
        (true, true) => TlsMode::Require,
    };
    redis_with(RedisServers::Replicated(addresses), parameters, base)
}

fn redis_with(servers: RedisServers, common: Parameters, base: &Path) -> Result<Redis, Wrong> {
    let secret = common.password.is_some();
    let login = match (common.username, common.password) {
        (None, None) => None,
        (Some(_), None) => return Err("names a user without a password"),
        (username, Some(password)) => Some(Arc::new(Login {
            username,
            password: Secret::new(password.0.as_bytes()),
        })),
    };
    Ok(Redis {
        settings: settings(Store::Redis {
            servers,
            login,
            database: common.database,
            tls: Tls {
                mode: common.tls,
                ca: common.ca.map(|path| base.join(path)),
            },
        }),
        prefix: common.prefix,
        secret,
    })
}

const REDIS_SHAPE: Wrong = "is not as in \"tcp://127.0.0.1:6379?auth=…&database=0&prefix=…\"";

/// What stands after the `?` of a server.
#[derive(Debug, Default, PartialEq)]
struct Parameters {
    username: Option<String>,
    password: Option<Password>,
    database: u32,
    prefix: Option<String>,
    tls: TlsMode,
    /// Whether it says how to speak TLS.
    stream: bool,
    unverified: bool,
    ca: Option<String>,
}

/// Cleared when it goes, and never shown.
#[derive(PartialEq)]
struct Password(zeroize::Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(…)")
    }
}

impl Parameters {
    fn read(query: &str) -> Result<Self, Wrong> {
        let mut read = Self::default();
        let mut list = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            let value = decode(&value.replace('+', " "))?;
            let password = |value: String| Some(Password(value.into()));
            read.stream |= name.starts_with("stream[");
            match name.as_str() {
                "auth" => read.password = password(value),
                "auth[]" => list.push(value),
                "auth[user]" | "auth[0]" => read.username = Some(value),
                "auth[pass]" | "auth[1]" => read.password = password(value),
                "database" => {
                    read.database = number(&value).ok_or("has a database that is not a number")?;
                }
                "prefix" => read.prefix = Some(value),
                "stream[verify_peer]" | "stream[verify_peer_name]" => {
                    read.unverified = matches!(value.as_str(), "0" | "" | "false");
                }
                "stream[cafile]" => read.ca = Some(value),
                // They say how the client connects, not to what.
                "weight" | "timeout" | "read_timeout" | "persistent" | "persistent_id"
                | "retry_interval" | "failover" => {}
                _ => return Err("has a parameter after `?` that phpredis does not know"),
            }
        }
        // One of them is a password, two are a user and a password.
        let mut list = list.into_iter();
        match (list.next(), list.next(), list.next()) {
            (None, ..) => {}
            (Some(password), None, _) => read.password = Some(Password(password.into())),
            (Some(user), Some(password), None) => {
                read.username = Some(user);
                read.password = Some(Password(password.into()));
            }
            _ => return Err("has more than a user and a password in `auth[]`"),
        }
        // As phpredis, which sends none then.
        if read
            .password
            .as_ref()
            .is_some_and(|password| password.0.is_empty())
        {
            read.password = None;
        }
        Ok(read)
    }
}

fn settings(store: Store) -> Settings {
    Settings {
        store,
        connect_timeout: TIMEOUT,
        query_timeout: TIMEOUT,
    }
}

/// Sockets are relative to the configuration.
fn beside(address: Address, base: &Path) -> Address {
    match address {
        Address::Unix(path) => Address::Unix(base.join(path)),
        tcp @ Address::Tcp { .. } => tcp,
    }
}

#[cfg(test)]
mod tests;
