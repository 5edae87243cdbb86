//! Answers ejabberd's requests: with a verdict on a credential or an account, or by a change.

use std::sync::Arc;
use std::time::Instant;

use hallpass_core::configuration::{EjabberdAccepted, WhenUnavailable};
use hallpass_core::{
    Change, ClaimedName, Credential, Deadline, Reason, Request, Secret, Verdict, Watched,
};
use hallpass_runtime::lines::Line;
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Handler, Helper, Log, SiteClient, jid};
use zeroize::Zeroizing;

use crate::kick::{Jid, Kicker, lasting};
use crate::protocol::{self, Answer, Command};

/// Answers frames.
pub struct Frames(pub Server);

impl Handler for Frames {
    type Message = Zeroizing<Vec<u8>>;

    fn answer(&mut self, message: Self::Message, _: Instant) -> Vec<u8> {
        self.0.answer_to(&message).encode().to_vec()
    }

    fn log(&self) -> &Log {
        &self.0.helper.log
    }
}

/// Answers lines.
pub struct Lines(pub Server);

impl Handler for Lines {
    type Message = Line;

    fn answer(&mut self, line: Line, _: Instant) -> Vec<u8> {
        let answer = match line.whole {
            true => self.0.answer_to(&line.bytes),
            false => Answer::No,
        };
        answer.encode_line().to_vec()
    }

    fn log(&self) -> &Log {
        &self.0.helper.log
    }
}

/// Answers requests in either framing.
pub struct Server {
    pub helper: Helper,
    /// Ends the connections of sessions that have ended; `None` where the host is not ejabberd.
    pub kicker: Option<Kicker>,
}

impl Server {
    fn answer_to(&mut self, message: &[u8]) -> Answer {
        let started = Instant::now();
        let Some(request) = protocol::Request::parse(message) else {
            let log = &self.helper.log;
            log.debug("an unknown request, answered no");
            return Answer::No;
        };
        let user = String::from_utf8_lossy(request.user);
        let verdict = match self.helper.site() {
            Ok(site) => {
                let kicks = self.kicker.is_some() && site.configuration.ejabberd.kick.is_some();
                let mut watched = None;
                let verdict = verdict(site, &request, &user, kicks.then_some(&mut watched));
                let configuration = Arc::clone(&site.configuration);
                if let (Verdict::Granted(identity), Some(watched), Some(kicker)) =
                    (&verdict, watched, &mut self.kicker)
                {
                    let host = String::from_utf8_lossy(request.server).into_owned();
                    let user = user.clone().into_owned();
                    let log = &self.helper.log;
                    kicker.let_in(&configuration, Jid { user, host }, watched, identity, log);
                }
                verdict
            }
            Err(unavailable) => unavailable.into(),
        };
        self.helper.log.decision(&Decision {
            user: Some(&user),
            client: None,
            verdict: &verdict,
            took: started.elapsed(),
        });
        match verdict {
            Verdict::Granted(_) => Answer::Yes,
            Verdict::Denied(_) => Answer::No,
            Verdict::Unavailable(_) => {
                let configuration = self.helper.configuration();
                let unavailable = configuration.map(|it| it.ejabberd.unavailable);
                match unavailable.unwrap_or(WhenUnavailable::Error) {
                    WhenUnavailable::Error => Answer::Failure,
                    WhenUnavailable::No => Answer::No,
                }
            }
        }
    }
}

/// The verdict on `request`. What was let in is put into `watched`.
fn verdict(
    site: &mut SiteClient,
    request: &protocol::Request<'_>,
    user: &str,
    watched: Option<&mut Option<Watched>>,
) -> Verdict {
    let configuration = Arc::clone(&site.configuration);
    let ejabberd = &configuration.ejabberd;
    // No account has a name that is not UTF-8; such bytes arrive here as replacement characters.
    if user.contains(char::REPLACEMENT_CHARACTER) {
        return Verdict::Denied(Reason::Malformed);
    }
    let domains = &ejabberd.domains;
    let known = |domain: &String| domain.as_bytes().eq_ignore_ascii_case(request.server);
    if !domains.is_empty() && !domains.iter().any(known) {
        return Verdict::Denied(Reason::NotPermitted);
    }
    let name = if ejabberd.unescape_jid {
        jid::unescape(user)
    } else {
        user.to_owned()
    };
    // One deadline for all credentials that are tried, because ejabberd waits for one answer.
    let deadline = site.deadline(Instant::now());
    let name = match meant(site, name, deadline) {
        Ok(name) => name,
        Err(verdict) => return verdict,
    };
    let password = Secret::new(request.password);
    let change = match request.command {
        Command::Authenticate => return check(site, &name, &password, deadline, watched),
        Command::Exists => {
            return site.ask(about(&name, Credential::Vouched), deadline);
        }
        _ if !ejabberd.account_changes => return Verdict::Denied(Reason::NotPermitted),
        Command::SetPassword => Change::SetPassword { name, password },
        Command::Register => Change::Register { name, password },
        Command::Remove => Change::Deactivate { name },
        Command::RemoveWithPassword => match check(site, &name, &password, deadline, None) {
            Verdict::Granted(_) => Change::Deactivate { name },
            refused => return refused,
        },
    };
    site.change(change, deadline)
}

/// The address for which `name` may stand: `joe%example.org`, as clients write that do not know
/// XEP-0106, and as gateways did before it (section 1).
fn with_at_sign(name: &str) -> Option<String> {
    let (user, domain) = name.rsplit_once('%')?;
    let whole = !user.is_empty() && !domain.is_empty() && !name.contains('@');
    whole.then(|| format!("{user}@{domain}"))
}

/// The name of the account whose JID begins with `name`. Two accounts with one JID are none.
///
/// # Errors
/// The verdict, where there is no such name to ask about.
fn meant(site: &mut SiteClient, name: String, deadline: Deadline) -> Result<String, Verdict> {
    let address = with_at_sign(&name).filter(|_| site.configuration.ejabberd.unescape_jid);
    let Some(address) = address else {
        return Ok(name);
    };
    let literal = exists(site, &name, deadline)?;
    match (literal, exists(site, &address, deadline)?) {
        (true, true) => Err(Verdict::Denied(Reason::UnknownUser)),
        (false, true) => Ok(address),
        _ => Ok(name),
    }
}

/// Whether the site has an account called `name`.
///
/// # Errors
/// [`Verdict::Unavailable`] when the site cannot be asked.
fn exists(site: &mut SiteClient, name: &str, deadline: Deadline) -> Result<bool, Verdict> {
    match site.ask(about(name, Credential::Vouched), deadline) {
        Verdict::Denied(Reason::UnknownUser) => Ok(false),
        Verdict::Granted(_) | Verdict::Denied(_) => Ok(true),
        verdict @ Verdict::Unavailable(_) => Err(verdict),
    }
}

/// The verdict on `password` of the user `name`, tried as each accepted kind of credential in turn,
/// until one is granted or unavailable.
fn check(
    site: &mut SiteClient,
    name: &str,
    password: &Secret,
    deadline: Deadline,
    mut watched: Option<&mut Option<Watched>>,
) -> Verdict {
    let mut verdict = Verdict::Denied(Reason::Malformed);
    for accepted in site.configuration.ejabberd.accept.clone() {
        if accepted == EjabberdAccepted::Password
            && let Some(verdict) = token(site, name, password, deadline, watched.as_deref_mut())
        {
            return verdict;
        }
        let secret = Secret::new(password.expose());
        let credential = match accepted {
            EjabberdAccepted::Password => Credential::Password(secret),
            EjabberdAccepted::Session => site.configuration.session_token(secret),
            EjabberdAccepted::Ticket => Credential::Ticket(secret),
        };
        verdict = ask(
            site,
            about(name, credential),
            deadline,
            watched.as_deref_mut(),
        );
        if !matches!(verdict, Verdict::Denied(_)) {
            break;
        }
    }
    verdict
}

/// The verdict on a password that is a token of the site; `None` when it is not one.
fn token(
    site: &mut SiteClient,
    name: &str,
    password: &Secret,
    deadline: Deadline,
    watched: Option<&mut Option<Watched>>,
) -> Option<Verdict> {
    if !site.configuration.reads_tokens() {
        return None;
    }
    let token = Credential::Token(Secret::new(password.expose()));
    match ask(site, about(name, token), deadline, watched) {
        Verdict::Denied(Reason::NoSession) => None,
        verdict => Some(verdict),
    }
}

/// The verdict on `request`. What it lets in is put into `watched`: a session, or for a password the
/// account, with a stamp of the password from before it was checked.
fn ask(
    site: &mut SiteClient,
    request: Request,
    deadline: Deadline,
    watched: Option<&mut Option<Watched>>,
) -> Verdict {
    let Some(watched) = watched else {
        return site.ask(request, deadline);
    };
    let name = request.name.as_deref().unwrap_or_default().to_owned();
    let account = || about(&name, Credential::Vouched);
    let is_password = matches!(request.credential, Credential::Password(_));
    let before = is_password.then(|| site.recheck(account(), deadline));
    let again = match is_password {
        true => Some(account()),
        false => lasting(&site.configuration, &request),
    };
    let verdict = site.ask(request, deadline);
    *watched = match (&verdict, before, again) {
        (Verdict::Granted(_), Some(Verdict::Granted(before)), Some(again)) => {
            Some(Watched::new(again, &before))
        }
        (Verdict::Granted(identity), None, Some(again)) => Some(Watched::new(again, identity)),
        _ => None,
    };
    verdict
}

/// A request about the user `name`, under whose JID ejabberd continues.
fn about(name: &str, credential: Credential) -> Request {
    Request::new(ClaimedName::Named(name.to_owned()), credential)
}
