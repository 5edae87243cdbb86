//! Answers programs that ask by HTTP in a form of their own, at `/as/DIALECT`: message brokers, chat
//! servers, RADIUS.
//!
//! On unix sockets, every program that can open the socket may ask. On TCP, a program shows the
//! token of the configuration.

pub(crate) mod answers;
pub(crate) mod fields;
pub(crate) mod question;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use hallpass_core::basic::{self, Unreadable};
use hallpass_core::configuration::{DialectToken, EjabberdAccepted, Listener};
use hallpass_core::{ClaimedName, Client, Conditions, Credential, Secret};
use hallpass_runtime::jid;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};

pub use self::answers::Reply;
use self::fields::{Fields, Malformed};
use self::question::{Asked, Message, Question};
use self::table::{Format, Names, Row};
use crate::credentials::{Shown, cookie_credentials, one_word};
use crate::http::{conditions_alone, host_client};
use crate::percent;
use crate::site::{Inquiry, ServedSite};
use crate::sockets::Peer;

/// The longest body, in bytes: a password of the longest that MQTT has, and what goes with it.
pub const LONGEST_BODY: usize = 128 * 1024;

/// The name of the dialect that has `place`, which is what follows `/as/`; `None` where no dialect
/// has it.
#[must_use]
pub fn dialect(place: &str) -> Option<&'static str> {
    table::find(place).map(|row| row.dialect)
}

/// A program that asks, and where.
#[derive(Debug)]
pub struct Program<'a> {
    pub peer: Peer,
    pub listener: &'a Listener,
}

/// The path that a request asks at.
#[derive(Clone, Copy, Debug)]
pub struct Place(&'static Row);

impl Place {
    /// The one of this name, which is what follows `/as/`.
    ///
    /// # Errors
    /// 404 where there is none, and 405 with the method that it takes.
    pub fn of(name: &str, method: &Method) -> Result<Self, (StatusCode, Option<Method>)> {
        let row = table::find(name).ok_or((StatusCode::NOT_FOUND, None))?;
        let (taken, other) = match row.format {
            Format::Query => (Method::GET, None),
            Format::FormOrQuery => (Method::POST, Some(Method::GET)),
            Format::Json | Format::FormOrJson | Format::Ignored => (Method::POST, None),
        };
        match *method == taken || other.is_some_and(|other| *method == other) {
            true => Ok(Self(row)),
            false => Err((StatusCode::METHOD_NOT_ALLOWED, Some(taken))),
        }
    }

    /// Answers a request with this head. Its body could be read, or the status says why not.
    pub async fn answer(
        self,
        site: &ServedSite,
        program: &Program<'_>,
        head: &Parts,
        body: Result<Bytes, StatusCode>,
    ) -> Reply {
        let Self(row) = self;
        let asked = match &body {
            Ok(body) => {
                let query = head.uri.query().unwrap_or_default();
                read(row, head.method == Method::GET, query, &head.headers, body)
            }
            Err(_) => Err(Malformed),
        };
        let (asked, conditions) = match asked {
            Ok(read) => read,
            Err(Malformed) => {
                let inquiry = Inquiry::new(row.dialect, Err(Unreadable), Client::default());
                site.decide(inquiry).await;
                // A client may have typed a password that is too long.
                return match body {
                    Err(StatusCode::PAYLOAD_TOO_LARGE) => row.answers.denied.clone(),
                    _ => row.answers.malformed.clone(),
                };
            }
        };
        let trusted = site.trusts(program.peer);
        let mut client = Client::at(asked.client.filter(|_| trusted));
        let shown = match asked.question {
            Question::Refused => return row.answers.denied.clone(),
            Question::Next => return row.answers.next.clone(),
            Question::Session { name } => {
                client = host_client(&head.headers, trusted);
                let cookies = head.headers.get_all(COOKIE).iter();
                let cookies: Vec<&[u8]> = cookies.map(|cookie| cookie.as_bytes()).collect();
                let credentials = cookie_credentials(&cookies, &site.accepting()).collect();
                Shown { name, credentials }
            }
            Question::Account { name } => Shown::of(ClaimedName::Named(name), Credential::Vouched),
            Question::Password { name, password } => Shown {
                name: ClaimedName::Named(name),
                credentials: credentials(row, site, password),
            },
        };
        let ejabberd = &site.configuration.ejabberd;
        let ignore_case = match row.names {
            Names::Exact => false,
            Names::Folded => true,
            Names::Jid => ejabberd.ignore_case,
        };
        let shown = match row.names {
            Names::Jid => of_jid(site, shown, asked.domain.as_deref()),
            Names::Exact | Names::Folded => Ok(shown),
        };
        // A token says that a program of the operator asks; a unix socket, that it may open it.
        let vouches = match program.peer {
            Peer::Address(_) => true,
            Peer::Unix => site.configuration.daemon.vouches(program.listener),
        };
        let inquiry = Inquiry {
            conditions,
            ignore_case,
            vouches,
            wants_groups: false,
            ..Inquiry::new(row.dialect, shown, client)
        };
        let verdict = site.decide(inquiry).await;
        row.answers.to(&verdict, &asked.echo)
    }
}

/// The question in a request, and the conditions in its URL.
///
/// # Errors
/// [`Malformed`] when either cannot be read with certainty.
pub(crate) fn read(
    row: &Row,
    is_get: bool,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Asked, Conditions), Malformed> {
    // In the query of a GET, the program's own fields stand beside conditions. Elsewhere there are
    // only conditions, and a misspelt one must not be overlooked.
    let (in_query, conditions) = match is_get {
        true => query.split('&').partition(|pair| !is_condition(pair)),
        false => (Vec::new(), query.split('&').collect::<Vec<_>>()),
    };
    let conditions = conditions_alone(&conditions.join("&")).ok_or(Malformed)?;
    let fields = match row.format {
        Format::Ignored => Fields::default(),
        Format::Query => Fields::form(in_query.join("&").as_bytes())?,
        Format::FormOrQuery if is_get => Fields::form(in_query.join("&").as_bytes())?,
        Format::FormOrQuery => Fields::form(body)?,
        Format::FormOrJson if is_form(headers) => Fields::form(body)?,
        Format::FormOrJson | Format::Json => Fields::json(body)?,
    };
    let message = Message {
        fields,
        headers,
        is_conditional: !conditions.any.is_empty() || !conditions.all.is_empty(),
    };
    Ok(((row.read)(&message)?, conditions))
}

fn is_condition(pair: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    let name = percent::decode(name).unwrap_or_default();
    ["group", "permission", "is"].contains(&name.as_str())
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else {
        return false;
    };
    let media = one.as_bytes().split(|byte| *byte == b';').next();
    media.is_some_and(|media| {
        media
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// What a password may be: itself alone, or what `[ejabberd]` says where the program has JIDs.
fn credentials(row: &Row, site: &ServedSite, password: Secret) -> Vec<Credential> {
    if row.names != Names::Jid {
        return vec![Credential::Password(password)];
    }
    let accepted = site.configuration.ejabberd.accept.iter();
    let credential = |accepted: &EjabberdAccepted| {
        let secret = Secret::new(password.expose());
        match accepted {
            EjabberdAccepted::Password => Credential::Password(secret),
            EjabberdAccepted::Session => site.configuration.session_token(secret),
            EjabberdAccepted::Ticket => Credential::Ticket(secret),
        }
    };
    accepted.map(credential).collect()
}

/// The account of a JID, as `[ejabberd]` has names read.
///
/// # Errors
/// [`Unreadable`] for a domain that is not served.
fn of_jid(site: &ServedSite, shown: Shown, domain: Option<&str>) -> Result<Shown, Unreadable> {
    let ejabberd = &site.configuration.ejabberd;
    let is_known = |known: &String| domain.is_some_and(|it| it.eq_ignore_ascii_case(known));
    if !ejabberd.domains.is_empty() && !ejabberd.domains.iter().any(is_known) {
        return Err(Unreadable);
    }
    let name = match shown.name {
        ClaimedName::Named(name) if ejabberd.unescape_jid => {
            ClaimedName::Named(jid::unescape(&name))
        }
        name => name,
    };
    Ok(Shown { name, ..shown })
}

/// Whether a program at `peer` may ask: over TCP it has to show the `token` of the site, as Bearer
/// or as the password of Basic authentication.
pub fn may_ask(site: &ServedSite, peer: Peer, headers: &HeaderMap) -> bool {
    static HAS_WARNED: AtomicBool = AtomicBool::new(false);
    if peer == Peer::Unix {
        return true;
    }
    let token = site.configuration.daemon.dialect_token.as_ref();
    let may = token.is_some_and(|token| shows(headers, token));
    if !may && !HAS_WARNED.swap(true, Ordering::Relaxed) {
        site.log.warning(
            "a program asked at /as/… over TCP without daemon.dialect_token, and was refused",
        );
    }
    may
}

fn shows(headers: &HeaderMap, token: &DialectToken) -> bool {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    // Programs and proxies differ in which of two counts.
    let (Some(one), None) = (authorizations.next(), authorizations.next()) else {
        return false;
    };
    match basic::read(one.as_bytes()) {
        Some(Ok(basic)) => token.is(basic.password.expose()),
        Some(Err(Unreadable)) => false,
        None => one_word(one.as_bytes(), b"bearer").is_some_and(|word| token.is(word)),
    }
}
