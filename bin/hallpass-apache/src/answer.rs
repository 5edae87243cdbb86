//! Answers one question of mod_authnz_external by an exit code.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use hallpass_core::{
    ClaimedName, Client, Conditions, Configuration, Credential, Reason, Request, Secret,
    Unavailable, Verdict,
};
use hallpass_runtime::{OneShot, no_sessions, read_until};
use zeroize::Zeroizing;

use crate::input::{self, Input, Malformed};
use crate::options::{AlsoAccepted, Method};
use crate::requirements;

/// mod_authnz_external does not write such input.
const MALFORMED: u8 = 51;
/// The configuration or the command line is wrong, or the system lacks a timer.
pub const CONFIGURATION: u8 = 52;
/// A store could not be read in time.
pub const UNAVAILABLE: u8 = 53;

/// The exit code for `verdict`, numbered as pwauth does; Apache writes it into its error log.
fn exit_code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Granted(_) => 0,
        Verdict::Denied(reason) => match reason {
            Reason::UnknownUser => 1,
            Reason::Inactive | Reason::Banned | Reason::NewPassword | Reason::NotPermitted => 3,
            Reason::Throttled => 7,
            Reason::Malformed => MALFORMED,
            _ => 2,
        },
        Verdict::Unavailable(_) => UNAVAILABLE,
    }
}

/// Answers whether the input holds the user's password, or, where `accept` says that it is enough,
/// whether the browser's cookies show the user's session.
pub fn auth(program: &OneShot, method: Method, accept: Option<AlsoAccepted>) -> ExitCode {
    answer(program, method, "PASS", |name, password| {
        let named = || ClaimedName::Named(name.to_owned());
        let by_session = accept.and_then(|AlsoAccepted::Session| {
            let credential = session(&program.configuration)?;
            Some(credential.map_or_else(Verdict::from, |credential| {
                ask(program, Request::new(named(), credential))
            }))
        });
        if let Some(granted @ Verdict::Granted(_)) = by_session {
            return granted;
        }
        let password = Credential::Password(Secret::new(password));
        match (by_session, ask(program, Request::new(named(), password))) {
            // The session might have been the user's.
            (Some(unavailable @ Verdict::Unavailable(_)), Verdict::Denied(_)) => unavailable,
            (_, verdict) => verdict,
        }
    })
}

/// Answers whether the user is in one of the groups of a Require line.
pub fn group(program: &OneShot, method: Method) -> ExitCode {
    answer(program, method, "GROUP", |name, line| {
        let any = match requirements::parse(&String::from_utf8_lossy(line)) {
            Ok(any) => any,
            Err(error) => {
                let log = &program.log;
                log.error(&format!("Require external-group: {error}"));
                return Verdict::Denied(Reason::Malformed);
            }
        };
        if any.is_empty() {
            // No account is in any of no groups.
            return Verdict::Denied(Reason::NotPermitted);
        }
        let name = ClaimedName::Named(name.to_owned());
        let conditions = Conditions {
            any,
            all: Vec::new(),
        };
        let request = Request::new(name, Credential::Vouched);
        ask(
            program,
            Request {
                conditions,
                ..request
            },
        )
    })
}

/// Reads the input, whose second part is in `variable` by the environment method, logs the verdict,
/// and returns its exit code.
fn answer(
    program: &OneShot,
    method: Method,
    variable: &str,
    verdict: impl FnOnce(&str, &[u8]) -> Verdict,
) -> ExitCode {
    let (user, verdict) = match read(method, variable, program) {
        Ok(Input { name, rest }) => {
            let verdict = verdict(&name, &rest);
            (Some(name), verdict)
        }
        Err(verdict) => (None, verdict),
    };
    program.log_decision(user.as_deref(), address(), &verdict);
    exit_code(&verdict).into()
}

fn read(method: Method, rest: &str, program: &OneShot) -> Result<Input, Verdict> {
    let input = match method {
        Method::Pipe => {
            let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
            read_until(program.deadline, input::LONGEST, &mut bytes)
                .map_err(|error| Unavailable::new(format!("reading standard input: {error}")))?;
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

/// The session in the browser's cookies, if they show one.
fn session(configuration: &Configuration) -> Option<Result<Credential, Unavailable>> {
    let cookies = Zeroizing::new(variable("COOKIE")?);
    if let Some(unavailable) = no_sessions(configuration) {
        return Some(Err(unavailable));
    }
    configuration.session_in([cookies.as_slice()]).map(Ok)
}

fn ask(program: &OneShot, request: Request) -> Verdict {
    let client = Client::at(address());
    program.ask(&Request { client, ..request })
}

/// The client's address, by the variable of mod_authnz_external.
fn address() -> Option<IpAddr> {
    String::from_utf8(variable("IP")?).ok()?.parse().ok()
}

fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_vec)
}

#[cfg(test)]
mod tests {
    use hallpass_core::Unavailable;

    use super::*;

    #[test]
    fn only_a_grant_is_zero() {
        assert_eq!(exit_code(&Verdict::Granted(Box::default())), 0);
        for (reason, code) in [
            (Reason::UnknownUser, 1),
            (Reason::WrongPassword, 2),
            (Reason::UnusablePassword, 2),
            (Reason::UnsupportedHash, 2),
            (Reason::Inactive, 3),
            (Reason::Banned, 3),
            (Reason::NewPassword, 3),
            (Reason::PasswordAlone, 2),
            (Reason::PasswordElsewhere, 2),
            (Reason::NotPermitted, 3),
            (Reason::Throttled, 7),
            (Reason::Malformed, 51),
        ] {
            assert_eq!(exit_code(&Verdict::Denied(reason)), code);
        }
        assert_eq!(exit_code(&Verdict::Unavailable(Unavailable::new(""))), 53);
    }
}
