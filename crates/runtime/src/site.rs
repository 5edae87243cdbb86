//! The site that a program which runs long asks, whatever is wrong with its configuration just now.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clap::error::ErrorKind;
use hallpass_core::configuration;
use hallpass_core::{Change, Configuration, Deadline, Request, Unavailable, Verdict};

use crate::{Asker, CommandLine, Log};

/// Where the configuration comes from.
#[derive(Debug)]
pub enum Source {
    /// From the file that the command line names.
    File(CommandLine),
    /// From nowhere: the command line itself was wrong, in these words.
    Unusable(String),
}

impl Source {
    /// What is left of a command line that cannot be read, for a program that must not end: hosts
    /// give up helpers that do, again and again. Whoever asks for help, or types at a terminal, is
    /// answered, and the program ends.
    #[must_use]
    pub fn unusable(error: &clap::Error) -> Self {
        let asked = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        if asked || std::io::stdin().is_terminal() {
            error.exit();
        }
        // The first line says what is wrong with which word; usage follows.
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        Self::Unusable(first.trim_start_matches("error: ").to_owned())
    }
}

/// The site, and the log. A configuration that cannot be read is tried again at each question, and
/// one with which nothing could be asked is read again once it is changed.
#[derive(Debug)]
pub struct Site {
    program: &'static str,
    source: Source,
    /// What the program does to a configuration that it has read.
    adapt: fn(&mut Configuration),
    /// Where the program writes what it decides.
    pub log: Log,
    open: Option<Open>,
}

/// A configuration that could be read.
#[derive(Debug)]
pub struct Open {
    /// The configuration.
    pub configuration: Arc<Configuration>,
    asker: Asker,
    /// The file as it was then: when it was changed, and its size.
    file: Option<(SystemTime, u64)>,
    /// Whether the last question could not be answered.
    failing: bool,
}

impl Site {
    /// Reads the configuration for `program`, and logs what is wrong with it.
    #[must_use]
    pub fn new(program: &'static str, source: Source, adapt: fn(&mut Configuration)) -> Self {
        let mut site = Self {
            program,
            source,
            adapt,
            log: Log::new(program, configuration::Log::default()),
            open: None,
        };
        if let Err(unavailable) = site.open() {
            site.log.error(&unavailable.to_string());
        }
        site
    }

    /// The site with its configuration.
    ///
    /// # Errors
    /// [`Unavailable`] when that cannot be read.
    pub fn open(&mut self) -> Result<&mut Open, Unavailable> {
        let common = match &self.source {
            Source::File(common) => common,
            Source::Unusable(message) => {
                return Err(Unavailable::new(format!("the command line: {message}")));
            }
        };
        let file = stamp(&common.path());
        let open = match self.open.take() {
            Some(open) if !open.failing || open.file == file => open,
            _ => {
                let mut configuration = common
                    .configuration()
                    .map_err(|error| Unavailable::new(error.to_string()))?;
                self.log = Log::new(self.program, configuration.log);
                for warning in &configuration.warnings {
                    self.log.warning(warning);
                }
                (self.adapt)(&mut configuration);
                let configuration = Arc::new(configuration);
                Open {
                    asker: Asker::new(Arc::clone(&configuration), self.program),
                    configuration,
                    file,
                    failing: false,
                }
            }
        };
        Ok(self.open.insert(open))
    }

    /// The configuration that was read last, if any could be.
    #[must_use]
    pub fn configuration(&self) -> Option<&Configuration> {
        self.open.as_ref().map(|open| &*open.configuration)
    }
}

/// Why the sessions of the site that `configuration` describes cannot be read, where something is
/// missing in it that no daemon has either.
#[must_use]
pub fn no_sessions(configuration: &Configuration) -> Option<Unavailable> {
    if configuration.via.is_some() {
        return None;
    }
    let missing = configuration.missing_for_sessions()?;
    Some(Unavailable::new(format!(
        "sessions cannot be read without {missing} in the configuration"
    )))
}

impl Open {
    /// As [`no_sessions`], of this configuration.
    #[must_use]
    pub fn no_sessions(&self) -> Option<Unavailable> {
        no_sessions(&self.configuration)
    }

    /// When an answer to what came in at `arrived` must be there: what has waited its turn since
    /// then has less time left.
    #[must_use]
    pub fn deadline(&self, arrived: Instant) -> Deadline {
        let whole = self.configuration.limits.deadline;
        Deadline::after(whole.saturating_sub(arrived.elapsed()))
    }

    /// The verdict on `request`, by `deadline`.
    pub fn ask(&mut self, request: Request, deadline: Deadline) -> Verdict {
        let verdict = if deadline.remaining() == Duration::ZERO {
            let message = "its turn did not come within `deadline`: too many questions at once";
            Unavailable::new(message).into()
        } else {
            self.asker.ask(request, deadline)
        };
        self.failing = matches!(verdict, Verdict::Unavailable(_));
        verdict
    }

    /// Makes `change`; what came of it, by `deadline`.
    pub fn change(&mut self, change: Change, deadline: Deadline) -> Verdict {
        let verdict = self.asker.change(change, deadline);
        self.failing = matches!(verdict, Verdict::Unavailable(_));
        verdict
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
