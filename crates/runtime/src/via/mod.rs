//! Asking a running daemon in place of the stores.

mod asker;
pub mod http;
pub mod wire;

use std::io;
use std::path::PathBuf;

use hallpass_core::{Configuration, Deadline, Request, Unavailable, Verdict};

pub use self::asker::{Asker, ask_once};

/// The path of questions.
pub const QUESTION: &str = "/question";

/// A daemon that answers about a site.
#[derive(Clone, Debug)]
pub struct Daemon {
    socket: PathBuf,
    /// The path of the site's questions.
    path: String,
    /// Whether nobody else is asked where it is not there.
    only: bool,
    ignore_case: bool,
    program: &'static str,
}

/// Why the daemon gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum NoVerdict {
    /// What answers there is not a daemon, or another one.
    #[error("what answers at {0} is no hallpassd that knows this site: status {1}")]
    Foreign(String, u16),
    /// It is not there, or hung up.
    #[error("asking hallpassd at {0}: {1}")]
    Silent(String, io::Error),
}

impl Daemon {
    /// The daemon that `configuration` says is to be asked by `program`, if any.
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
            ignore_case: configuration.access.ignore_case,
            program,
        })
    }

    /// The daemon's verdict on `request`, by `deadline`.
    ///
    /// # Errors
    /// [`NoVerdict`] where it gave none.
    pub fn ask(&self, request: &Request, deadline: Deadline) -> Result<Verdict, NoVerdict> {
        let time = deadline.remaining();
        let body = wire::write_question(request, self.program, self.ignore_case, time);
        let socket = || self.socket.display().to_string();
        let answer = http::post(&self.socket, &self.path, &body, deadline)
            .map_err(|error| NoVerdict::Silent(socket(), error))?;
        match wire::read_verdict(&answer.body) {
            Ok(verdict) if answer.status == 200 => Ok(verdict),
            _ => Err(NoVerdict::Foreign(socket(), answer.status)),
        }
    }

    /// The daemon's verdict, or none where it gave none and somebody else may be asked, and there
    /// still is time for it.
    fn verdict(&self, request: &Request, deadline: Deadline) -> Option<Verdict> {
        match self.ask(request, deadline) {
            Ok(verdict) => Some(verdict),
            Err(error) if self.only || deadline.passed() => {
                Some(Unavailable::new(error.to_string()).into())
            }
            Err(_) => None,
        }
    }
}
