//! One question in, one exit code out.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use hallpass_core::configuration;
use hallpass_core::{
    ClaimedName, Client, Conditions, Configuration, Credential, Deadline, Reason, Request, Secret,
    Unavailable, Verdict,
};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Log, Source, ask_once, exit_after, no_sessions, read_until};
use zeroize::Zeroizing;

use crate::answer::{CONFIGURATION, UNAVAILABLE, exit_code};
use crate::arguments;
use crate::input::{self, Input, Malformed};
use crate::options::{AlsoAccepted, Asked, Method, Options};
use crate::{requirements, rewritemap};

const PROGRAM: &str = "hallpass-apache";

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    let plain = arguments::plain(std::env::args_os().skip(1));
    let options = match plain.map_or_else(Options::try_parse, Ok) {
        Ok(options) => options,
        Err(error) if asks_for_a_map() => {
            let source = Source::unusable(&error);
            return rewritemap::serve(PROGRAM, source, Conditions::default());
        }
        Err(error) => {
            // What cannot be printed cannot be printed.
            drop(error.print());
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => CONFIGURATION.into(),
            };
        }
    };
    if options.common.check_config {
        return options.common.check(CONFIGURATION);
    }
    let failed = |message: &str| {
        Log::new(PROGRAM, configuration::Log::default()).error(message);
        CONFIGURATION.into()
    };
    let asked = match options.request {
        Some(Asked::Rewritemap { conditions }) => {
            let source = Source::File(options.common);
            return rewritemap::serve(PROGRAM, source, conditions.into());
        }
        Some(Asked::Auth { handed, accept }) => OneQuestion::Auth(handed.method, accept),
        Some(Asked::Group(handed)) => OneQuestion::Group(handed.method),
        None => return failed("say `auth`, `group` or `rewritemap`; --help says more"),
    };
    let configuration = match options.common.configuration() {
        Ok(configuration) => configuration,
        Err(error) => return failed(&error.to_string()),
    };
    let log = Log::new(PROGRAM, configuration.log);
    for warning in &configuration.warnings {
        log.warning(warning);
    }
    // Reading the input is within the deadline, too: nothing says that Apache closes the pipe.
    let deadline = Deadline::after(configuration.limits.deadline);
    if let Err(error) = exit_after(deadline, UNAVAILABLE) {
        return failed(&format!("cannot set an alarm: {error}"));
    }
    let (user, verdict) = answer(asked, &configuration, &log, deadline);
    log.decision(&Decision {
        user: user.as_deref(),
        client: address(),
        verdict: &verdict,
        took: started.elapsed(),
    });
    exit_code(&verdict).into()
}

/// What is asked once.
#[derive(Clone, Copy)]
enum OneQuestion {
    Auth(Method, Option<AlsoAccepted>),
    Group(Method),
}

/// Whether the command line, which cannot be read, is that of a program that must not end.
fn asks_for_a_map() -> bool {
    std::env::args_os().skip(1).any(|word| word == "rewritemap")
}

fn answer(
    asked: OneQuestion,
    configuration: &Configuration,
    log: &Log,
    deadline: Deadline,
) -> (Option<String>, Verdict) {
    let input = match asked {
        OneQuestion::Auth(method, _) => read(method, "PASS", deadline),
        OneQuestion::Group(method) => read(method, "GROUP", deadline),
    };
    let Input { name, rest } = match input {
        Ok(input) => input,
        Err(verdict) => return (None, verdict),
    };
    let user = Some(name.clone());
    let ask = |request| {
        let client = Client::at(address());
        ask_once(
            configuration,
            PROGRAM,
            &Request { client, ..request },
            deadline,
        )
    };
    let verdict = match asked {
        OneQuestion::Auth(_, accept) => {
            let session = accept.and_then(|AlsoAccepted::Session| {
                session(configuration, &name).map(|request| request.map_or_else(Verdict::from, ask))
            });
            match session {
                Some(granted @ Verdict::Granted(_)) => granted,
                session => {
                    let password = Secret::new(rest.as_slice());
                    let credential = Credential::Password(password);
                    let verdict = ask(Request::new(ClaimedName::Named(name), credential));
                    match (session, verdict) {
                        // Nobody knows what the session would have said.
                        (Some(unknown @ Verdict::Unavailable(_)), Verdict::Denied(_)) => unknown,
                        (_, verdict) => verdict,
                    }
                }
            }
        }
        OneQuestion::Group(_) => {
            let any = match requirements::parse(&String::from_utf8_lossy(&rest)) {
                Ok(any) => any,
                Err(error) => {
                    log.error(&format!("Require external-group: {error}"));
                    return (user, Verdict::Denied(Reason::Malformed));
                }
            };
            if any.is_empty() {
                // In any of no groups is nobody.
                return (user, Verdict::Denied(Reason::NotPermitted));
            }
            let conditions = Conditions {
                any,
                all: Vec::new(),
            };
            ask(Request {
                conditions,
                ..Request::new(ClaimedName::Named(name), Credential::Vouched)
            })
        }
    };
    (user, verdict)
}

/// The question whether the session that the browser's cookies show is `name`'s; none where they
/// show no session.
fn session(configuration: &Configuration, name: &str) -> Option<Result<Request, Unavailable>> {
    let cookies = Zeroizing::new(variable("COOKIE")?);
    if let Some(unavailable) = no_sessions(configuration) {
        return Some(Err(unavailable));
    }
    let credential = configuration.session_in([cookies.as_slice()])?;
    let name = ClaimedName::Named(name.to_owned());
    Some(Ok(Request::new(name, credential)))
}

fn read(method: Method, rest: &str, deadline: Deadline) -> Result<Input, Verdict> {
    let input = match method {
        Method::Pipe => {
            let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
            read_until(deadline, input::LONGEST, &mut bytes).map_err(|error| {
                Verdict::from(Unavailable::new(format!("reading standard input: {error}")))
            })?;
            if bytes.len() > input::LONGEST {
                Err(Malformed)
            } else {
                input::lines(&bytes)
            }
        }
        Method::Environment => {
            let (name, rest) = (variable("USER"), variable(rest).map(Zeroizing::new));
            input::variables(name.as_deref(), rest.as_ref().map(|rest| rest.as_slice()))
        }
    };
    input.map_err(|Malformed| Verdict::Denied(Reason::Malformed))
}

/// Where the client is, as mod_authnz_external says.
fn address() -> Option<IpAddr> {
    String::from_utf8(variable("IP")?).ok()?.parse().ok()
}

fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_vec)
}
