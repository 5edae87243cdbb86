//! Answers by the checkpassword interface, for Dovecot and others, by the accounts of a web site:
//! reads one request, and then runs PROG or returns an exit code.
//!
//! | module | subject |
//! |---|---|
//! | `descriptor` | takes over descriptor 3 |
//! | `input` | the name and the password in its bytes |
//! | `answer` | the environment of PROG, or the exit code |
#![forbid(unsafe_code)]

mod answer;
mod descriptor;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::CommandFactory;
use hallpass_core::{
    ClaimedName, Client, Credential, Identity, Reason, Request, Secret, Unavailable, Verdict,
};
use hallpass_runtime::{
    CommandLine, ConditionArguments, ExitCodes, OneShot, for_paths, read_from_until,
};
use zeroize::Zeroizing;

use crate::answer::{MISUSED, Question, UNAVAILABLE, environment, exit_code};
use crate::input::{Input, Malformed};

const PROGRAM: &str = "hallpass-checkpassword";

/// Answers by the checkpassword interface, by the accounts of a web site
///
/// Reads a name and a password from descriptor 3, each with a NUL after it, and runs PROG if they
/// are right; without PROG, ends with 0. With AUTHORIZED=1 in the environment, as Dovecot sets it
/// for lookups, no password is asked for.
///
/// Exit codes: 1 denied, 2 misused, 3 no such user (lookups), 111 unavailable or configuration.
#[derive(Debug, clap::Parser)]
#[command(name = PROGRAM, version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    common: CommandLine,
    #[command(flatten)]
    conditions: ConditionArguments,
    /// The program to run when the password is right, with USER in its environment
    #[arg(value_name = "PROG [ARGS]", trailing_var_arg = true)]
    program: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  In Dovecot's configuration, up to 2.3; it adds PROG itself:
    passdb {
      driver = checkpassword
      args = /usr/bin/hallpass-checkpassword --config /etc/hallpass/hallpass.toml
    }

  By hand:
    printf 'alice\\0secret\\0\\0' | hallpass-checkpassword id 3<&0; echo $?";

/// The command line, for manual pages.
#[must_use]
pub fn command_line() -> clap::Command {
    Options::command()
}

/// Runs the program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    run().unwrap_or_else(|code| code)
}

fn run() -> Result<ExitCode, ExitCode> {
    let input = descriptor::take();
    let codes = ExitCodes {
        usage: MISUSED,
        configuration: UNAVAILABLE,
        unavailable: UNAVAILABLE,
    };
    let (options, program) = OneShot::start(PROGRAM, |options: &Options| &options.common, codes)?;
    let question = question(&options.program);
    let client = ["TCPREMOTEIP", "IP"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok());
    let mut user = None;
    let mut misused = false;
    let verdict = match read(input, &program) {
        Ok(Ok(input)) => {
            user = Some(input.name.clone());
            let name = ClaimedName::Named(input.name);
            credential(question, &input.password).map_or_else(Verdict::Denied, |credential| {
                program.ask(&Request {
                    conditions: options.conditions.into(),
                    wants_groups: true,
                    client: Client::at(client),
                    ..Request::new(name, credential)
                })
            })
        }
        Ok(Err(malformed)) => {
            program.log.warning(malformed.message());
            misused = malformed == Malformed::Shape;
            Verdict::Denied(Reason::Malformed)
        }
        Err(unavailable) => unavailable.into(),
    };
    let verdict = for_paths(verdict, user.as_deref());
    program.log_decision(user.as_deref(), client, &verdict);
    Ok(match (&verdict, options.program.split_first()) {
        (Verdict::Granted(identity), Some((file, arguments))) => {
            let error = execute(file, arguments, question, identity);
            let log = &program.log;
            log.error(&format!("cannot run {}: {error}", file.display()));
            UNAVAILABLE.into()
        }
        _ if misused => MISUSED.into(),
        _ => exit_code(question, &verdict).into(),
    })
}

/// A lookup needs no password. Only running PROG answers it, which tells Dovecot that no user has
/// been authenticated.
fn question(program: &[OsString]) -> Question {
    match std::env::var_os("AUTHORIZED") {
        Some(value) if value == "1" && !program.is_empty() => Question::Lookup,
        _ => Question::Password,
    }
}

fn read(
    input: io::Result<OwnedFd>,
    program: &OneShot,
) -> Result<Result<Input, Malformed>, Unavailable> {
    let failed = |error| Unavailable::new(format!("reading descriptor 3: {error}"));
    let input = input.map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2048));
    read_from_until(&input, program.deadline, input::LONGEST, &mut bytes).map_err(failed)?;
    Ok(input::parse(&bytes))
}

fn credential(question: Question, password: &[u8]) -> Result<Credential, Reason> {
    match question {
        Question::Lookup if password.is_empty() => Ok(Credential::Vouched),
        // A host that checks a password does not ask for a lookup.
        Question::Lookup => Err(Reason::Malformed),
        Question::Password => Ok(Credential::Password(Secret::new(password))),
    }
}

/// Runs `file` in place of this program; returns only when that fails.
fn execute(
    file: &OsString,
    arguments: &[OsString],
    question: Question,
    identity: &Identity,
) -> io::Error {
    let mut command = Command::new(file);
    command.args(arguments);
    for (name, value) in environment(question, identity) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.exec()
}
