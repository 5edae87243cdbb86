//! A request in, an answer out.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use hallpass_core::configuration::{EjabberdAccepted, WhenUnavailable};
use hallpass_core::{Configuration, Credential, Deadline, Question, Reason, Secret, Verdict};
use hallpass_program::log::Decision;
use hallpass_program::{Helper, Log, Open, Site, Source, converse};
use zeroize::Zeroizing;

use crate::jid;
use crate::options::Options;
use crate::protocol::{Answer, Decoder, Request};

const PROGRAM: &str = "hallpass-ejabberd";

pub fn main() -> ExitCode {
    let source = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => Source::File(options.common),
        // A helper that ends at once, again and again, makes ejabberd give up external
        // authentication until its own restart.
        Err(error) => Source::unusable(&error),
    };
    let mut server = Server {
        site: Site::new(PROGRAM, source, ignore_case),
    };
    converse(Decoder::default(), &mut server)
}

fn ignore_case(configuration: &mut Configuration) {
    configuration.access.ignore_case |= configuration.ejabberd.ignore_case;
}

struct Server {
    site: Site,
}

impl Helper for Server {
    type Message = Zeroizing<Vec<u8>>;

    fn answer(&mut self, message: Self::Message, _: Instant) -> Vec<u8> {
        self.answer_to(&message).encode().to_vec()
    }

    fn log(&self) -> &Log {
        &self.site.log
    }
}

impl Server {
    fn answer_to(&mut self, message: &[u8]) -> Answer {
        let started = Instant::now();
        let (user, server, password) = match Request::parse(message) {
            Request::Authenticate {
                user,
                server,
                password,
            } => (user, server, Some(password)),
            Request::Exists { user, server } => (user, server, None),
            Request::Other => {
                self.site
                    .log
                    .debug("a request that is answered no: not auth, not isuser");
                return Answer::No;
            }
        };
        let user = String::from_utf8_lossy(user);
        let verdict = match self.site.open() {
            Ok(site) => ask(site, &user, server, password),
            Err(unavailable) => unavailable.into(),
        };
        self.site.log.decision(&Decision {
            user: Some(&user),
            client: None,
            verdict: &verdict,
            took: started.elapsed(),
        });
        match verdict {
            Verdict::Granted(_) => Answer::Yes,
            Verdict::Denied(_) => Answer::No,
            Verdict::Unavailable(_) => {
                let configuration = self.site.configuration();
                let unavailable = configuration.map(|it| it.ejabberd.unavailable);
                match unavailable.unwrap_or(WhenUnavailable::Error) {
                    WhenUnavailable::Error => Answer::Failure,
                    WhenUnavailable::No => Answer::No,
                }
            }
        }
    }
}

fn ask(site: &mut Open, user: &str, server: &[u8], password: Option<&[u8]>) -> Verdict {
    let configuration = Arc::clone(&site.configuration);
    let ejabberd = &configuration.ejabberd;
    // Bytes that are no text are nobody's name; they came here as replacement characters.
    if user.contains(char::REPLACEMENT_CHARACTER) {
        return Verdict::Denied(Reason::Malformed);
    }
    let domains = &ejabberd.domains;
    let known = |domain: &String| domain.as_bytes().eq_ignore_ascii_case(server);
    if !domains.is_empty() && !domains.iter().any(known) {
        return Verdict::Denied(Reason::NotPermitted);
    }
    let name = if ejabberd.unescape_jid {
        jid::unescape(user)
    } else {
        user.to_owned()
    };
    // One for all that may be tried: ejabberd waits for one answer.
    let deadline = site.deadline(Instant::now());
    let Some(password) = password else {
        let question = Question::new(Credential::Vouched { name });
        return site.ask(question, deadline);
    };
    let mut verdict = Verdict::Denied(Reason::Malformed);
    for accepted in ejabberd.accept.iter().copied() {
        let (name, secret) = (name.clone(), Secret::new(password));
        let credential = match accepted {
            EjabberdAccepted::Password => {
                if let Some(verdict) = token(site, &name, password, deadline) {
                    return verdict;
                }
                Credential::Password {
                    name,
                    password: secret,
                }
            }
            EjabberdAccepted::Session => Credential::Session {
                token: secret,
                owner: Some(name),
            },
        };
        verdict = site.ask(Question::new(credential), deadline);
        if !matches!(verdict, Verdict::Denied(_)) {
            break;
        }
    }
    verdict
}

/// The verdict on a password that is a token of the site's; `None` where it is none.
fn token(site: &mut Open, name: &str, password: &[u8], deadline: Deadline) -> Option<Verdict> {
    if !site.configuration.reads_tokens() {
        return None;
    }
    let question = Question::new(Credential::Token {
        token: Secret::new(password),
        owner: Some(name.to_owned()),
    });
    match site.ask(question, deadline) {
        Verdict::Denied(Reason::NoSession) => None,
        verdict => Some(verdict),
    }
}
