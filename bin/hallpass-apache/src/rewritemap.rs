//! A line in, a line out, for as long as Apache runs.

use std::process::ExitCode;
use std::time::Instant;

use hallpass_core::{ClaimedName, Conditions, Reason, Request, Verdict};
use hallpass_runtime::lines::{Decoder, Line};
use hallpass_runtime::log::Decision;
use hallpass_runtime::{Helper, Log, Site, Source, converse, for_paths};

use crate::map;

/// Answers until Apache ends. Apache starts the program with itself and never again, so that
/// nothing but the end of its input ends it.
pub fn serve(program: &'static str, source: Source, conditions: Conditions) -> ExitCode {
    let mut server = Server {
        site: Site::new(program, source, |_| {}),
        conditions,
    };
    converse(Decoder::default(), &mut server)
}

struct Server {
    site: Site,
    /// What the session's owner must be, on top of it.
    conditions: Conditions,
}

impl Helper for Server {
    type Message = Line;

    fn answer(&mut self, line: Line, _: Instant) -> Vec<u8> {
        let started = Instant::now();
        if line.bytes.is_empty() && line.whole {
            // Most visitors of most sites: not worth a line in the log.
            return map::answer(&Verdict::Denied(Reason::NoSession));
        }
        let verdict = self.verdict(&line, started);
        let user = match &verdict {
            Verdict::Granted(identity) => Some(identity.name.as_str()),
            _ => None,
        };
        self.site.log.decision(&Decision {
            user,
            client: None,
            verdict: &verdict,
            took: started.elapsed(),
        });
        map::answer(&verdict)
    }

    fn log(&self) -> &Log {
        &self.site.log
    }
}

impl Server {
    fn verdict(&mut self, line: &Line, started: Instant) -> Verdict {
        if !line.whole {
            return Verdict::Denied(Reason::Malformed);
        }
        let site = match self.site.open() {
            Ok(site) => site,
            Err(unavailable) => return unavailable.into(),
        };
        if let Some(unavailable) = site.no_sessions() {
            return unavailable.into();
        }
        match map::credential(&line.bytes, site.configuration.session_cookie()) {
            Ok(credential) => {
                let deadline = site.deadline(started);
                let request = Request {
                    conditions: self.conditions.clone(),
                    ..Request::new(ClaimedName::Nameless, credential)
                };
                // A rule of mod_rewrite's may put the name into a path.
                for_paths(site.ask(request, deadline), None)
            }
            Err(reason) => Verdict::Denied(reason),
        }
    }
}
