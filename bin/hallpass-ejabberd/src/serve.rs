//! A request in, an answer out.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use hallpass_core::configuration::WhenUnavailable;
use hallpass_core::{Change, ClaimedName, Configuration, Credential, Reason, Secret, Verdict};
use hallpass_runtime::lines::{self, Line};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Helper, Log, Open, Site, Source, converse};
use zeroize::Zeroizing;

use crate::options::{Options, Protocol};
use crate::protocol::{Answer, Command, Decoder, Request};
use crate::{credentials, jid, terminal};

const PROGRAM: &str = "hallpass-ejabberd";

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (source, protocol) = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => (Source::File(options.common), options.protocol),
        // A helper that ends at once, again and again, makes ejabberd give up external
        // authentication until its own restart.
        Err(error) => (Source::unusable(&error), Protocol::Ejabberd),
    };
    let plain = match protocol {
        Protocol::Ejabberd => Ok(()),
        Protocol::Generic => terminal::make_plain(),
    };
    let server = Server {
        site: Site::new(PROGRAM, source, ignore_case),
    };
    if let Err(error) = plain {
        let log = &server.site.log;
        log.error(&format!(
            "cannot make the terminal a plain channel: {error}"
        ));
        return ExitCode::FAILURE;
    }
    match protocol {
        Protocol::Ejabberd => converse(Decoder::default(), &mut Frames(server)),
        Protocol::Generic => converse(lines::Decoder::default(), &mut Lines(server)),
    }
}

fn ignore_case(configuration: &mut Configuration) {
    configuration.access.ignore_case |= configuration.ejabberd.ignore_case;
}

/// Answers frames.
struct Frames(Server);

impl Helper for Frames {
    type Message = Zeroizing<Vec<u8>>;

    fn answer(&mut self, message: Self::Message, _: Instant) -> Vec<u8> {
        self.0.answer_to(&message).encode().to_vec()
    }

    fn log(&self) -> &Log {
        &self.0.site.log
    }
}

/// Answers lines.
struct Lines(Server);

impl Helper for Lines {
    type Message = Line;

    fn answer(&mut self, line: Line, _: Instant) -> Vec<u8> {
        let answer = match line.whole {
            true => self.0.answer_to(&line.bytes),
            false => Answer::No,
        };
        answer.encode_line().to_vec()
    }

    fn log(&self) -> &Log {
        &self.0.site.log
    }
}

struct Server {
    site: Site,
}

impl Server {
    fn answer_to(&mut self, message: &[u8]) -> Answer {
        let started = Instant::now();
        let Some(request) = Request::parse(message) else {
            let log = &self.site.log;
            log.debug("a request that is answered no: it is none of those that are known");
            return Answer::No;
        };
        let user = String::from_utf8_lossy(request.user);
        let verdict = match self.site.open() {
            Ok(site) => verdict(site, &request, &user),
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

fn verdict(site: &mut Open, request: &Request<'_>, user: &str) -> Verdict {
    let configuration = Arc::clone(&site.configuration);
    let ejabberd = &configuration.ejabberd;
    // Bytes that are no text are nobody's name; they came here as replacement characters.
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
    // One for all that may be tried: ejabberd waits for one answer.
    let deadline = site.deadline(Instant::now());
    let password = Secret::new(request.password);
    let change = match request.command {
        Command::Authenticate => return credentials::ask(site, &name, &password, deadline),
        Command::Exists => {
            let question =
                hallpass_core::Request::new(ClaimedName::Named(name), Credential::Vouched);
            return site.ask(question, deadline);
        }
        _ if !ejabberd.account_changes => return Verdict::Denied(Reason::NotPermitted),
        Command::SetPassword => Change::SetPassword { name, password },
        Command::Register => Change::Register { name, password },
        Command::Remove => Change::Deactivate { name },
        Command::RemoveWithPassword => match credentials::ask(site, &name, &password, deadline) {
            Verdict::Granted(_) => Change::Deactivate { name },
            refused => return refused,
        },
    };
    site.change(change, deadline)
}
