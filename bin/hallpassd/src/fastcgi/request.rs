//! Reads a request from the parameters of a web server: those of CGI (RFC 3875), and a few of
//! mod_authnz_fcgi's (Apache 2.4, modules/aaa/mod_authnz_fcgi.c).

use std::net::IpAddr;

use hallpass_core::basic::Unreadable;
use hallpass_core::{ClaimedName, Client, Credential, Secret};

use super::pairs::{self, CutOff, Pair};
use crate::credentials::{Accepting, Shown, authorization, cookie_credentials};
use crate::login::page;

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    parameters: Vec<Pair<'a>>,
}

impl<'a> Request<'a> {
    /// The request that `bytes` describe.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CutOff> {
        let parameters = pairs::parse(bytes)?;
        Ok(Self { parameters })
    }

    /// Its credentials: the session cookie first, then the name and password that the server has
    /// already read from the Authorization header, or else that header. The server goes on with the
    /// name in `REMOTE_USER`, whichever credential is granted.
    ///
    /// Where another module of Apache has authenticated the client, and Apache asks only for
    /// authorization (`Require` with a provider of type `authz`), it vouches for the name.
    ///
    /// # Errors
    /// [`Unreadable`] when the server may have a name that is not read here, or when the header
    /// names another account than the server: an application such as PHP reads the header's name.
    pub fn shown(&self, accepting: &Accepting<'_>) -> Result<Shown, Unreadable> {
        let password = self.only("REMOTE_PASSWD")?;
        let name = match (self.only("REMOTE_USER")?, password) {
            (None, None) | (Some(b""), None) => None,
            (None, Some(_)) => return Err(Unreadable),
            (Some(name), _) => Some(std::str::from_utf8(name).map_err(|_| Unreadable)?),
        };
        let authorizer = self.one("FCGI_APACHE_ROLE") == Some(b"AUTHORIZER");
        if authorizer && password.is_none() {
            let credentials = name.map(|_| Credential::Vouched);
            return Ok(Shown {
                name: claimed(name),
                credentials: credentials.into_iter().collect(),
            });
        }
        let cookies: Vec<&[u8]> = self.all("HTTP_COOKIE").collect();
        let sessions = cookie_credentials(&cookies, accepting);
        let headers: Vec<&[u8]> = self.all("HTTP_AUTHORIZATION").collect();
        let (header, in_header) = authorization(&headers, accepting)?;
        let own = claimed(name);
        let stated = |name: &ClaimedName| *name != ClaimedName::Nameless;
        if stated(&own) && stated(&header) && own != header {
            return Err(Unreadable);
        }
        let password = password.map(|password| Credential::Password(Secret::new(password)));
        let other = match password {
            Some(password) => accepting.passwords().then_some(password),
            None => in_header,
        };
        Ok(Shown {
            name: if stated(&own) { own } else { header },
            credentials: sessions.chain(other).collect(),
        })
    }

    /// Whether a program sent a name and a password, and so cannot use a login page.
    pub fn is_a_program(&self) -> bool {
        self.one("REMOTE_PASSWD").is_some() || self.one("HTTP_AUTHORIZATION").is_some()
    }

    /// The client as the server sees it, and as PHP would find it. Its address is unknown if the
    /// server is not `trusted`.
    pub fn client(&self, trusted: bool) -> Client {
        let address = self.text("REMOTE_ADDR").filter(|_| trusted);
        let address = address.and_then(|text| text.parse().ok());
        let header = |name| Some(self.text(name).unwrap_or_default().to_owned());
        Client {
            address: address.map(|address: IpAddr| address.to_canonical()),
            browser: header("HTTP_USER_AGENT"),
            forwarded_for: header("HTTP_X_FORWARDED_FOR"),
        }
    }

    /// The address of the wanted page, complete where the server sends enough, else without scheme
    /// and host; empty where it is not a path, or leads to another host.
    pub fn wanted(&self) -> Vec<u8> {
        let (scheme, host) = (self.one("REQUEST_SCHEME"), self.one("HTTP_HOST"));
        let uri = self.one("REQUEST_URI").unwrap_or_default();
        page(scheme, host, uri).unwrap_or_default()
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.one(name)?).ok()
    }

    /// The value of a parameter; `None` if it occurs twice.
    fn one(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The value of a parameter, which must not occur twice.
    fn only(&self, name: &str) -> Result<Option<&'a [u8]>, Unreadable> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Unreadable),
            (value, None) => Ok(value),
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.parameters
            .iter()
            .filter(move |(other, _)| *other == name.as_bytes())
            .map(|(_, value)| *value)
    }
}

fn claimed(name: Option<&str>) -> ClaimedName {
    name.map_or(ClaimedName::Nameless, |name| {
        ClaimedName::Named(name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use hallpass_core::configuration::Accepted;
    use hallpass_core::cookie::{Cookie, Reader};

    use super::*;

    const EVERYTHING: Accepted = Accepted {
        password: true,
        session: true,
        ticket: true,
    };

    fn bytes(parameters: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in parameters {
            pairs::write(&mut bytes, name.as_bytes(), value.as_bytes());
        }
        bytes
    }

    /// The name and the credentials that are shown, in words.
    fn shown(accept: Accepted, parameters: &[(&str, &str)]) -> Result<Vec<String>, Unreadable> {
        let bytes = bytes(parameters);
        let request = Request::parse(&bytes).unwrap();
        let cookie = Cookie {
            name: "sessionid",
            reader: Reader::Django,
        };
        let accepting = Accepting::new(accept, Some(cookie), false);
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
        let show = |credential| match credential {
            Credential::Password(password) => format!("password {}", text(&password)),
            Credential::Session(token) => format!("session {}", text(&token)),
            Credential::Ticket(ticket) => format!("ticket {}", text(&ticket)),
            Credential::Vouched => "vouched".to_owned(),
            Credential::Cookies(_) => panic!("the cookie has a name"),
            Credential::Token(_) | Credential::Jwt(_) => panic!("there are no tokens"),
        };
        let shown = request.shown(&accepting)?;
        let name = shown.name.as_deref().map(|name| format!("as {name}"));
        let credentials = shown.credentials.into_iter().map(show);
        Ok(name.into_iter().chain(credentials).collect())
    }

    const NAME: (&str, &str) = ("REMOTE_USER", "alice");
    const PASSWORD: (&str, &str) = ("REMOTE_PASSWD", "se:cret");
    const COOKIE: (&str, &str) = ("HTTP_COOKIE", "a=b; sessionid=abc");
    const BASIC: (&str, &str) = ("HTTP_AUTHORIZATION", "Basic YWxpY2U6c2U6Y3JldA==");
    const BEARER: (&str, &str) = ("HTTP_AUTHORIZATION", "Bearer abc");

    #[test]
    fn whatever_is_shown_is_shown_of_the_name_that_the_server_has() {
        let sessions = Accepted {
            password: false,
            ..EVERYTHING
        };
        for (accept, parameters, expected) in [
            (
                EVERYTHING,
                &[COOKIE, NAME, PASSWORD][..],
                &["as alice", "session abc", "password se:cret"][..],
            ),
            (EVERYTHING, &[BASIC], &["as alice", "password se:cret"]),
            (EVERYTHING, &[BEARER], &["ticket abc"]),
            (EVERYTHING, &[COOKIE], &["session abc"]),
            (
                sessions,
                &[COOKIE, NAME, PASSWORD],
                &["as alice", "session abc"],
            ),
            (sessions, &[COOKIE, BASIC], &["as alice", "session abc"]),
            (EVERYTHING, &[COOKIE, NAME], &["as alice", "session abc"]),
            (EVERYTHING, &[NAME, BEARER], &["as alice", "ticket abc"]),
            (
                EVERYTHING,
                &[NAME, BASIC],
                &["as alice", "password se:cret"],
            ),
            (
                EVERYTHING,
                &[("REMOTE_USER", ""), ("REMOTE_PASSWD", ""), COOKIE],
                &["as ", "session abc", "password "],
            ),
            (EVERYTHING, &[("REMOTE_USER", ""), COOKIE], &["session abc"]),
        ] {
            assert_eq!(
                shown(accept, parameters).unwrap(),
                expected,
                "{parameters:?}"
            );
        }
    }

    #[test]
    fn a_name_alone_is_not_a_credential() {
        for role in ["AUTHENTICATOR", "authorizer", ""] {
            let found = shown(EVERYTHING, &[NAME, ("FCGI_APACHE_ROLE", role)]);
            assert_eq!(found.unwrap(), ["as alice"], "{role}");
        }
        for parameters in [
            &[NAME][..],
            &[NAME, ("FCGI_ROLE", "AUTHORIZER")],
            // What a client calls so comes as HTTP_….
            &[("HTTP_FCGI_APACHE_ROLE", "AUTHORIZER"), NAME],
        ] {
            assert_eq!(shown(EVERYTHING, parameters).unwrap(), ["as alice"]);
        }
    }

    #[test]
    fn apache_vouches_for_whom_it_has_let_in() {
        let role = ("FCGI_APACHE_ROLE", "AUTHORIZER");
        for (parameters, expected) in [
            (&[role, NAME][..], &["as alice", "vouched"][..]),
            (&[role], &[]),
            (&[role, ("REMOTE_USER", "")], &[]),
            (&[role, COOKIE], &[]),
            (&[role, NAME, COOKIE], &["as alice", "vouched"]),
            (&[role, NAME, PASSWORD], &["as alice", "password se:cret"]),
        ] {
            assert_eq!(shown(EVERYTHING, parameters).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_that_cannot_be_read_is_a_claim_too() {
        for parameters in [
            &[NAME, NAME, PASSWORD, COOKIE][..],
            &[NAME, PASSWORD, PASSWORD, COOKIE],
            &[PASSWORD, COOKIE],
            &[BASIC, BASIC, COOKIE],
            &[BASIC, BEARER, COOKIE],
            &[("HTTP_AUTHORIZATION", "Basic !"), COOKIE],
            &[NAME, PASSWORD, ("HTTP_AUTHORIZATION", "Basic !"), COOKIE],
        ] {
            assert_eq!(
                shown(EVERYTHING, parameters),
                Err(Unreadable),
                "{parameters:?}"
            );
        }
        let mut bytes = bytes(&[PASSWORD, COOKIE]);
        pairs::write(&mut bytes, b"REMOTE_USER", b"zo\xeb");
        let accepting = Accepting::new(EVERYTHING, None, false);
        let request = Request::parse(&bytes).unwrap();
        assert_eq!(request.shown(&accepting).unwrap_err(), Unreadable);
    }

    #[test]
    fn a_header_of_another_name_than_the_servers_is_refused() {
        let bob = ("REMOTE_USER", "bob");
        let nobody = ("REMOTE_USER", "");
        for parameters in [
            &[bob, BASIC][..],
            &[bob, BASIC, COOKIE],
            &[bob, PASSWORD, BASIC],
            &[bob, PASSWORD, BASIC, COOKIE],
            &[nobody, PASSWORD, BASIC],
            &[("REMOTE_USER", "Alice"), BASIC],
        ] {
            let shown = shown(EVERYTHING, parameters);
            assert_eq!(shown, Err(Unreadable), "{parameters:?}");
        }
        for parameters in [&[NAME, PASSWORD, BASIC][..], &[nobody, BASIC]] {
            let shown = shown(EVERYTHING, parameters).unwrap();
            assert_eq!(shown, ["as alice", "password se:cret"], "{parameters:?}");
        }
    }

    #[test]
    fn the_client_is_what_php_would_find() {
        let client = |parameters: &[(&str, &[u8])], trusted| {
            let mut bytes = Vec::new();
            for (name, value) in parameters {
                pairs::write(&mut bytes, name.as_bytes(), value);
            }
            Request::parse(&bytes).unwrap().client(trusted)
        };
        let nothing = Client {
            address: None,
            browser: Some(String::new()),
            forwarded_for: Some(String::new()),
        };
        assert_eq!(client(&[], true), nothing);
        let latin = ("HTTP_USER_AGENT", &b"Zo\xeb"[..]);
        assert_eq!(client(&[latin], true), nothing);
        let said = [
            ("REMOTE_ADDR", &b"::ffff:192.0.2.1"[..]),
            ("HTTP_USER_AGENT", "Zoë".as_bytes()),
            ("HTTP_X_FORWARDED_FOR", b"192.0.2.7"),
        ];
        let expected = Client {
            address: "192.0.2.1".parse().ok(),
            browser: Some("Zoë".to_owned()),
            forwarded_for: Some("192.0.2.7".to_owned()),
        };
        assert_eq!(client(&said, true), expected);
        let untrusted = Client {
            address: None,
            ..expected
        };
        assert_eq!(client(&said, false), untrusted);
    }

    #[test]
    fn of_two_session_cookies_the_last_counts() {
        let cookies = [
            ("HTTP_COOKIE", "sessionid=a"),
            ("HTTP_COOKIE", "sessionid=b"),
        ];
        assert_eq!(shown(EVERYTHING, &cookies).unwrap(), ["session b"]);
    }

    #[test]
    fn the_wanted_address_is_whole_where_it_can_be() {
        let wanted = |parameters: &[(&str, &str)]| {
            let bytes = bytes(parameters);
            String::from_utf8(Request::parse(&bytes).unwrap().wanted()).unwrap()
        };
        let uri = ("REQUEST_URI", "/a?b");
        let (host, scheme) = (("HTTP_HOST", "x.example"), ("REQUEST_SCHEME", "https"));
        assert_eq!(wanted(&[uri, host, scheme]), "https://x.example/a?b");
        assert_eq!(wanted(&[uri, host]), "/a?b");
        assert_eq!(
            wanted(&[uri, host, ("REQUEST_SCHEME", "javascript")]),
            "/a?b"
        );
        assert_eq!(wanted(&[]), "");
        // The client chooses the address and the host, and Apache hands them on as they came.
        for address in [
            "@evil.example/",
            "http://evil.example/",
            "javascript:alert(1)",
            "evil.example",
            "*",
        ] {
            assert_eq!(wanted(&[("REQUEST_URI", address), host, scheme]), "");
            assert_eq!(wanted(&[("REQUEST_URI", address)]), "");
        }
        for address in ["//evil.example/", "/\\evil.example/"] {
            assert_eq!(wanted(&[("REQUEST_URI", address), host]), "");
        }
        for other in ["evil.example/", "x.example@evil.example", "", "a b"] {
            assert_eq!(wanted(&[uri, ("HTTP_HOST", other), scheme]), "/a?b");
        }
    }
}
