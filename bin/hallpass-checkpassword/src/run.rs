//! One question in; then the program is run, or there is an exit code.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use hallpass_core::configuration;
use hallpass_core::{
    ClaimedName, Client, Credential, Deadline, Identity, Reason, Request, Secret, Unavailable,
    Verdict,
};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Log, ask_once, exit_after, for_paths, read_from_until};
use zeroize::Zeroizing;

use crate::answer::{Asked, MISUSED, UNAVAILABLE, exit_code};
use crate::input::{self, Input, Wrong};
use crate::options::Options;
use crate::{descriptor, environment};

const PROGRAM: &str = "hallpass-checkpassword";

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    let input = descriptor::take();
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // What cannot be printed cannot be printed.
            drop(error.print());
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => MISUSED.into(),
            };
        }
    };
    if options.common.check_config {
        return options.common.check(UNAVAILABLE);
    }
    let configuration = match options.common.configuration() {
        Ok(configuration) => configuration,
        Err(error) => {
            Log::new(PROGRAM, configuration::Log::default()).error(&error.to_string());
            return UNAVAILABLE.into();
        }
    };
    let log = Log::new(PROGRAM, configuration.log);
    for warning in &configuration.warnings {
        log.warning(warning);
    }
    // Reading the input is within the deadline, too: nothing says that it ends.
    let deadline = Deadline::after(configuration.limits.deadline);
    if let Err(error) = exit_after(deadline, UNAVAILABLE) {
        log.error(&format!("cannot set an alarm: {error}"));
        return UNAVAILABLE.into();
    }
    let asked = asked(&options.program);
    let client = ["TCPREMOTEIP", "IP"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok());
    let mut user = None;
    let mut misused = false;
    let verdict = match read(input, deadline) {
        Ok(Ok(input)) => {
            user = Some(input.name.clone());
            let name = ClaimedName::Named(input.name);
            credential(asked, &input.password).map_or_else(Verdict::Denied, |credential| {
                let request = Request {
                    conditions: options.conditions.into(),
                    wants_groups: true,
                    client: Client::at(client),
                    ..Request::new(name, credential)
                };
                ask_once(&configuration, PROGRAM, &request, deadline)
            })
        }
        Ok(Err(wrong)) => {
            log.warning(wrong.words());
            misused = wrong == Wrong::Shape;
            Verdict::Denied(Reason::Malformed)
        }
        Err(unavailable) => unavailable.into(),
    };
    let verdict = for_paths(verdict, user.as_deref());
    log.decision(&Decision {
        user: user.as_deref(),
        client,
        verdict: &verdict,
        took: started.elapsed(),
    });
    match (&verdict, options.program.split_first()) {
        (Verdict::Granted(identity), Some((program, arguments))) => {
            let error = run(program, arguments, asked, identity);
            log.error(&format!("cannot run {}: {error}", program.display()));
            UNAVAILABLE.into()
        }
        _ if misused => MISUSED.into(),
        _ => exit_code(asked, &verdict).into(),
    }
}

/// A lookup, which needs no password, is answered by the program that is run alone: it tells
/// Dovecot that nobody has been let in.
fn asked(program: &[OsString]) -> Asked {
    match std::env::var_os("AUTHORIZED") {
        Some(value) if value == "1" && !program.is_empty() => Asked::Lookup,
        _ => Asked::Password,
    }
}

fn read(
    input: io::Result<OwnedFd>,
    deadline: Deadline,
) -> Result<Result<Input, Wrong>, Unavailable> {
    let failed = |error| Unavailable::new(format!("reading descriptor 3: {error}"));
    let mut bytes = Zeroizing::new(Vec::with_capacity(2048));
    read_from_until(
        &input.map_err(failed)?,
        deadline,
        input::LONGEST,
        &mut bytes,
    )
    .map_err(failed)?;
    Ok(input::parse(&bytes))
}

fn credential(asked: Asked, password: &[u8]) -> Result<Credential, Reason> {
    match asked {
        Asked::Lookup if password.is_empty() => Ok(Credential::Vouched),
        // Who has a password to check asks for no lookup.
        Asked::Lookup => Err(Reason::Malformed),
        Asked::Password => Ok(Credential::Password(Secret::new(password))),
    }
}

/// Runs `program` in place of this one; comes back only if that fails.
fn run(program: &OsString, arguments: &[OsString], asked: Asked, identity: &Identity) -> io::Error {
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, value) in environment::changes(asked, identity) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.exec()
}
