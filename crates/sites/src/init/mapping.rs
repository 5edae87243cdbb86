//! Reads `--map`: what a server or a path inside a site's container is called here.

use std::str::FromStr;

/// A server or a path as the site calls it, and as it is called here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// The names of a host, with a port where one was given.
    Server(Server, Server),
    /// The beginnings of absolute paths.
    Path(String, String),
}

/// A host, and its port where that is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    host: String,
    port: Option<u16>,
}

impl FromStr for Mapping {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "not FROM=TO, as in db:5432=127.0.0.1:5432 or /app=/srv/shop";
        let (from, to) = text.split_once('=').ok_or(SHAPE)?;
        match (from.strip_prefix('/'), to.strip_prefix('/')) {
            (Some(_), Some(_)) => {
                let bare = |path: &str| path.trim_end_matches('/').to_owned();
                Ok(Self::Path(bare(from), bare(to)))
            }
            (None, None) => {
                let server = |text| Server::parse(text).ok_or(SHAPE);
                Ok(Self::Server(server(from)?, server(to)?))
            }
            _ => Err("one side is a path, and the other is not"),
        }
    }
}

impl Server {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // An address of IPv6 stands in brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        (!host.is_empty() && host.bytes().all(plain)).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether it is `host` at `port`, which is `usual` where it is not said.
    fn is(&self, host: &str, port: Option<u16>, usual: Option<u16>) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case(&self.host)
            && (self.port.is_none() || self.port == port.or(usual))
    }
}

/// `host` and `port` as they are called here.
pub(crate) fn server(
    mappings: &[Mapping],
    host: &str,
    port: &str,
    usual: Option<u16>,
) -> Option<(String, String)> {
    let number = match port {
        "" => None,
        port => Some(port.parse().ok()?),
    };
    mappings.iter().find_map(|mapping| match mapping {
        Mapping::Server(from, to) if from.is(host, number, usual) => {
            let port = to.port.or(number).map(|port| port.to_string());
            Some((to.host.clone(), port.unwrap_or_default()))
        }
        _ => None,
    })
}

/// `path` as it is called here.
pub(crate) fn path(mappings: &[Mapping], path: &str) -> Option<String> {
    mappings.iter().find_map(|mapping| match mapping {
        Mapping::Path(from, to) => replaced(path, from, to),
        Mapping::Server(..) => None,
    })
}

/// `path`, which is called so here, as the site calls it.
pub(crate) fn path_of_the_site(mappings: &[Mapping], path: &str) -> Option<String> {
    mappings.iter().find_map(|mapping| match mapping {
        Mapping::Path(from, to) => replaced(path, to, from),
        Mapping::Server(..) => None,
    })
}

fn replaced(path: &str, from: &str, to: &str) -> Option<String> {
    let rest = path.strip_prefix(from)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
}

/// A location of a cache, as in `redis://:password@cache:6379/1`, `cache:11211` or
/// `unix:/run/memcached.sock`, as it is called here.
pub(crate) fn location(mappings: &[Mapping], location: &str) -> Option<String> {
    let (scheme, rest) = match location.find('/') {
        Some(at) if location.get(..at).is_some_and(|it| it.ends_with(':')) => {
            let slashes = if location.get(at..)?.starts_with("//") {
                2
            } else {
                0
            };
            location.split_at_checked(at + slashes)?
        }
        _ => ("", location),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end)?;
    if authority.is_empty() {
        return Some(format!("{scheme}{}", path(mappings, rest)?));
    }
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (format!("{user}@"), address),
        None => (String::new(), authority),
    };
    let usual = match scheme.trim_end_matches("://") {
        "redis" | "rediss" | "valkey" | "valkeys" => Some(6379),
        _ => Some(11211),
    };
    let named = Server::parse(address)?;
    let port = named.port.map(|port| port.to_string()).unwrap_or_default();
    let (host, port) = server(mappings, &named.host, &port, usual)?;
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host,
    };
    let colon = if port.is_empty() { "" } else { ":" };
    Some(format!("{scheme}{user}{host}{colon}{port}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings(texts: &[&str]) -> Vec<Mapping> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn mappings_are_read() {
        for wrong in [
            "",
            "db",
            "=",
            "db=",
            "=db",
            "db:x=y",
            "db:70000=y",
            "/app=db",
            "db=/app",
            "a b=c",
            "db:=y",
            "u@db=y",
        ] {
            assert!(wrong.parse::<Mapping>().is_err(), "{wrong}");
        }
        assert_eq!(
            mappings(&["/app/=/srv/shop/"]),
            [Mapping::Path("/app".to_owned(), "/srv/shop".to_owned())]
        );
    }

    #[test]
    fn servers_are_found_by_name_and_port() {
        let here = mappings(&["db:5432=127.0.0.1:15432", "any=other", "six=[::1]:1"]);
        let mapped = |host, port, usual| server(&here, host, port, usual);
        let told = |host: &str, port: &str| Some((host.to_owned(), port.to_owned()));
        assert_eq!(mapped("db", "5432", None), told("127.0.0.1", "15432"));
        assert_eq!(mapped("DB", "", Some(5432)), told("127.0.0.1", "15432"));
        assert_eq!(mapped("db", "", None), None);
        assert_eq!(mapped("db", "5433", Some(5432)), None);
        assert_eq!(mapped("db2", "5432", None), None);
        assert_eq!(mapped("any", "7", None), told("other", "7"));
        assert_eq!(mapped("any", "", None), told("other", ""));
        assert_eq!(mapped("six", "", None), told("::1", "1"));
        assert_eq!(mapped("any", "x", None), None);
    }

    #[test]
    fn locations_keep_all_but_the_server() {
        let here = mappings(&["cache=127.0.0.1:7", "/app=/srv/shop", "/run=/var/run/shop"]);
        for (from, expected) in [
            ("cache:11211", Some("127.0.0.1:7")),
            ("cache", Some("127.0.0.1:7")),
            ("redis://cache:6379/1", Some("redis://127.0.0.1:7/1")),
            (
                "rediss://u:p%40@cache/1?db=2",
                Some("rediss://u:p%40@127.0.0.1:7/1?db=2"),
            ),
            ("unix:/run/m.sock", Some("unix:/var/run/shop/m.sock")),
            ("unix:///run/m.sock", Some("unix:///var/run/shop/m.sock")),
            ("/app/cache", Some("/srv/shop/cache")),
            ("/application", None),
            ("redis://other/1", None),
            ("my cache table", None),
            ("", None),
        ] {
            assert_eq!(location(&here, from).as_deref(), expected, "{from}");
        }
        assert_eq!(path(&here, "/app").as_deref(), Some("/srv/shop"));
        assert_eq!(
            path_of_the_site(&here, "/srv/shop/manage.py").as_deref(),
            Some("/app/manage.py")
        );
    }
}
