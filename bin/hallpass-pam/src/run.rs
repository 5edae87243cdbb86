//! One question in, one exit code out.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use hallpass_core::configuration;
use hallpass_core::{
    ClaimedName, Client, Configuration, Credential, Deadline, Reason, Request, Secret, Unavailable,
    Verdict,
};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Log, ask_once, exit_after, for_paths, read_until};
use zeroize::Zeroizing;

use crate::input::{self, Asked};
use crate::options::Options;

const PROGRAM: &str = "hallpass-pam";

/// pam_exec shows the code to whoever logs in, unless it is told to be `quiet`: so it says no more
/// than that.
const DENIED: u8 = 1;
/// The command line, the configuration, or PAM's own is wrong.
const CONFIGURATION: u8 = 2;
/// A store could not be asked in time: EX_TEMPFAIL of sysexits.h.
const UNAVAILABLE: u8 = 75;

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let started = Instant::now();
    let options = match Options::try_parse() {
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
    let configuration = match options.common.configuration() {
        Ok(configuration) => configuration,
        Err(error) => {
            Log::new(PROGRAM, configuration::Log::default()).error(&error.to_string());
            return CONFIGURATION.into();
        }
    };
    let log = Log::new(PROGRAM, configuration.log);
    for warning in &configuration.warnings {
        log.warning(warning);
    }
    let kind = variable("PAM_TYPE").unwrap_or_default();
    let Some(asked) = Asked::parse(kind.as_bytes()) else {
        log.error(&format!(
            "PAM_TYPE is {kind:?}: only the types auth and account of pam_exec are answered"
        ));
        return CONFIGURATION.into();
    };
    // Reading the password is within the deadline, too; pam_exec itself has none.
    let deadline = Deadline::after(configuration.limits.deadline);
    if let Err(error) = exit_after(deadline, UNAVAILABLE) {
        log.error(&format!("cannot set an alarm: {error}"));
        return CONFIGURATION.into();
    }
    let user = variable("PAM_USER");
    let client = variable("PAM_RHOST").and_then(|address| address.parse().ok());
    let verdict = match credential(asked, user.clone(), &configuration, deadline, &log) {
        Ok((name, credential)) => {
            let request = Request {
                conditions: options.conditions.into(),
                client: Client::at(client),
                ..Request::new(ClaimedName::Named(name), credential)
            };
            ask_once(&configuration, PROGRAM, &request, deadline)
        }
        Err(verdict) => verdict,
    };
    let verdict = for_paths(verdict, user.as_deref());
    log.decision(&Decision {
        user: user.as_deref(),
        client,
        verdict: &verdict,
        took: started.elapsed(),
    });
    match verdict {
        Verdict::Granted(_) => ExitCode::SUCCESS,
        Verdict::Denied(_) => DENIED.into(),
        Verdict::Unavailable(_) => UNAVAILABLE.into(),
    }
}

fn credential(
    asked: Asked,
    name: Option<String>,
    configuration: &Configuration,
    deadline: Deadline,
    log: &Log,
) -> Result<(String, Credential), Verdict> {
    let name = name.ok_or(Verdict::Denied(Reason::Malformed))?;
    if asked == Asked::Account {
        return Ok((name, Credential::Vouched));
    }
    // With the NUL that may follow.
    let most = configuration.limits.max_password + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1024));
    read_until(deadline, most, &mut bytes)
        .map_err(|error| Unavailable::new(format!("reading standard input: {error}")))?;
    if bytes.is_empty() {
        log.debug("the password is empty: is pam_exec told to expose_authtok?");
    }
    let password = Secret::new(input::password(&bytes));
    Ok((name, Credential::Password(password)))
}

/// A variable of the environment; `None` when it is not set, or no text.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
