//! Says where a server listens, and resolves the names of hosts by a deadline.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use crate::Deadline;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host, by its name or IP address (IPv6 without brackets), and a port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// The IP addresses of `host`, at least one. The system's resolver takes no deadline, so a thread
/// waits for it, and ends when it does.
///
/// # Errors
/// The resolver's error, and `TimedOut` when it does not answer in time.
pub(crate) fn resolve(host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs();
            // The receiver is gone when the resolver took too long.
            let _ = sender.send(found.map(Iterator::collect::<Vec<_>>));
        })?;
    let found = receiver.recv_timeout(deadline.remaining()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            "the system's resolver does not answer",
        )
    })??;
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tcp(host: &str) -> Address {
        Address::Tcp {
            host: host.to_owned(),
            port: 6379,
        }
    }

    #[test]
    fn addresses_are_shown_as_they_are_written() {
        assert_eq!(tcp("localhost").to_string(), "localhost:6379");
        assert_eq!(tcp("::1").to_string(), "[::1]:6379");
        assert_eq!(
            Address::Unix("/run/redis.sock".into()).to_string(),
            "unix:/run/redis.sock"
        );
    }

    #[test]
    fn names_and_addresses_are_resolved() {
        let deadline = Deadline::after(Duration::from_secs(20));
        let found = resolve("::1", 7, deadline).unwrap();
        assert_eq!(found, ["[::1]:7".parse().unwrap()]);
        let found = resolve("localhost", 7, deadline).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        assert!(resolve("no such host", 7, deadline).is_err());
    }
}
