//! What a web server says of a request in its parameters, which are those of CGI (RFC 3875) and a
//! few of mod_authnz_fcgi's (Apache 2.4, modules/aaa/mod_authnz_fcgi.c).

use std::net::IpAddr;

use hallpass_core::{Client, Credential, Secret};

use super::pairs::{self, CutOff, Pair};
use crate::http::{Accepting, authorization_credential, session_credential};

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

    /// The credentials that it carries and `accepting` takes: the session cookie first, then the
    /// name and password that the server has read out of the Authorization header already, or else
    /// that header.
    ///
    /// Where Apache only asks whether somebody may in whom another of its modules has let in
    /// (`Require` with a provider of type `authz`), it vouches for the name.
    pub fn credentials(&self, accepting: &Accepting<'_>) -> Vec<Credential> {
        let name = || self.text("REMOTE_USER").filter(|name| !name.is_empty());
        let password = self.one("REMOTE_PASSWD");
        if password.is_none() && self.one("FCGI_APACHE_ROLE") == Some(b"AUTHORIZER") {
            return match name() {
                Some(name) => vec![Credential::Vouched {
                    name: name.to_owned(),
                }],
                None => Vec::new(),
            };
        }
        let mut found = Vec::new();
        let cookies = self.all("HTTP_COOKIE");
        found.extend(session_credential(cookies, accepting));
        if let Some(password) = password {
            if accepting.passwords()
                && let Some(name) = name()
            {
                found.push(Credential::Password {
                    name: name.to_owned(),
                    password: Secret::new(password),
                });
            }
        } else if let Some(authorization) = self.one("HTTP_AUTHORIZATION") {
            found.extend(authorization_credential(authorization, accepting));
        }
        found
    }

    /// Whether a program sent a name and a password, so that a login page would be lost on it.
    pub fn is_a_program(&self) -> bool {
        self.one("REMOTE_PASSWD").is_some() || self.one("HTTP_AUTHORIZATION").is_some()
    }

    /// The client, as the server sees it, and as it would tell PHP; of a server that is not
    /// `trusted`, the address is not known.
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

    /// The address that was wanted, whole where the server says enough, else without scheme and
    /// host.
    pub fn wanted(&self) -> Vec<u8> {
        let uri = self.one("REQUEST_URI").unwrap_or_default();
        match (self.one("REQUEST_SCHEME"), self.one("HTTP_HOST")) {
            (Some(scheme @ (b"http" | b"https")), Some(host)) if uri.starts_with(b"/") => {
                [scheme, b"://", host, uri].concat()
            }
            _ => uri.to_vec(),
        }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.one(name)?).ok()
    }

    /// The value of a parameter. What is there twice is as good as nothing.
    fn one(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.parameters
            .iter()
            .filter(move |(other, _)| *other == name.as_bytes())
            .map(|(_, value)| *value)
    }
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

    fn credentials(accept: Accepted, parameters: &[(&str, &str)]) -> Vec<String> {
        let bytes = bytes(parameters);
        let request = Request::parse(&bytes).unwrap();
        let cookie = Cookie {
            name: "sessionid",
            reader: Reader::Django,
        };
        let accepting = Accepting::new(accept, Some(cookie), false);
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
        let show = |credential| match credential {
            Credential::Password { name, password } => format!("{name}:{}", text(&password)),
            Credential::Session { token, .. } => text(&token),
            Credential::Ticket { ticket, .. } => format!("ticket {}", text(&ticket)),
            Credential::Vouched { name } => format!("vouched {name}"),
            Credential::Cookies { .. } => panic!("the cookie has a name"),
            Credential::Token { .. } => panic!("there are no tokens"),
        };
        request
            .credentials(&accepting)
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn credentials_are_found() {
        let name = ("REMOTE_USER", "alice");
        let password = ("REMOTE_PASSWD", "se:cret");
        let cookie = ("HTTP_COOKIE", "a=b; sessionid=abc");
        let both = credentials(EVERYTHING, &[cookie, name, password]);
        assert_eq!(both, ["abc", "alice:se:cret"]);
        let authorization = ("HTTP_AUTHORIZATION", "Basic YWxpY2U6c2U6Y3JldA==");
        assert_eq!(credentials(EVERYTHING, &[authorization]), ["alice:se:cret"]);
        let bearer = ("HTTP_AUTHORIZATION", "Bearer abc");
        assert_eq!(credentials(EVERYTHING, &[bearer]), ["ticket abc"]);
        let sessions = Accepted {
            password: false,
            ..EVERYTHING
        };
        assert_eq!(credentials(sessions, &[cookie, name, password]), ["abc"]);
    }

    #[test]
    fn a_name_alone_is_no_credential() {
        let name = ("REMOTE_USER", "alice");
        for role in ["AUTHENTICATOR", "authorizer", ""] {
            let found = credentials(EVERYTHING, &[name, ("FCGI_APACHE_ROLE", role)]);
            assert!(found.is_empty(), "{role}");
        }
        assert!(credentials(EVERYTHING, &[name]).is_empty());
        assert!(credentials(EVERYTHING, &[name, ("FCGI_ROLE", "AUTHORIZER")]).is_empty());
        assert!(credentials(EVERYTHING, &[("REMOTE_PASSWD", "x")]).is_empty());
        // What a client calls so comes as HTTP_….
        let forged = [("HTTP_FCGI_APACHE_ROLE", "AUTHORIZER"), name];
        assert!(credentials(EVERYTHING, &forged).is_empty());
    }

    #[test]
    fn apache_vouches_for_whom_it_has_let_in() {
        let role = ("FCGI_APACHE_ROLE", "AUTHORIZER");
        let found = credentials(EVERYTHING, &[role, ("REMOTE_USER", "alice")]);
        assert_eq!(found, ["vouched alice"]);
        assert!(credentials(EVERYTHING, &[role]).is_empty());
        assert!(credentials(EVERYTHING, &[role, ("REMOTE_USER", "")]).is_empty());
        assert!(credentials(EVERYTHING, &[role, ("HTTP_COOKIE", "sessionid=abc")]).is_empty());
        let password = [role, ("REMOTE_USER", "alice"), ("REMOTE_PASSWD", "x")];
        assert_eq!(credentials(EVERYTHING, &password), ["alice:x"]);
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
    fn what_is_there_twice_counts_as_nothing() {
        let (name, password) = (("REMOTE_USER", "alice"), ("REMOTE_PASSWD", "x"));
        for twice in [name, password] {
            assert!(credentials(EVERYTHING, &[name, password, twice]).is_empty());
        }
        let cookies = [
            ("HTTP_COOKIE", "sessionid=a"),
            ("HTTP_COOKIE", "sessionid=b"),
        ];
        assert_eq!(credentials(EVERYTHING, &cookies), ["b"]);
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
        assert_eq!(
            wanted(&[("REQUEST_URI", "@evil.example/"), host, scheme]),
            "@evil.example/"
        );
        assert_eq!(wanted(&[]), "");
    }
}
