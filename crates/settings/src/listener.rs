//! Reads where a program listens: a TCP address, or a unix socket and its permissions.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Table;

/// The permissions of a socket for which none are given.
const USUAL_MODE: u32 = 0o660;

/// Where a program listens, as in `"unix:/path?mode=0660"` and `"tcp:127.0.0.1:8088"`.
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

impl Listener {
    /// A unix socket with the usual permissions.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix {
            path: path.into(),
            mode: USUAL_MODE,
        }
    }

    /// This listener, a socket's path relative to the file that `table` is in.
    #[must_use]
    pub fn beside(self, table: &Table<'_>) -> Self {
        match self {
            Self::Unix { path, mode } => Self::Unix {
                path: table.beside(path),
                mode,
            },
            tcp @ Self::Tcp(_) => tcp,
        }
    }

    /// Whether `other` is at the same address.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => one == other,
            (Self::Unix { path: one, .. }, Self::Unix { path: other, .. }) => one == other,
            _ => false,
        }
    }
}

impl Display for Listener {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
            Self::Unix { path, .. } => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// A text that names no listener.
#[derive(Clone, Copy, Debug)]
pub struct InvalidListener;

impl Display for InvalidListener {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("may hold \"unix:/path?mode=0660\" and \"tcp:127.0.0.1:8088\"")
    }
}

impl std::error::Error for InvalidListener {}

impl FromStr for Listener {
    type Err = InvalidListener;

    fn from_str(text: &str) -> Result<Self, InvalidListener> {
        if let Some(address) = text.strip_prefix("tcp:") {
            return address.parse().map(Self::Tcp).map_err(|_| InvalidListener);
        }
        let path = text.strip_prefix("unix:").ok_or(InvalidListener)?;
        let (path, mode) = match path.split_once("?mode=") {
            None => (path, Some(USUAL_MODE)),
            Some((path, mode)) => {
                let mode = u32::from_str_radix(mode, 8).ok();
                (path, mode.filter(|mode| *mode <= 0o777))
            }
        };
        match mode {
            Some(mode) if !path.is_empty() => Ok(Self::Unix {
                path: path.into(),
                mode,
            }),
            _ => Err(InvalidListener),
        }
    }
}

impl<'de> Deserialize<'de> for Listener {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Listener {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tcp(_) => serializer.collect_str(self),
            Self::Unix { mode, .. } => {
                serializer.collect_str(&format_args!("{self}?mode={mode:04o}"))
            }
        }
    }
}
