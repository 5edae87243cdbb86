//! The loop: a request in, an answer out, one at a time, until the input ends.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::{Instant, SystemTime};

use clap::Parser;
use clap::error::ErrorKind;
use hallpass_core::configuration::{self, Ejabberd, EjabberdAccepted, WhenUnavailable};
use hallpass_core::{Credential, Deadline, Question, Reason, Secret, Unavailable, Verdict};
use hallpass_program::log::Decision;
use hallpass_program::{Asker, CommandLine, Log, on_terminate};
use zeroize::Zeroizing;

use crate::jid;
use crate::options::Options;
use crate::protocol::{Answer, Decoder, Request};

const PROGRAM: &str = "hallpass-ejabberd";
/// How many requests are read ahead. ejabberd asks one at a time.
const MOST_WAITING: usize = 16;

/// What the loop waits for.
enum Event {
    Message(Zeroizing<Vec<u8>>),
    End,
}

pub fn main() -> ExitCode {
    let mut server = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => Server::new(Source::File(options.common)),
        Err(error) => {
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            if asked || std::io::stdin().is_terminal() {
                error.exit();
            }
            // A helper that ends at once, again and again, makes ejabberd give up external
            // authentication until its own restart.
            Server::new(Source::Unusable(error.kind().to_string()))
        }
    };
    let (events, received) = mpsc::sync_channel(MOST_WAITING);
    let terminate = events.clone();
    if let Err(error) = on_terminate(move || drop(terminate.send(Event::End))) {
        server
            .log
            .warning(&format!("cannot catch SIGTERM: {error}"));
    }
    let reader = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || read(&events));
    if let Err(error) = reader {
        server.log.error(&format!("cannot start a thread: {error}"));
        return ExitCode::FAILURE;
    }
    for event in received {
        let Event::Message(message) = event else {
            break;
        };
        let answer = server.answer(&message).encode();
        let mut output = std::io::stdout();
        if let Err(error) = output.write_all(&answer).and_then(|()| output.flush()) {
            server
                .log
                .error(&format!("cannot write the answer: {error}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Reads messages until the input ends. What is left of a message then was never asked.
fn read(events: &SyncSender<Event>) {
    let mut decoder = Decoder::default();
    let mut input = std::io::stdin().lock();
    let mut bytes = Zeroizing::new([0; 4096]);
    loop {
        match input.read(&mut *bytes) {
            Ok(0) => break,
            Ok(count) => decoder.push(bytes.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        while let Some(message) = decoder.next() {
            if events.send(Event::Message(message)).is_err() {
                return;
            }
        }
    }
    // The loop may have ended already.
    drop(events.send(Event::End));
}

/// Where the configuration comes from.
enum Source {
    File(CommandLine),
    /// The command line itself was wrong, in these words.
    Unusable(String),
}

struct Server {
    source: Source,
    log: Log,
    site: Option<Site>,
}

/// A configuration that could be read.
struct Site {
    ejabberd: Ejabberd,
    /// Whether the site gives out tokens.
    tokens: bool,
    asker: Asker,
    /// The file as it was then: when it was changed, and its size.
    file: Option<(SystemTime, u64)>,
    /// Whether the last question could not be answered.
    failing: bool,
}

impl Server {
    fn new(source: Source) -> Self {
        let log = Log::new(PROGRAM, configuration::Log::default());
        let mut server = Self {
            source,
            log,
            site: None,
        };
        if let Err(unavailable) = server.site() {
            server.log.error(&unavailable.to_string());
        }
        server
    }

    /// The site, its configuration read now if it could not be read before.
    ///
    /// One that was read, but with which nothing could be asked, is read again once it is changed.
    fn site(&mut self) -> Result<&mut Site, Unavailable> {
        let common = match &self.source {
            Source::File(common) => common,
            Source::Unusable(message) => {
                return Err(Unavailable::new(format!("the command line: {message}")));
            }
        };
        let file = stamp(&common.path());
        let site = match self.site.take() {
            Some(site) if !site.failing || site.file == file => site,
            _ => {
                let mut configuration = common
                    .configuration()
                    .map_err(|error| Unavailable::new(error.to_string()))?;
                self.log = Log::new(PROGRAM, configuration.log);
                for warning in &configuration.warnings {
                    self.log.warning(warning);
                }
                configuration.access.ignore_case |= configuration.ejabberd.ignore_case;
                let ejabberd = configuration.ejabberd.clone();
                Site {
                    ejabberd,
                    tokens: configuration.reads_tokens(),
                    asker: Asker::new(Arc::new(configuration), PROGRAM),
                    file,
                    failing: false,
                }
            }
        };
        Ok(self.site.insert(site))
    }

    fn answer(&mut self, message: &[u8]) -> Answer {
        let started = Instant::now();
        let (user, server, password) = match Request::parse(message) {
            Request::Authenticate {
                user,
                server,
                password,
            } => (user, server, Some(password)),
            Request::Exists { user, server } => (user, server, None),
            Request::Other => {
                self.log
                    .debug("a request that is answered no: not auth, not isuser");
                return Answer::No;
            }
        };
        let user = String::from_utf8_lossy(user);
        let verdict = match self.site() {
            Ok(site) => site.ask(&user, server, password),
            Err(unavailable) => unavailable.into(),
        };
        if let Some(site) = &mut self.site {
            site.failing = matches!(verdict, Verdict::Unavailable(_));
        }
        self.log.decision(&Decision {
            user: Some(&user),
            client: None,
            verdict: &verdict,
            took: started.elapsed(),
        });
        match verdict {
            Verdict::Granted(_) => Answer::Yes,
            Verdict::Denied(_) => Answer::No,
            Verdict::Unavailable(_) => {
                let unavailable = self.site.as_ref().map(|site| site.ejabberd.unavailable);
                match unavailable.unwrap_or(WhenUnavailable::Error) {
                    WhenUnavailable::Error => Answer::Failure,
                    WhenUnavailable::No => Answer::No,
                }
            }
        }
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Site {
    fn ask(&mut self, user: &str, server: &[u8], password: Option<&[u8]>) -> Verdict {
        // Bytes that are no text are nobody's name; they came here as replacement characters.
        if user.contains(char::REPLACEMENT_CHARACTER) {
            return Verdict::Denied(Reason::Malformed);
        }
        let domains = &self.ejabberd.domains;
        let known = |domain: &String| domain.as_bytes().eq_ignore_ascii_case(server);
        if !domains.is_empty() && !domains.iter().any(known) {
            return Verdict::Denied(Reason::NotPermitted);
        }
        let name = if self.ejabberd.unescape_jid {
            jid::unescape(user)
        } else {
            user.to_owned()
        };
        // One for all that may be tried: ejabberd waits for one answer.
        let deadline = self.asker.deadline();
        let Some(password) = password else {
            let question = Question::new(Credential::Vouched { name });
            return self.asker.ask(question, deadline);
        };
        let mut verdict = Verdict::Denied(Reason::Malformed);
        for accepted in self.ejabberd.accept.clone() {
            let (name, secret) = (name.clone(), Secret::new(password));
            let credential = match accepted {
                EjabberdAccepted::Password => {
                    if let Some(verdict) = self.token(&name, password, deadline) {
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
            verdict = self.asker.ask(Question::new(credential), deadline);
            if !matches!(verdict, Verdict::Denied(_)) {
                break;
            }
        }
        verdict
    }

    /// The verdict on a password that is a token of the site's; `None` where it is none.
    fn token(&mut self, name: &str, password: &[u8], deadline: Deadline) -> Option<Verdict> {
        if !self.tokens {
            return None;
        }
        let question = Question::new(Credential::Token {
            token: Secret::new(password),
            owner: Some(name.to_owned()),
        });
        match self.asker.ask(question, deadline) {
            Verdict::Denied(Reason::NoSession) => None,
            verdict => Some(verdict),
        }
    }
}
