//! Answers PAM, through pam_exec, by the accounts of a web site: reads one request, and returns an
//! exit code.
#![forbid(unsafe_code)]

mod input;

use std::process::ExitCode;

use clap::CommandFactory;
use hallpass_core::{
    ClaimedName, Client, Credential, Reason, Request, Secret, Unavailable, Verdict,
};
use hallpass_runtime::{
    CommandLine, ConditionArguments, ExitCodes, OneShot, for_paths, read_until,
};
use zeroize::Zeroizing;

use crate::input::Question;

const PROGRAM: &str = "hallpass-pam";

/// Denied, for any reason: without its option `quiet`, pam_exec shows the code to the client.
const DENIED: u8 = 1;
/// The command line, the configuration, or PAM's configuration is wrong.
const CONFIGURATION: u8 = 2;
/// A store could not be read in time: EX_TEMPFAIL of sysexits.h.
const UNAVAILABLE: u8 = 75;

/// Answers PAM, through pam_exec, by the accounts of a web site
///
/// For PAM_TYPE=auth, the password is read from standard input (expose_authtok); for
/// PAM_TYPE=account, the account must exist, be active and be permitted. Any other type is
/// refused.
///
/// Exit codes: 0 granted, 1 denied, 2 usage or configuration, 75 unavailable.
#[derive(Debug, clap::Parser)]
#[command(name = PROGRAM, version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    common: CommandLine,
    #[command(flatten)]
    conditions: ConditionArguments,
}

const EXAMPLES: &str = "\
Examples:
  In /etc/pam.d/SERVICE, one line each:
    auth    required pam_exec.so expose_authtok quiet /usr/bin/hallpass-pam --config /etc/hallpass/hallpass.toml
    auth    required pam_permit.so
    account required pam_exec.so quiet /usr/bin/hallpass-pam --config /etc/hallpass/hallpass.toml

  Members of either group only; PAM takes words with blanks in brackets:
    auth required pam_exec.so expose_authtok quiet /usr/bin/hallpass-pam --group editors [--group=chief editors]

  By hand:
    printf secret | PAM_TYPE=auth PAM_USER=alice hallpass-pam; echo $?";

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
    let codes = ExitCodes {
        usage: CONFIGURATION,
        configuration: CONFIGURATION,
        unavailable: UNAVAILABLE,
    };
    let (options, program) = OneShot::start(PROGRAM, |options: &Options| &options.common, codes)?;
    let kind = variable("PAM_TYPE").unwrap_or_default();
    let Some(question) = Question::parse(kind.as_bytes()) else {
        program.log.error(&format!(
            "PAM_TYPE is {kind:?}: only the types auth and account of pam_exec are answered"
        ));
        return Err(CONFIGURATION.into());
    };
    let user = variable("PAM_USER");
    let client = variable("PAM_RHOST").and_then(|address| address.parse().ok());
    let verdict = match &user {
        None => Verdict::Denied(Reason::Malformed),
        Some(user) => credential(question, &program).map_or_else(Verdict::from, |credential| {
            program.ask(&Request {
                conditions: options.conditions.into(),
                client: Client::at(client),
                ..Request::new(ClaimedName::Named(user.clone()), credential)
            })
        }),
    };
    let verdict = for_paths(verdict, user.as_deref());
    program.log_decision(user.as_deref(), client, &verdict);
    Ok(match verdict {
        Verdict::Granted(_) => ExitCode::SUCCESS,
        Verdict::Denied(_) => DENIED.into(),
        Verdict::Unavailable(_) => UNAVAILABLE.into(),
    })
}

fn credential(question: Question, program: &OneShot) -> Result<Credential, Unavailable> {
    if question == Question::Account {
        return Ok(Credential::Vouched);
    }
    // With the NUL that may follow.
    let most = program.configuration.limits.max_password + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1024));
    read_until(program.deadline, most, &mut bytes)
        .map_err(|error| Unavailable::new(format!("reading standard input: {error}")))?;
    if bytes.is_empty() {
        program
            .log
            .debug("the password is empty: does the line of pam_exec have expose_authtok?");
    }
    Ok(Credential::Password(Secret::new(input::password(&bytes))))
}

/// A variable of the environment; `None` when it is not set, or not UTF-8.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
