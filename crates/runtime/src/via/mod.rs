//! Asks a running hallpassd in place of the stores.

pub mod http;
pub mod wire;

use std::io;
use std::path::PathBuf;

use hallpass_core::{Configuration, Deadline, Request, Unavailable, Verdict};

/// The path of requests.
pub const QUESTION: &str = "/question";

/// The hallpassd that answers for a site.
#[derive(Clone, Debug)]
pub struct Daemon {
    socket: PathBuf,
    /// The path of the site's requests.
    path: String,
    /// Whether hallpassd alone is asked, and never the stores.
    only: bool,
    ignore_case: bool,
    program: &'static str,
}

/// Why hallpassd gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum NoVerdict {
    /// The server at the socket is not hallpassd, or does not know the site.
    #[error("the server at {0} is not a hallpassd that knows this site: status {1}")]
    Foreign(String, u16),
    /// No server answered.
    #[error("cannot ask hallpassd at {0}: {1}")]
    Silent(String, io::Error),
}

impl Daemon {
    /// The hallpassd that `configuration` names, to be asked by `program`; `None` without `via`.
    #[must_use]
    pub fn of(configuration: &Configuration, program: &'static str) -> Option<Self> {
        let via = configuration.via.as_ref()?;
        let path = match &configuration.name {
            Some(name) => format!("/{name}{QUESTION}"),
            None => QUESTION.to_owned(),
        };
        Some(Self {
            socket: via.socket.clone(),
            path,
            only: via.only,
            ignore_case: configuration.access.lookup.ignore_case,
            program,
        })
    }

    /// The verdict of hallpassd on `request`, by `deadline`.
    ///
    /// # Errors
    /// [`NoVerdict`] when it gave none.
    pub fn ask(&self, request: &Request, deadline: Deadline) -> Result<Verdict, NoVerdict> {
        self.put(request, false, deadline)
    }

    fn put(
        &self,
        request: &Request,
        recheck: bool,
        deadline: Deadline,
    ) -> Result<Verdict, NoVerdict> {
        let time = deadline.remaining();
        let body = wire::write_request(request, self.program, self.ignore_case, time, recheck);
        let socket = || self.socket.display().to_string();
        let answer = http::post(&self.socket, &self.path, &body, deadline)
            .map_err(|error| NoVerdict::Silent(socket(), error))?;
        match wire::read_verdict(&answer.body) {
            Ok(verdict) if answer.status == 200 => Ok(verdict),
            _ => Err(NoVerdict::Foreign(socket(), answer.status)),
        }
    }

    /// The verdict of hallpassd; `None` when it gave none, and the stores may and can still be
    /// asked.
    pub(crate) fn verdict(
        &self,
        request: &Request,
        recheck: bool,
        deadline: Deadline,
    ) -> Option<Verdict> {
        match self.put(request, recheck, deadline) {
            Ok(verdict) => Some(verdict),
            Err(error) if self.only || deadline.passed() => {
                Some(Unavailable::new(error.to_string()).into())
            }
            Err(_) => None,
        }
    }
}
