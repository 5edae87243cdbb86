//! Answers the lines of a map of mod_rewrite, for as long as Apache runs.

use std::process::ExitCode;
use std::time::Instant;

use hallpass_core::{ClaimedName, Conditions, Configuration, Credential, Reason, Request, Verdict};
use hallpass_runtime::lines::{Decoder, Line};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{CommandLine, Handler, Helper, Log, converse, for_paths, no_sessions};

use crate::map;
use crate::options::PROGRAM;

/// Answers until the input ends, in spite of any error: Apache starts the program once, at its own
/// start.
pub fn serve(command_line: Result<CommandLine, clap::Error>, conditions: Conditions) -> ExitCode {
    let mut server = Server {
        helper: Helper::new(PROGRAM, command_line, |_| {}),
        conditions,
    };
    converse(Decoder::default(), &mut server)
}

struct Server {
    helper: Helper,
    /// Conditions on the owner of the session.
    conditions: Conditions,
}

impl Handler for Server {
    type Message = Line;

    fn answer(&mut self, line: Line, _: Instant) -> Vec<u8> {
        let started = Instant::now();
        if line.bytes.is_empty() && line.whole {
            // Most visitors of most sites have no session, which is not worth a line in the log.
            return map::answer(&Verdict::Denied(Reason::NoSession));
        }
        let verdict = self.verdict(&line, started);
        let user = match &verdict {
            Verdict::Granted(identity) => Some(identity.name.as_str()),
            _ => None,
        };
        self.helper.log.decision(&Decision {
            user,
            client: None,
            verdict: &verdict,
            took: started.elapsed(),
        });
        map::answer(&verdict)
    }

    fn log(&self) -> &Log {
        &self.helper.log
    }
}

impl Server {
    fn verdict(&mut self, line: &Line, started: Instant) -> Verdict {
        if !line.whole {
            return Verdict::Denied(Reason::Malformed);
        }
        let site = match self.helper.site() {
            Ok(site) => site,
            Err(unavailable) => return unavailable.into(),
        };
        let credential = credential(&site.configuration, &line.bytes);
        let signed = matches!(credential, Ok(Credential::Jwt(_)));
        if let Some(unavailable) = no_sessions(&site.configuration).filter(|_| !signed) {
            return unavailable.into();
        }
        match credential {
            Ok(credential) => {
                let deadline = site.deadline(started);
                let request = Request {
                    conditions: self.conditions.clone(),
                    ..Request::new(ClaimedName::Nameless, credential)
                };
                // A rule of mod_rewrite may put the name into a path.
                for_paths(site.ask(request, deadline), None)
            }
            Err(reason) => Verdict::Denied(reason),
        }
    }
}

/// What `line` shows: a session's token or Cookie header, or a token that the site signed, by itself
/// or in the cookie that `[jwt]` names.
fn credential(configuration: &Configuration, line: &[u8]) -> Result<Credential, Reason> {
    let found = map::credential(line, configuration.session_cookie());
    if matches!(found, Err(Reason::Malformed)) {
        return found;
    }
    if !line.contains(&b'=') {
        return found.map(|found| match found {
            Credential::Session(token) => configuration.session_token(token),
            other => other,
        });
    }
    match configuration.session_in([line]) {
        Some(signed @ Credential::Jwt(_)) => Ok(signed),
        _ => found,
    }
}
