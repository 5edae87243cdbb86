//! One question in, one exit code out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use hallpass_core::configuration;
use hallpass_core::{
    Conditions, Configuration, Credential, Deadline, Question, Reason, Secret, Unavailable, Verdict,
};
use hallpass_program::log::Decision;
use hallpass_program::{Log, ask_once, exit_after, read_until};
use zeroize::Zeroizing;

use crate::answer::{CONFIGURATION, UNAVAILABLE, exit_code};
use crate::arguments;
use crate::input::{self, Input, Malformed};
use crate::options::{Asked, Method, Options};
use crate::requirements;

const PROGRAM: &str = "hallpass-apache";

pub fn main() -> ExitCode {
    let started = Instant::now();
    let plain = arguments::plain(std::env::args_os().skip(1));
    let options = match plain.map_or_else(Options::try_parse, Ok) {
        Ok(options) => options,
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
    let Some(asked) = options.question else {
        return failed("say `auth` or `group`; --help says more");
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
    let (user, verdict) = answer(asked, &configuration, deadline);
    log.decision(&Decision {
        user: user.as_deref(),
        client: variable("IP").and_then(|ip| String::from_utf8(ip).ok()?.parse().ok()),
        verdict: &verdict,
        took: started.elapsed(),
    });
    exit_code(&verdict).into()
}

fn answer(
    asked: Asked,
    configuration: &Configuration,
    deadline: Deadline,
) -> (Option<String>, Verdict) {
    let input = match asked {
        Asked::Auth(handed) => read(handed.method, "PASS", deadline),
        Asked::Group(handed) => read(handed.method, "GROUP", deadline),
    };
    let Input { name, rest } = match input {
        Ok(input) => input,
        Err(verdict) => return (None, verdict),
    };
    let user = Some(name.clone());
    let question = match asked {
        Asked::Auth(_) => {
            let password = Secret::new(rest.as_slice());
            Question::new(Credential::Password { name, password })
        }
        Asked::Group(_) => {
            let any = requirements::parse(&String::from_utf8_lossy(&rest));
            if any.is_empty() {
                // In any of no groups is nobody.
                return (user, Verdict::Denied(Reason::NotPermitted));
            }
            let conditions = Conditions {
                any,
                all: Vec::new(),
            };
            Question {
                conditions,
                ..Question::new(Credential::Vouched { name })
            }
        }
    };
    let verdict = ask_once(configuration, PROGRAM, &question, deadline);
    (user, verdict)
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

fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_vec)
}
