//! Reads the credentials that a request of HTTP carries.

use hallpass_core::basic::{self, Basic, Unreadable};
use hallpass_core::configuration::{Accepted, Jwt};
use hallpass_core::cookie::{self, Cookie};
use hallpass_core::{ClaimedName, Credential, Secret, jwt};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE};

/// The name that the host of a request continues with, and the request's credentials, the cheapest
/// to check first.
#[derive(Debug)]
pub struct Shown {
    pub name: ClaimedName,
    pub credentials: Vec<Credential>,
}

impl Shown {
    /// One credential of the account that the host calls `name`.
    pub fn of(name: ClaimedName, credential: Credential) -> Self {
        let credentials = vec![credential];
        Self { name, credentials }
    }
}

/// Which credentials of a site are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepting<'a> {
    accept: Accepted,
    cookie: Option<Cookie<'a>>,
    /// Whether the site issues tokens to programs.
    tokens: bool,
    /// How tokens that the site signs come, where they are accepted.
    jwt: Option<&'a Jwt>,
}

impl<'a> Accepting<'a> {
    /// The credentials that `accept` lists; sessions are in `cookie`, and tokens count if the site
    /// issues `tokens`.
    pub fn new(accept: Accepted, cookie: Option<Cookie<'a>>, tokens: bool) -> Self {
        Self {
            accept,
            cookie,
            tokens,
            jwt: None,
        }
    }

    /// Of these, and of the tokens that the site signs, which are accepted where sessions are.
    pub fn with_jwt(self, jwt: Option<&'a Jwt>) -> Self {
        let jwt = jwt.filter(|_| self.accept.session);
        Self { jwt, ..self }
    }

    /// Whether a name and a password are among them.
    pub fn passwords(self) -> bool {
        self.accept.password
    }

    /// Of these, all but a name and a password.
    pub fn without_passwords(self) -> Self {
        Self {
            accept: Accepted {
                password: false,
                ..self.accept
            },
            ..self
        }
    }

    /// Of these, only the session cookie.
    pub fn sessions_alone(self) -> Self {
        Self {
            accept: Accepted {
                password: false,
                ticket: false,
                ..self.accept
            },
            tokens: false,
            jwt: None,
            ..self
        }
    }
}

/// Whether a host goes on with the name in `Authorization: Basic` by itself, as nginx does in
/// `$remote_user` and PHP in `PHP_AUTH_USER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicName {
    /// It may, so only the account of that name is granted.
    Binds,
    /// It has said that it does not, so the header shows nothing.
    Ignored,
}

/// The credentials in `headers`: the session cookie, then the credential in `Authorization`.
/// Headers that claim an identity are not credentials, not even those of a trusted proxy.
///
/// # Errors
/// [`Unreadable`] when a host might read a name out of `Authorization` that is not read here.
pub fn shown(
    headers: &HeaderMap,
    accepting: &Accepting<'_>,
    basic_name: BasicName,
) -> Result<Shown, Unreadable> {
    let cookies = headers.get_all(COOKIE).iter();
    let cookies: Vec<&[u8]> = cookies.map(|header| header.as_bytes()).collect();
    let sessions = cookie_credentials(&cookies, accepting);
    let authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorizations: Vec<&[u8]> = authorizations.map(|value| value.as_bytes()).collect();
    let (name, other) = match basic_name {
        BasicName::Binds => authorization(&authorizations, accepting)?,
        BasicName::Ignored => match *authorizations.as_slice() {
            [one] => (ClaimedName::Nameless, bearer_or_token(one, accepting)),
            _ => (ClaimedName::Nameless, None),
        },
    };
    Ok(Shown {
        name,
        credentials: sessions.chain(other).collect(),
    })
}

/// The credentials in all Authorization headers of a request: a name with its password, or a ticket
/// or a token without a name.
///
/// # Errors
/// [`Unreadable`] when a server might read another name out of them.
pub fn authorization(
    authorizations: &[&[u8]],
    accepting: &Accepting<'_>,
) -> Result<(ClaimedName, Option<Credential>), Unreadable> {
    if let Some(Basic { name, password }) = basic::read_all(authorizations.iter().copied())? {
        let password = accepting
            .passwords()
            .then(|| Credential::Password(password));
        return Ok((ClaimedName::Named(name), password));
    }
    let other = authorizations.first();
    let other = other.and_then(|one| bearer_or_token(one, accepting));
    Ok((ClaimedName::Nameless, other))
}

/// The token of the session in the cookies of `headers`, for which a ticket may stand; `None` where
/// sessions are not accepted.
pub fn session_token(headers: &HeaderMap, accepting: &Accepting<'_>) -> Option<Secret> {
    if !accepting.accept.session {
        return None;
    }
    let cookies = headers.get_all(COOKIE).iter();
    cookie::token(cookies.map(|header| header.as_bytes()), accepting.cookie)
}

/// The session and the token that these Cookie headers hold, where they are accepted.
pub fn cookie_credentials(
    cookies: &[&[u8]],
    accepting: &Accepting<'_>,
) -> impl Iterator<Item = Credential> + use<> {
    let headers = || cookies.iter().copied();
    let own = accepting.jwt.and_then(Jwt::cookie);
    let token = own.and_then(|own| cookie::value(headers(), own));
    let session = match accepting.accept.session {
        true => cookie::credential(headers(), accepting.cookie),
        false => None,
    };
    let token = token.map(|token| Credential::Jwt(Secret::new(token)));
    session.into_iter().chain(token)
}

/// A ticket, as RFC 6750 section 2.1 has it sent, or a token, as `TokenAuthentication.authenticate`
/// reads it (rest_framework/authentication.py, Django REST framework 3.16): the scheme and one
/// word, and white space between.
fn bearer_or_token(authorization: &[u8], accepting: &Accepting<'_>) -> Option<Credential> {
    let word = |scheme| one_word(authorization, scheme).map(Secret::new);
    // A cookie has them, or this header.
    let signed = accepting.jwt.is_some_and(|jwt| jwt.cookie.is_none());
    if let Some(bearer) = one_word(authorization, b"bearer") {
        // Only a JWT has dots: Base64url, which tickets are, has none.
        if signed && (!accepting.accept.ticket || jwt::has_form(bearer)) {
            return Some(Credential::Jwt(Secret::new(bearer)));
        }
        if accepting.accept.ticket {
            return Some(Credential::Ticket(Secret::new(bearer)));
        }
    }
    if accepting.tokens {
        return word(b"token").map(Credential::Token);
    }
    None
}

/// The one word that follows `scheme`.
pub fn one_word<'a>(authorization: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
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

    /// The name and the credentials that are shown, in words.
    fn read(
        accept: Accepted,
        basic_name: BasicName,
        lines: &[(&'static str, &[u8])],
    ) -> Result<Vec<String>, Unreadable> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let show = |credential| match credential {
            Credential::Password(secret) => format!("password {}", secret.expose().escape_ascii()),
            Credential::Session(secret) => format!("session {}", secret.expose().escape_ascii()),
            Credential::Token(secret) => format!("token {}", secret.expose().escape_ascii()),
            Credential::Ticket(secret) => format!("ticket {}", secret.expose().escape_ascii()),
            Credential::Jwt(secret) => format!("jwt {}", secret.expose().escape_ascii()),
            Credential::Cookies(_) => panic!("the cookie has a name"),
            Credential::Vouched => panic!("nothing vouches for a name"),
        };
        let cookie = Cookie {
            name: "sessionid",
            reader: cookie::Reader::Django,
        };
        let accepting = Accepting::new(accept, Some(cookie), true);
        let shown = shown(&headers, &accepting, basic_name)?;
        let name = shown.name.as_deref().map(|name| format!("as {name}"));
        let credentials = shown.credentials.into_iter().map(show);
        Ok(name.into_iter().chain(credentials).collect())
    }

    fn asked(accept: Accepted, lines: &[(&'static str, &[u8])]) -> Vec<String> {
        read(accept, BasicName::Binds, lines).unwrap()
    }

    #[test]
    fn credentials_are_found() {
        let basic = ("authorization", &b"Basic YWxpY2U6c2U6Y3JldA=="[..]);
        let cookie = ("cookie", &b"a=b; sessionid=abc"[..]);
        assert_eq!(
            asked(BOTH, &[basic, cookie]),
            ["as alice", "session abc", "password se:cret"]
        );
        let sessions = Accepted {
            password: false,
            ..BOTH
        };
        assert_eq!(
            asked(sessions, &[basic, cookie]),
            ["as alice", "session abc"]
        );
        let passwords = Accepted {
            session: false,
            ticket: false,
            ..BOTH
        };
        let bearer = ("authorization", &b"Bearer YWxpY2U6"[..]);
        assert!(asked(passwords, &[bearer]).is_empty());
        assert_eq!(asked(BOTH, &[bearer]), ["ticket YWxpY2U6"]);
        assert_eq!(
            asked(passwords, &[basic, cookie]),
            ["as alice", "password se:cret"]
        );
        assert_eq!(
            asked(BOTH, &[("authorization", b"bAsIc  YWxpY2U6")]),
            ["as alice", "password "]
        );
        assert_eq!(
            asked(BOTH, &[("authorization", b"tOKEN  0123abcd ")]),
            ["token 0123abcd"]
        );
        assert_eq!(
            asked(BOTH, &[cookie, ("cookie", b"sessionid=last")]),
            ["session last"]
        );
    }

    #[test]
    fn a_host_that_has_another_name_may_have_the_basic_name_ignored() {
        let basic = ("authorization", &b"Basic YWxpY2U6c2U6Y3JldA=="[..]);
        let bearer = ("authorization", &b"Bearer YWxpY2U6"[..]);
        let broken = ("authorization", &b"Basic !"[..]);
        let cookie = ("cookie", &b"sessionid=abc"[..]);
        for (lines, expected) in [
            (&[basic, cookie][..], &["session abc"][..]),
            (&[broken, cookie], &["session abc"]),
            (&[basic, basic, cookie], &["session abc"]),
            (&[basic], &[]),
            (&[bearer], &["ticket YWxpY2U6"]),
            (&[bearer, basic], &[]),
        ] {
            let read = read(BOTH, BasicName::Ignored, lines);
            assert_eq!(read.unwrap(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_read_is_a_claim_too() {
        let cookie = ("cookie", &b"sessionid=abc"[..]);
        for value in [
            &b"Basic"[..],
            b"Basic ",
            b"Basic YWxpY2U=",
            b"Basic YWxpY2U6c2!",
            b"Basic alice:secret",
            b"Basic /zpzZWNyZXQ=",
        ] {
            let read = read(BOTH, BasicName::Binds, &[cookie, ("authorization", value)]);
            assert_eq!(read, Err(Unreadable), "{}", value.escape_ascii());
        }
        let basic = ("authorization", &b"Basic YWxpY2U6c2VjcmV0"[..]);
        let bearer = ("authorization", &b"Bearer abc"[..]);
        for two in [[basic, basic], [bearer, basic], [bearer, bearer]] {
            let read = read(BOTH, BasicName::Binds, &[&two[..], &[cookie]].concat());
            assert_eq!(read, Err(Unreadable), "{two:?}");
        }
    }

    #[test]
    fn other_headers_are_not_credentials() {
        for value in [
            &b""[..],
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
        for name in ["remote-user", "x-remote-user", "x-forwarded-user"] {
            assert!(asked(BOTH, &[(name, b"alice")]).is_empty());
        }
    }
}
