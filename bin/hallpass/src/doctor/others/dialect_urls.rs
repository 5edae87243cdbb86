//! Reads the URLs that stand in configurations of programs that ask at `/as/DIALECT`.

use hallpass_core::Configuration;

use crate::doctor::address::Address;

/// How many URLs of a line are looked at, and how long one may be.
const MOST_URLS: usize = 64;
const LONGEST_URL: usize = 2048;

/// A URL in a line.
pub struct Url<'a> {
    pub is_tls: bool,
    /// The password in it.
    pub secret: Option<&'a str>,
    pub address: Address,
    pub path: &'a str,
    pub query: &'a str,
}

impl<'a> Url<'a> {
    /// Those in `text`.
    pub fn all_in(text: &'a str) -> impl Iterator<Item = Self> {
        let schemes = ["http://", "https://"];
        let starts = text.match_indices("http").map(|(start, _)| start);
        starts.take(MOST_URLS).filter_map(move |start| {
            let rest = text.get(start..)?;
            let scheme = schemes.iter().find(|it| rest.starts_with(**it))?;
            let ends = |it: char| it.is_whitespace() || "\"'`,;)>".contains(it);
            let mut characters = rest.char_indices().take(LONGEST_URL);
            let end = match characters.find(|(_, it)| ends(*it)) {
                Some((end, _)) => end,
                None if rest.len() <= LONGEST_URL => rest.len(),
                None => return None,
            };
            let url = rest.get(..end)?.strip_prefix(*scheme)?;
            let (authority, target) = url.split_at(url.find('/')?);
            let (user, host) = match authority.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, authority),
            };
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let is_tls = *scheme == "https://";
            Some(Self {
                is_tls,
                secret: user.map(|it| it.split_once(':').map_or("", |(_, secret)| secret)),
                address: Address::parse(host, if is_tls { 443 } else { 80 })?,
                path,
                query,
            })
        })
    }

    /// What follows `/as/` of this site; `None` where it asks something else.
    pub fn place(&self, configuration: &Configuration) -> Option<&'a str> {
        self.path.strip_prefix("/as/").or_else(|| {
            let own = self.path.strip_prefix('/')?;
            let own = own.strip_prefix(configuration.name.as_deref()?)?;
            own.strip_prefix("/as/")
        })
    }

    /// Whether it is asked over TCP, where a token is needed.
    pub fn is_tcp(&self) -> bool {
        matches!(self.address, Address::Tcp { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_found_as_programs_write_them() {
        let tcp = |host: &str, port| Address::Tcp {
            host: host.to_owned(),
            port,
        };
        for (text, address, path, query, secret) in [
            (
                "auth_http.user_path = http://rabbitmq:T@127.0.0.1:8090/as/rabbitmq/user?group=a",
                tcp("127.0.0.1", 8090),
                "/as/rabbitmq/user",
                "group=a",
                Some("T"),
            ),
            (
                r#"url = "http://localhost/as/emqx", headers { }"#,
                tcp("localhost", 80),
                "/as/emqx",
                "",
                None,
            ),
            (
                "endpoint: https://a@b:c:d@[::1]:8090/as/synapse",
                tcp("::1", 8090),
                "/as/synapse",
                "",
                Some("c:d"),
            ),
        ] {
            let urls: Vec<_> = Url::all_in(text).collect();
            let [url] = urls.as_slice() else {
                panic!("{text}");
            };
            assert_eq!(url.address, address, "{text}");
            assert_eq!((url.path, url.query, url.secret), (path, query, secret));
        }
        for text in [
            "http",
            "http://",
            "http://host",
            "a = https",
            "httpd://x/as/emqx",
        ] {
            assert_eq!(Url::all_in(text).count(), 0, "{text}");
        }
    }
}
