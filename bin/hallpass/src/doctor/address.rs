//! Holds the address at which a host asks, as hosts spell it.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallpass_core::Deadline;
use hallpass_core::configuration::Listener;
use hallpass_runtime::via::http;

/// How long a connection to another server of this machine may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Unix(PathBuf),
    Tcp { host: String, port: u16 },
}

impl Address {
    /// Parses an address: `unix:/path`, `unix//path` and `unix/path` of a socket, or a host and a
    /// port, with or without a scheme before and a path behind. Without a port it is `usual`.
    pub fn parse(text: &str, usual: u16) -> Option<Self> {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let socket = rest
            .strip_prefix("unix:")
            .or_else(|| rest.strip_prefix("unix/"));
        if let Some(path) = socket {
            let path = path.split(':').next().unwrap_or(path);
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let rest = rest.split('/').next().unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok()?),
            _ => (rest, usual),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        (!host.is_empty()).then_some(Self::Tcp { host, port })
    }

    /// Whether it is one of `listeners`. A host name that is not `localhost` is not looked up: its
    /// port decides.
    pub fn is_at(&self, listeners: &[Listener]) -> bool {
        listeners.iter().any(|listener| match (self, listener) {
            (Self::Unix(asked), Listener::Unix { path, .. }) => same(asked, path),
            (Self::Tcp { host, port }, Listener::Tcp(address)) => {
                *port == address.port() && is_ip_of(host, address.ip())
            }
            _ => false,
        })
    }

    /// Whether its host is a name that only a resolver knows.
    pub fn is_named(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Tcp { host, .. } => host != "localhost" && host.parse::<IpAddr>().is_err(),
        }
    }

    /// Whether hallpassd there has `path`: it serves a site of this name.
    pub fn answers(&self, path: &str) -> bool {
        let Self::Unix(socket) = self else {
            return false;
        };
        let deadline = Deadline::after(PATIENCE);
        let answer = http::get(socket, path, deadline);
        answer.is_ok_and(|answer| answer.status != 404)
    }

    /// Whether some server listens there. A socket that this user may not open counts as one.
    pub fn is_served(&self) -> bool {
        match self {
            Self::Unix(path) => match http::connect(path, Deadline::after(PATIENCE)) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
            },
            Self::Tcp { host, port } => {
                let host = if host == "localhost" {
                    "127.0.0.1"
                } else {
                    host
                };
                let Ok(ip) = host.parse() else { return false };
                TcpStream::connect_timeout(&SocketAddr::new(ip, *port), PATIENCE).is_ok()
            }
        }
    }
}

/// The addresses of `listeners`, for messages.
pub fn list(listeners: &[Listener]) -> String {
    let all: Vec<String> = listeners.iter().map(ToString::to_string).collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

fn is_ip_of(host: &str, ours: IpAddr) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) => ip == ours || ours.is_unspecified(),
        Err(_) if host == "localhost" => ours.is_loopback() || ours.is_unspecified(),
        Err(_) => true,
    }
}

/// Whether both are one file.
pub fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    real(one) == real(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(path: &str) -> Option<Address> {
        Some(Address::Unix(path.into()))
    }

    fn tcp(host: &str, port: u16) -> Option<Address> {
        let host = host.to_owned();
        Some(Address::Tcp { host, port })
    }

    #[test]
    fn each_hosts_spelling_is_read() {
        for (text, expected) in [
            ("unix:/run/h.sock", unix("/run/h.sock")),
            ("http://unix:/run/h.sock:/auth", unix("/run/h.sock")),
            ("unix//run/h.sock", unix("/run/h.sock")),
            ("127.0.0.1:8088", tcp("127.0.0.1", 8088)),
            ("http://127.0.0.1:8088/auth?a=b:c", tcp("127.0.0.1", 8088)),
            ("fcgi://localhost:9010/", tcp("localhost", 9010)),
            ("http://hallpass/auth", tcp("hallpass", 80)),
            ("[::1]:8088", tcp("::1", 8088)),
            ("unix:relative", None),
            ("a:port", None),
            ("", None),
        ] {
            assert_eq!(Address::parse(text, 80), expected, "{text}");
        }
    }

    #[test]
    fn an_address_is_compared_with_listeners() {
        let on = |text: &str| [text.parse::<Listener>().unwrap()];
        for (text, listener, expected) in [
            ("127.0.0.1:8088", "tcp:127.0.0.1:8088", true),
            ("127.0.0.1:8089", "tcp:127.0.0.1:8088", false),
            ("localhost:8088", "tcp:127.0.0.1:8088", true),
            ("localhost:8088", "tcp:192.0.2.1:8088", false),
            ("192.0.2.2:8088", "tcp:192.0.2.1:8088", false),
            ("192.0.2.2:8088", "tcp:0.0.0.0:8088", true),
            ("hallpass.local:8088", "tcp:192.0.2.1:8088", true),
            ("unix:/run/a.sock", "unix:/run/a.sock", true),
            ("unix:/run/a.sock", "unix:/run/b.sock", false),
        ] {
            let address = Address::parse(text, 80).unwrap();
            assert_eq!(address.is_at(&on(listener)), expected, "{text}");
        }
    }
}
