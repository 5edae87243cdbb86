//! Splits the URL of a database server as libpq and Django's helpers do: user and password, several
//! hosts, the database's name, parameters.

use hallpass_settings::percent_decode;
use zeroize::Zeroizing;

/// The parts of a URL, percent-decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
    /// Names and numbers, IPv6 without brackets; what begins with a slash is a socket's place.
    pub(super) hosts: Vec<(String, Option<u16>)>,
    /// Without the slash before it.
    pub(super) database: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Url {
    /// Reads what follows the scheme's colon.
    ///
    /// # Errors
    /// What is wrong, without quoting what could be a password.
    pub(super) fn parse(rest: &str) -> Result<Self, String> {
        let rest = rest.strip_prefix("//").ok_or(
            "has no `//` after its scheme, as in \"postgres://user@host/name\"".to_owned(),
        )?;
        if rest.contains(char::is_control) || rest.contains([' ', '#']) {
            return Err(
                "holds a space, a `#` or a control character, which are percent-encoded \
                        (`%20`, `%23`)"
                    .to_owned(),
            );
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, hosts) = match authority.rsplit_once('@') {
            Some((who, hosts)) => (Some(who), hosts),
            None => (None, authority),
        };
        let mut url = Self {
            database: text(database)?,
            ..Self::default()
        };
        if let Some(who) = who {
            let (user, password) = match who.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (who, None),
            };
            url.user = Some(text(user)?).filter(|user| !user.is_empty());
            url.password = password
                .map(|password| bytes(password).map(Zeroizing::new))
                .transpose()?
                .filter(|password| !password.is_empty());
        }
        if !hosts.is_empty() {
            url.hosts = hosts.split(',').map(host).collect::<Result<_, _>>()?;
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or("has a parameter without a `=` after its name".to_owned())?;
            url.parameters.push((text(name)?, text(value)?));
        }
        Ok(url)
    }
}

/// A host and, after a colon, its port.
pub(super) fn host(text_of: &str) -> Result<(String, Option<u16>), String> {
    let (name, port) = match text_of.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest
                .split_once(']')
                .ok_or("has a `[` without its `]`".to_owned())?;
            if name.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("has something in brackets that is not an IPv6 address".to_owned());
            }
            let port = match port.strip_prefix(':') {
                None if port.is_empty() => None,
                None => return Err("has something other than a port after a `]`".to_owned()),
                port => port,
            };
            (name, port)
        }
        None => match text_of.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text_of, None),
        },
    };
    let port = port.filter(|port| !port.is_empty()).map(port_number);
    Ok((text(name)?, port.transpose()?))
}

/// # Errors
/// It is none. A password with a slash in it ends up here, too.
pub(super) fn port_number(port: &str) -> Result<u16, String> {
    let number = port.parse().ok().filter(|_| !port.starts_with('+'));
    number.filter(|port| *port > 0).ok_or(
        "has a port that is not from 1 to 65535; in a user's name or password, `/`, `:`, `@` and \
         `?` are percent-encoded, or the password is given as `password`"
            .to_owned(),
    )
}

fn text(encoded: &str) -> Result<String, String> {
    String::from_utf8(bytes(encoded)?)
        .map_err(|_| "has percent-encoded bytes that are not UTF-8".to_owned())
}

/// RFC 3986, 2.1. A plus is a plus.
fn bytes(encoded: &str) -> Result<Vec<u8>, String> {
    percent_decode(encoded)
        .filter(|decoded| !decoded.contains(&0))
        .ok_or_else(|| {
            "has a `%` that two hexadecimal digits do not follow (it is `%25`)".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Url {
        Url::parse(rest).unwrap()
    }

    #[test]
    fn all_parts_are_read() {
        let url = parse("//us%40er:p%3Aw:%2f%C3%BF%FF@h1:1,[::1]:2,h3/na%2Fme?a=1&b=x%26y+z");
        assert_eq!(url.user.as_deref(), Some("us@er"));
        assert_eq!(url.password.unwrap().as_slice(), b"p:w:/\xc3\xbf\xff");
        let hosts = [("h1", Some(1)), ("::1", Some(2)), ("h3", None)];
        assert_eq!(url.hosts, hosts.map(|(host, port)| (host.to_owned(), port)));
        assert_eq!(url.database, "na/me");
        let parameters = [("a", "1"), ("b", "x&y+z")];
        let owned = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(url.parameters, owned);
    }

    #[test]
    fn parts_may_be_missing() {
        assert_eq!(parse("//"), Url::default());
        assert_eq!(parse("///name").database, "name");
        assert_eq!(parse("//:@/name"), parse("///name"));
        assert_eq!(parse("//user@/name").user.as_deref(), Some("user"));
        assert_eq!(parse("//h").hosts, [("h".to_owned(), None)]);
        assert_eq!(parse("//%2Frun%2Fx/n").hosts, [("/run/x".to_owned(), None)]);
        assert_eq!(parse("//u:p@ss@h/n").password.unwrap().as_slice(), b"p@ss");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for rest in [
            "name",
            "/name",
            "//h:0/n",
            "//h:65536/n",
            "//h:+1/n",
            "//h:x/n",
            "//user:pass/word@h/n",
            "//[::1/n",
            "//[h]/n",
            "//[::1]x/n",
            "//u%4@h/n",
            "//u%4x@h/n",
            "//u%+4@h/n",
            "//u%00@h/n",
            "//u%ff@h/n",
            "//u:p w@h/n",
            "//u:p#w@h/n",
            "//h/n?a",
        ] {
            assert!(Url::parse(rest).is_err(), "{rest}");
        }
        let error = Url::parse("//user:pass/word@h/n").unwrap_err();
        assert!(
            !error.contains("pass/") && !error.contains("word@"),
            "{error}"
        );
    }
}
