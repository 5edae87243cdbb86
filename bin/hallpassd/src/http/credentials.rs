//! The credentials that a request carries.

use hallpass_core::configuration::Accepted;
use hallpass_core::cookie::{self, Cookie};
use hallpass_core::{Credential, Secret, basic};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE};

use crate::site::Site;

/// Which credentials of a site are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepting<'a> {
    accept: Accepted,
    cookie: Option<Cookie<'a>>,
    /// Whether the site gives out tokens to programs.
    tokens: bool,
}

impl<'a> Accepting<'a> {
    /// What `accept` says, sessions being in `cookie`, and the site's `tokens`.
    pub fn new(accept: Accepted, cookie: Option<Cookie<'a>>, tokens: bool) -> Self {
        Self {
            accept,
            cookie,
            tokens,
        }
    }

    /// Those that `site` accepts.
    pub fn by(site: &'a Site) -> Self {
        let configuration = &site.configuration;
        let accept = configuration.daemon.accept;
        let accept = Accepted {
            ticket: accept.ticket && site.gives_tickets(),
            ..accept
        };
        let cookie = configuration.session_cookie();
        Self::new(accept, cookie, configuration.reads_tokens())
    }

    /// Whether a name and a password are among them.
    pub fn passwords(self) -> bool {
        self.accept.password
    }

    /// Of these, the session cookie alone.
    pub fn sessions_alone(self) -> Self {
        Self {
            accept: Accepted {
                password: false,
                ticket: false,
                ..self.accept
            },
            tokens: false,
            ..self
        }
    }
}

/// The credentials in `headers` that are accepted, the cheapest to check first: the session cookie,
/// then what `Authorization` holds. Headers that claim an identity are not credentials, whoever
/// sent them.
pub fn credentials(headers: &HeaderMap, accepting: &Accepting<'_>) -> Vec<Credential> {
    let mut found = Vec::new();
    let cookies = headers.get_all(COOKIE).iter();
    found.extend(session_credential(
        cookies.map(|header| header.as_bytes()),
        accepting,
    ));
    if let Some(authorization) = authorization(headers) {
        found.extend(authorization_credential(authorization, accepting));
    }
    found
}

/// What a ticket for the session in the cookies of `headers` stands for, where sessions are accepted.
pub fn session_token(headers: &HeaderMap, accepting: &Accepting<'_>) -> Option<Secret> {
    let cookies = headers.get_all(COOKIE).iter();
    token_of(cookies.map(|header| header.as_bytes()), accepting)
}

/// The same, of these Cookie headers.
fn token_of<'a>(
    cookies: impl IntoIterator<Item = &'a [u8]>,
    accepting: &Accepting<'_>,
) -> Option<Secret> {
    if !accepting.accept.session {
        return None;
    }
    cookie::token(cookies, accepting.cookie)
}

/// The session that these Cookie headers hold, where sessions are accepted.
pub fn session_credential<'a>(
    cookies: impl IntoIterator<Item = &'a [u8]>,
    accepting: &Accepting<'_>,
) -> Option<Credential> {
    if !accepting.accept.session {
        return None;
    }
    cookie::credential(cookies, accepting.cookie)
}

/// What the value of an Authorization header holds: a ticket, a token, or a name and a password.
pub fn authorization_credential(
    authorization: &[u8],
    accepting: &Accepting<'_>,
) -> Option<Credential> {
    let Accepting { accept, tokens, .. } = accepting;
    let ticket = || accept.ticket.then(|| bearer(authorization)).flatten();
    let token = || tokens.then(|| token(authorization)).flatten();
    let basic = || {
        accept
            .password
            .then(|| basic::credential(authorization))
            .flatten()
    };
    ticket().or_else(token).or_else(basic)
}

/// Two Authorization headers are none.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// A ticket, as RFC 6750 section 2.1 has it sent.
fn bearer(authorization: &[u8]) -> Option<Credential> {
    let ticket = Secret::new(one_word(authorization, b"bearer")?);
    Some(Credential::Ticket {
        ticket,
        owner: None,
    })
}

/// A token, as `TokenAuthentication.authenticate` reads it (rest_framework/authentication.py,
/// Django REST framework 3.16): the word and the token, and white space between.
fn token(authorization: &[u8]) -> Option<Credential> {
    let token = Secret::new(one_word(authorization, b"token")?);
    Some(Credential::Token { token, owner: None })
}

/// The one word that follows `scheme`.
fn one_word<'a>(authorization: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let mut words = authorization
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(first), Some(word), None) if first.eq_ignore_ascii_case(scheme) => Some(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const BOTH: Accepted = Accepted {
        password: true,
        session: true,
        ticket: true,
    };

    fn asked(accept: Accepted, lines: &[(&'static str, &[u8])]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let show = |credential| match credential {
            Credential::Password { name, password } => {
                format!("{name}:{}", password.expose().escape_ascii())
            }
            Credential::Session { token, .. } => format!("{}", token.expose().escape_ascii()),
            Credential::Token { token, .. } => format!("token {}", token.expose().escape_ascii()),
            Credential::Ticket { ticket, .. } => {
                format!("ticket {}", ticket.expose().escape_ascii())
            }
            Credential::Cookies { .. } => panic!("the cookie has a name"),
            Credential::Vouched { .. } => panic!("nobody vouches"),
        };
        let cookie = Cookie {
            name: "sessionid",
            reader: cookie::Reader::Django,
        };
        let accepting = Accepting::new(accept, Some(cookie), true);
        credentials(&headers, &accepting)
            .into_iter()
            .map(show)
            .collect()
    }

    #[test]
    fn credentials_are_found() {
        let basic = ("authorization", &b"Basic YWxpY2U6c2U6Y3JldA=="[..]);
        let cookie = ("cookie", &b"a=b; sessionid=abc"[..]);
        assert_eq!(asked(BOTH, &[basic, cookie]), ["abc", "alice:se:cret"]);
        let sessions = Accepted {
            password: false,
            ..BOTH
        };
        assert_eq!(asked(sessions, &[basic, cookie]), ["abc"]);
        let passwords = Accepted {
            session: false,
            ticket: false,
            ..BOTH
        };
        let bearer = ("authorization", &b"Bearer YWxpY2U6"[..]);
        assert!(asked(passwords, &[bearer]).is_empty());
        assert_eq!(asked(BOTH, &[bearer]), ["ticket YWxpY2U6"]);
        assert_eq!(asked(passwords, &[basic, cookie]), ["alice:se:cret"]);
        assert_eq!(
            asked(BOTH, &[("authorization", b"bAsIc  YWxpY2U6")]),
            ["alice:"]
        );
        assert_eq!(
            asked(BOTH, &[("authorization", b"tOKEN  0123abcd ")]),
            ["token 0123abcd"]
        );
        assert_eq!(
            asked(BOTH, &[cookie, ("cookie", b"sessionid=last")]),
            ["last"]
        );
    }

    #[test]
    fn what_is_no_credential_is_not_taken_for_one() {
        for value in [
            &b""[..],
            b"Basic",
            b"Basic ",
            b"Basic YWxpY2U=",
            b"Basic YWxpY2U6c2!",
            b"Basic alice:secret",
            b"Basic /zpzZWNyZXQ=",
            b"Bearer",
            b"Bearer a b",
            b"BearerYWxpY2U6c2VjcmV0",
            b"Token",
            b"Token ",
            b"Token a b",
            b"Token0123abcd",
            b"Digest username=\"alice\"",
            b"YWxpY2U6c2VjcmV0",
            b"\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(asked(BOTH, &[("authorization", value)]).is_empty());
        }
        let basic = ("authorization", &b"Basic YWxpY2U6c2VjcmV0"[..]);
        assert!(asked(BOTH, &[basic, basic]).is_empty());
        for name in ["remote-user", "x-remote-user", "x-forwarded-user"] {
            assert!(asked(BOTH, &[(name, b"alice")]).is_empty());
        }
    }
}
